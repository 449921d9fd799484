//! Why a request got no worker.

use std::io;
use std::path::PathBuf;

use protocol::GenerateError;
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
    /// It takes more than all models together may, or more than those leave that are pinned. The beginning is Ollama's.
    #[error(
        "model requires more system memory ({needed}) than is available ({available}){hint}",
        needed = binary(*needed_bytes),
        available = binary(*available_bytes),
        hint = hint(*pinned_bytes, *fits_context)
    )]
    TooBig {
        /// What it takes at the least.
        needed_bytes: u64,
        /// What it could have, however long it waited.
        available_bytes: u64,
        /// What models hold that are kept forever.
        pinned_bytes: u64,
        /// The longest context that would fit, if there is one.
        fits_context: Option<u32>,
    },
    /// As many models as there may be are kept forever.
    #[error(
        "{max_loaded} models are kept in memory forever, and models.max_loaded allows no more; stop one of them first"
    )]
    TooMany {
        /// How many there may be.
        max_loaded: usize,
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
    /// The owner of the box ended the request while it waited.
    #[error("{}", GenerateError::Ended)]
    Ended,
    /// The daemon is about to end.
    #[error("hob is shutting down")]
    ShuttingDown,
}

/// Why a question about a model got no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// There is no worker for it.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// The worker could not answer it.
    #[error(transparent)]
    Generate(#[from] GenerateError),
}

/// In Ollama's units: `1.5 GiB`.
fn binary(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match UNITS.into_iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => format!("{:.1} {name}", bytes as f64 / unit as f64),
        None => format!("{bytes} B"),
    }
}

/// What can be done about it.
fn hint(pinned_bytes: u64, fits_context: Option<u32>) -> String {
    let pinned = match pinned_bytes {
        0 => String::new(),
        bytes => format!("; models that are kept forever hold {}", binary(bytes)),
    };
    match fits_context {
        Some(tokens) => format!("{pinned}; a context of {tokens} tokens (num_ctx) would fit"),
        None => format!("{pinned}; no context of it would fit"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_that_is_too_big_is_told_in_ollamas_words_and_with_what_would_fit() {
        let error = ScheduleError::TooBig {
            needed_bytes: 3 << 29,
            available_bytes: 900 << 20,
            pinned_bytes: 1 << 30,
            fits_context: Some(2048),
        };
        assert_eq!(
            error.to_string(),
            "model requires more system memory (1.5 GiB) than is available (900.0 MiB); models that are kept forever hold \
             1.0 GiB; a context of 2048 tokens (num_ctx) would fit"
        );
    }
}
