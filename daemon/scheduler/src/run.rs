//! The scheduler: the tasks that load, serve and expire what is in the `table`. Each rule is in `plan`.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use platform::process::WorkerFiles;
use protocol::{CacheOptions, Generate, GenerateError, LoadOptions, Purpose};
use store::ModelName;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use self::turn::Turn;
use self::turn::Waiting;
use crate::health::Verdict;
use crate::lenders::Part;
use crate::link::Link;
use crate::plan::{Place, Refusal, Room, Size, Step, longest_context, next_step_beside};
use crate::prefixes::PrefixFiles;
use crate::roll::{Enrolled, Roll, Stage};
use crate::table::{Phase, Table};
use crate::worker::{self, Ended, Failure};
use crate::world::{self, World};
use crate::{Answer, Config, KeepAlive, Load, Loaded, ScheduleError, Shape};

/// Decides which models are in memory. A clone is the same scheduler.
#[derive(Clone)]
pub struct Scheduler {
    pub(crate) shared: Arc<Shared>,
}

impl std::fmt::Debug for Scheduler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scheduler").finish_non_exhaustive()
    }
}

pub(crate) struct Shared {
    pub(crate) config: Config,
    /// How long a model stays of which nobody says otherwise.
    keep_alive: Mutex<KeepAlive>,
    pub(crate) world: World,
    prefixes: Option<PrefixFiles>,
    table: Mutex<Table>,
    pub(crate) roll: Roll,
    /// Who reads a header. One at a time: a thousand requests that come at once for one model need it once.
    reading: tokio::sync::Mutex<()>,
    /// Something in the table changed.
    pub(crate) changed: Notify,
    pub(crate) tasks: TaskTracker,
    pub(crate) closing: CancellationToken,
}

/// A right to use a loaded model. It stays in memory while one is held.
pub(crate) struct Lease {
    shared: Arc<Shared>,
    name: ModelName,
    id: u64,
    link: Arc<Link>,
}

/// A request on its way to a lease.
struct Visit {
    load: Arc<Load>,
    turn: Turn,
    shape: Option<Arc<Shape>>,
    /// Where the load that it waits for leaves the reason why it failed.
    loading: Option<Arc<OnceLock<String>>>,
    waiting: Option<Waiting>,
    /// What of it is to be on other boxes.
    parts: Arc<[Part]>,
    /// What they were chosen for, beyond which they have no room.
    most: Option<Size>,
}

/// What one look at the table brought.
enum Look {
    Leased(Lease),
    /// The model's shape must be known first.
    Unknown,
    /// Nothing, until something changes.
    Nothing,
}

impl Scheduler {
    /// A scheduler with nothing loaded. To be called within a tokio runtime.
    pub fn start(config: Config) -> Self {
        let world = World::real(config.worker.clone());
        Self::in_world(config, world)
    }

    pub(crate) fn in_world(config: Config, world: World) -> Self {
        let open = |(folder, bytes): &(PathBuf, u64)| {
            let warn = |error: &std::io::Error| tracing::warn!(%error, folder = %folder.display(), "prefixes are not kept on the disk");
            PrefixFiles::open(folder, *bytes).inspect_err(warn).ok()
        };
        let prefixes = config.cache_disk.as_ref().and_then(open);
        let shared = Arc::new(Shared {
            keep_alive: Mutex::new(config.keep_alive),
            config,
            world,
            prefixes,
            table: Mutex::default(),
            roll: Roll::default(),
            reading: tokio::sync::Mutex::default(),
            changed: Notify::new(),
            tasks: TaskTracker::new(),
            closing: CancellationToken::new(),
        });
        let expiring = Arc::clone(&shared);
        shared.tasks.spawn(async move { expiring.expire().await });
        Self { shared }
    }

