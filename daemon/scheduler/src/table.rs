//! The table: what is in memory, who uses it, who waits, and what it all takes. Changes nothing but itself, and stops the
//! workers that leave it; what is to be done is `plan`'s to say and `run`'s to do.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use protocol::{LoadOptions, ModelFacts};
use store::{Digest, ModelName};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::health::Health;
use crate::lenders::Part;
use crate::link::Link;
use crate::plan::{Have, Hold, Place, Size, Standing, serves, sizes};
use crate::{KeepAlive, Load, Loaded, Shape};

#[derive(Default)]
pub(crate) struct Table {
    pub(crate) models: HashMap<ModelName, Entry>,
    /// Requests that wait, each for its model.
    pub(crate) waiting: HashMap<u64, Waiter>,
    /// What left and whose process has not ended, by the entry's number.
    leaving: HashMap<u64, Taken>,
    shapes: HashMap<Digest, Arc<Shape>>,
    /// What a worker took that was loaded so.
    measured: HashMap<(Digest, LoadOptions), u64>,
    next_id: u64,
    pub(crate) health: Health,
    /// What another box has of this one.
    pub(crate) lent: Option<Outlay>,
}

/// What another box has of this one, until its worker is no more.
pub(crate) struct Outlay {
    id: u64,
    /// What that box is called.
    pub(crate) borrower: String,
    pub(crate) taken: Taken,
    stop: CancellationToken,
}

pub(crate) struct Entry {
    /// Tells this entry from a later one of the same name.
    pub(crate) id: u64,
    pub(crate) load: Arc<Load>,
    pub(crate) size: Size,
    pub(crate) taken: Taken,
    /// What other boxes have of it.
    pub(crate) parts: Arc<[Part]>,
    pub(crate) phase: Phase,
    pub(crate) leases: usize,
    /// What a request said last; `None` is the operator's default.
    pub(crate) keep_alive: Option<KeepAlive>,
    /// When it goes; `None` while it is in use or if it stays.
    pub(crate) expires: Option<Instant>,
    pub(crate) used: Instant,
    /// Told to go as soon as it is idle.
    pub(crate) leaving: bool,
}

/// A request that waits.
pub(crate) struct Waiter {
    pub(crate) load: Arc<Load>,
    pub(crate) since: Instant,
}

/// After so long, nothing is loaded into the room that a request waits for.
const RESERVED_AFTER: Duration = Duration::from_secs(10);

/// After so long, others that want what is in that room wait as well, until it is left.
const CLEARED_AFTER: Duration = Duration::from_secs(60);

/// What a worker takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    pub(crate) bytes: u64,
    /// Its process, once there is one.
    pub(crate) process: Option<u32>,
}

pub(crate) enum Phase {
    Loading(Arc<OnceLock<String>>),
    Ready { link: Arc<Link>, facts: ModelFacts },
}

impl Table {
    /// Enters a model that is about to be loaded; its number.
    pub(crate) fn enter(&mut self, load: &Arc<Load>, size: Size, failure: &Arc<OnceLock<String>>) -> u64 {
        let id = self.next();
        let entry = Entry {
            id,
            load: Arc::clone(load),
            size,
            taken: Taken { bytes: size.bytes, process: None },
            parts: Arc::default(),
            phase: Phase::Loading(Arc::clone(failure)),
            leases: 0,
            keep_alive: load.keep_alive,
            expires: None,
            used: Instant::now(),
            leaving: false,
        };
        self.models.insert(load.name.clone(), entry);
        id
    }

    /// Enters a request that waits; its number.
    pub(crate) fn wait(&mut self, load: &Arc<Load>) -> u64 {
        let id = self.next();
        self.waiting.insert(id, Waiter { load: Arc::clone(load), since: Instant::now() });
        id
    }

    /// Requests that wait, be it for a model or for a slot of one that is there.
    pub(crate) fn queued(&self) -> usize {
        self.waiting.len() + self.models.values().map(Entry::queued).sum::<usize>()
    }

