//! ggml behind a safe layer: one process, one model, one batch loop. The only crate with C++ in it, and only
//! `hob worker` calls it. Knows no path, no socket address, no key: it is handed an open model file and one socket.

mod adapters;
mod budget;
mod cache;
mod draft;
mod draft_model;
mod embed;
mod ggml;
mod grammar;
mod lend;
mod listener;
mod media;
mod outbox;
mod output;
mod prefix_file;
mod projection;
mod prompt;
mod queue;
mod reply;
mod sequence;
mod spill;
mod step;
mod template;
mod threads;
mod watchdog;
mod worker;

pub use lend::{Bound, lend};
pub use threads::{Accounts, CpuTime};
pub use worker::{Files, Measure, ServeError, System, serve};

/// What two engines must have in common to share a model: the source of ggml, and for what it was compiled.
pub const BUILD: &str = env!("HOB_ENGINE_BUILD");