    /// Begins a generation, loading its model first if need be. Dropping the future leaves nothing behind but a model
    /// that may be loading.
    ///
    /// # Errors
    /// [`ScheduleError`] says why there is no worker for it.
    pub async fn generate(&self, load: Load, work: Generate) -> Result<Answer, ScheduleError> {
        let enrolled = self.enrol(&load);
        let leased = self.lease(load.clone(), Turn::Slot, &enrolled).await?;
        Ok(Answer::begin(self.clone(), load, leased, enrolled, work))
    }

    /// Brings a model into memory, where it stays for its keep-alive.
    ///
    /// # Errors
    /// As for [`Scheduler::generate`].
    pub async fn load(&self, load: Load) -> Result<(), ScheduleError> {
        let enrolled = self.enrol(&load);
        self.lease(load, Turn::Aside, &enrolled).await.map(drop)
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

    /// From now on models of which nobody says otherwise stay for so long, those too that are at rest.
    pub fn keep_models_for(&self, time: KeepAlive) {
        let mut table = self.shared.table();
        if std::mem::replace(&mut *self.shared.default_time(), time) == time {
            return;
        }
        for entry in table.models.values_mut().filter(|entry| entry.is_idle() && entry.keep_alive.is_none()) {
            entry.go_by(time);
        }
        drop(table);
        self.shared.changed.notify_waiters();
    }

    /// What is in memory, the longest to stay first.
    pub async fn loaded(&self) -> Vec<Loaded> {
        let default = self.shared.keep_alive();
        let table = self.shared.table();
        let mut loaded: Vec<Loaded> =
            table.models.values().filter_map(|entry| entry.describe(default)).collect();
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

    /// A lease, as soon as there is one, unless the request is ended before.
    pub(crate) async fn lease(
        &self,
        load: Load,
        turn: Turn,
        enrolled: &Enrolled,
    ) -> Result<(Lease, Duration), ScheduleError> {
        tokio::select! {
            biased;
            () = enrolled.stopped() => Err(ScheduleError::Ended),
            leased = self.come_to_lease(load, turn, enrolled) => leased,
        }
    }

    async fn come_to_lease(
        &self,
        mut load: Load,
        turn: Turn,
        enrolled: &Enrolled,
    ) -> Result<(Lease, Duration), ScheduleError> {
        let started = Instant::now();
        self.shared.rested(&load).await?;
        load.options.cache = self.shared.cache_of(&load);
        let mut visit = Visit::of(load, turn);
        loop {
            let mut changed = std::pin::pin!(self.shared.changed.notified());
            // From here on no change is missed, whatever happens before the await below.
            changed.as_mut().enable();
            if self.shared.closing.is_cancelled() {
                return Err(ScheduleError::ShuttingDown);
            }
            if let Some(reason) = visit.loading.as_ref().and_then(|failure| failure.get()) {
                let model = Box::new(visit.load.name.clone());
                return Err(ScheduleError::LoadFailed { model, reason: reason.clone() });
            }
            let looked = match self.shared.look(&mut visit) {
                Err(ScheduleError::TooBig { .. }) if self.shared.spread(&mut visit).await => continue,
                looked => looked?,
            };
            match looked {
                Look::Leased(lease) => {
                    // A model that was there all along cost nothing.
                    let waited = if visit.loading.is_some() { started.elapsed() } else { Duration::ZERO };
                    return Ok((lease, waited));
                }
                Look::Unknown => visit.shape = Some(self.shared.shape(&visit.load).await?),
                Look::Nothing => {
                    if visit.loading.is_some() {
                        enrolled.followed().at(Stage::Loading);
                    }
                    changed.await;
                }
            }
        }
    }
}

impl Shared {
    /// One look at the table, and what follows from it.
    fn look(self: &Arc<Self>, visit: &mut Visit) -> Result<Look, ScheduleError> {
        let mut table = self.table();
        table.bury(&visit.load.name);
        loop {
            let place = table.place(&visit.load);
            // A model that is there and has a free slot is used, however many wait for others.
            let asking = visit.waiting.as_ref().map(|waiting| waiting.id);
            let served = matches!(place, Place::Ready { serves: true, .. });
            let vacated = served && table.must_be_vacated(&visit.load.name, asking);
            if served && !vacated {
                self.admit(&table, visit)?;
                return Ok(self.take(&mut table, &visit.load).map_or(Look::Nothing, Look::Leased));
            }
            if visit.waiting.is_none() {
                visit.waiting = Some(Waiting::enter(self, &mut table, visit)?);
            }
            if vacated {
                return Ok(Look::Nothing);
            }
            let Some(shape) = visit.shape.clone().or_else(|| table.shape(&visit.load.digest)) else {
                return Ok(Look::Unknown);
            };
            let (room, names) = self.room(&table, Some(&visit.load.name));
            let reserved_bytes = table.reserved_bytes(visit.waiting.as_ref().map(|waiting| waiting.id));
            let mut sizes = table.sizes(&visit.load, &shape);
            sizes.retain(|size| visit.most.is_none_or(|most| size.is_within(most)));
            match next_step_beside(place, &sizes, &room, reserved_bytes) {
                Step::Replace => visit.replace(&mut table),
                Step::Evict(index) => {
                    table.evict(names.get(index).and_then(Option::as_ref), "to make room");
                }
                Step::Load(size) => visit.loading = Some(self.begin_load(&mut table, visit, size, shape)?),
                Step::Use | Step::Wait => {
                    visit.note_load(&table);
                    return Ok(Look::Nothing);
                }
                Step::Refuse(refusal) => return Err(self.refused(&table, &visit.load, &shape, refusal)),
            }
        }
    }

    /// The model's shape. Its header is read once.
    pub(crate) async fn shape(self: &Arc<Self>, load: &Arc<Load>) -> Result<Arc<Shape>, ScheduleError> {
        if let Some(known) = self.table().shape(&load.digest) {
            return Ok(known);
        }
        let _reading = self.reading.lock().await;
        if let Some(known) = self.table().shape(&load.digest) {
            return Ok(known);
        }
        let (shared, asked) = (Arc::clone(self), Arc::clone(load));
        let read = tokio::task::spawn_blocking(move || (shared.world.shape)(&asked));
        let shape = Arc::new(read.await.map_err(|_| ScheduleError::ShuttingDown)??);
        self.table().keep_shape(load.digest, Arc::clone(&shape));
        Ok(shape)
    }

    /// What there is beside one model, and the names of it in the same order.
    pub(crate) fn room(&self, table: &Table, name: Option<&ModelName>) -> (Room, Vec<Option<ModelName>>) {
        let gauge = (self.world.gauge)(&table.processes());
        let (others, names) = table.beside(name);
        let max_loaded = self.config.max_loaded.max(1);
        (Room { budget_bytes: self.config.memory.budget_bytes(gauge), max_loaded, others }, names)
    }

    pub(crate) fn refused(
        &self,
        table: &Table,
        load: &Load,
        shape: &Shape,
        refusal: Refusal,
    ) -> ScheduleError {
        let (room, _) = self.room(table, Some(&load.name));
        match refusal {
            Refusal::TooMany => ScheduleError::TooMany { max_loaded: room.max_loaded },
            Refusal::TooBig => ScheduleError::TooBig {
                needed_bytes: table.sizes(load, shape).last().map_or(0, |size| size.bytes),
                available_bytes: room.most_bytes(),
                pinned_bytes: room.pinned_bytes(),
                fits_context: longest_context(
                    shape.capped(load.options.context_tokens),
                    room.most_bytes(),
                    |context_tokens| table.bytes_of_one(load, shape, context_tokens),
                ),
            },
        }
    }

    fn begin_load(
        self: &Arc<Self>,
        table: &mut Table,
        visit: &Visit,
        size: Size,
        shape: Arc<Shape>,
    ) -> Result<Arc<OnceLock<String>>, ScheduleError> {
        let Visit { load, parts, .. } = visit;
        let files = world::open(load)?;
        if !size.whole || size.sequences < load.options.sequences {
            let (context, slots) = (size.context_tokens, size.sequences);
            tracing::warn!(model = %load.name, context, slots, "loaded smaller than wanted, as memory is short");
        }
        let failure = Arc::new(OnceLock::new());
        let id = table.enter(load, size, &failure);
        let (shared, load, failed) = (Arc::clone(self), Arc::clone(load), Arc::clone(&failure));
        let parts = Arc::clone(parts);
        if let Some(entry) = table.entry(&load.name, id) {
            entry.parts = Arc::clone(&parts);
        }
        self.tasks.spawn(async move {
            let closing = shared.closing.clone();
            let outcome = tokio::select! {
                outcome = shared.serve(id, &load, (&shape, &parts), files) => outcome,
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
            shared.table().ended(&load.name, id);
            shared.changed.notify_waiters();
        });
        Ok(failure)
    }

    /// Loads a model and serves it until it ends.
    async fn serve(
        self: &Arc<Self>,
        id: u64,
        load: &Arc<Load>,
        (shape, parts): (&Shape, &[Part]),
        mut files: WorkerFiles,
    ) -> Result<(), Failure> {
        let begun = Instant::now();
        let gone = || "hob is shutting down".to_owned();
        let cache = self.prefixes_of(load, &mut files);
        let lost = self.borrow(parts, &mut files).await?;
        let connection =
            (self.world.spawn)(files).map_err(|error| format!("a worker cannot be started: {error}"))?;
        let options = {
            let mut table = self.table();
            let entry = table.entry(&load.name, id).ok_or_else(gone)?;
            entry.taken.process = connection.process.as_ref().and_then(|process| process.id());
            let options = entry.options();
            LoadOptions { cache, cache_types: shape.kept(options.cache_types), ..options }
        };
        let later_bytes = shape.estimate(&options).compute_bytes.saturating_add(options.cache.bytes);
        let loaded = worker::load(connection, options, self.config.load_timeout).await;
        let (serving, facts) = loaded.map_err(|failure| match lost.one() {
            Some(lender) => GenerateError::LenderLost { lender }.to_string().into(),
            None => failure,
        })?;
        tracing::info!(model = %load.name, context = facts.context_tokens, elapsed = ?begun.elapsed(), "model loaded");
        {
            let mut table = self.table();
            let awaited = table.waiting.values().any(|waiting| waiting.load.name == load.name);
            // Without an entry the daemon is closing; the process goes with `serving`.
            let entry = table.entry(&load.name, id).ok_or_else(gone)?;
            if entry.leaving && !awaited {
                return Err("it was unloaded while it was loading".to_owned().into());
            }
            let bytes = facts.resident_bytes.saturating_add(later_bytes);
            entry.phase = Phase::Ready { link: Arc::clone(&serving.link), facts };
            // Whoever waits for it must find it, even if it is to be kept for no time.
            entry.rest(self.keep_alive());
            entry.expires =
                entry.expires.max(Instant::now().checked_add(GRACE).filter(|_| entry.expires.is_some()));
            table.correct(&load.name, bytes);
            self.shed(&mut table);
        }
        self.changed.notify_waiters();
        let (shared, asked) = (Arc::clone(self), Arc::clone(load));
        let note = move |ended: &Ended| {
            if let Some(reason) = ended.crash() {
                shared.crashed(&asked, reason.to_owned());
            }
        };
        // To its end even when the daemon is closing: the scheduler stops it by its link, and it reaps its process.
        let serving = self.tasks.spawn(serving.run(self.config.stuck_after, lost, note));
        serving.await.map_err(|error| error.to_string().into())
    }

    /// Memory for prefixes.
    pub(crate) fn cache_of(&self, load: &Load) -> CacheOptions {
        let bytes = match load.options.purpose {
            Purpose::Generate => self.config.cache_bytes,
            Purpose::Embed => 0,
        };
        CacheOptions { bytes, ..Default::default() }
    }

    /// Where the worker keeps prefixes. A disk that fails costs no more than the prefixes on it.
    fn prefixes_of(&self, load: &Load, files: &mut WorkerFiles) -> CacheOptions {
        let mut cache = load.options.cache.clone();
        let generates = load.options.purpose == Purpose::Generate;
        let here = load.options.remote.is_empty();
        let Some(prefixes) = self.prefixes.as_ref().filter(|_| generates && here) else { return cache };
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
        self.table().health.crashed(&load.name, load.digest, reason, Instant::now().into_std());
    }

    /// Waits until a model that crashed may be loaded again.
    async fn rested(&self, load: &Load) -> Result<(), ScheduleError> {
        loop {
            let verdict = self.table().health.verdict(&load.name, load.digest, Instant::now().into_std());
            match verdict {
                Verdict::Fit => return Ok(()),
                Verdict::Rests(until) => tokio::time::sleep_until(until.into()).await,
                Verdict::Quarantined(reason) => {
                    return Err(ScheduleError::Quarantined { model: Box::new(load.name.clone()), reason });
                }
            }
        }
    }

    /// Unloads idle models while all together take too much.
    fn shed(&self, table: &mut Table) {
        loop {
            let (room, names) = self.room(table, None);
            let Some(index) = room.excess() else { return };
            let name = names.get(index).and_then(Option::as_ref);
            table.evict(name, "as another took more than was thought");
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
            tokio::select! {
                () = changed => {}
                () = async { tokio::time::sleep_until(next.unwrap_or_else(Instant::now)).await }, if next.is_some() => {}
                () = self.closing.cancelled() => return,
            }
        }
    }

    fn keep_alive(&self) -> KeepAlive {
        *self.default_time()
    }

    fn default_time(&self) -> MutexGuard<'_, KeepAlive> {
        self.keep_alive.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(self: &Arc<Self>, table: &mut Table, load: &Load) -> Option<Lease> {
        let entry = table.models.get_mut(&load.name)?;
        let Phase::Ready { link, .. } = &entry.phase else { return None };
        let link = Arc::clone(link);
        entry.leases += 1;
        entry.expires = None;
        entry.keep_alive = load.keep_alive.or(entry.keep_alive);
        Some(Lease { shared: Arc::clone(self), name: load.name.clone(), id: entry.id, link })
    }
}

impl Visit {
    fn of(load: Load, turn: Turn) -> Self {
        let load = Arc::new(load);
        Self { load, turn, shape: None, loading: None, waiting: None, parts: Arc::default(), most: None }
    }

    /// Unloads what is in the model's place. What was said about how long it stays, still holds.
    fn replace(&mut self, table: &mut Table) {
        let kept = table.models.get(&self.load.name).and_then(|entry| entry.keep_alive);
        let keep_alive = self.load.keep_alive.or(kept);
        self.load = Arc::new(Load { keep_alive, ..(*self.load).clone() });
        table.remove(&self.load.name);
    }

    /// A load of somebody else's may be the one that is waited for.
    fn note_load(&mut self, table: &Table) {
        if let Some(Phase::Loading(failure)) = table.models.get(&self.load.name).map(|entry| &entry.phase) {
            self.loading = Some(Arc::clone(failure));
        }
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
        let default = self.shared.keep_alive();
        let Some(entry) = table.entry(&self.name, self.id) else { return };
        entry.leases -= 1;
        if entry.leases > 0 {
            return;
        }
        if entry.leaving || entry.keep_alive.unwrap_or(default) == KeepAlive::For(Duration::ZERO) {
            table.remove(&self.name);
        } else {
            entry.rest(default);
        }
        drop(table);
        self.shared.changed.notify_waiters();
    }
}

/// How long a model that was just loaded stays at least, for the requests that wait for it.
const GRACE: Duration = Duration::from_secs(10);

mod elsewhere;
mod turn;

#[cfg(test)]
mod random;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::a_load;
