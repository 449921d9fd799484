//! Pulls that the box does by itself, whoever watches: begun, paused, gone on with, given up. What has come of one stays on the
//! disk until that is discarded, so that also what was under way when the daemon ended is in the list, paused.

mod list;
mod rate;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use store::{Digest, ListedPartial, ModelName, StoreError};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use self::list::{Left, List};
use self::rate::Rate;
use crate::{Authority, Figures, Progress, Registry, RegistryError, Transfer};

/// Those that may run at once. They share the connections of the registry.
const MOST_RUNNING: usize = 16;

/// How often it is looked how far one is.
const TICK: Duration = Duration::from_millis(250);

/// A download that was just ended may still be writing its last bytes.
const BUSY_TRIES: u32 = 50;
const BUSY_PAUSE: Duration = Duration::from_millis(100);

/// What a pull is known by, also to a page that was opened before the daemon began anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PullId(u64);

impl fmt::Display for PullId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for PullId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u64::from_str_radix(text, 16).map(Self)
    }
}

/// How a pull stands.
#[derive(Clone, Debug)]
pub enum PullState {
    /// It is under way.
    Running,
    /// It waits until somebody goes on with it.
    Paused,
    /// The same, since the key of whoever began it has ended.
    Withdrawn,
    /// The model is here.
    Done,
    /// It ended without that.
    Failed {
        /// At this step.
        step: &'static str,
        /// For this reason.
        error: Arc<RegistryError>,
    },
}

/// One pull.
#[derive(Clone, Debug)]
pub struct Pull {
    /// What it is known by.
    pub id: PullId,
    /// What is pulled.
    pub model: ModelName,
    /// From whom.
    pub from: Authority,
    /// How it stands.
    pub state: PullState,
    /// Its last word, as of [`Progress`]; empty before that.
    pub status: String,
    /// How far it is.
    pub figures: Figures,
    /// Bytes a second that came lately.
    pub rate: u64,
    /// When it was begun, in seconds since 1970.
    pub started: i64,
    /// By whom, as far as that is known.
    pub by: Option<String>,
}

/// What is to be pulled.
pub struct Wanted {
    /// What.
    pub model: ModelName,
    /// From whom.
    pub from: Authority,
    /// By whom.
    pub by: String,
    /// What time it is, in seconds since 1970.
    pub now: i64,
    /// Comes when whoever wants it may want nothing any more.
    pub until: Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// What became of it.
#[derive(Clone, Debug)]
pub enum Begun {
    /// It runs from now on.
    Now(Pull),
    /// It ran already.
    Before(Pull),
}

/// Why a pull is not begun, or not discarded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PullsError {
    /// Too many are under way.
    #[error(
        "{MOST_RUNNING} pulls are under way, as many as may be; wait for one of them to end, or pause one"
    )]
    TooMany,
    /// It comes from somebody else.
    #[error("{0} is being pulled from elsewhere; pause that first")]
    Elsewhere(Box<ModelName>),
    /// The disk, or what is on it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A part of ours failed.
    #[error("a part of the store failed; the log says more")]
    Task(#[from] tokio::task::JoinError),
}

/// All of them. A clone is cheap, and is of the same.
#[derive(Clone, Debug)]
pub struct Pulls {
    registry: Registry,
    list: Arc<Mutex<List>>,
    /// Changes with them.
    changes: watch::Sender<u64>,
}

impl Pulls {
    /// None yet but those that are on the disk.
    pub fn new(registry: Registry) -> Self {
        Self { registry, list: Arc::default(), changes: watch::Sender::new(0) }
    }

    /// All of them, the first first. They are found on the disk by [`Pulls::look`].
    pub fn list(&self) -> Vec<Pull> {
        self.locked().pulls(Instant::now())
    }

