//! Which pulls there are, and how each stands. Pure: what runs them is `pulls`'s.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use store::ModelName;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::{Pull, PullId, PullState};
use crate::{Authority, Figures};

/// How long one that is done stays in the list.
const LISTED: Duration = Duration::from_secs(3600);
/// Those that are listed at most; of those that ended, the oldest go then.
pub(super) const MOST_LISTED: usize = 256;

/// All of them, in the order in which they came to be here.
#[derive(Debug, Default)]
pub(super) struct List {
    entries: Vec<Entry>,
    /// Of these, what is on the disk is not to be listed.
    forgotten: HashSet<ModelName>,
    runs: u64,
}

#[derive(Debug)]
struct Entry {
    pull: Pull,
    run: Option<Run>,
    /// When it was done, or failed.
    ended: Option<Instant>,
    /// It is known only by what is on the disk.
    found: bool,
}

/// What runs a pull; it ends with this.
#[derive(Debug)]
struct Run {
    number: u64,
    task: Option<AbortHandle>,
}

impl Drop for Run {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// What is on the disk of a model that is not here yet.
#[derive(Clone, Debug)]
pub(super) struct Left {
    /// From whom, as far as that was noted.
    pub(super) from: Authority,
    pub(super) figures: Figures,
    /// When something last came, in seconds since 1970.
    pub(super) since: i64,
}

impl List {
    /// All of them, without those that were done long ago.
    pub(super) fn pulls(&mut self, now: Instant) -> Vec<Pull> {
        self.entries.retain(|entry| {
            let old = entry.ended.is_some_and(|ended| now.duration_since(ended) >= LISTED);
            !(old && matches!(entry.pull.state, PullState::Done))
        });
        self.entries.iter().map(|entry| entry.pull.clone()).collect()
    }

    pub(super) fn running(&self) -> usize {
        self.entries.iter().filter(|entry| entry.run.is_some()).count()
    }

    pub(super) fn by_model(&self, model: &ModelName) -> Option<&Pull> {
        self.entries.iter().map(|entry| &entry.pull).find(|pull| pull.model == *model)
    }

    pub(super) fn by_id(&self, id: PullId) -> Option<&Pull> {
        self.entries.iter().map(|entry| &entry.pull).find(|pull| pull.id == id)
    }

    /// Puts a pull there that runs from now on, in place of one of the same model; returns the number of its run.
    pub(super) fn begin(&mut self, pull: Pull) -> u64 {
        self.forgotten.remove(&pull.model);
        self.runs += 1;
        let run = Some(Run { number: self.runs, task: None });
        let entry = Entry { pull, run, ended: None, found: false };
        match self.entries.iter_mut().find(|old| old.pull.model == entry.pull.model) {
            Some(old) => *old = entry,
            None => self.entries.push(entry),
        }
        self.bound();
        self.runs
    }

    /// What runs it.
    pub(super) fn runs_by(&mut self, run: u64, task: AbortHandle) {
        match self.entries.iter_mut().filter_map(|entry| entry.run.as_mut()).find(|known| known.number == run)
        {
            Some(known) => known.task = Some(task),
            // It was ended before it began.
            None => task.abort(),
        }
    }

    /// Changes the pull of a run, if that is not over.
    pub(super) fn of_run(&mut self, run: u64, change: impl FnOnce(&mut Pull)) {
        if let Some(entry) = self.entry_of(run) {
            change(&mut entry.pull);
        }
    }

    /// A run ends, and leaves its pull like this.
    pub(super) fn end(&mut self, run: u64, state: PullState, now: Instant) {
        let Some(entry) = self.entry_of(run) else { return };
        entry.ended = matches!(state, PullState::Done | PullState::Failed { .. }).then_some(now);
        (entry.pull.state, entry.pull.rate, entry.run) = (state, 0, None);
        self.bound();
    }

    /// Ends the run of a pull, if it has one; what has come stays.
    pub(super) fn pause(&mut self, id: PullId) -> Option<Pull> {
        let entry = self.entries.iter_mut().find(|entry| entry.pull.id == id)?;
        entry.pause();
        Some(entry.pull.clone())
    }

    pub(super) fn pause_all(&mut self) {
        self.entries.iter_mut().for_each(Entry::pause);
    }

    /// Takes one out, and ends it.
    pub(super) fn remove(&mut self, id: PullId) -> Option<Pull> {
        let at = self.entries.iter().position(|entry| entry.pull.id == id)?;
        let pull = self.entries.remove(at).pull;
        self.forgotten.insert(pull.model.clone());
        Some(pull)
    }

    /// Takes up what is on the disk and was left by somebody, and lets go of what was and is not there any more. Says whether anything changed.
    pub(super) fn find(
        &mut self,
        left: &BTreeMap<ModelName, Left>,
        new: impl Fn(&ModelName, &Left) -> Pull,
    ) -> bool {
        self.forgotten.retain(|model| left.contains_key(model));
        let before = self.entries.len();
        self.entries.retain(|entry| !entry.found || left.contains_key(&entry.pull.model));
        let mut changed = self.entries.len() != before;
        for (model, left) in left {
            let full = self.entries.len() >= MOST_LISTED;
            match self.entries.iter_mut().find(|entry| entry.pull.model == *model) {
                Some(entry) if entry.found => {
                    changed |= entry.pull.figures != left.figures;
                    entry.pull.figures = left.figures;
                }
                Some(_) => {}
                None if full || self.forgotten.contains(model) => {}
                None => {
                    let pull = new(model, left);
                    self.entries.push(Entry { pull, run: None, ended: None, found: true });
                    changed = true;
                }
            }
        }
        changed
    }

    fn entry_of(&mut self, run: u64) -> Option<&mut Entry> {
        let is = |entry: &&mut Entry| entry.run.as_ref().is_some_and(|known| known.number == run);
        self.entries.iter_mut().find(is)
    }

    /// Lets go of what ended first, where there are too many.
    fn bound(&mut self) {
        while self.entries.len() > MOST_LISTED {
            let ended =
                self.entries.iter().enumerate().filter_map(|(at, entry)| Some((entry.ended?, at))).min();
            // What waits to be gone on with is on the disk, and found there.
            let paused = || self.entries.iter().position(|entry| entry.run.is_none());
            let Some(at) = ended.map(|(_, at)| at).or_else(paused) else { return };
            self.entries.remove(at);
        }
    }
}

impl Entry {
    fn pause(&mut self) {
        if self.run.take().is_some() {
            (self.pull.state, self.pull.rate) = (PullState::Paused, 0);
        }
    }
}
