//! Who is let in, and who waits: a place in the queue, and what a request means to do once it has its model. Which model is
//! loaded for whom is `run`'s.

use std::sync::Arc;

use super::{Shared, Visit};
use crate::ScheduleError;
use crate::table::Table;

/// What a lease is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Work that has a slot of the model, or waits for one.
    Slot,
    /// The rest of such work, whose worker died. It was let in once.
    Resumed,
    /// What needs no slot: a question that is answered between two steps, or that the model is there.
    Aside,
}

/// A place in the queue.
pub(super) struct Waiting {
    shared: Arc<Shared>,
    pub(super) id: u64,
}

impl Waiting {
    pub(super) fn enter(
        shared: &Arc<Shared>,
        table: &mut Table,
        visit: &Visit,
    ) -> Result<Self, ScheduleError> {
        if visit.turn != Turn::Resumed && table.queued() >= shared.config.max_queue {
            return Err(ScheduleError::Busy);
        }
        Ok(Self { shared: Arc::clone(shared), id: table.wait(&visit.load) })
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.shared.table().waiting.remove(&self.id);
        // What it waited for may be evicted now.
        self.shared.changed.notify_waiters();
    }
}

impl Shared {
    /// Refuses what would wait for a slot of its model beside too many others. Who has waited already is not refused.
    pub(super) fn admit(&self, table: &Table, visit: &Visit) -> Result<(), ScheduleError> {
        let is_new = visit.turn == Turn::Slot && visit.waiting.is_none();
        let all_taken = || table.models.get(&visit.load.name).is_some_and(|entry| !entry.has_free_slot());
        match is_new && all_taken() && table.queued() >= self.config.max_queue {
            true => Err(ScheduleError::Busy),
            false => Ok(()),
        }
    }
}
