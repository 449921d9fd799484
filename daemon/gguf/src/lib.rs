//! Reads and checks GGUF headers in safe Rust, before ggml sees the file.
