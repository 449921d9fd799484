//! Which model is in memory, for whom, when. Decides and holds the leases; what a model says is the worker's, what a
//! client sees is the families'.
#![forbid(unsafe_code)]

mod activity;
mod answer;
mod ask;
mod backlog;
mod budget;
mod embed;
mod error;
mod estimate;
mod fit;
mod health;
mod keep_alive;
mod lend;
mod lenders;
mod link;
mod plan;
mod prefixes;
mod quantize;
mod report;
mod roll;
mod run;
mod spread;
mod table;
mod worker;
mod world;

pub use activity::{Activity, Queue, State};
pub use answer::Answer;
pub use budget::MemoryLimit;
pub use embed::Embedding;
pub use error::{AskError, ScheduleError};
pub use estimate::{Estimate, Shape};
pub use fit::{Fit, Outcome};
pub use keep_alive::{InvalidKeepAlive, KeepAlive};
pub use lend::{LendError, Lent, Loan};
pub use lenders::{Borrowed, Later, Lenders, Offer, Part};
pub use platform::process::WorkerProgram;
pub use report::{Machine, Memory, Parts, Share, Source};
pub use roll::{Delays, Enrolled, Errand, Kind, Rate, Request, Stage, Totals};
pub use run::Scheduler;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use protocol::{LoadOptions, Purpose};
use store::{Digest, ModelName};

/// What the operator decided.
#[derive(Clone, Debug)]
pub struct Config {
    /// What is started for each model.
    pub worker: WorkerProgram,
    /// Models in memory at once, however small they are.
    pub max_loaded: usize,
    /// What all of them together may take.
    pub memory: MemoryLimit,
    /// How long an idle model stays, where the request does not say.
    pub keep_alive: KeepAlive,
    /// Requests that wait at once, for a model or for a slot of one that is there; more are refused.
    pub max_queue: usize,
    /// A load that says nothing for this long is given up.
    pub load_timeout: Duration,
    /// A worker that says nothing for this long, although somebody waits, is killed.
    pub stuck_after: Duration,
    /// Bytes of memory that a worker may have for prefixes outside its KV cache.
    pub cache_bytes: u64,
    /// The folder and the bytes for prefixes that outlive workers, if they are to be kept.
    pub cache_disk: Option<(PathBuf, u64)>,
    /// Boxes that have a part of a model that does not fit here, if any are to.
    pub lenders: Option<Arc<dyn Lenders>>,
}

/// A model that a request wants in memory, and how.
#[derive(Clone, Debug)]
pub struct Load {
    /// Which model.
    pub name: ModelName,
    /// Of its manifest: a model that was made anew under its old name is loaded anew.
    pub digest: Digest,
    /// The GGUF file.
    pub weights: PathBuf,
    /// LoRA adapters that are laid over it.
    pub adapters: Vec<PathBuf>,
    /// A smaller model that guesses what it will say.
    pub draft: Option<PathBuf>,
    /// What turns images and recordings into what it reads.
    pub projector: Option<PathBuf>,
    /// At least this much of everything, but for fewer slots or a shorter context where memory is short.
    pub options: LoadOptions,
    /// Tokens that the context may be cut to where memory is short. A context that somebody asked for is not cut: there
    /// it is all of it.
    pub least_context: u32,
    /// How long it stays when this request is over; forever is a pin, so that it makes room for no other. `None` leaves
    /// what an earlier request said, else the operator's default, by which nothing is pinned.
    pub keep_alive: Option<KeepAlive>,
    /// What for, and for whom.
    pub errand: Errand,
}

impl Load {
    /// The same to make vectors, which needs no template, no guesses and no prefixes.
    pub fn for_vectors(self) -> Self {
        let options = LoadOptions { purpose: Purpose::Embed, template: None, ..self.options };
        Self { draft: None, options, ..self }
    }
}

/// A model in memory.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Which model.
    pub name: ModelName,
    /// Of its manifest.
    pub digest: Digest,
    /// Bytes of it in all memories, as the budget counts them.
    pub size_bytes: u64,
    /// Of these, on GPUs.
    pub gpu_bytes: u64,
    /// What other boxes have of it beside that.
    pub parts: Vec<Part>,
    /// Context of one request in tokens.
    pub context_tokens: u32,
    /// When it goes, if nothing asks for it; `None` is never.
    pub expires_at: Option<SystemTime>,
}
