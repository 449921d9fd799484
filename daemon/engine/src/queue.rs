//! Requests that wait for a place among those that run: fair between owners first, then in order of arrival.

use std::collections::VecDeque;

use protocol::{Owner, RequestId};

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
pub(crate) struct Queue(VecDeque<(Owner, VecDeque<Waiting>)>);

impl Queue {
    pub(crate) fn push(&mut self, waiting: Waiting) {
        self.of(waiting.owner()).push_back(waiting);
    }

    /// One that was taken, or paused: it is the next of its owner.
    pub(crate) fn push_front(&mut self, waiting: Waiting) {
        self.of(waiting.owner()).push_front(waiting);
    }

    pub(crate) fn retain(&mut self, keep: impl Fn(RequestId) -> bool) {
        for (_, requests) in &mut self.0 {
            requests.retain(|waiting| keep(waiting.request()));
        }
        self.0.retain(|(_, requests)| !requests.is_empty());
    }

    /// The next that is `ready`: of the owner with the fewest requests that run, and among such, of the one that was not
    /// served for longest.
    pub(crate) fn take(
        &mut self,
        running: impl Fn(Owner) -> usize,
        ready: impl Fn(&Waiting) -> bool,
    ) -> Option<Waiting> {
        let mut order: Vec<usize> = (0..self.0.len()).collect();
        order.sort_by_key(|at| running(self.0[*at].0));
        let (at, within) = order
            .into_iter()
            .find_map(|at| self.0[at].1.iter().position(&ready).map(|within| (at, within)))?;
        let (owner, mut requests) = self.0.remove(at)?;
        let taken = requests.remove(within);
        if !requests.is_empty() {
            self.0.push_back((owner, requests));
        }
        taken
    }

    /// Some of them are such.
    pub(crate) fn any(&self, is_such: impl Fn(&Waiting) -> bool) -> bool {
        self.0.iter().flat_map(|(_, requests)| requests).any(is_such)
    }

    /// Those that gave up their place.
    pub(crate) fn paused(&mut self) -> impl Iterator<Item = &mut Running> {
        let waiting = self.0.iter_mut().flat_map(|(_, requests)| requests);
        waiting.filter_map(|waiting| match waiting {
            Waiting::Paused(running) => Some(&mut **running),
            Waiting::New(_) => None,
        })
    }

    /// Owners of which nothing runs, and who want something to.
    pub(crate) fn is_anyone_without(&self, running: impl Fn(Owner) -> usize) -> bool {
        let wants = |requests: &VecDeque<Waiting>| requests.iter().any(|waiting| !waiting.is_held());
        self.0.iter().any(|(owner, requests)| running(*owner) == 0 && wants(requests))
    }

    fn of(&mut self, owner: Owner) -> &mut VecDeque<Waiting> {
        let at = self.0.iter().position(|(known, _)| *known == owner).unwrap_or_else(|| {
            self.0.push_back((owner, VecDeque::new()));
            self.0.len() - 1
        });
        &mut self.0[at].1
    }
}
