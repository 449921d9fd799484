//! What goes on with each model: who is answered, who waits, and what keeps it from being loaded.

use std::collections::BTreeMap;
use std::time::Duration;

use store::ModelName;
use tokio::time::Instant;

use crate::Scheduler;
use crate::health::Verdict;
use crate::table::Phase;

/// What goes on with one model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activity {
    /// Which model.
    pub name: ModelName,
    /// How it stands.
    pub state: State,
    /// Requests that have it.
    pub running: usize,
    /// Of these, answers that are held until their readers have caught up.
    pub held: usize,
    /// Requests that it answers at once; none, if it is not in memory.
    pub sequences: u32,
    /// Requests that wait for it.
    pub waiting: usize,
    /// How long the first of them has waited.
    pub longest_wait: Option<Duration>,
}

/// How a model stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Not in memory.
    #[default]
    Absent,
    /// On its way into memory.
    Loading,
    /// In memory.
    Loaded,
    /// It crashed, and is soon loaded again.
    Resting,
    /// It crashed too often, the last time for this reason, and is not loaded any more.
    Quarantined(String),
}

/// Requests that wait for a model, or for a slot of one that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// How many may.
    pub limit: usize,
    /// How many do.
    pub waiting: usize,
}

impl Scheduler {
    /// How full the queue is.
    pub fn queue(&self) -> Queue {
        Queue { limit: self.shared.config.max_queue, waiting: self.shared.table().queued() }
    }

    /// Models that are in memory, or waited for, or kept from being loaded, by name.
    pub fn activity(&self) -> Vec<Activity> {
        let now = Instant::now();
        let table = self.shared.table();
        let mut models = BTreeMap::new();
        for (name, verdict) in table.health.verdicts(now.into_std()) {
            match verdict {
                Verdict::Fit => {}
                Verdict::Rests(_) => of(&mut models, name).state = State::Resting,
                Verdict::Quarantined(reason) => of(&mut models, name).state = State::Quarantined(reason),
            }
        }
        for (name, entry) in &table.models {
            let activity = of(&mut models, name);
            (activity.running, activity.sequences) = (entry.leases, entry.size.sequences);
            (activity.state, activity.held) = match &entry.phase {
                Phase::Loading(_) => (State::Loading, 0),
                Phase::Ready { link, .. } => (State::Loaded, link.held()),
            };
        }
        for waiting in table.waiting.values() {
            let activity = of(&mut models, &waiting.load.name);
            activity.waiting += 1;
            activity.longest_wait = activity.longest_wait.max(Some(now - waiting.since));
        }
        models.into_values().collect()
    }
}

fn of<'a>(models: &'a mut BTreeMap<ModelName, Activity>, name: &ModelName) -> &'a mut Activity {
    models.entry(name.clone()).or_insert_with(|| Activity {
        name: name.clone(),
        state: State::default(),
        running: 0,
        held: 0,
        sequences: 0,
        waiting: 0,
        longest_wait: None,
    })
}
