//! The batch loop: take what arrived, fill a batch, decode, sample, emit. One thread owns the context and runs this.

mod guesses;
mod pace;
mod prefixes;
mod sampling;
mod spans;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError};
use std::time::{Duration, Instant};

use protocol::{GenerateError, Owner, Priority, RequestId};

use self::prefixes::WORTH_RESTORING;
use crate::adapters::Scales;
use crate::budget::{Reading, StepBudget, shares};
use crate::cache::{self, View};
use crate::draft::Payoff;
use crate::draft_model::DraftModel;
use crate::ggml::{Batch, Context, DecodeError, Model, Output};
use crate::outbox::Outbox;
use crate::queue::{Queue, Waiting};
use crate::reply::Readers;
use crate::sequence::{Admission, Running, Sequence};
use crate::spill::{Spill, Spilled};
use crate::threads::{Accounts, Threads};
use crate::worker::Cancellations;

/// What reaches the loop.
pub(crate) enum Intake {
    Admit(Box<Admission>),
    /// Say no more of this one, until it is released.
    Hold(RequestId),
    Release(RequestId),
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
    queue: Queue,
    limits: Limits,
    budget: StepBudget,
    threads: Threads,
    /// Counts retirements; the clock of `Sequence::last_used`.
    retired: u64,
    cancellations: Arc<Cancellations>,
    outbox: Outbox,
    readers: Readers,
    spill: Arc<Spill>,
    /// Where prefixes go that are to outlive the worker.
    disk: Option<Sender<Arc<Spilled>>>,
    draft: Option<DraftModel>,
    payoff: Payoff,
    /// The draft model guessed for this step.
    drafted: bool,
    /// Of the model's adapters, as they are laid over it now.
    scales: Scales,
    /// How many there were.
    steps: u64,
}

/// How often the daemon is told that the loop goes round.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// What the loop keeps to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Of one request.
    pub(crate) context_tokens: usize,
    pub(crate) speculation: bool,
    /// Compute threads at most.
    pub(crate) threads: u32,
    pub(crate) accounts: Accounts,
    /// Requests that run at once; there may be more sequences, which keep prefixes.
    pub(crate) running: usize,
    /// What a step may take while somebody waits for their next token.
    pub(crate) step: Duration,
}

/// With more owners than places, how long one keeps its place at least.
const TURN: Duration = Duration::from_secs(5);

impl Loop {
    pub(crate) fn new(
        model: Arc<Model>,
        context: Context,
        limits: Limits,
        cancellations: Arc<Cancellations>,
        outbox: Outbox,
        spill: Arc<Spill>,
    ) -> Self {
        let sequence = |id| Sequence {
            id,
            kin: Owner::default(),
            cached: Vec::new(),
            running: None,
            last_used: 0,
            shared: false,
            shifted: false,
            spilled: false,
        };
        let adapters = context.adapters();
        Self {
            model,
            batch: context.batch(),
            sequences: context.sequences().map(sequence).collect(),
            context,
            queue: Queue::default(),
            limits,
            budget: StepBudget::new(limits.step),
            threads: Threads::new(limits.threads, limits.accounts),
            retired: 0,
            cancellations,
            readers: Readers::start(outbox.clone()),
            outbox,
            spill,
            disk: None,
            draft: None,
            payoff: Payoff::default(),
            drafted: false,
            scales: Scales::full(adapters),
            steps: 0,
        }
    }

    /// With somebody who keeps prefixes beyond the end of the worker.
    pub(crate) fn with_disk(self, disk: Option<Sender<Arc<Spilled>>>) -> Self {
        Self { disk, ..self }
    }

    /// With a smaller model that guesses ahead.
    pub(crate) fn with_draft(self, draft: Option<DraftModel>) -> Self {
        Self { draft, ..self }
    }