    fn next(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    pub(crate) fn place(&self, load: &Load) -> Place {
        let Some(entry) = self.models.get(&load.name) else { return Place::Empty };
        match entry.phase {
            Phase::Loading(_) => Place::Loading,
            // Whoever it was loaded for must come to use it, or two that want it differently unload it in turn forever.
            Phase::Ready { .. } => {
                Place::Ready { serves: entry.serves(load), busy: entry.leases > 0 || self.is_awaited(entry) }
            }
        }
    }

    /// What there is beside one model, and the names of what there is, in the same order. What is lent has none and comes first:
    /// it is idle, and colder than any model here. What leaves has none either.
    pub(crate) fn beside(&self, name: Option<&ModelName>) -> (Vec<Standing>, Vec<Option<ModelName>>) {
        let mut others: Vec<&Entry> =
            self.models.values().filter(|entry| Some(&entry.load.name) != name).collect();
        others.sort_by_key(|entry| (entry.expires.is_none(), entry.expires, entry.used, entry.id));
        let standing =
            others.iter().map(|entry| Standing { bytes: entry.taken.bytes, hold: self.hold(entry) });
        let leaving = self.leaving.values().map(|taken| Standing { bytes: taken.bytes, hold: Hold::Leaving });
        let lent = self.lent.iter().map(|lent| Standing {
            bytes: lent.taken.bytes,
            hold: if lent.stop.is_cancelled() { Hold::Leaving } else { Hold::Idle },
        });
        let names = others.iter().map(|entry| Some(entry.load.name.clone()));
        let nameless = self.lent.iter().map(|_| None);
        (lent.chain(standing).chain(leaving).collect(), nameless.chain(names).collect())
    }

    fn hold(&self, entry: &Entry) -> Hold {
        match entry.keep_alive {
            Some(KeepAlive::Forever) if !entry.leaving => Hold::Pin,
            // One that somebody waits for is as good as in use.
            _ if entry.is_idle() && !self.is_awaited(entry) => Hold::Idle,
            _ => Hold::Use,
        }
    }

    /// Who waits for it while it must be vacated, does not keep it.
    fn is_awaited(&self, entry: &Entry) -> bool {
        self.starved(None, CLEARED_AFTER).is_none()
            && self.waiting.values().any(|it| it.load.name == entry.load.name && entry.serves(&it.load))
    }

    /// The request that has waited longest for its model to be loaded, if that is so long, and the request is another one
    /// than `asking`.
    fn starved(&self, asking: Option<u64>, patience: Duration) -> Option<&Waiter> {
        let unserved = |waiting: &Waiter| {
            self.models.get(&waiting.load.name).is_none_or(|entry| {
                matches!(entry.phase, Phase::Ready { .. }) && !entry.serves(&waiting.load)
            })
        };
        let (id, oldest) =
            self.waiting.iter().filter(|(_, it)| unserved(it)).min_by_key(|(id, it)| (it.since, **id))?;
        (oldest.since.elapsed() >= patience && Some(*id) != asking).then_some(oldest)
    }

    /// Bytes that are not to be loaded into, as somebody has waited for them for long.
    pub(crate) fn reserved_bytes(&self, asking: Option<u64>) -> Option<u64> {
        let load = &self.starved(asking, RESERVED_AFTER)?.load;
        let shape = self.shape(&load.digest)?;
        self.sizes(load, &shape).iter().map(|size| size.bytes).min()
    }

    /// Whether a model that is there is not to be used by yet another request, as somebody has waited for its room for very
    /// long. One that is pinned keeps its room anyway.
    pub(crate) fn must_be_vacated(&self, name: &ModelName, asking: Option<u64>) -> bool {
        let pinned = |entry: &Entry| self.hold(entry) == Hold::Pin;
        !self.models.get(name).is_some_and(pinned) && self.starved(asking, CLEARED_AFTER).is_some()
    }

    /// What is about to be given back.
    pub(crate) fn leaving_bytes(&self) -> u64 {
        self.leaving.values().map(|taken| taken.bytes).sum()
    }

    /// Our workers' processes.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let loaded = self.models.values().map(|entry| entry.taken);
        let lent = self.lent.iter().map(|lent| lent.taken);
        loaded.chain(self.leaving.values().copied()).chain(lent).filter_map(|taken| taken.process).collect()
    }

