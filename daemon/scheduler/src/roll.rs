//! Who is served: each request from when it comes to its end, how far it is, and the way to end it before. Those who serve it say
//! so as it happens; nobody is asked. So it costs the same, and little, whether somebody looks or not.

mod delays;
mod pace;

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use protocol::{Done, PromptProgress, PromptRead};
use store::ModelName;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use self::delays::Delays;
use self::pace::Pace;

/// For whom a request is, and what it is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Errand {
    /// What they are called.
    pub who: Arc<str>,
    /// What they want.
    pub kind: Kind,
}

/// What a request is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// The next turn of a conversation.
    Chat,
    /// More of a text.
    Generate,
    /// Vectors.
    Embed,
    /// How well documents answer a query.
    Rerank,
    /// What would be read, or what tokens stand for.
    Tokens,
    /// That the model is there.
    #[default]
    Load,
}

/// How far a request is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// For its model, or for a place of it.
    Waiting,
    /// For its model, which is on its way into memory.
    Loading,
    /// Its prompt is being read.
    Reading,
    /// Something of its answer is there.
    Answering,
    /// The same, and its reader is too far behind.
    Held,
    /// A paired box of this name answers it.
    Passed(Arc<str>),
}

/// A request under way.
#[derive(Clone, Debug)]
pub struct Request {
    /// Tells it from all others since the daemon began.
    pub id: u64,
    /// Of which model.
    pub model: ModelName,
    /// For whom.
    pub errand: Errand,
    /// When it came, by the clock of the machine.
    pub since: SystemTime,
    /// How long ago that was.
    pub age: Duration,
    /// How far it is.
    pub stage: Stage,
    /// Its prompt, once that is known.
    pub prompt: Option<PromptProgress>,
    /// Of its answer, by now.
    pub tokens: u64,
    /// Of its answer, in the last second.
    pub rate: f64,
}

/// Tokens of the last second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rate {
    /// Read; those of the cache are not counted.
    pub prompt: f64,
    /// Said.
    pub answer: f64,
}

/// What was done since somebody last asked for it.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Answers and vectors that were asked for.
    pub requests: u64,
    /// Read; those of the cache are not counted.
    pub prompt_tokens: u64,
    /// Said.
    pub answer_tokens: u64,
    /// From when requests came to their first tokens.
    pub first_tokens: Delays,
}

/// All requests under way. A clone is the same.
#[derive(Clone)]
pub(crate) struct Roll(Arc<Shared>);

struct Shared {
    born: Instant,
    requests: Mutex<Requests>,
    sums: Mutex<Sums>,
    /// One came, went, or is at another stage.
    changed: Notify,
}

#[derive(Default)]
struct Requests {
    /// Of the last that came.
    last: u64,
    by_id: BTreeMap<u64, Arc<Entry>>,
}

#[derive(Default)]
struct Sums {
    read: Pace,
    said: Pace,
    totals: Totals,
}

struct Entry {
    id: u64,
    model: ModelName,
    errand: Errand,
    since: Instant,
    came: SystemTime,
    stop: CancellationToken,
    progress: Mutex<Progress>,
}

struct Progress {
    stage: Stage,
    held: bool,
    prompt: Option<PromptProgress>,
    /// When something of the prompt was read last, and how fast, in tokens a second.
    read: Option<(Instant, f64)>,
    tokens: u64,
    said: Pace,
}

/// A request's place on the roll, until this is dropped.
pub struct Enrolled(Followed);

/// The same for whoever follows how far it is.
#[derive(Clone)]
pub(crate) struct Followed {
    roll: Arc<Shared>,
    entry: Arc<Entry>,
}

impl Default for Roll {
    fn default() -> Self {
        Self(Arc::new(Shared {
            born: Instant::now(),
            requests: Mutex::default(),
            sums: Mutex::default(),
            changed: Notify::new(),
        }))
    }
}

