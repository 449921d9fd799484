//! Why a request got no worker.

use std::io;
use std::path::PathBuf;

use store::ModelName;

/// Why a request got no worker.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// Too many requests wait already. The two spaces are Ollama's.
    #[error("server busy, please try again.  maximum pending requests exceeded")]
    Busy,
    /// The worker refused the model, or died over it.
    #[error("model '{model}' cannot be loaded: {reason}")]
    LoadFailed {
        /// The model.
        model: Box<ModelName>,
        /// What the worker said.
        reason: String,
    },
    /// Its worker crashed again and again.
    #[error(
        "model '{model}' crashed three times in ten minutes and is not loaded any more; the last time, {reason}. \
         To let it try again: hob stop {model}"
    )]
    Quarantined {
        /// The model.
        model: Box<ModelName>,
        /// Why it crashed last.
        reason: String,
    },
    /// The weights could not be packed.
    #[error("cannot quantize the model: {reason}")]
    Quantize {
        /// What the worker said.
        reason: String,
    },
    /// The model's file cannot be opened.
    #[error("cannot open {path}: {source}", path = path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The daemon is about to end.
    #[error("hob is shutting down")]
    ShuttingDown,
}
