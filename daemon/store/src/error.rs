//! What can go wrong with model files.

use std::io;
use std::path::{Path, PathBuf};

use protocol::InvalidOption;

use crate::{Digest, InvalidDigest, InvalidManifest, InvalidName, ModelName};

/// What went wrong with a model file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// No manifest goes by this name.
    #[error("model '{0}' not found")]
    UnknownModel(ModelName),
    /// The text names no model.
    #[error(transparent)]
    InvalidName(#[from] InvalidName),
    /// The text is no digest.
    #[error(transparent)]
    InvalidDigest(#[from] InvalidDigest),
    /// A recipe names a blob that was not uploaded.
    #[error("blob \"{0}\" not found")]
    UnknownBlob(Digest),
    /// The bytes that arrived are not the bytes that were named. Nothing was kept.
    #[error("digest mismatch, expected \"{expected}\", got \"{found}\"")]
    DigestMismatch {
        /// As named.
        expected: Digest,
        /// As arrived.
        found: Digest,
    },
    /// The file is no model that can be used.
    #[error(transparent)]
    BadGguf(#[from] gguf::GgufError),
    /// A manifest or one of its small layers cannot be read. It was left as it is.
    #[error("the manifest of '{name}' is corrupt: {reason}; pull or create the model again")]
    CorruptManifest {
        /// Of the model.
        name: Box<ModelName>,
        /// What is wrong.
        reason: String,
    },
    /// A parameter is unknown or out of range.
    #[error(transparent)]
    Parameter(#[from] InvalidOption),
    /// A recipe with nothing to make a model from.
    #[error("neither 'from' or 'files' was specified")]
    NoBase,
    /// A recipe with more weights than one file.
    #[error("a model is made from one GGUF file, or from all files of a split one; {0} others were given")]
    SeveralFiles(usize),
    /// A file that is given as an adapter is none.
    #[error(
        "{0} is no adapter; ADAPTER takes a LoRA as a GGUF file, as llama.cpp's convert_lora_to_gguf.py makes it"
    )]
    NoAdapter(String),
    /// A file that is given as a draft model is none for this model.
    #[error(
        "{0} cannot draft for this model; DRAFT takes a smaller model with the same vocabulary, as a GGUF file of its own"
    )]
    NoDraft(String),
    /// There is no room for what is to come. Nothing was written.
    #[error(
        "no room for {needed_bytes} more bytes: {free_bytes} are free, of which {floor_bytes} are to stay so; free at least {missing_bytes}",
        missing_bytes = needed_bytes.saturating_add(*floor_bytes).saturating_sub(*free_bytes)
    )]
    DiskFull {
        /// What would be written.
        needed_bytes: u64,
        /// What the disk has.
        free_bytes: u64,
        /// What the owner wants kept free.
        floor_bytes: u64,
    },
    /// Another process downloads this blob.
    #[error("blob {0} is being downloaded by another process; wait for it, or end it")]
    Busy(Digest),
    /// A server sent more than the blob has.
    #[error("more bytes arrived than blob {0} has; nothing of them was kept")]
    Overlong(Digest),
    /// A manifest that arrived makes no sense.
    #[error("the manifest makes no sense: {0}")]
    InvalidManifest(#[from] InvalidManifest),
    /// A registry keeps this model in several files.
    #[error(
        "'{0}' lies in several files, which cannot be run as they are; create it anew from its GGUF files"
    )]
    InSeveralFiles(Box<ModelName>),
    /// The folder cannot be written.
    #[error("the models folder {path} cannot be written: {source}; choose another with HOB_MODELS__DIR", path = path.display())]
    NotWritable {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The disk failed.
    #[error("cannot {action} {path}: {source}", path = path.display())]
    Io {
        /// A verb.
        action: &'static str,
        /// Of what.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// For `map_err`: the error of an action on a path.
pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    move |source| StoreError::Io { action, path: path.into(), source }
}
