//! What goes on, for whoever looks: who is served, what takes the memory, and how fast it goes. Looking costs what is looked at, and
//! asks no worker.

use std::future::Future;

use protocol::MemoryParts;
use store::ModelName;

use crate::roll::{Enrolled, Errand, Rate, Request, Stage, Totals};
use crate::table::{Entry, Phase, Table};
use crate::{Estimate, Lent, Load, Scheduler, State};

/// What the memory is taken for.
#[derive(Clone, Debug)]
pub struct Memory {
    /// What the system could give without swapping, as far as it says so.
    pub available_bytes: Option<u64>,
    /// What all models together may take; `None` is any amount.
    pub limit_bytes: Option<u64>,
    /// By name.
    pub models: Vec<Share>,
    /// Of models that are gone and whose processes are not.
    pub leaving_bytes: u64,
    /// What another box has of this one.
    pub lent: Option<Lent>,
}

/// What the machine tells of itself, as far as it does.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Machine {
    /// RAM, or as much of it as this service may have.
    pub memory_bytes: Option<u64>,
    /// Degrees Celsius of its processor.
    pub temperature: Option<f64>,
    /// Watts.
    pub power: Option<f64>,
}

/// What one model takes.
#[derive(Clone, Debug)]
pub struct Share {
    /// Which model.
    pub name: ModelName,
    /// How it stands.
    pub state: State,
    /// What it counts for.
    pub bytes: u64,
    /// By what for; what is left of `bytes` is the process, and what else there is.
    pub parts: Parts,
    /// Of one request.
    pub context_tokens: u32,
    /// Requests that it answers at once.
    pub sequences: u32,
    /// Of its bytes, on GPUs.
    pub gpu_bytes: u64,
}

/// Bytes of a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// The weights, wherever they are: a mapped file counts as a whole.
    pub weights: u64,
    /// The KV cache.
    pub cache: u64,
    /// The buffers of a step.
    pub compute: u64,
    /// That prefixes outside the KV cache may take.
    pub prefixes: u64,
    /// Whether the worker said them.
    pub source: Source,
}

/// Where figures are from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// The model's header.
    #[default]
    Estimated,
    /// Its worker, which has loaded it.
    Measured,
}

impl Memory {
    /// All that is taken.
    pub fn used_bytes(&self) -> u64 {
        let lent = self.lent.as_ref().map_or(0, |lent| lent.bytes);
        let models = self.models.iter().map(|share| share.bytes);
        models.chain([lent]).fold(self.leaving_bytes, u64::saturating_add)
    }
}

impl Scheduler {
    /// Requests under way, the oldest first.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.roll.requests()
    }

    /// Ends a request; false if none of this number is under way.
    pub fn stop_request(&self, id: u64) -> bool {
        self.shared.roll.stop(id)
    }

    /// Enters a request that a paired box of this name answers. It is under way until what comes back is dropped.
    pub fn pass_on(&self, errand: Errand, model: ModelName, peer: &str) -> Enrolled {
        self.shared.roll.enrol(errand, model, Stage::Passed(peer.into()))
    }

    /// Tokens of the last second.
    pub fn rate(&self) -> Rate {
        self.shared.roll.rate()
    }

    /// What was done since this was last asked for. For one who asks regularly.
    pub fn take_totals(&self) -> Totals {
        self.shared.roll.take_totals()
    }

    /// Comes when something has changed since this was called: a model, or a request, but not how many tokens there are.
    pub fn changed(&self) -> impl Future<Output = ()> + Send + '_ {
        let (table, roll) = (self.shared.changed.notified(), self.shared.roll.changed());
        async move {
            tokio::select! {
                () = table => {}
                () = roll => {}
            }
        }
    }

    /// What the memory is taken for. Reads a few small files of the system.
    pub fn memory(&self) -> Memory {
        let processes = self.shared.table().processes();
        let gauge = (self.shared.world.gauge)(&processes);
        let limit_bytes = self.shared.config.memory.budget_bytes(gauge);
        let lent = self.lent();
        let table = self.shared.table();
        let mut models: Vec<Share> = table.models.values().map(|entry| table.share(entry)).collect();
        models.sort_by(|one, other| one.name.cmp(&other.name));
        Memory {
            available_bytes: gauge.available_bytes,
            limit_bytes: (limit_bytes < u64::MAX).then_some(limit_bytes),
            models,
            leaving_bytes: table.leaving_bytes(),
            lent,
        }
    }

    /// What the machine tells of itself. Blocks for a moment.
    pub fn machine(&self) -> Machine {
        (self.shared.world.machine)()
    }

    pub(crate) fn enrol(&self, load: &Load) -> Enrolled {
        self.shared.roll.enrol(load.errand.clone(), load.name.clone(), Stage::Waiting)
    }
}

impl Table {
    fn share(&self, entry: &Entry) -> Share {
        let (state, facts) = match &entry.phase {
            Phase::Loading(_) => (State::Loading, None),
            Phase::Ready { facts, .. } => (State::Loaded, Some(facts)),
        };
        let options = entry.options();
        let estimate = self.shape(&entry.load.digest).map(|shape| shape.estimate(&options));
        let parts = Parts::of(estimate, facts.and_then(|facts| facts.parts), options.cache.bytes);
        Share {
            name: entry.load.name.clone(),
            state,
            bytes: entry.taken.bytes,
            parts,
            context_tokens: facts.map_or(entry.size.context_tokens, |facts| facts.context_tokens),
            sequences: entry.size.sequences,
            gpu_bytes: facts.map_or(0, |facts| facts.gpu_bytes),
        }
    }
}

impl Parts {
    fn of(estimate: Option<Estimate>, measured: Option<MemoryParts>, prefixes: u64) -> Self {
        match (measured, estimate) {
            (Some(MemoryParts { weights_bytes, cache_bytes, compute_bytes }), _) => Self {
                weights: weights_bytes,
                cache: cache_bytes,
                compute: compute_bytes,
                prefixes,
                source: Source::Measured,
            },
            (None, Some(estimate)) => Self {
                weights: estimate.weights_bytes,
                cache: estimate.cache_bytes,
                compute: estimate.compute_bytes,
                prefixes: estimate.prefix_bytes,
                source: Source::Estimated,
            },
            // It is not loaded without its shape.
            (None, None) => Self::default(),
        }
    }
}