    /// Runs until the daemon hangs up.
    pub(crate) fn run(&mut self, intake: &Receiver<Intake>) -> HungUp {
        let mut beat = Instant::now();
        loop {
            if let Err(hung_up) = self.take_in(intake) {
                return hung_up;
            }
            self.drop_cancelled();
            if self.start_waiting() {
                self.make_way();
                // Before what may be a long step.
                if self.tell_reading().and_then(|()| self.outbox.flush()).is_err() {
                    return HungUp;
                }
            }
            self.shift_full();
            if self.read_span().is_err() {
                return HungUp;
            }
            let begun = Instant::now();
            let prompt_tokens = self.fill_batch();
            let mut emitted = match self.decode(prompt_tokens) {
                Ok(()) => self.sample().map(|tokens| match self.drafted {
                    true => self.payoff.learn_drafted(tokens, begun.elapsed()),
                    false if prompt_tokens == 0 && tokens > 0 => {
                        self.payoff.learn_plain(tokens, begun.elapsed())
                    }
                    false => {}
                }),
                Err(error) => self.give_up(&error),
            };
            if prompt_tokens > 0 {
                emitted = emitted.and_then(|()| self.tell_reading());
            }
            if beat.elapsed() >= HEARTBEAT {
                beat = Instant::now();
                emitted = emitted.and_then(|()| self.outbox.alive());
            }
            if emitted.and_then(|()| self.outbox.flush()).is_err() {
                return HungUp;
            }
        }
    }

    /// Takes all that arrived; waits for something when there is nothing to do.
    fn take_in(&mut self, intake: &Receiver<Intake>) -> Result<(), HungUp> {
        if self.is_idle() {
            let first = self.wait(intake)?;
            self.note(first);
            self.threads.wake();
        }
        loop {
            match intake.try_recv() {
                Ok(news) => self.note(news),
                Err(TryRecvError::Empty) => return Ok(()),
                Err(TryRecvError::Disconnected) => return Err(HungUp),
            }
        }
    }

    /// How far those are whose prompts are being read.
    fn tell_reading(&mut self) -> Result<(), HungUp> {
        for sequence in &mut self.sequences {
            let read = sequence.cached.len();
            if let Some(running) = &mut sequence.running
                && let Some(prompt) = running.reads_on(read)
            {
                self.outbox.reading(running.request, prompt)?;
            }
        }
        Ok(())
    }

    fn note(&mut self, news: Intake) {
        match news {
            Intake::Admit(admission) => self.queue.push(Waiting::New(admission)),
            // One that has ended needs neither.
            Intake::Hold(request) => self.begun(request).into_iter().for_each(|running| running.held = true),
            Intake::Release(request) => {
                self.begun(request).into_iter().for_each(|running| running.held = false);
            }
            Intake::Cancelled => {}
        }
    }

    fn drop_cancelled(&mut self) {
        let cancelled = self.cancellations.take();
        if cancelled.is_empty() {
            return;
        }
        self.queue.retain(|request| !cancelled.contains(&request));
        for at in 0..self.sequences.len() {
            let running = self.sequences[at].running.as_ref();
            if running.is_some_and(|running| cancelled.contains(&running.request)) {
                self.retire(at);
            }
        }
    }

    /// Gives places to waiting requests, while there are any; whether one began.
    fn start_waiting(&mut self) -> bool {
        let (now, mut began) = (Instant::now(), false);
        while self.queue.any(|waiting| !waiting.is_held()) {
            let running: Vec<Owner> = self.running().map(|(_, running)| running.owner).collect();
            let of = |owner: Owner| running.iter().filter(|running| **running == owner).count();
            if running.len() < self.limits.running {
                let mut queue = std::mem::take(&mut self.queue);
                let next = queue.take(of, |waiting| self.is_ready(waiting));
                self.queue = queue;
                match next {
                    Some(waiting) => self.start(waiting, now),
                    None => return began,
                }
                began = true;
            } else if let Some(at) = self.to_give_way(of, now)
                && let Some(paused) = self.retire(at)
            {
                self.queue.push_front(Waiting::Paused(Box::new(paused)));
            } else {
                return began;
            }
        }
        began
    }

    /// Whose place an owner without one gets: the newest of an owner with several, or else that of the one who has had
    /// theirs for longest. Nobody gives theirs to somebody less urgent.
    fn to_pause(&self, of: impl Fn(Owner) -> usize, urgency: Priority, now: Instant) -> Option<usize> {
        let may_pause = || self.running().filter(|(_, running)| running.priority <= urgency);
        let several = may_pause().filter(|(_, running)| of(running.owner) > 1);
        let newest = several.max_by_key(|(_, running)| (of(running.owner), running.since));
        let oldest = || {
            let over = |(_, running): &(usize, &Running)| now.duration_since(running.since) >= TURN;
            may_pause().filter(over).min_by_key(|(_, running)| running.since)
        };
        newest.or_else(oldest).map(|(at, _)| at)
    }

