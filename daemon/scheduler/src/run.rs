//! The scheduler: a table of what is in memory, and tasks that load, serve and expire. Each rule is in `plan`.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use platform::process::WorkerFiles;
use protocol::{CacheOptions, Generate, ModelFacts};
use store::ModelName;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::health::{Health, Verdict};
use crate::plan::{Place, Step, next_step, serves};
use crate::prefixes::PrefixFiles;
use crate::worker::{self, Connection, Ended, Failure, Link, Spawn};
use crate::{Answer, Config, KeepAlive, Load, Loaded, ScheduleError};

/// Decides which models are in memory. A clone is the same scheduler.
#[derive(Clone)]
pub struct Scheduler {
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Scheduler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scheduler").finish_non_exhaustive()
    }
}

struct Shared {
    config: Config,
    spawn: Box<Spawn>,
    prefixes: Option<PrefixFiles>,
    table: Mutex<Table>,
    /// Something in the table changed.
    changed: Notify,
    tasks: TaskTracker,
    closing: CancellationToken,
}

#[derive(Default)]
struct Table {
    models: HashMap<ModelName, Entry>,
    /// Requests that wait, by what they wait for.
    waiting: HashMap<ModelName, usize>,
    next_id: u64,
    health: Health,
}

struct Entry {
    /// Tells this entry from a later one of the same name.
    id: u64,
    load: Load,
    phase: Phase,
    leases: usize,
    keep_alive: KeepAlive,
    /// When it goes; `None` while it is in use or if it stays.
    expires: Option<Instant>,
    /// Told to go as soon as it is idle.
    leaving: bool,
}

enum Phase {
    Loading(Arc<OnceLock<String>>),
    Ready { link: Arc<Link>, facts: ModelFacts },
}

/// A right to use a loaded model. It stays in memory while one is held.
pub(crate) struct Lease {
    shared: Arc<Shared>,
    name: ModelName,
    id: u64,
    link: Arc<Link>,
    facts: ModelFacts,
}

impl Scheduler {
    /// A scheduler with nothing loaded. To be called within a tokio runtime.
    pub fn start(config: Config) -> Self {
        let program = config.worker.clone();
        let spawn = move |files| {
            let worker = platform::process::spawn(&program, files)?;
            Ok(Connection { socket: worker.socket, process: Some(worker.child) })
        };
        Self::with_spawn(config, Box::new(spawn))
    }

    pub(crate) fn with_spawn(config: Config, spawn: Box<Spawn>) -> Self {
        let open = |(folder, bytes): &(PathBuf, u64)| {
            let warn = |error: &io::Error| tracing::warn!(%error, folder = %folder.display(), "prefixes are not kept on the disk");
            PrefixFiles::open(folder, *bytes).inspect_err(warn).ok()
        };
        let prefixes = config.cache_disk.as_ref().and_then(open);
        let shared = Arc::new(Shared {
            config,
            spawn,
            prefixes,
            table: Mutex::default(),
            changed: Notify::new(),
            tasks: TaskTracker::new(),
            closing: CancellationToken::new(),
        });
        let expiring = Arc::clone(&shared);
        shared.tasks.spawn(async move { expiring.expire().await });
        Self { shared }
    }

    /// A worker that is nobody's model.
    pub(crate) fn start_worker(&self, files: WorkerFiles) -> io::Result<Connection> {
        (self.shared.spawn)(files)
    }

    /// How long a worker may be silent.
    pub(crate) fn patience(&self) -> Duration {
        self.shared.config.load_timeout
    }

    /// Begins a generation, loading its model first if need be. Dropping the future leaves nothing behind but a model
    /// that may be loading.
    ///
    /// # Errors
    /// [`ScheduleError`] says why there is no worker for it.
    pub async fn generate(&self, load: Load, work: Generate) -> Result<Answer, ScheduleError> {
        let (lease, load_time) = self.lease(load.clone()).await?;
        Ok(Answer::begin(self.clone(), load, lease, load_time, work))
    }

