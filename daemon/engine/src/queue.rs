//! Requests that wait for a place among those that run: by how urgent they are, fair between owners of one class, and then in
//! order of arrival.

use std::cmp::Reverse;
use std::collections::VecDeque;

use protocol::{Owner, Priority, RequestId};

use crate::sequence::{Admission, Running};

/// A request that waits.
pub(crate) enum Waiting {
    /// It has not begun.
    New(Box<Admission>),
    /// It gave up its place to another owner, and goes on where it was.
    Paused(Box<Running>),
}

impl Waiting {
    pub(crate) fn request(&self) -> RequestId {
        match self {
            Self::New(admission) => admission.request,
            Self::Paused(running) => running.request,
        }
    }

    pub(crate) fn owner(&self) -> Owner {
        match self {
            Self::New(admission) => admission.work.owner,
            Self::Paused(running) => running.owner,
        }
    }

    pub(crate) fn priority(&self) -> Priority {
        match self {
            Self::New(admission) => admission.work.priority,
            Self::Paused(running) => running.priority,
        }
    }

    /// Whoever shares what is computed for it.
    pub(crate) fn kin(&self) -> Owner {
        match self {
            Self::New(admission) => admission.scales.kin(admission.work.owner),
            Self::Paused(running) => running.kin(),
        }
    }

    /// How likely its prompt's tokens are is still to be told.
    pub(crate) fn weighs_prompt(&self) -> bool {
        match self {
            Self::New(admission) => admission.work.prompt_logprobs.is_some(),
            Self::Paused(running) => running.weighs(running.weighed),
        }
    }

    /// Nobody wants more of it now.
    pub(crate) fn is_held(&self) -> bool {
        matches!(self, Self::Paused(running) if running.held)
    }

    /// All that is to be in the KV cache before its next token.
    pub(crate) fn tokens(&self) -> &[i32] {
        match self {
            // What was told of an answer follows it, and is seldom worth a comparison.
            Self::New(admission) => &admission.prompt.tokens,
            Self::Paused(running) => &running.tokens,
        }
    }
}

/// Those that wait.
#[derive(Default)]
pub(crate) struct Queue {
    /// Whoever was not served for longest first.
    owners: VecDeque<(Owner, VecDeque<Waiting>)>,
    classes: Classes,
}

impl Queue {
    pub(crate) fn push(&mut self, waiting: Waiting) {
        self.of(waiting.owner()).push_back(waiting);
    }

    /// One that was taken, or paused: it is the next of its owner.
    pub(crate) fn push_front(&mut self, waiting: Waiting) {
        self.of(waiting.owner()).push_front(waiting);
    }

    pub(crate) fn retain(&mut self, keep: impl Fn(RequestId) -> bool) {
        for (_, requests) in &mut self.owners {
            requests.retain(|waiting| keep(waiting.request()));
        }
        self.owners.retain(|(_, requests)| !requests.is_empty());
    }

    /// The next that is `ready`: of the most urgent owners, the one with the fewest requests that run, and among such, the one
    /// that was not served for longest. Now and then it is the turn of whoever is not urgent, too: see [`Classes`].
    pub(crate) fn take(
        &mut self,
        running: impl Fn(Owner) -> usize,
        ready: impl Fn(&Waiting) -> bool,
    ) -> Option<Waiting> {
        let first_ready = |requests: &VecDeque<Waiting>| requests.iter().position(&ready);
        let ready = self.owners.iter().enumerate().filter_map(|(at, (owner, requests))| {
            let within = first_ready(requests)?;
            let priority = requests[within].priority();
            Some(((at, within), Candidate { priority, running: running(*owner) }))
        });
        let (places, candidates): (Vec<_>, Vec<_>) = ready.unzip();
        let (at, within) = places[self.classes.choose(&candidates)?];
        let (owner, mut requests) = self.owners.remove(at)?;
        let taken = requests.remove(within);
        if !requests.is_empty() {
            self.owners.push_back((owner, requests));
        }
        taken
    }

