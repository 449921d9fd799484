//! A loaded model: weights, vocabulary, metadata. Immutable once loaded, so threads share it.

use std::ffi::{CString, c_void};
use std::fs::File;
use std::os::fd::IntoRawFd;
use std::ptr::NonNull;

use llama_cpp_sys_2 as sys;
use protocol::LoadOptions;

use super::{Remote, log};

/// How the weights come into memory.
#[derive(Clone, Debug)]
pub(crate) struct ModelOptions {
    /// Blocks on GPUs; `None` is all that fit.
    pub(crate) gpu_blocks: Option<u32>,
    pub(crate) mmap: bool,
    /// Devices of other boxes, and how many of the last layers each has; the last of all makes the logits.
    pub(crate) remote: Vec<(Remote, u32)>,
}

impl ModelOptions {
    /// All of it on this box.
    pub(crate) fn here(options: &LoadOptions) -> Self {
        Self { gpu_blocks: options.gpu_blocks, mmap: options.mmap, remote: Vec::new() }
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error("the model file cannot be used: {0}")]
    File(#[from] std::io::Error),
    #[error("{0}")]
    Refused(String),
}

pub(crate) struct Model {
    raw: NonNull<sys::llama_model>,
}

// SAFETY: llama.cpp never writes to a model after loading; contexts only read it.
unsafe impl Send for Model {}
// SAFETY: as above.
unsafe impl Sync for Model {}

impl Model {
    /// Loads from an open file, so that no path is needed. `progress` hears values from 0 to 1.
    pub(crate) fn load(
        file: File,
        options: ModelOptions,
        mut progress: impl FnMut(f32),
    ) -> Result<Self, LoadError> {
        let stream = Stream::open(file)?;
        let mut callback: &mut dyn FnMut(f32) = &mut progress;
        // SAFETY: returns a plain struct.
        let mut params = unsafe { sys::llama_model_default_params() };
        params.n_gpu_layers =
            options.gpu_blocks.map_or(-1, |blocks| i32::try_from(blocks).unwrap_or(i32::MAX));
        params.load_mode = if options.mmap { sys::LLAMA_LOAD_MODE_MMAP } else { sys::LLAMA_LOAD_MODE_NONE };
        // Both lists are read to a null, and to as many as there may be.
        let mut devices: Vec<_> = options.remote.iter().map(|(device, _)| device.raw()).collect();
        devices.push(std::ptr::null_mut());
        // SAFETY: a number.
        let mut shares = vec![0.0; unsafe { sys::llama_max_devices() }.max(devices.len())];
        if !options.remote.is_empty() {
            let layers = options.remote.iter().map(|(_, layers)| *layers);
            params.n_gpu_layers = i32::try_from(layers.clone().sum::<u32>()).unwrap_or(i32::MAX);
            shares.iter_mut().zip(layers).for_each(|(share, layers)| *share = layers as f32);
            (params.devices, params.tensor_split) = (devices.as_mut_ptr(), shares.as_ptr());
        }
        params.progress_callback = Some(forward_progress);
        params.progress_callback_user_data = (&raw mut callback).cast();
        // SAFETY: the stream is open for reading, and the callback and the lists outlive the call, the only time they are used.
        let raw = unsafe { sys::llama_model_load_from_file_ptr(stream.raw().cast(), params) };
        match NonNull::new(raw) {
            Some(raw) => Ok(Self { raw }),
            None => Err(LoadError::Refused(log::take_errors("ggml refused the model file"))),
        }
    }

    pub(crate) fn raw(&self) -> *mut sys::llama_model {
        self.raw.as_ptr()
    }

    /// As much of a context as the model was trained to look back, if its file says how much that is.
    pub(crate) fn capped_context(&self, asked: u32) -> u32 {
        // SAFETY: the model is loaded.
        match u32::try_from(unsafe { sys::llama_model_n_ctx_train(self.raw()) }) {
            Ok(trained) if trained > 0 => asked.min(trained),
            _ => asked,
        }
    }

    /// Numbers that one token is to it, where it reads them.
    pub(crate) fn embedding_length(&self) -> usize {
        // SAFETY: the model is loaded.
        usize::try_from(unsafe { sys::llama_model_n_embd_inp(self.raw()) }).unwrap_or(0)
    }

    /// Bytes of weights.
    pub(crate) fn weight_bytes(&self) -> u64 {
        // SAFETY: the model is loaded.
        unsafe { sys::llama_model_size(self.raw()) }
    }

    /// Bytes of K and V for one token of context, at 16 bits; an upper bound for models that share or window them.
    pub(crate) fn kv_bytes_per_token(&self) -> u64 {
        // SAFETY: the model is loaded.
        let [blocks, heads, kv_heads, width] = unsafe {
            [
                sys::llama_model_n_layer(self.raw()),
                sys::llama_model_n_head(self.raw()),
                sys::llama_model_n_head_kv(self.raw()),
                sys::llama_model_n_embd(self.raw()),
            ]
        }
        .map(|count| u64::try_from(count).unwrap_or(0));
        2 * 2 * blocks * width * kv_heads / heads.max(1)
    }

    /// Whether its memory keeps every token for itself, so that a sequence can be cut anywhere; a recurrent one keeps a
    /// state of all of them together.
    pub(crate) fn keeps_parts(&self) -> bool {
        // SAFETY: the model is loaded.
        unsafe { !sys::llama_model_is_recurrent(self.raw()) && !sys::llama_model_is_hybrid(self.raw()) }
    }

    /// The file brings a chat template.
    pub(crate) fn has_chat_template(&self) -> bool {
        // SAFETY: a null name asks for the default template; the answer is only compared.
        !unsafe { sys::llama_model_chat_template(self.raw(), std::ptr::null()) }.is_null()
    }

    /// The model generates text, where an encoder alone does not.
    pub(crate) fn has_decoder(&self) -> bool {
        // SAFETY: the model is loaded.
        unsafe { sys::llama_model_has_decoder(self.raw()) && !sys::llama_model_has_encoder(self.raw()) }
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        // SAFETY: contexts hold an `Arc<Model>`, so none is left.
        unsafe { sys::llama_model_free(self.raw()) };
    }
}

/// A C stream over a file that it owns.
pub(super) struct Stream(NonNull<libc::FILE>);

impl Stream {
    pub(super) fn raw(&self) -> *mut libc::FILE {
        self.0.as_ptr()
    }

    pub(super) fn open(file: File) -> std::io::Result<Self> {
        let mode = CString::from(c"rb");
        // SAFETY: the descriptor is ours to give, the mode is a terminated string.
        let stream = unsafe { libc::fdopen(file.into_raw_fd(), mode.as_ptr()) };
        NonNull::new(stream).map(Self).ok_or_else(std::io::Error::last_os_error)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // SAFETY: opened above and closed once; a mapping of the file survives this.
        unsafe { libc::fclose(self.0.as_ptr()) };
    }
}

unsafe extern "C" fn forward_progress(progress: f32, user: *mut c_void) -> bool {
    // SAFETY: `load` passes a pointer to its callback, which lives as long as the call that calls us.
    let callback = unsafe { &mut *user.cast::<&mut dyn FnMut(f32)>() };
    callback(progress);
    true
}