    /// Brings a model into memory, where it stays for its keep-alive.
    ///
    /// # Errors
    /// As for [`Scheduler::generate`].
    pub async fn load(&self, load: Load) -> Result<Loaded, ScheduleError> {
        let wanted = load.clone();
        let (lease, load_time) = self.lease(load).await?;
        let keep_alive = wanted.keep_alive.unwrap_or(self.shared.config.keep_alive);
        Ok(Loaded { load_time, ..describe(&wanted, &lease.facts, expiry(keep_alive)) })
    }

    /// Takes a model out of memory, once its running answers ended; returns at once whether it was there.
    pub async fn unload(&self, name: &ModelName) -> bool {
        let mut table = self.shared.table();
        table.health.touched(name);
        let Some(entry) = table.models.get_mut(name) else { return false };
        entry.leaving = true;
        // One that is loading goes when it has loaded, and those that wait for it have had their answers.
        if entry.is_idle() {
            table.remove(name);
        }
        self.shared.changed.notify_waiters();
        true
    }

    /// What is in memory, the longest to stay first.
    pub async fn loaded(&self) -> Vec<Loaded> {
        let table = self.shared.table();
        let mut loaded: Vec<Loaded> = table.models.values().filter_map(Entry::describe).collect();
        loaded.sort_by_key(|model| (model.expires_at.is_some(), std::cmp::Reverse(model.expires_at)));
        loaded
    }

    /// Stops all workers and waits until they are gone. What still runs fails.
    pub async fn shutdown(&self) {
        self.shared.closing.cancel();
        {
            let mut table = self.shared.table();
            let names: Vec<ModelName> = table.models.keys().cloned().collect();
            names.iter().for_each(|name| table.remove(name));
        }
        self.shared.changed.notify_waiters();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }

    pub(crate) async fn lease(&self, load: Load) -> Result<(Lease, Duration), ScheduleError> {
        let started = Instant::now();
        self.shared.rested(&load).await?;
        let mut waiting = None;
        let mut loading: Option<Arc<OnceLock<String>>> = None;
        loop {
            let mut changed = std::pin::pin!(self.shared.changed.notified());
            // From here on no change is missed, whatever happens before the await below.
            changed.as_mut().enable();
            if self.shared.closing.is_cancelled() {
                return Err(ScheduleError::ShuttingDown);
            }
            if let Some(reason) = loading.as_ref().and_then(|failure| failure.get()) {
                return Err(ScheduleError::LoadFailed { model: Box::new(load.name), reason: reason.clone() });
            }
            if let Some(lease) = self.shared.step(&load, &mut loading, &mut waiting)? {
                // A model that was there all along cost nothing.
                let waited = if loading.is_some() { started.elapsed() } else { Duration::ZERO };
                return Ok((lease, waited));
            }
            changed.await;
        }
    }
}

