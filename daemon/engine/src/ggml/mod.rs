//! The binding: every call into ggml and llama.cpp, and nothing else. What would abort there (a batch over `n_batch`, a
//! sequence out of range, logits that were not asked for) is refused here first; what still aborts takes this process only.
#![expect(unsafe_code, reason = "the one place that calls C")]

mod adapter;
mod chat;
mod context;
mod encoder;
pub(crate) mod log;
mod model;
mod projector;
mod quantize;
mod remote;
mod sampler;
mod vocab;

pub(crate) use adapter::Adapter;
pub(crate) use chat::{Calls, ChatParser, ChatTemplate, Conversation, Marks, Rendered, Trigger};
pub(crate) use context::{Batch, Context, ContextOptions, DecodeError, MOST_GUESSED, Output, SequenceId};
pub(crate) use encoder::{Encoder, EncoderOptions, Progress};
pub(crate) use model::{LoadError, Model, ModelOptions};
pub(crate) use projector::{Chunk, MediaChunk, Projector};
pub(crate) use quantize::quantize;
pub(crate) use remote::{Remote, lend};
pub(crate) use sampler::{Likelihoods, Sampler};
pub(crate) use vocab::{Edges, PairEdges};

use protocol::CacheTypes;

/// What the state of a sequence depends on, besides its model: this build, and in what the KV cache is kept.
pub(crate) fn cache_kind(types: CacheTypes) -> String {
    format!("llama-cpp-sys-2 0.1.161, hob {}, {} and {}", env!("CARGO_PKG_VERSION"), types.k, types.v)
}

/// A token of the model's vocabulary.
pub(crate) type Token = i32;

/// Starts ggml. Once, before anything else of this module.
pub(crate) fn start() {
    log::capture();
    chat::quiet();
    // SAFETY: no arguments, and called before any other function of llama.cpp.
    unsafe { llama_cpp_sys_2::llama_backend_init() };
}
