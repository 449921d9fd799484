//! The batch loop: take what arrived, fill a batch, decode, sample, emit. One thread owns the context and runs this.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Instant;

use protocol::{Event, GenerateError, RequestId};

use crate::ggml::{Batch, Context, DecodeError, Model, Output};
use crate::sequence::{Admission, Running, Sampled, Sequence, common_prefix};
use crate::worker::{Cancellations, Outbox};

/// What reaches the loop.
pub(crate) enum Intake {
    Admit(Box<Admission>),
    /// Look at the cancellations.
    Cancelled,
}

/// The daemon is gone, or wants us gone.
pub(crate) struct HungUp;

pub(crate) struct Loop {
    model: Arc<Model>,
    context: Context,
    batch: Batch,
    sequences: Vec<Sequence>,
    waiting: VecDeque<Box<Admission>>,
    context_tokens: usize,
    /// Counts retirements; the clock of `Sequence::last_used`.
    retired: u64,
    cancellations: Arc<Cancellations>,
    outbox: Outbox,
}

impl Loop {
    pub(crate) fn new(
        model: Arc<Model>,
        context: Context,
        context_tokens: u32,
        cancellations: Arc<Cancellations>,
        outbox: Outbox,
    ) -> Self {
        let sequence = |id| Sequence { id, cached: Vec::new(), running: None, last_used: 0 };
        Self {
            model,
            batch: context.batch(),
            sequences: context.sequences().map(sequence).collect(),
            context,
            waiting: VecDeque::new(),
            context_tokens: context_tokens as usize,
            retired: 0,
            cancellations,
            outbox,
        }
    }

    /// Runs until the daemon hangs up.
    pub(crate) fn run(mut self, intake: &Receiver<Intake>) -> HungUp {
        loop {
            if let Err(hung_up) = self.take_in(intake) {
                return hung_up;
            }
            self.drop_cancelled();
            self.start_waiting();
            self.fill_batch();
            let step = self.decode();
            let emitted = match step {
                Ok(()) => self.sample(),
                Err(error) => self.give_up(&error),
            };
            if emitted.and_then(|()| self.outbox.flush()).is_err() {
                return HungUp;
            }
        }
    }

    /// Takes all that arrived; waits for something when there is nothing to do.
    fn take_in(&mut self, intake: &Receiver<Intake>) -> Result<(), HungUp> {
        if self.waiting.is_empty() && self.sequences.iter().all(|sequence| sequence.running.is_none()) {
            let first = intake.recv().map_err(|_| HungUp)?;
            self.note(first);
        }
        loop {
            match intake.try_recv() {
                Ok(news) => self.note(news),
                Err(TryRecvError::Empty) => return Ok(()),
                Err(TryRecvError::Disconnected) => return Err(HungUp),
            }
        }
    }

    fn note(&mut self, news: Intake) {
        if let Intake::Admit(admission) = news {
            self.waiting.push_back(admission);
        }
    }

    fn drop_cancelled(&mut self) {
        let cancelled = self.cancellations.take();
        if cancelled.is_empty() {
            return;
        }
        self.waiting.retain(|admission| !cancelled.contains(&admission.request));
        for sequence in &mut self.sequences {
            let gone = sequence.running.as_ref().is_some_and(|running| cancelled.contains(&running.request));
            if gone {
                self.retired += 1;
                sequence.running = None;
                sequence.last_used = self.retired;
            }
        }
    }

    /// Gives free sequences to waiting requests, each the one whose cached prefix serves it best.
    fn start_waiting(&mut self) {
        while let Some(admission) = self.waiting.pop_front() {
            let free = self.sequences.iter_mut().filter(|sequence| sequence.running.is_none());
            // The longest prefix worth having; among equals the coldest, so that somebody else's warm prefix lives on.
            let best = free.max_by_key(|sequence| {
                let shared = common_prefix(&sequence.cached, &admission.prompt.tokens);
                let worth = if shared * 2 >= sequence.cached.len() { shared } else { 0 };
                (worth, std::cmp::Reverse(sequence.last_used))
            });
            let Some(sequence) = best else {
                self.waiting.push_front(admission);
                return;
            };
            // The last prompt token is always computed, since its logits are needed.
            let shared = common_prefix(&sequence.cached, &admission.prompt.tokens)
                .min(admission.prompt.tokens.len() - 1);
            let kept = if self.context.forget(sequence.id, shared) { shared } else { 0 };
            sequence.cached.truncate(kept);
            let since = admission.arrived;
            sequence.running = Some(Running::new(*admission, &self.model, kept, self.context_tokens, since));
        }
    }

    /// Every decoding sequence's token first, then prompt tokens while there is room.
    fn fill_batch(&mut self) {
        self.batch.clear();
        let pending = |sequence: &Sequence| {
            sequence.running.as_ref().map_or(0, |running| running.tokens.len() - sequence.cached.len())
        };
        let (decoding, reading): (Vec<_>, Vec<_>) =
            self.sequences.iter_mut().filter(|sequence| pending(sequence) > 0).partition(|s| pending(s) == 1);
        for sequence in decoding.into_iter().chain(reading) {
            let room = self.batch.room();
            let Some(running) = &mut sequence.running else { continue };
            running.output = None;
            let start = sequence.cached.len();
            let end = running.tokens.len().min(start + room);
            for position in start..end {
                let token = running.tokens[position];
                let last = position + 1 == running.tokens.len();
                let output = if last { Output::Logits } else { Output::Nothing };
                let Ok(index) = self.batch.push(sequence.id, position, token, output) else { break };
                sequence.cached.push(token);
                if last {
                    running.output = Some(index);
                }
            }
        }
    }

    fn decode(&mut self) -> Result<(), DecodeError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let requests =
            self.sequences.iter().filter_map(|sequence| sequence.running.as_ref().map(|r| r.request));
        self.cancellations.begin_step(requests.collect());
        let result = self.context.decode(&mut self.batch);
        self.cancellations.end_step();
        result
    }

    fn sample(&mut self) -> Result<(), HungUp> {
        let now = Instant::now();
        for sequence in &mut self.sequences {
            let Some(running) = &mut sequence.running else { continue };
            let Some(row) = running.output.take().and_then(|index| self.batch.row(index)) else { continue };
            let token = running.sampler.sample(&mut self.context, row);
            match running.advance(token, &self.model, now) {
                Sampled::Text(text) => self.outbox.text(running.request, text)?,
                Sampled::End(text, done) => {
                    self.outbox.text(running.request, text)?;
                    self.outbox.event(running.request, Event::Done(done))?;
                    self.retired += 1;
                    sequence.running = None;
                    sequence.last_used = self.retired;
                }
            }
        }
        Ok(())
    }

    /// A step failed: what of it is in the KV cache is unknown, so all that took part in it start from nothing.
    /// An aborted step was one whose requests are all cancelled; they go silently.
    fn give_up(&mut self, error: &DecodeError) -> Result<(), HungUp> {
        let reason = error.to_string();
        for sequence in &mut self.sequences {
            let Some(running) = sequence.running.take() else { continue };
            sequence.cached.clear();
            self.context.forget(sequence.id, 0);
            if *error != DecodeError::Aborted {
                let failed = Event::Failed(GenerateError::Engine { reason: reason.clone() });
                self.outbox.event(running.request, failed)?;
            }
        }
        Ok(())
    }
}

/// Requests of a step, as [`Cancellations`] knows them.
pub(crate) type StepRequests = Vec<RequestId>;