impl Shared {
    /// One look at the table, and what follows from it; `None` is to wait for a change.
    fn step<'a>(
        self: &'a Arc<Self>,
        load: &Load,
        loading: &mut Option<Arc<OnceLock<String>>>,
        waiting: &mut Option<Waiting<'a>>,
    ) -> Result<Option<Lease>, ScheduleError> {
        let mut table = self.table();
        table.bury(&load.name);
        loop {
            let full = table.models.len() >= self.config.max_loaded.max(1);
            let step = next_step(table.place(load), full, table.coldest().is_some());
            // A model that is there and free to use is used, however many wait for others.
            if step != Step::Use && waiting.is_none() {
                *waiting = Some(Waiting::enter(self, &mut table, &load.name)?);
            }
            match step {
                Step::Use => return Ok(table.lease(load, self)),
                Step::Replace => table.remove(&load.name),
                Step::Evict => {
                    let Some(coldest) = table.coldest() else { return Ok(None) };
                    table.remove(&coldest);
                }
                Step::Load => *loading = Some(self.begin_load(&mut table, load)?),
                Step::Wait => {
                    if let Some(Phase::Loading(failure)) =
                        table.models.get(&load.name).map(|entry| &entry.phase)
                    {
                        *loading = Some(Arc::clone(failure));
                    }
                    return Ok(None);
                }
            }
        }
    }

    fn begin_load(
        self: &Arc<Self>,
        table: &mut Table,
        load: &Load,
    ) -> Result<Arc<OnceLock<String>>, ScheduleError> {
        let files = open(load)?;
        let failure = Arc::new(OnceLock::new());
        table.next_id += 1;
        let entry = Entry {
            id: table.next_id,
            load: load.clone(),
            phase: Phase::Loading(Arc::clone(&failure)),
            leases: 0,
            keep_alive: load.keep_alive.unwrap_or(self.config.keep_alive),
            expires: None,
            leaving: false,
        };
        let id = entry.id;
        table.models.insert(load.name.clone(), entry);
        let (shared, load, failed) = (Arc::clone(self), load.clone(), Arc::clone(&failure));
        self.tasks.spawn(async move {
            let closing = shared.closing.clone();
            let outcome = tokio::select! {
                outcome = shared.serve(id, &load, files) => outcome,
                () = closing.cancelled() => Err("hob is shutting down".to_owned().into()),
            };
            if let Err(Failure { reason, crashed }) = outcome {
                tracing::warn!(model = %load.name, reason, "model not loaded");
                if crashed {
                    shared.crashed(&load, reason.clone());
                }
                // Set once, by this task alone.
                let _already = failed.set(reason);
            }
            shared.table().remove_entry(&load.name, id);
            shared.changed.notify_waiters();
        });
        Ok(failure)
    }

    /// Loads a model and serves it until it ends.
    async fn serve(self: &Arc<Self>, id: u64, load: &Load, mut files: WorkerFiles) -> Result<(), Failure> {
        let begun = Instant::now();
        let mut options = load.options.clone();
        options.cache = self.prefixes_of(load, &mut files);
        let connection =
            (self.spawn)(files).map_err(|error| format!("a worker cannot be started: {error}"))?;
        let (serving, facts) = worker::load(connection, options, self.config.load_timeout).await?;
        tracing::info!(model = %load.name, context = facts.context_tokens, elapsed = ?begun.elapsed(), "model loaded");
        {
            let mut table = self.table();
            let awaited = table.waiting.contains_key(&load.name);
            let Some(entry) = table.models.get_mut(&load.name).filter(|entry| entry.id == id) else {
                // The daemon is closing; the process goes with `serving`.
                return Err("hob is shutting down".to_owned().into());
            };
            if entry.leaving && !awaited {
                return Err("it was unloaded while it was loading".to_owned().into());
            }
            entry.phase = Phase::Ready { link: Arc::clone(&serving.link), facts };
            // Whoever waits for it must find it, even if it is to be kept for no time.
            entry.rest();
            entry.expires =
                entry.expires.max(Instant::now().checked_add(GRACE).filter(|_| entry.expires.is_some()));
        }
        self.changed.notify_waiters();
        // To its end even when the daemon is closing: the scheduler stops it by its link, and it reaps its process.
        let ended = self
            .tasks
            .spawn(serving.run(self.config.stuck_after))
            .await
            .map_err(|error| error.to_string())?;
        match ended {
            Ended::Stopped => {}
            Ended::Died(how) => self.crashed(load, format!("its process ended: {how}")),
            Ended::Stuck => self.crashed(load, "its process did not respond any more".into()),
        }
        Ok(())
    }

    /// Where the worker keeps prefixes. A disk that fails costs no more than the prefixes on it.
    fn prefixes_of(&self, load: &Load, files: &mut WorkerFiles) -> CacheOptions {
        let mut cache = CacheOptions { bytes: self.config.cache_bytes, ..Default::default() };
        let Some(prefixes) = &self.prefixes else { return cache };
        let parts = std::iter::once(&load.weights).chain(&load.adapters);
        match prefixes.of_model(parts.map(PathBuf::as_path)) {
            Ok((file, bytes)) => {
                files.prefixes = Some(file);
                (cache.file_bytes, cache.secret) = (bytes, prefixes.secret());
            }
            Err(error) => tracing::warn!(%error, "prefixes are not kept on the disk"),
        }
        cache
    }

    fn crashed(&self, load: &Load, reason: String) {
        tracing::error!(model = %load.name, reason, "the worker crashed");
        self.table().health.crashed(&load.name, load.digest, reason, Instant::now());
    }

    /// Waits until a model that crashed may be loaded again.
    async fn rested(&self, load: &Load) -> Result<(), ScheduleError> {
        loop {
            let verdict = self.table().health.verdict(&load.name, load.digest, Instant::now());
            match verdict {
                Verdict::Fit => return Ok(()),
                Verdict::Rests(until) => tokio::time::sleep_until(until.into()).await,
                Verdict::Quarantined(reason) => {
                    return Err(ScheduleError::Quarantined { model: Box::new(load.name.clone()), reason });
                }
            }
        }
    }

    /// Unloads what has been idle for long enough.
    async fn expire(self: Arc<Self>) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let next = {
                let mut table = self.table();
                let now = Instant::now();
                while let Some(expired) = table.expired(now) {
                    tracing::info!(model = %expired, "model unloaded");
                    table.remove(&expired);
                }
                table.next_expiry()
            };
            let next = next.map(tokio::time::Instant::from_std);
            tokio::select! {
                () = changed => {}
                () = async { tokio::time::sleep_until(next.unwrap_or_else(tokio::time::Instant::now)).await }, if next.is_some() => {}
                () = self.closing.cancelled() => return,
            }
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn place(&self, load: &Load) -> Place {
        let Some(entry) = self.models.get(&load.name) else { return Place::Empty };
        // A context past the trained length was cut, so what was asked for is what is compared.
        let going = entry.leaving && entry.leases > 0;
        let fits = !going && entry.load.digest == load.digest && serves(&entry.load.options, &load.options);
        match entry.phase {
            Phase::Loading(_) => Place::Loading { fits },
            Phase::Ready { .. } => Place::Ready { fits, busy: entry.leases > 0 },
        }
    }

    /// The idle model that would go first anyway. One that a request waits for is as good as in use.
    fn coldest(&self) -> Option<ModelName> {
        let free =
            |(name, entry): &(&ModelName, &Entry)| entry.is_idle() && !self.waiting.contains_key(*name);
        let coldest =
            self.models.iter().filter(free).min_by_key(|(_, entry)| (entry.expires.is_none(), entry.expires));
        coldest.map(|(name, _)| name.clone())
    }

    fn expired(&self, now: Instant) -> Option<ModelName> {
        let due = |entry: &Entry| entry.is_idle() && entry.expires.is_some_and(|expires| expires <= now);
        self.models.iter().find(|(_, entry)| due(entry)).map(|(name, _)| name.clone())
    }

    /// When the next idle model goes.
    fn next_expiry(&self) -> Option<Instant> {
        self.models.values().filter(|entry| entry.is_idle()).filter_map(|entry| entry.expires).min()
    }

    fn lease(&mut self, load: &Load, shared: &Arc<Shared>) -> Option<Lease> {
        let entry = self.models.get_mut(&load.name)?;
        let Phase::Ready { link, facts } = &entry.phase else { return None };
        let (link, facts) = (Arc::clone(link), facts.clone());
        entry.leases += 1;
        entry.expires = None;
        entry.keep_alive = load.keep_alive.unwrap_or(shared.config.keep_alive);
        Some(Lease { shared: Arc::clone(shared), name: load.name.clone(), id: entry.id, link, facts })
    }

    fn remove(&mut self, name: &ModelName) {
        if let Some(Entry { phase: Phase::Ready { link, .. }, .. }) = self.models.remove(name) {
            link.stop();
        }
    }

    /// Removes a model whose worker died and whose task has not yet said so.
    fn bury(&mut self, name: &ModelName) {
        let link = self.models.get(name).map(|entry| &entry.phase);
        if matches!(link, Some(Phase::Ready { link, .. }) if link.is_dead()) {
            self.models.remove(name);
        }
    }

    fn remove_entry(&mut self, name: &ModelName, id: u64) {
        if self.models.get(name).is_some_and(|entry| entry.id == id) {
            self.remove(name);
        }
    }
}

