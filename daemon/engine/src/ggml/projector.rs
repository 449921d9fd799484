//! What turns images and recordings into what a model reads: llama.cpp's mtmd.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::ptr::NonNull;
use std::sync::Arc;

use llama_cpp_sys_2 as sys;

use super::{LoadError, Model, Token, log};
use crate::media::Decoded;

/// A projector for one model, which it keeps alive.
pub(crate) struct Projector {
    raw: NonNull<sys::mtmd_context>,
    marker: String,
    model: Arc<Model>,
}

// SAFETY: used by one thread at a time, as `&mut self` sees to; nothing in it is bound to the thread that made it.
unsafe impl Send for Projector {}

/// A part of a prompt.
pub(crate) enum Chunk {
    Text(Vec<Token>),
    Media(MediaChunk),
}

/// An image or a recording, or a part of one.
pub(crate) struct MediaChunk {
    raw: NonNull<sys::mtmd_input_chunk>,
    /// Of the file that it is of.
    pub(crate) id: String,
    /// Places that it takes in the context.
    pub(crate) tokens: usize,
    /// All of it looks at all of it.
    pub(crate) is_non_causal: bool,
}

/// As the projector wants it.
struct Bitmap(NonNull<sys::mtmd_bitmap>);

impl Projector {
    /// Loads from an open file.
    pub(crate) fn load(
        model: Arc<Model>,
        file: &File,
        marker: String,
        threads: u32,
    ) -> Result<Self, LoadError> {
        // A path is all that it takes; this one leads to the open file, whatever else may be opened.
        let path = CString::new(format!("/proc/self/fd/{}", file.as_raw_fd())).unwrap_or_default();
        let marked = CString::new(marker.as_str()).unwrap_or_default();
        // SAFETY: returns a plain struct.
        let mut params = unsafe { sys::mtmd_context_params_default() };
        params.media_marker = marked.as_ptr();
        params.n_threads = i32::try_from(threads).unwrap_or(i32::MAX);
        params.print_timings = false;
        params.warmup = false;
        // SAFETY: both texts are terminated and live for the call; the model is loaded, and kept alive by what is made.
        let raw = unsafe { sys::mtmd_init_from_file(path.as_ptr(), model.raw(), params) };
        let Some(raw) = NonNull::new(raw) else {
            return Err(LoadError::Refused(log::take_errors("ggml refused the projector")));
        };
        let projector = Self { raw, marker, model };
        // SAFETY: just made.
        if unsafe { sys::mtmd_decode_use_mrope(projector.raw.as_ptr()) } {
            return Err(LoadError::Refused("images of models with M-RoPE are not supported yet".into()));
        }
        Ok(projector)
    }

    /// What stands for a file in a prompt; no other text has it.
    pub(crate) fn marker(&self) -> &str {
        &self.marker
    }

    pub(crate) fn bos(&self) -> Token {
        self.model.bos()
    }

    pub(crate) fn sees(&self) -> bool {
        // SAFETY: only asks.
        unsafe { sys::mtmd_support_vision(self.raw.as_ptr()) }
    }

    pub(crate) fn hears(&self) -> bool {
        // SAFETY: only asks.
        unsafe { sys::mtmd_support_audio(self.raw.as_ptr()) }
    }

    /// A prompt's parts, with a file and its id for each marker in it.
    ///
    /// # Errors
    /// What is wrong with a file, or that they are not as many as the markers.
    pub(crate) fn split(&mut self, prompt: &str, files: &[(Decoded, String)]) -> Result<Vec<Chunk>, String> {
        let bitmaps = files.iter().map(|(file, id)| self.bitmap(file, id)).collect::<Result<Vec<_>, _>>()?;
        let pointers: Vec<*const sys::mtmd_bitmap> =
            bitmaps.iter().map(|bitmap| bitmap.0.as_ptr().cast_const()).collect();
        let text = sys::mtmd_input_text {
            text: prompt.as_ptr().cast(),
            text_len: prompt.len(),
            add_special: true,
            parse_special: true,
        };
        // SAFETY: no arguments.
        let chunks = Chunks(unsafe { sys::mtmd_input_chunks_init() });
        // SAFETY: the text is as long as said, the array as long as its count, and all of it lives for the call.
        let code = unsafe {
            sys::mtmd_tokenize(
                self.raw.as_ptr(),
                chunks.0,
                &raw const text,
                pointers.as_ptr().cast_mut(),
                pointers.len(),
            )
        };
        match code {
            0 => Ok(self.read(&chunks)),
            1 => Err("there are not as many files as places for them".into()),
            _ => Err(log::take_errors("it cannot be prepared for this model")),
        }
    }