    pub(crate) fn shape(&self, digest: &Digest) -> Option<Arc<Shape>> {
        self.shapes.get(digest).cloned()
    }

    pub(crate) fn keep_shape(&mut self, digest: Digest, shape: Arc<Shape>) {
        self.shapes.insert(digest, shape);
    }

    /// The ways to load a model, the best first.
    pub(crate) fn sizes(&self, load: &Load, shape: &Shape) -> Vec<Size> {
        let context_tokens = shape.capped(load.options.context_tokens);
        let options = LoadOptions { context_tokens, ..load.options.clone() };
        sizes(&options, load.least_context, |context_tokens, sequences| {
            self.bytes(load, shape, &LoadOptions { context_tokens, sequences, ..load.options.clone() })
        })
    }

    /// What a model takes with one slot of such a context.
    pub(crate) fn bytes_of_one(&self, load: &Load, shape: &Shape, context_tokens: u32) -> u64 {
        self.bytes(load, shape, &LoadOptions { context_tokens, sequences: 1, ..load.options.clone() })
    }

    /// What was measured, else what is estimated.
    pub(crate) fn bytes(&self, load: &Load, shape: &Shape, options: &LoadOptions) -> u64 {
        let estimated = || shape.estimate(options).total_bytes();
        self.measured(load, options).unwrap_or_else(estimated)
    }

    /// What a worker took that was loaded so.
    pub(crate) fn measured(&self, load: &Load, options: &LoadOptions) -> Option<u64> {
        self.measured.get(&(load.digest, options.clone())).copied()
    }

    /// Notes what a worker takes, now and for the next time.
    pub(crate) fn correct(&mut self, name: &ModelName, bytes: u64) {
        let Some(entry) = self.models.get_mut(name) else { return };
        entry.taken.bytes = bytes;
        self.measured.insert((entry.load.digest, entry.options()), bytes);
    }

    pub(crate) fn expired(&self, now: Instant) -> Option<ModelName> {
        let due = |entry: &Entry| entry.is_idle() && entry.expires.is_some_and(|expires| expires <= now);
        self.models.iter().find(|(_, entry)| due(entry)).map(|(name, _)| name.clone())
    }

    /// When the next idle model goes.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        self.models.values().filter(|entry| entry.is_idle()).filter_map(|entry| entry.expires).min()
    }

    /// Enters that so much is lent, to whom; its number.
    pub(crate) fn lend(&mut self, borrower: &str, bytes: u64, stop: CancellationToken) -> u64 {
        let id = self.next();
        let borrower = borrower.to_owned();
        self.lent = Some(Outlay { id, borrower, taken: Taken { bytes, process: None }, stop });
        id
    }

    /// The process that computes for whoever borrows.
    pub(crate) fn lent_to(&mut self, id: u64, process: Option<u32>) {
        if let Some(lent) = self.lent.as_mut().filter(|lent| lent.id == id) {
            lent.taken.process = process;
        }
    }

    /// What was lent is no more.
    pub(crate) fn returned(&mut self, id: u64) {
        self.lent.take_if(|lent| lent.id == id);
    }

    /// Takes out what is idle, by its place in [`Table::beside`]: a model, or what is lent.
    pub(crate) fn evict(&mut self, name: Option<&ModelName>, why: &str) {
        match (name, &self.lent) {
            (Some(name), _) => {
                tracing::info!(model = %name, "model unloaded {why}");
                self.remove(name);
            }
            (None, Some(lent)) => {
                tracing::info!("what was lent to another box is taken back {why}");
                lent.stop.cancel();
            }
            (None, None) => {}
        }
    }

    /// Takes a model out; what it takes is free once its process ended, see [`Table::ended`].
    pub(crate) fn remove(&mut self, name: &ModelName) {
        let Some(entry) = self.models.remove(name) else { return };
        self.leaving.insert(entry.id, entry.taken);
        if let Phase::Ready { link, .. } = entry.phase {
            link.stop();
        }
    }

    /// Removes a model whose worker died and whose task has not yet said so.
    pub(crate) fn bury(&mut self, name: &ModelName) {
        let phase = self.models.get(name).map(|entry| &entry.phase);
        if matches!(phase, Some(Phase::Ready { link, .. }) if link.is_dead()) {
            self.remove(name);
        }
    }

    /// The process of this entry is no more.
    pub(crate) fn ended(&mut self, name: &ModelName, id: u64) {
        if self.models.get(name).is_some_and(|entry| entry.id == id) {
            self.remove(name);
        }
        self.leaving.remove(&id);
    }

    pub(crate) fn entry(&mut self, name: &ModelName, id: u64) -> Option<&mut Entry> {
        self.models.get_mut(name).filter(|entry| entry.id == id)
    }
}