impl Entry {
    /// Loaded, and in nobody's use.
    fn is_idle(&self) -> bool {
        self.leases == 0 && matches!(self.phase, Phase::Ready { .. })
    }

    /// Sets the time to go, now that nobody uses it.
    fn rest(&mut self) {
        self.expires = match self.keep_alive {
            KeepAlive::For(time) => Instant::now().checked_add(time),
            KeepAlive::Forever => None,
        };
    }

    fn describe(&self) -> Option<Loaded> {
        let Phase::Ready { facts, .. } = &self.phase else { return None };
        let expires_at = match (self.expires, self.leases) {
            (Some(at), _) => Some(SystemTime::now() + at.saturating_duration_since(Instant::now())),
            (None, 0) => None,
            (None, _) => expiry(self.keep_alive),
        };
        Some(describe(&self.load, facts, expires_at))
    }
}

/// Opened before the worker is started, which has no right to open anything.
fn open(load: &Load) -> Result<WorkerFiles, ScheduleError> {
    let open = |path: &PathBuf| {
        File::open(path).map_err(|source| ScheduleError::Open { path: path.clone(), source })
    };
    let adapters = load.adapters.iter().map(open).collect::<Result<_, _>>()?;
    Ok(WorkerFiles { model: open(&load.weights)?, adapters, output: None, prefixes: None })
}