    fn bitmap(&self, file: &Decoded, id: &str) -> Result<Bitmap, String> {
        let raw = match file {
            Decoded::Image { width, height, rgb } => {
                // SAFETY: there are three bytes for each pixel, as `Decoded` has it.
                unsafe { sys::mtmd_bitmap_init(*width, *height, rgb.as_ptr()) }
            }
            Decoded::Recording(bytes) => {
                // SAFETY: the bytes are as many as said; they were seen to be a recording, which starts no other program.
                unsafe {
                    let options = sys::mtmd_helper_init_opt_default();
                    let made = sys::mtmd_helper_bitmap_init_from_buf(
                        self.raw.as_ptr(),
                        bytes.as_ptr(),
                        bytes.len(),
                        false,
                        options,
                    );
                    made.bitmap
                }
            }
        };
        let bitmap =
            Bitmap(NonNull::new(raw).ok_or_else(|| log::take_errors("the recording cannot be read"))?);
        let id = CString::new(id).unwrap_or_default();
        // SAFETY: just made; the text is terminated, and copied.
        unsafe { sys::mtmd_bitmap_set_id(bitmap.0.as_ptr(), id.as_ptr()) };
        Ok(bitmap)
    }

    fn read(&self, chunks: &Chunks) -> Vec<Chunk> {
        // SAFETY: the list is ours, and indices are below its length; what is read is copied before it goes.
        unsafe {
            let count = sys::mtmd_input_chunks_size(chunks.0);
            (0..count).filter_map(|at| self.read_one(sys::mtmd_input_chunks_get(chunks.0, at))).collect()
        }
    }

    /// # Safety
    /// The chunk is there.
    unsafe fn read_one(&self, chunk: *const sys::mtmd_input_chunk) -> Option<Chunk> {
        // SAFETY: the chunk is there, and what it holds as long as it says.
        unsafe {
            if sys::mtmd_input_chunk_get_type(chunk) == sys::MTMD_INPUT_CHUNK_TYPE_TEXT {
                let mut count = 0;
                let tokens = sys::mtmd_input_chunk_get_tokens_text(chunk, &raw mut count);
                let tokens = if count == 0 { &[][..] } else { std::slice::from_raw_parts(tokens, count) };
                return Some(Chunk::Text(tokens.to_vec()));
            }
            let id = sys::mtmd_input_chunk_get_id(chunk);
            let id =
                if id.is_null() { String::new() } else { CStr::from_ptr(id).to_string_lossy().into_owned() };
            Some(Chunk::Media(MediaChunk {
                raw: NonNull::new(sys::mtmd_input_chunk_copy(chunk))?,
                id,
                tokens: sys::mtmd_input_chunk_get_n_tokens(chunk),
                is_non_causal: sys::mtmd_decode_use_non_causal(self.raw.as_ptr(), chunk),
            }))
        }
    }

    /// What the model reads in place of a file: so many numbers a token as its embeddings have.
    ///
    /// # Errors
    /// What ggml said.
    pub(crate) fn encode(&mut self, chunk: &MediaChunk) -> Result<Vec<f32>, String> {
        // SAFETY: the chunk is one of this projector's.
        if unsafe { sys::mtmd_encode_chunk(self.raw.as_ptr(), chunk.raw.as_ptr()) } != 0 {
            return Err(log::take_errors("ggml could not encode it"));
        }
        let numbers = chunk.tokens * self.model.embedding_length();
        // SAFETY: it was just encoded; the array is as long as that, and copied before the next is.
        Ok(unsafe {
            let encoded = sys::mtmd_get_output_embd(self.raw.as_ptr());
            std::slice::from_raw_parts(encoded, numbers).to_vec()
        })
    }
}

impl Drop for Projector {
    fn drop(&mut self) {
        // SAFETY: ours, freed once.
        unsafe { sys::mtmd_free(self.raw.as_ptr()) };
    }
}

impl Drop for MediaChunk {
    fn drop(&mut self) {
        // SAFETY: a copy of our own, freed once.
        unsafe { sys::mtmd_input_chunk_free(self.raw.as_ptr()) };
    }
}

impl Drop for Bitmap {
    fn drop(&mut self) {
        // SAFETY: ours, freed once.
        unsafe { sys::mtmd_bitmap_free(self.0.as_ptr()) };
    }
}

struct Chunks(*mut sys::mtmd_input_chunks);

impl Drop for Chunks {
    fn drop(&mut self) {
        // SAFETY: ours, freed once.
        unsafe { sys::mtmd_input_chunks_free(self.0) };
    }
}