    /// A prompt whose beginning another one is just reading is ready once that is read.
    fn is_ready(&self, waiting: &Waiting) -> bool {
        if waiting.is_held() || !self.context.keeps_parts() {
            return !waiting.is_held();
        }
        let (kin, tokens) = (waiting.kin(), waiting.tokens());
        let have = self.sequences.iter().map(|sequence| View::from(sequence).serves(kin, tokens, true)).max();
        let reading = self.sequences.iter().filter(|sequence| sequence.reading().is_some());
        let reading = reading.filter_map(|sequence| {
            let running = sequence.running.as_ref();
            let running = running.filter(|running| running.kin() == kin && !running.held)?;
            Some((&running.tokens[..], sequence.cached.len()))
        });
        !cache::is_worth_waiting(tokens, have.unwrap_or(0), reading)
    }

    fn start(&mut self, waiting: Waiting, now: Instant) {
        let parts = self.context.keeps_parts();
        let views: Vec<View> = self.sequences.iter().map(View::from).collect();
        let kin = waiting.kin();
        let Some(place) = cache::place(&views, kin, waiting.tokens(), parts) else {
            // There are as many sequences as may run, so one is idle.
            self.queue.push_front(waiting);
            return;
        };
        self.keep_whole(place);
        let kept = if waiting.weighs_prompt() {
            // What was computed before has no logits any more.
            self.clear(place.target);
            0
        } else {
            match self.spill.best(kin, waiting.tokens(), parts, place.shared + WORTH_RESTORING) {
                Some((spilled, shared)) if self.restore(place.target, &spilled, shared) => shared,
                _ => self.take_over(place),
            }
        };
        let kept = self.without_piece(place.target, kept, &waiting);
        let running = match waiting {
            Waiting::New(admission) => {
                Running::new(*admission, &self.model, kept, self.limits.context_tokens, now)
            }
            Waiting::Paused(mut running) => {
                running.since = now;
                *running
            }
        };
        let sequence = &mut self.sequences[place.target];
        sequence.kin = kin;
        sequence.spilled = false;
        sequence.running = Some(running);
    }

    /// Makes room in sequences whose context is full. What moves must be nobody else's; else it is read anew.
    fn shift_full(&mut self) {
        let most = self.limits.context_tokens;
        for sequence in &mut self.sequences {
            let Some(running) = &mut sequence.running else { continue };
            while running.tokens.len() > most {
                let (from, count) = running.shift(most);
                sequence.shifted = true;
                if !sequence.shared && sequence.cached.len() >= from + count && self.context.can_shift() {
                    self.context.shift(sequence.id, from, count);
                    sequence.cached.drain(from..from + count);
                } else {
                    self.context.forget(sequence.id, from);
                    sequence.cached.truncate(from);
                }
            }
        }
    }

    /// Every decoding sequence's token first, with guesses if the step has room for them in time, then prompt tokens;
    /// how many of these, guesses counted.
    fn fill_batch(&mut self) -> usize {
        self.batch.clear();
        let scales = self.next_scales();
        let decoding = self.decoding(&scales).count();
        let reads = |sequence: &Sequence| sequence.reading().is_some() && sequence.steps_with(&scales);
        let mut prompts: Vec<usize> =
            (0..self.sequences.len()).filter(|at| reads(&self.sequences[*at])).collect();
        let guessing = self.limits.speculation
            && self.context.keeps_parts()
            && prompts.is_empty()
            && decoding * 2 <= self.limits.running.max(2);
        self.drafted = guessing && self.guess(&scales);
        let mut extra = 0;
        let steps = |sequence: &&mut Sequence| sequence.is_decoding() && sequence.steps_with(&scales);
        for sequence in self.sequences.iter_mut().filter(steps) {
            read(sequence, &mut self.batch, 1);
            extra += guesses::append(sequence, &mut self.batch);
        }
        // In order of arrival.
        prompts.sort_by_key(|at| self.sequences[*at].running.as_ref().map(|running| running.since));
        let reading: Vec<Reading> = prompts.iter().filter_map(|at| self.sequences[*at].reading()).collect();
        let budget = self.budget.prompt_tokens(decoding, self.batch.room());
        for (at, count) in prompts.into_iter().zip(shares(budget, &reading)) {
            read(&mut self.sequences[at], &mut self.batch, count);
            extra += count;
        }
        extra
    }

