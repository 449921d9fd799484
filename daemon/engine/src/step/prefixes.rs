//! What the loop does with prefixes: which leave the KV cache and when, and how they come back.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::{HungUp, Intake, Loop};
use crate::cache::Placement;
use crate::sequence::Sequence;
use crate::spill::Spilled;

/// Without a request for so long, there is time to spill.
const QUIET: Duration = Duration::from_millis(300);

/// Tokens of others that a running sequence may have beside it in the KV cache. All are looked at for each token it makes.
const IDLE_TOKENS: usize = 256;

/// The same, where they would first have to be spilled, which takes longer than to forget them.
const UNSPILLED_TOKENS: usize = 512;

/// Fewer tokens are computed as fast as they are restored.
pub(super) const WORTH_RESTORING: usize = 32;

impl Loop {
    /// Waits for something to do, and spills in the meantime what is in the KV cache alone.
    pub(super) fn wait(&mut self, intake: &Receiver<Intake>) -> Result<Intake, HungUp> {
        let mut patience = QUIET;
        while let Some(at) = self.unspilled() {
            match intake.recv_timeout(patience) {
                Ok(news) => return Ok(news),
                Err(RecvTimeoutError::Disconnected) => return Err(HungUp),
                Err(RecvTimeoutError::Timeout) => self.spill_one(at),
            }
            patience = Duration::ZERO;
        }
        intake.recv().map_err(|_| HungUp)
    }

    /// Gives to the disk, if there is one, what is in the KV cache alone. For the end.
    pub(crate) fn spill_all(&mut self) {
        if self.disk.is_none() {
            return;
        }
        for at in 0..self.sequences.len() {
            self.retire(at);
        }
        while let Some(at) = self.unspilled() {
            self.spill_one(at);
        }
    }

    /// An idle sequence whose tokens are in the KV cache alone.
    fn unspilled(&self) -> Option<usize> {
        self.sequences.iter().position(|sequence| self.is_unspilled(sequence))
    }

    fn is_unspilled(&self, sequence: &Sequence) -> bool {
        self.spill.is_on()
            && sequence.running.is_none()
            && sequence.cached.len() >= WORTH_RESTORING
            && !sequence.spilled
            && !self.spill.has(sequence.kin, &sequence.cached, self.context.keeps_parts())
    }

    fn spill_one(&mut self, at: usize) {
        // Once, even if it does not fit.
        self.sequences[at].spilled = true;
        self.save(at);
    }

    /// What cannot be cut is lost as a whole when another prompt begins where it is.
    pub(super) fn keep_whole(&mut self, place: Placement) {
        let reused = place.source == place.target && place.shared > 0;
        if !self.context.keeps_parts() && !reused && self.is_unspilled(&self.sequences[place.target]) {
            self.spill_one(place.target);
        }
    }

    /// What cannot be cut serves no text that goes on from within it. The next one of a conversation often goes on from the
    /// end of the prompt, as what was said comes back in other tokens or without the thinking.
    pub(super) fn keep_prompt(&mut self, at: usize) {
        let (sequence, parts) = (&self.sequences[at], self.context.keeps_parts());
        if !parts
            && self.spill.is_on()
            && sequence.cached.len() >= WORTH_RESTORING
            && !self.spill.has(sequence.kin, &sequence.cached, parts)
        {
            self.save(at);
        }
    }

    fn save(&mut self, at: usize) {
        let sequence = &self.sequences[at];
        let state = self.context.save(sequence.id);
        if state.is_empty() {
            return;
        }
        let spilled = Arc::new(Spilled { owner: sequence.kin, tokens: sequence.cached.clone(), state });
        self.spill.put(Arc::clone(&spilled), self.context.keeps_parts());
        // A disk that failed has said so.
        let _unkept = self.disk.as_ref().map(|disk| disk.send(spilled));
    }

    /// Leaves those that run few idle tokens in the KV cache: forgets the coldest, which are elsewhere or go there first.
    pub(super) fn make_way(&mut self) {
        let parts = self.context.keeps_parts();
        if !self.spill.is_on() || !parts {
            return;
        }
        loop {
            let idle = self.sequences.iter().enumerate().filter(|(_, sequence)| sequence.running.is_none());
            let tokens: usize = idle.clone().map(|(_, sequence)| sequence.cached.len()).sum();
            let coldest = idle.filter(|(_, it)| !it.cached.is_empty()).min_by_key(|(_, it)| it.last_used);
            let Some((at, coldest)) = coldest.filter(|_| tokens > IDLE_TOKENS) else { return };
            if !self.spill.has(coldest.kin, &coldest.cached, parts) && coldest.cached.len() >= WORTH_RESTORING
            {
                if tokens <= UNSPILLED_TOKENS {
                    return;
                }
                self.spill_one(at);
            }
            self.clear(at);
        }
    }

    /// Makes a sequence empty.
    pub(super) fn clear(&mut self, at: usize) {
        let sequence = &mut self.sequences[at];
        sequence.cached.clear();
        (sequence.shared, sequence.shifted, sequence.spilled) = (false, false, false);
        self.context.forget(sequence.id, 0);
    }

    /// Brings back the first `shared` tokens of a prefix; false if it cannot be used.
    pub(super) fn restore(&mut self, at: usize, spilled: &Spilled, shared: usize) -> bool {
        self.clear(at);
        let id = self.sequences[at].id;
        let taken = |sequences: &[Sequence]| sequences.iter().map(|it| it.cached.len()).sum::<usize>();
        while taken(&self.sequences) + spilled.tokens.len() > self.context.capacity() {
            if !self.evict() {
                return false;
            }
        }
        if !self.context.restore(id, &spilled.state) {
            return false;
        }
        self.sequences[at].cached = spilled.tokens[..shared].to_vec();
        // Even if it is all of it: guesses that nobody came to check may follow.
        !self.context.keeps_parts() || self.context.forget(id, shared)
    }

    /// Takes the beginning of a prompt from the KV cache itself; its tokens.
    pub(super) fn take_over(&mut self, place: Placement) -> usize {
        let Placement { source, target, shared } = place;
        // A prefix that could not be restored may have had to make room for the attempt.
        let shared = shared.min(self.sequences[source].cached.len());
        let sequence = &mut self.sequences[target];
        let kept = if target == source {
            sequence.cached.truncate(shared);
            if self.context.forget(sequence.id, shared) { shared } else { 0 }
        } else {
            self.clear(target);
            if shared > 0 {
                self.context.copy(self.sequences[source].id, self.sequences[target].id, shared);
                (self.sequences[source].shared, self.sequences[target].shared) = (true, true);
            }
            shared
        };
        self.sequences[target].cached = self.sequences[source].cached[..kept].to_vec();
        kept
    }

    /// Gives up the coldest prefix that nobody is growing; false if there is none.
    pub(super) fn evict(&mut self) -> bool {
        let idle = self.sequences.iter().enumerate();
        let idle = idle.filter(|(_, it)| it.running.is_none() && !it.cached.is_empty());
        let Some((at, _)) = idle.min_by_key(|(_, sequence)| sequence.last_used) else { return false };
        self.clear(at);
        true
    }
}