impl Roll {
    /// Enters a request that has just come.
    pub(crate) fn enrol(&self, errand: Errand, model: ModelName, stage: Stage) -> Enrolled {
        if !matches!(errand.kind, Kind::Tokens | Kind::Load) {
            lock(&self.0.sums).totals.requests += 1;
        }
        let mut requests = lock(&self.0.requests);
        requests.last += 1;
        let entry = Arc::new(Entry {
            id: requests.last,
            model,
            errand,
            since: Instant::now(),
            came: SystemTime::now(),
            stop: CancellationToken::new(),
            progress: Mutex::new(Progress::at(stage)),
        });
        requests.by_id.insert(entry.id, Arc::clone(&entry));
        drop(requests);
        self.0.changed.notify_waiters();
        Enrolled(Followed { roll: Arc::clone(&self.0), entry })
    }

    /// Those under way, the oldest first.
    pub(crate) fn requests(&self) -> Vec<Request> {
        let now = self.0.now();
        lock(&self.0.requests).by_id.values().map(|entry| entry.describe(now)).collect()
    }

    /// Ends one, if it is under way: its client is told so as soon as something is told to it.
    pub(crate) fn stop(&self, id: u64) -> bool {
        // Whoever does not read what is said to them keeps it from here no longer.
        let found = lock(&self.0.requests).by_id.remove(&id);
        if let Some(entry) = &found {
            entry.stop.cancel();
            self.0.changed.notify_waiters();
        }
        found.is_some()
    }

    pub(crate) fn rate(&self) -> Rate {
        let now = self.0.now();
        let (read, answer) = {
            let mut sums = lock(&self.0.sums);
            (sums.read.rate(now), sums.said.rate(now))
        };
        // A step of a long prompt may take longer than the time over which the pace goes.
        let reading: f64 = lock(&self.0.requests).by_id.values().map(|entry| entry.reads()).sum();
        Rate { prompt: read.max(reading), answer }
    }

    pub(crate) fn take_totals(&self) -> Totals {
        std::mem::take(&mut lock(&self.0.sums).totals)
    }

    /// Comes when something has changed since this was called, but for how many tokens there are.
    pub(crate) fn changed(&self) -> impl Future<Output = ()> + '_ {
        self.0.changed.notified()
    }
}

impl Enrolled {
    /// Comes when somebody ends it.
    pub async fn stopped(&self) {
        self.0.entry.stop.cancelled().await;
    }

    /// The same, for whoever outlives this.
    pub fn stop(&self) -> CancellationToken {
        self.0.entry.stop.clone()
    }

    /// More of its answer came.
    pub fn said(&self, tokens: u64) {
        self.0.said(tokens);
    }

    pub(crate) fn followed(&self) -> &Followed {
        &self.0
    }
}

impl Drop for Enrolled {
    fn drop(&mut self) {
        let gone = lock(&self.0.roll.requests).by_id.remove(&self.0.entry.id);
        if gone.is_some() {
            self.0.roll.changed.notify_waiters();
        }
    }
}

impl fmt::Debug for Enrolled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Followed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Followed").field("id", &self.entry.id).finish_non_exhaustive()
    }
}

impl Followed {
    pub(crate) fn is_stopped(&self) -> bool {
        self.entry.stop.is_cancelled()
    }

    /// It is at this stage.
    pub(crate) fn at(&self, stage: Stage) {
        self.change(|progress| progress.stage = stage);
    }

    /// Its reader is too far behind, or has caught up.
    pub(crate) fn hold(&self, held: Hold) {
        self.change(|progress| progress.held = held == Hold::Held);
    }

    /// So much of its prompt is read by now. Told first, it is what the cache had of it.
    pub(crate) fn read(&self, prompt: PromptProgress) {
        let mut more = 0;
        self.change(|progress| {
            more = progress.read(prompt);
            if matches!(progress.stage, Stage::Waiting | Stage::Loading) {
                progress.stage = Stage::Reading;
            }
        });
        self.count_read(more);
    }

    /// The same of all of it, by what the first piece of its answer tells.
    pub(crate) fn read_all(&self, read: PromptRead) {
        let PromptRead { prompt_tokens, cached_tokens } = read;
        let all = PromptProgress { tokens: prompt_tokens, read: prompt_tokens };
        let mut more = 0;
        self.change(|progress| {
            if progress.prompt.is_none() {
                progress.read(PromptProgress { tokens: prompt_tokens, read: cached_tokens });
            }
            more = progress.read(all);
        });
        self.count_read(more);
    }