    fn decoding(&self, scales: &Scales) -> impl Iterator<Item = &Sequence> {
        self.sequences.iter().filter(|sequence| sequence.is_decoding() && sequence.steps_with(scales))
    }

    /// The scales of the model's adapters for this step: one batch has one set of them, so those who run with others take
    /// turns.
    fn next_scales(&mut self) -> Scales {
        let longest_ago = self.stepping().min_by_key(|(_, running)| running.stepped);
        let Some(scales) = longest_ago.map(|(_, running)| running.scales.clone()) else {
            return self.scales.clone();
        };
        if scales != self.scales {
            self.context.lay_over(scales.as_slice());
            self.scales = scales.clone();
        }
        self.steps += 1;
        for running in self.sequences.iter_mut().filter_map(|sequence| sequence.running.as_mut()) {
            if running.scales == scales {
                running.stepped = self.steps;
            }
        }
        scales
    }

    fn decode(&mut self, prompt_tokens: usize) -> Result<(), DecodeError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let begun = Instant::now();
        self.cancellations.begin_step(self.stepping().map(|(_, running)| running.request).collect());
        let result = loop {
            match self.context.decode(&mut self.batch) {
                Err(DecodeError::NoRoom) if self.evict() => {}
                other => break other,
            }
        };
        self.cancellations.end_step();
        self.budget.learn(prompt_tokens, begun.elapsed());
        if let Some(threads) = self.threads.review() {
            self.context.set_threads(threads);
            if let Some(draft) = &mut self.draft {
                draft.set_threads(threads);
            }
        }
        result
    }

    /// Takes a request out of its sequence, which keeps what it has.
    fn retire(&mut self, at: usize) -> Option<Running> {
        self.retired += 1;
        self.sequences[at].last_used = self.retired;
        let running = self.sequences[at].running.take();
        if self.sequences[at].shifted {
            self.clear(at);
        }
        running
    }

    fn running(&self) -> impl Iterator<Item = (usize, &Running)> {
        self.sequences.iter().enumerate().filter_map(|(at, sequence)| Some((at, sequence.running.as_ref()?)))
    }

    /// A step failed: what of it is in the KV cache is unknown, so all that took part in it start from nothing.
    /// An aborted step was one whose requests are all cancelled; they go silently.
    fn give_up(&mut self, error: &DecodeError) -> Result<(), HungUp> {
        let reason = error.to_string();
        for sequence in &mut self.sequences {
            let Some(running) = sequence.running.take_if(|running| !running.held) else { continue };
            sequence.cached.clear();
            self.context.forget(sequence.id, 0);
            if *error != DecodeError::Aborted {
                let error = GenerateError::Engine { reason: reason.clone() };
                self.outbox.failed(running.request, error)?;
            }
        }
        Ok(())
    }
}

/// Puts the next `count` tokens of a sequence into the batch.
fn read(sequence: &mut Sequence, batch: &mut Batch, count: usize) {
    let Some(running) = &mut sequence.running else { return };
    running.output = None;
    let start = sequence.cached.len();
    let end = running.tokens.len().min(start + count);
    for position in start..end {
        let token = running.tokens[position];
        if token < 0 {
            // It is read in a step of its own.
            break;
        }
        let last = position + 1 == running.tokens.len();
        let weighs = running.weighs(position);
        let output = if last || weighs { Output::Logits } else { Output::Nothing };
        let Ok(index) = batch.push(sequence.id, position, token, output) else { break };
        sequence.cached.push(token);
        if weighs {
            running.weighs.push(index);
        }
        if last {
            running.output = Some(index);
        }
    }
}

/// Requests of a step, as [`Cancellations`] knows them.
pub(crate) type StepRequests = Vec<RequestId>;
