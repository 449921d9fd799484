//! Answers that are held, as nobody reads them just now. A held one takes part in no step; it stays where it is, until
//! somebody waits for its place: then it goes to the queue, and on from there once it is released.

use protocol::{Owner, RequestId};

use super::Loop;
use crate::sequence::Running;

impl Loop {
    /// Whatever there is is held: nothing can be done until something arrives.
    pub(super) fn is_idle(&self) -> bool {
        self.stepping().next().is_none() && !self.queue.any(|waiting| !waiting.is_held())
    }

    /// Requests that take part in steps.
    pub(super) fn stepping(&self) -> impl Iterator<Item = (usize, &Running)> {
        self.running().filter(|(_, running)| !running.held)
    }

    /// A request that has begun, wherever it is.
    pub(super) fn begun(&mut self, request: RequestId) -> Option<&mut Running> {
        let running = self.sequences.iter_mut().filter_map(|sequence| sequence.running.as_mut());
        running.chain(self.queue.paused()).find(|running| running.request == request)
    }

    /// Who is to give up their place, if somebody waits for one: whoever is held, else whom owners' fairness names.
    pub(super) fn to_give_way(
        &self,
        of: impl Fn(Owner) -> usize + Copy,
        now: std::time::Instant,
    ) -> Option<usize> {
        let held = self.running().find(|(_, running)| running.held);
        match held {
            Some((at, _)) if self.queue.any(|waiting| self.is_ready(waiting)) => Some(at),
            _ => self.queue.urgency_without(of).and_then(|urgency| self.to_pause(of, urgency, now)),
        }
    }
}