fn expiry(keep_alive: KeepAlive) -> Option<SystemTime> {
    match keep_alive {
        KeepAlive::For(time) => SystemTime::now().checked_add(time),
        KeepAlive::Forever => None,
    }
}

fn describe(load: &Load, facts: &ModelFacts, expires_at: Option<SystemTime>) -> Loaded {
    Loaded {
        name: load.name.clone(),
        digest: load.digest,
        size_bytes: facts.resident_bytes,
        gpu_bytes: facts.gpu_bytes,
        context_tokens: facts.context_tokens,
        expires_at,
        load_time: Duration::ZERO,
    }
}

impl Lease {
    pub(crate) fn link(&self) -> &Link {
        &self.link
    }
}

impl std::fmt::Debug for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lease").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut table = self.shared.table();
        let Some(entry) = table.models.get_mut(&self.name).filter(|entry| entry.id == self.id) else {
            return;
        };
        entry.leases -= 1;
        if entry.leases > 0 {
            return;
        }
        if entry.leaving || entry.keep_alive == KeepAlive::For(Duration::ZERO) {
            table.remove(&self.name);
        } else {
            entry.rest();
        }
        drop(table);
        self.shared.changed.notify_waiters();
    }
}

/// How long a model that was just loaded stays at least, for the requests that wait for it.
const GRACE: Duration = Duration::from_secs(10);

/// A place in the queue.
struct Waiting<'a> {
    shared: &'a Shared,
    name: ModelName,
}

impl<'a> Waiting<'a> {
    fn enter(shared: &'a Shared, table: &mut Table, name: &ModelName) -> Result<Self, ScheduleError> {
        if table.waiting.values().sum::<usize>() >= shared.config.max_queue {
            return Err(ScheduleError::Busy);
        }
        *table.waiting.entry(name.clone()).or_default() += 1;
        Ok(Self { shared, name: name.clone() })
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut table = self.shared.table();
        let last = table.waiting.get_mut(&self.name).is_none_or(|count| {
            *count -= 1;
            *count == 0
        });
        if last {
            table.waiting.remove(&self.name);
        }
        drop(table);
        // What it waited for may be evicted now.
        self.shared.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests;