    /// Inputs of so many tokens were read, of one piece of several.
    pub(crate) fn read_more(&self, tokens: u32) {
        let mut more = 0;
        self.change(|progress| {
            let known = progress.prompt.get_or_insert_default();
            let read = known.read.saturating_add(tokens);
            more = progress.read(PromptProgress { tokens: read, read });
        });
        self.count_read(more);
    }

    /// More of its answer came.
    pub(crate) fn said(&self, tokens: u64) {
        if tokens == 0 {
            return;
        }
        let now = self.roll.now();
        let mut first = false;
        self.change(|progress| {
            first = progress.tokens == 0;
            progress.tokens += tokens;
            progress.said.add(now, tokens);
            if !matches!(progress.stage, Stage::Passed(_)) {
                progress.stage = Stage::Answering;
            }
        });
        let mut sums = lock(&self.roll.sums);
        sums.said.add(now, tokens);
        sums.totals.answer_tokens += tokens;
        if first {
            sums.totals.first_tokens.add(self.entry.since.elapsed());
        }
    }

    /// Its end, which tells exactly how many there were.
    pub(crate) fn done(&self, done: &Done) {
        self.read_all(PromptRead { prompt_tokens: done.prompt_tokens, cached_tokens: done.cached_tokens });
        let told = lock(&self.entry.progress).tokens;
        self.said(u64::from(done.generated_tokens).saturating_sub(told));
    }

    fn count_read(&self, tokens: u32) {
        if tokens > 0 {
            let mut sums = lock(&self.roll.sums);
            sums.read.add(self.roll.now(), tokens.into());
            sums.totals.prompt_tokens += u64::from(tokens);
        }
    }

    fn change(&self, change: impl FnOnce(&mut Progress)) {
        let mut progress = lock(&self.entry.progress);
        let before = progress.stage();
        change(&mut progress);
        let changed = progress.stage() != before;
        drop(progress);
        if changed {
            self.roll.changed.notify_waiters();
        }
    }
}

/// Whether an answer is held until its reader has caught up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    Held,
    Released,
}

impl Shared {
    /// Since the roll began.
    fn now(&self) -> Duration {
        self.born.elapsed()
    }
}

impl Entry {
    fn describe(&self, now: Duration) -> Request {
        let mut progress = lock(&self.progress);
        Request {
            id: self.id,
            model: self.model.clone(),
            errand: self.errand.clone(),
            since: self.came,
            age: self.since.elapsed(),
            stage: progress.stage().clone(),
            prompt: progress.prompt,
            tokens: progress.tokens,
            rate: progress.said.rate(now),
        }
    }

    /// How fast its prompt is being read, if it is, in tokens a second.
    fn reads(&self) -> f64 {
        let progress = lock(&self.progress);
        match (&progress.stage, progress.read) {
            (Stage::Reading, Some((_, pace))) => pace,
            _ => 0.0,
        }
    }
}

impl Progress {
    fn at(stage: Stage) -> Self {
        Self { stage, held: false, prompt: None, read: None, tokens: 0, said: Pace::default() }
    }

    fn stage(&self) -> Stage {
        match self.held {
            true => Stage::Held,
            false => self.stage.clone(),
        }
    }

    /// Takes in how much of the prompt is read; how many tokens more that is than was known, without those of the cache.
    fn read(&mut self, prompt: PromptProgress) -> u32 {
        let now = Instant::now();
        let more = self.prompt.map_or(0, |known| prompt.read.saturating_sub(known.read));
        let pace = match self.read {
            Some((last, _)) => f64::from(more) / (now - last).as_secs_f64().max(SHORTEST_STEP),
            None => 0.0,
        };
        self.prompt = Some(prompt);
        self.read = Some((now, pace));
        more
    }
}

/// Seconds: what comes at once was not computed at once.
const SHORTEST_STEP: f64 = 0.001;

/// Nothing panics while it holds one of these but where memory ends.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