    /// Some of them are such.
    pub(crate) fn any(&self, is_such: impl Fn(&Waiting) -> bool) -> bool {
        self.owners.iter().flat_map(|(_, requests)| requests).any(is_such)
    }

    /// Those that gave up their place.
    pub(crate) fn paused(&mut self) -> impl Iterator<Item = &mut Running> {
        let waiting = self.owners.iter_mut().flat_map(|(_, requests)| requests);
        waiting.filter_map(|waiting| match waiting {
            Waiting::Paused(running) => Some(&mut **running),
            Waiting::New(_) => None,
        })
    }

    /// How urgent it is to owners of which nothing runs, and who want something to; `None` if there are none.
    pub(crate) fn urgency_without(&self, running: impl Fn(Owner) -> usize) -> Option<Priority> {
        let without = self.owners.iter().filter(|(owner, _)| running(*owner) == 0);
        let wanted = without.flat_map(|(_, requests)| requests).filter(|waiting| !waiting.is_held());
        wanted.map(Waiting::priority).max()
    }

    fn of(&mut self, owner: Owner) -> &mut VecDeque<Waiting> {
        let at = self.owners.iter().position(|(known, _)| *known == owner).unwrap_or_else(|| {
            self.owners.push_back((owner, VecDeque::new()));
            self.owners.len() - 1
        });
        &mut self.owners[at].1
    }
}

/// What is known of the owner of a request that may be taken.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    priority: Priority,
    /// Requests of theirs that run.
    running: usize,
}

/// The more urgent go first, but not for ever.
#[derive(Debug, Default)]
struct Classes {
    /// How often in a row somebody was passed over by somebody more urgent.
    passed_over: u32,
}

/// After so many, a place is given as if nobody were more urgent than others, so that the least urgent get something, too.
const PATIENCE: u32 = 3;

impl Classes {
    /// Which of these is next; of equal ones the first.
    fn choose(&mut self, candidates: &[Candidate]) -> Option<usize> {
        let is_for_all = self.passed_over >= PATIENCE;
        let rank = |candidate: &Candidate| {
            let class = if is_for_all { Priority::default() } else { candidate.priority };
            (Reverse(class), candidate.running)
        };
        let (at, chosen) = candidates.iter().enumerate().min_by_key(|(_, candidate)| rank(candidate))?;
        let passes_over = candidates.iter().any(|candidate| candidate.priority < chosen.priority);
        self.passed_over = if passes_over && !is_for_all { self.passed_over + 1 } else { 0 };
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(priority: Priority, running: usize) -> Candidate {
        Candidate { priority, running }
    }

    #[test]
    fn the_more_urgent_go_first_and_owners_of_one_class_by_turns() {
        let mut classes = Classes::default();
        let (low, normal, high) =
            (waits(Priority::Low, 0), waits(Priority::Normal, 0), waits(Priority::High, 1));

        assert_eq!(classes.choose(&[low, normal, high]), Some(2));
        assert_eq!(classes.choose(&[low, normal, waits(Priority::Normal, 1)]), Some(1));
        assert_eq!(classes.choose(&[waits(Priority::Normal, 1), normal, normal]), Some(1));
        assert_eq!(classes.choose(&[low]), Some(0));
        assert_eq!(classes.choose(&[]), None);
    }

    #[test]
    fn nobody_waits_for_ever_for_those_who_are_more_urgent() {
        let mut classes = Classes::default();
        // Each has always another one that waits; whoever is served goes to the end.
        let mut waiting: VecDeque<(usize, Candidate)> =
            Priority::ALL.into_iter().map(|priority| waits(priority, 0)).enumerate().collect();
        let mut served = [0; 3];

        for _ in 0..80 {
            let candidates: Vec<Candidate> = waiting.iter().map(|(_, candidate)| *candidate).collect();
            let next = waiting.remove(classes.choose(&candidates).unwrap()).unwrap();
            served[next.0] += 1;
            waiting.push_back(next);
        }

        assert_eq!(served, [10, 10, 60]);
    }
}