    /// Changes whenever one of them does.
    pub fn follow(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// The one of this id.
    pub fn get(&self, id: PullId) -> Option<Pull> {
        self.locked().by_id(id).cloned()
    }

    /// The one of this model, if it is under way.
    pub fn running(&self, model: &ModelName) -> Option<Pull> {
        self.locked().by_model(model).filter(|pull| matches!(pull.state, PullState::Running)).cloned()
    }

    /// Begins a pull, or goes on with it. To be called within a runtime.
    ///
    /// # Errors
    /// [`PullsError::TooMany`], [`PullsError::Elsewhere`]; nothing has changed then.
    pub fn begin(&self, wanted: Wanted) -> Result<Begun, PullsError> {
        let Wanted { model, from, by, now, until } = wanted;
        let mut list = self.locked();
        let known = list.by_model(&model);
        match known {
            Some(pull) if matches!(pull.state, PullState::Running) => {
                return match pull.from == from {
                    true => Ok(Begun::Before(pull.clone())),
                    false => Err(PullsError::Elsewhere(Box::new(model))),
                };
            }
            _ if list.running() >= MOST_RUNNING => return Err(PullsError::TooMany),
            _ => {}
        }
        let pull = Pull {
            id: known.map_or_else(new_id, |pull| pull.id),
            figures: known.map_or_else(Figures::default, |pull| pull.figures),
            model: model.clone(),
            from: from.clone(),
            state: PullState::Running,
            status: String::new(),
            rate: 0,
            started: now,
            by: Some(by),
        };
        let run = list.begin(pull.clone());
        let running = Running { pulls: self.clone(), run, rate: Rate::default(), step: "" };
        let transfer = self.registry.pull(model, from);
        list.runs_by(run, tokio::spawn(running.run(transfer, until)).abort_handle());
        drop(list);
        self.changed();
        Ok(Begun::Now(pull))
    }

    /// Pauses a pull if it runs; what has come of it stays.
    pub fn pause(&self, id: PullId) -> Option<Pull> {
        let pull = self.locked().pause(id);
        self.changed();
        pull
    }

    /// Takes a pull off the list, and ends it if it runs. What has come of it stays, and is not listed before it is pulled again or the
    /// daemon begins anew.
    pub fn forget(&self, id: PullId) -> Option<Pull> {
        let pull = self.locked().remove(id);
        self.changed();
        pull
    }

    /// Removes what has come of a model that is not here, but what somebody else is just bringing.
    ///
    /// # Errors
    /// [`PullsError::Store`] if it cannot be removed, as when another process is at it.
    pub async fn discard(&self, model: &ModelName) -> Result<(), PullsError> {
        for partial in self.partials().await? {
            if partial.model.as_deref().and_then(|name| name.parse().ok()).as_ref() == Some(model) {
                self.remove_partial(partial.digest).await?;
            }
        }
        Ok(())
    }

    async fn remove_partial(&self, digest: Digest) -> Result<(), PullsError> {
        let mut tries = 0;
        loop {
            let store = self.registry.store.clone();
            match spawn_blocking(move || store.remove_partial(&digest)).await? {
                Ok(_) | Err(StoreError::UnknownBlob(_)) => return Ok(()),
                Err(StoreError::Busy(_)) if tries < BUSY_TRIES => {}
                // Another pull wants the same blob.
                Err(StoreError::Busy(_)) if self.registry.arriving().contains(&digest) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
            tries += 1;
            sleep_until(Instant::now() + BUSY_PAUSE).await;
        }
    }

    /// Looks for what was left on the disk: by a daemon that ended, or by a client that went away.
    ///
    /// # Errors
    /// [`PullsError`] if it cannot be listed.
    pub async fn look(&self) -> Result<(), PullsError> {
        let partials = self.partials().await?;
        let left = left(partials, &self.registry.arriving());
        let new = |model: &ModelName, left: &Left| Pull {
            id: new_id(),
            model: model.clone(),
            from: left.from.clone(),
            state: PullState::Paused,
            status: String::new(),
            figures: left.figures,
            rate: 0,
            started: left.since,
            by: None,
        };
        if self.locked().find(&left, new) {
            self.changed();
        }
        Ok(())
    }

    /// Pauses all of them, as the daemon ends.
    pub fn stop(&self) {
        self.locked().pause_all();
        self.changed();
    }

    async fn partials(&self) -> Result<Vec<ListedPartial>, PullsError> {
        let store = self.registry.store.clone();
        Ok(spawn_blocking(move || store.partials()).await??)
    }

    fn changed(&self) {
        self.changes.send_modify(|changes| *changes += 1);
    }

    fn locked(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn new_id() -> PullId {
    PullId(rand::random())
}

/// By model, without those of which something is arriving, and those of which nobody can tell from whom they come.
fn left(partials: Vec<ListedPartial>, arriving: &HashSet<Digest>) -> BTreeMap<ModelName, Left> {
    let mut models: BTreeMap<ModelName, Option<Left>> = BTreeMap::new();
    for partial in partials {
        let Some(model) = partial.model.and_then(|name| name.parse().ok()) else { continue };
        let new = |from| Left { from, figures: Figures::default(), since: 0 };
        let of_note = || Authority::of_note(partial.source.as_deref()).map(new);
        let left = models.entry(model).or_insert_with(of_note);
        if arriving.contains(&partial.digest) {
            *left = None;
        }
        if let Some(left) = left {
            left.figures.total += partial.bytes;
            left.figures.completed += partial.completed_bytes;
            let since = partial.modified.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
            left.since = left.since.max(since.cast_signed());
        }
    }
    models.into_iter().filter_map(|(model, left)| Some((model, left?))).collect()
}

/// A pull under way.
struct Running {
    pulls: Pulls,
    run: u64,
    rate: Rate,
    step: &'static str,
}

impl Running {
    async fn run(mut self, mut transfer: Transfer, until: Pin<Box<dyn Future<Output = ()> + Send>>) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tokio::pin!(until);
        let state = loop {
            tokio::select! {
                () = &mut until => break PullState::Withdrawn,
                word = transfer.next() => match word {
                    Some(Ok(word)) => self.says(&word),
                    Some(Err(error)) => break self.failed(error),
                    None if self.step == "success" => break PullState::Done,
                    None => break self.failed(Arc::new(RegistryError::Unfinished)),
                },
                _ = ticks.tick() => self.is_at(transfer.figures()),
            }
        };
        let total = transfer.total();
        // What it holds on the disk is free before anybody is told that it has ended.
        drop(transfer);
        let mut list = self.pulls.locked();
        if let (PullState::Done, Some(total)) = (&state, total) {
            list.of_run(self.run, |pull| pull.figures = Figures { total, completed: total });
        }
        list.end(self.run, state, Instant::now());
        drop(list);
        self.pulls.changed();
    }

    fn says(&mut self, word: &Progress) {
        let status = match word {
            Progress::Step(step) => {
                self.step = step;
                (*step).to_owned()
            }
            Progress::Blob { verb, digest, .. } => {
                self.step = "";
                format!("{verb} {}", &digest.hex()[..12])
            }
        };
        let mut changed = false;
        self.pulls.locked().of_run(self.run, |pull| {
            changed = pull.status != status;
            pull.status = status;
        });
        if changed {
            self.pulls.changed();
        }
    }

    fn is_at(&mut self, figures: Option<Figures>) {
        let Some(figures) = figures else { return };
        let rate = self.rate.note(Instant::now(), figures.completed);
        let mut changed = false;
        self.pulls.locked().of_run(self.run, |pull| {
            changed = (pull.figures, pull.rate) != (figures, rate);
            (pull.figures, pull.rate) = (figures, rate);
        });
        if changed {
            self.pulls.changed();
        }
    }

    fn failed(&self, error: Arc<RegistryError>) -> PullState {
        tracing::warn!(%error, "a pull failed");
        PullState::Failed { step: self.step, error }
    }
}
