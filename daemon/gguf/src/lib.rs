//! Reads and checks a GGUF header in safe Rust, before ggml sees the file: every size recomputed with checked arithmetic,
//! every tensor inside the file, every count capped. Format: ggml's `docs/gguf.md`. Reads no weights.
#![forbid(unsafe_code)]

mod header;
mod tensor;

pub use header::{GgufError, Header, Value};
pub use tensor::{Tensor, TensorType};
