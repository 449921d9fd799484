//! Reads and checks a GGUF header in safe Rust, before ggml sees the file: every size recomputed with checked arithmetic,
//! every tensor inside the file, every count capped. Format: ggml's `docs/gguf.md`. Reads no weights.
#![forbid(unsafe_code)]

mod check;
mod error;
mod header;
mod hyperparameters;
mod kind;
mod merge;
mod source;
mod split;
mod tensor;
mod vocabulary;

pub use error::GgufError;
pub use header::{Header, Value};
pub use kind::{ModelKind, Pooling};
pub use merge::merge;
pub use split::Split;
pub use tensor::{Tensor, TensorType};
