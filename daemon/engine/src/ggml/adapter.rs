//! LoRA adapters: small matrices that are added to a model's own while it computes.

use std::fs::File;
use std::ptr::NonNull;
use std::sync::Arc;

use llama_cpp_sys_2 as sys;

use super::model::Stream;
use super::{LoadError, Model, log};

/// An adapter for one model, which it keeps alive.
pub(crate) struct Adapter {
    raw: NonNull<sys::llama_adapter_lora>,
    _model: Arc<Model>,
}

// SAFETY: as a model, it is only read once it is loaded.
unsafe impl Send for Adapter {}

impl Adapter {
    /// Loads from an open file. Before any context of the model is made.
    pub(crate) fn load(model: Arc<Model>, file: File) -> Result<Self, LoadError> {
        let stream = Stream::open(file)?;
        // SAFETY: the model is loaded, and the stream is open for reading, from its beginning.
        let raw = unsafe { sys::llama_adapter_lora_init_from_file_ptr(model.raw(), stream.raw().cast()) };
        match NonNull::new(raw) {
            Some(raw) => Ok(Self { raw, _model: model }),
            None => Err(LoadError::Refused(log::take_errors("ggml refused the adapter"))),
        }
    }

    pub(super) fn raw(&self) -> *mut sys::llama_adapter_lora {
        self.raw.as_ptr()
    }
}