impl Entry {
    fn serves(&self, load: &Load) -> bool {
        let going = self.leaving && self.leases > 0;
        let have = Have { wanted: &self.load.options, size: self.size };
        !going && self.load.digest == load.digest && serves(have, &load.options, load.least_context)
    }

    /// Requests that have a slot or wait for one. Vectors of one request may be made in several pieces.
    fn slots_wanted(&self) -> usize {
        match &self.phase {
            Phase::Ready { link, .. } => link.slots_wanted().min(self.leases),
            Phase::Loading(_) => 0,
        }
    }

    fn queued(&self) -> usize {
        self.slots_wanted().saturating_sub(self.size.sequences as usize)
    }

    pub(crate) fn has_free_slot(&self) -> bool {
        self.slots_wanted() < self.size.sequences as usize
    }

    /// Those that the worker was given.
    pub(crate) fn options(&self) -> LoadOptions {
        LoadOptions {
            context_tokens: self.size.context_tokens,
            sequences: self.size.sequences,
            ..self.load.options.clone()
        }
    }

    /// Loaded, and in nobody's use.
    pub(crate) fn is_idle(&self) -> bool {
        self.leases == 0 && matches!(self.phase, Phase::Ready { .. })
    }

    /// Sets the time to go, now that nobody uses it.
    pub(crate) fn rest(&mut self, default: KeepAlive) {
        self.used = Instant::now();
        self.go_by(default);
    }

    /// The same, counted from when it was used last.
    pub(crate) fn go_by(&mut self, default: KeepAlive) {
        self.expires = match self.keep_alive.unwrap_or(default) {
            KeepAlive::For(time) => self.used.checked_add(time),
            KeepAlive::Forever => None,
        };
    }

    pub(crate) fn describe(&self, default: KeepAlive) -> Option<Loaded> {
        let Phase::Ready { facts, .. } = &self.phase else { return None };
        let expires_at = match (self.expires, self.leases) {
            (Some(at), _) => Some(SystemTime::now() + at.saturating_duration_since(Instant::now())),
            (None, 0) => None,
            (None, _) => expiry(self.keep_alive.unwrap_or(default)),
        };
        Some(Loaded {
            name: self.load.name.clone(),
            digest: self.load.digest,
            size_bytes: self.taken.bytes,
            gpu_bytes: facts.gpu_bytes,
            parts: self.parts.to_vec(),
            context_tokens: facts.context_tokens,
            expires_at,
        })
    }
}

fn expiry(keep_alive: KeepAlive) -> Option<SystemTime> {
    match keep_alive {
        KeepAlive::For(time) => SystemTime::now().checked_add(time),
        KeepAlive::Forever => None,
    }
}
