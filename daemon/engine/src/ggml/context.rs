//! The KV cache and the compute graph: batches go in, logits come out.

use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use llama_cpp_sys_2 as sys;

use protocol::{CacheType, CacheTypes, MemoryParts};

use super::{Adapter, LoadError, Model, Token, log};

/// A sequence of the KV cache; made only by [`Context::sequences`], so always in range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SequenceId(i32);

impl SequenceId {
    pub(super) fn raw(self) -> i32 {
        self.0
    }
}

/// Where one token's logits lie after the decode that computed them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogitsRow {
    index: i32,
    decode: u64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct ContextOptions {
    /// Tokens of all sequences together.
    pub(crate) total_tokens: u32,
    pub(crate) batch_tokens: u32,
    /// Sequences that grow at once.
    pub(crate) running: u32,
    pub(crate) threads: u32,
    pub(crate) cache_types: CacheTypes,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DecodeError {
    #[error("no room is left in the KV cache")]
    NoRoom,
    #[error("the step was aborted")]
    Aborted,
    #[error("{0}")]
    Failed(String),
}

/// Sequences beyond those that run, for prefixes.
const SPARE: u32 = 8;

/// Tokens of one step that may be guesses, each with logits of its own.
pub(crate) const MOST_GUESSED: usize = 32;

/// `LLAMA_MAX_SEQ`.
const MOST_SEQUENCES: u32 = 256;

pub(crate) struct Context {
    raw: NonNull<sys::llama_context>,
    sequences: u32,
    parts: bool,
    batch_tokens: usize,
    batch_outputs: usize,
    /// Counts decodes, so that a row of an earlier one is known for stale.
    decodes: u64,
    // All are pointed to from C++ and so must outlive the context.
    adapters: Vec<Adapter>,
    model: Arc<Model>,
    _abort: Arc<AtomicBool>,
}

// SAFETY: used by one thread at a time, as `&mut self` sees to; nothing in it is bound to the thread that made it.
unsafe impl Send for Context {}

impl Context {
    /// `abort` ends a running decode when set.
    pub(crate) fn new(
        model: Arc<Model>,
        options: ContextOptions,
        abort: Arc<AtomicBool>,
    ) -> Result<Self, LoadError> {
        // SAFETY: returns a plain struct.
        let mut params = unsafe { sys::llama_context_default_params() };
        params.n_ctx = options.total_tokens;
        params.n_batch = options.batch_tokens;
        params.n_ubatch = options.batch_tokens.min(512);
        let parts = model.keeps_parts();
        // Where a sequence costs nothing but its tokens, there are some that only keep them.
        let sequences = if parts { options.running + SPARE } else { options.running }.min(MOST_SEQUENCES);
        params.n_seq_max = sequences;
        // Logits of a whole batch would take a gigabyte with a large vocabulary.
        params.n_outputs_max = sequences + MOST_GUESSED as u32;
        params.n_threads = options.threads as i32;
        params.n_threads_batch = options.threads as i32;
        params.flash_attn_type = sys::LLAMA_FLASH_ATTN_TYPE_AUTO;
        params.type_k = of_ggml(options.cache_types.k);
        params.type_v = of_ggml(options.cache_types.v);
        params.kv_unified = true;
        // A windowed cache forgets what a cached prefix needs.
        params.swa_full = true;
        params.no_perf = true;
        Self::with_params(model, params, abort)
    }

    /// `abort` ends a running decode when set.
    pub(super) fn with_params(
        model: Arc<Model>,
        mut params: sys::llama_context_params,
        abort: Arc<AtomicBool>,
    ) -> Result<Self, LoadError> {
        params.abort_callback = Some(is_set);
        params.abort_callback_data = Arc::as_ptr(&abort).cast_mut().cast();
        // SAFETY: the model is loaded, and this context keeps it and the flag alive.
        let raw = unsafe { sys::llama_init_from_model(model.raw(), params) };
        let Some(raw) = NonNull::new(raw) else {
            return Err(LoadError::Refused(log::take_errors("ggml could not make a context of this size")));
        };
        // SAFETY: just made. n_batch is asked back since llama.cpp clamps it, and aborts on a batch that is longer.
        let batch_tokens = unsafe { sys::llama_n_batch(raw.as_ptr()) } as usize;
        let batch_outputs = (params.n_outputs_max as usize).min(batch_tokens);
        let adapters = Vec::new();
        let decodes = 0;
        Ok(Self {
            raw,
            sequences: params.n_seq_max,
            parts: model.keeps_parts(),
            batch_tokens,
            batch_outputs,
            decodes,
            adapters,
            model,
            _abort: abort,
        })
    }

    /// With these adapters, each laid over the model in full.
    pub(crate) fn with_adapters(mut self, adapters: Vec<Adapter>) -> Result<Self, LoadError> {
        self.adapters = adapters;
        match self.lay_over(&vec![1.0; self.adapters.len()]) {
            true => Ok(self),
            false => Err(LoadError::Refused(log::take_errors("ggml refused the adapters"))),
        }
    }

    /// Adapters that there are.
    pub(crate) fn adapters(&self) -> usize {
        self.adapters.len()
    }

    /// Lays the adapters over all that is computed from here on, each with its scale; false if ggml refused.
    pub(crate) fn lay_over(&mut self, scales: &[f32]) -> bool {
        let used = self.adapters.iter().zip(scales).filter(|(_, scale)| **scale != 0.0);
        let (mut raw, mut scales): (Vec<_>, Vec<f32>) =
            used.map(|(adapter, scale)| (adapter.raw(), *scale)).unzip();
        // SAFETY: both arrays are as long as said and only read; this context keeps the adapters alive.
        let code = unsafe {
            sys::llama_set_adapters_lora(self.raw(), raw.as_mut_ptr(), raw.len(), scales.as_mut_ptr())
        };
        code == 0
    }

    pub(super) fn raw(&mut self) -> *mut sys::llama_context {
        self.raw.as_ptr()
    }

    /// Tokens of the model's vocabulary.
    pub(super) fn vocabulary(&self) -> usize {
        usize::try_from(self.model.vocab_size()).unwrap_or(0)
    }

    /// Every sequence there is.
    pub(crate) fn sequences(&self) -> impl Iterator<Item = SequenceId> + use<> {
        (0..self.sequences as i32).map(SequenceId)
    }

    /// Tokens of all sequences together.
    pub(crate) fn capacity(&self) -> usize {
        // SAFETY: the context is ours.
        unsafe { sys::llama_n_ctx(self.raw.as_ptr()) as usize }
    }

    /// What it and its model take here, if ggml says so.
    pub(crate) fn memory(&self) -> Option<MemoryParts> {
        let mut parts = [0; 3];
        // SAFETY: the context is ours and only looked at; there is room for three numbers.
        let known = unsafe { hob_memory_parts(self.raw.as_ptr(), parts.as_mut_ptr()) };
        let [weights_bytes, cache_bytes, compute_bytes] = parts;
        known.then_some(MemoryParts { weights_bytes, cache_bytes, compute_bytes })
    }

    /// An empty batch of the largest size that [`Context::decode`] takes.
    pub(crate) fn batch(&self) -> Batch {
        Batch::with_room(self.batch_tokens, self.batch_outputs)
    }

    /// Computes a batch. On an error, which of its tokens are in the KV cache is open: forget them.
    pub(crate) fn decode(&mut self, batch: &mut Batch) -> Result<(), DecodeError> {
        if batch.tokens.is_empty() {
            return Ok(());
        }
        self.decodes += 1;
        batch.decode = self.decodes;
        let raw_batch = batch.raw();
        // SAFETY: the arrays are equally long and live for the call; `Batch` holds at most n_batch tokens and n_outputs_max
        // outputs, since this context made it, and sequence ids that are in range.
        answered(unsafe { sys::llama_decode(self.raw(), raw_batch) })
    }

    /// Computes what an image or a recording is, in place of tokens: so many numbers for each place from `position` on. On an
    /// error, which of them are in the KV cache is open.
    pub(crate) fn decode_embeddings(
        &mut self,
        sequence: SequenceId,
        position: usize,
        embeddings: &[f32],
        is_non_causal: bool,
    ) -> Result<(), DecodeError> {
        let count = embeddings.len() / self.model.embedding_length().max(1);
        assert!(count <= self.batch_tokens, "the loop reads no more than a batch at once");
        self.decodes += 1;
        let mut embeddings = embeddings.to_vec();
        let mut positions: Vec<i32> =
            (position..position + count).map(|at| i32::try_from(at).unwrap_or(i32::MAX)).collect();
        let mut sequences = vec![sequence.0; count];
        let mut pointers: Vec<*mut i32> = sequences.iter_mut().map(|sequence| &raw mut *sequence).collect();
        let (mut counts, mut outputs) = (vec![1; count], vec![0; count]);
        let batch = sys::llama_batch {
            n_tokens: count as i32,
            token: std::ptr::null_mut(),
            embd: embeddings.as_mut_ptr(),
            pos: positions.as_mut_ptr(),
            n_seq_id: counts.as_mut_ptr(),
            seq_id: pointers.as_mut_ptr(),
            logits: outputs.as_mut_ptr(),
        };
        // SAFETY: the arrays are equally long, but for the embeddings, which have as many numbers a place as the model reads;
        // all live for the calls. What is looked at is set back at once.
        let code = unsafe {
            sys::llama_set_causal_attn(self.raw(), !is_non_causal);
            let code = sys::llama_decode(self.raw(), batch);
            sys::llama_set_causal_attn(self.raw(), true);
            code
        };
        answered(code)
    }

    /// Places that can be read in one piece.
    pub(crate) fn piece_tokens(&self) -> usize {
        // SAFETY: the context is ours.
        unsafe { sys::llama_n_ubatch(self.raw.as_ptr()) as usize }
    }

    /// The raw index of a row. Panics on a row of an earlier decode, whose logits are gone.
    pub(super) fn take_row(&self, row: LogitsRow) -> i32 {
        assert_eq!(row.decode, self.decodes, "logits are read before the next decode");
        row.index
    }

    /// From the next decode on.
    pub(crate) fn set_threads(&mut self, threads: u32) {
        let threads = i32::try_from(threads).unwrap_or(i32::MAX);
        // SAFETY: the context is ours, and nothing of it computes now.
        unsafe { sys::llama_set_n_threads(self.raw(), threads, threads) };
    }

    /// Whether a sequence can be cut and copied in part.
    pub(crate) fn keeps_parts(&self) -> bool {
        self.parts
    }

    /// Whether [`Context::shift`] may be used.
    pub(crate) fn can_shift(&mut self) -> bool {
        // SAFETY: only asks.
        unsafe { sys::llama_memory_can_shift(sys::llama_get_memory(self.raw())) }
    }

    /// Forgets `count` tokens of a sequence from position `from` on, and moves what follows into their place. Nothing of
    /// that may be shared with another sequence.
    pub(crate) fn shift(&mut self, sequence: SequenceId, from: usize, count: usize) {
        let [from, count] = [from, count].map(|number| i32::try_from(number).unwrap_or(i32::MAX));
        // SAFETY: the sequence is in range; -1 is "to the end".
        unsafe {
            let memory = sys::llama_get_memory(self.raw());
            sys::llama_memory_seq_rm(memory, sequence.0, from, from + count);
            sys::llama_memory_seq_add(memory, sequence.0, from + count, -1, -count);
        }
    }

    /// Gives a sequence that is empty the first `tokens` of another. It costs no memory; what they share is computed once.
    pub(crate) fn copy(&mut self, from: SequenceId, to: SequenceId, tokens: usize) {
        let end = i32::try_from(tokens).unwrap_or(i32::MAX);
        // SAFETY: both are in range, and the KV cache is one for all sequences, of which any part may be shared.
        unsafe { sys::llama_memory_seq_cp(sys::llama_get_memory(self.raw()), from.0, to.0, 0, end) };
    }

    /// All that is kept of a sequence, for [`Context::restore`].
    pub(crate) fn save(&mut self, sequence: SequenceId) -> Vec<u8> {
        // SAFETY: the sequence is in range.
        let most = unsafe { sys::llama_state_seq_get_size(self.raw(), sequence.0) };
        let mut state = vec![0; most];
        // SAFETY: the buffer is as long as said.
        let written =
            unsafe { sys::llama_state_seq_get_data(self.raw(), state.as_mut_ptr(), most, sequence.0) };
        state.truncate(written);
        state
    }

    /// Puts back what [`Context::save`] gave, for this model and this kind of cache. False if there is no room for it, or if
    /// it is damaged; the sequence is empty then.
    pub(crate) fn restore(&mut self, sequence: SequenceId, state: &[u8]) -> bool {
        // SAFETY: the buffer is as long as said, and only read.
        let read =
            unsafe { sys::llama_state_seq_set_data(self.raw(), state.as_ptr(), state.len(), sequence.0) };
        if read == 0 {
            self.forget(sequence, 0);
        }
        read > 0
    }

    /// Forgets a sequence's tokens from position `from` on; false if this model's memory can only forget all of them,
    /// which it then did.
    pub(crate) fn forget(&mut self, sequence: SequenceId, from: usize) -> bool {
        let from = i32::try_from(from).unwrap_or(i32::MAX);
        // SAFETY: the sequence is in range; -1 is "to the end".
        unsafe {
            let memory = sys::llama_get_memory(self.raw());
            if sys::llama_memory_seq_rm(memory, sequence.0, from, -1) {
                return true;
            }
            sys::llama_memory_seq_rm(memory, sequence.0, -1, -1);
            false
        }
    }
}

fn answered(code: i32) -> Result<(), DecodeError> {
    match code {
        0 => Ok(()),
        1 => Err(DecodeError::NoRoom),
        2 => Err(DecodeError::Aborted),
        code => Err(DecodeError::Failed(log::take_errors(&format!("ggml answered {code}")))),
    }
}

fn of_ggml(kind: CacheType) -> sys::ggml_type {
    match kind {
        CacheType::F16 => sys::GGML_TYPE_F16,
        CacheType::Q8_0 => sys::GGML_TYPE_Q8_0,
        CacheType::Q4_0 => sys::GGML_TYPE_Q4_0,
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: ours, freed once, before the model that it keeps alive.
        unsafe { sys::llama_free(self.raw()) };
    }
}

/// Tokens for one step.
pub(crate) struct Batch {
    tokens: Vec<Token>,
    positions: Vec<i32>,
    sequences: Vec<i32>,
    sequence_counts: Vec<i32>,
    sequence_pointers: Vec<*mut i32>,
    outputs: Vec<i8>,
    room: usize,
    output_room: usize,
    decode: u64,
}

/// No token more fits into a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BatchFull;

impl Batch {
    fn with_room(room: usize, output_room: usize) -> Self {
        Self {
            tokens: Vec::with_capacity(room),
            positions: Vec::with_capacity(room),
            sequences: Vec::with_capacity(room),
            sequence_counts: vec![1; room],
            sequence_pointers: Vec::with_capacity(room),
            outputs: Vec::with_capacity(room),
            room,
            output_room,
            decode: 0,
        }
    }

    pub(crate) fn clear(&mut self) {
        self.tokens.clear();
        self.positions.clear();
        self.sequences.clear();
        self.outputs.clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Tokens that still fit.
    pub(crate) fn room(&self) -> usize {
        self.room - self.tokens.len()
    }

    /// Adds a token; its index, to be given to [`Batch::row`].
    pub(crate) fn push(
        &mut self,
        sequence: SequenceId,
        position: usize,
        token: Token,
        output: Output,
    ) -> Result<usize, BatchFull> {
        let wanted = self.outputs.iter().filter(|output| **output == 1).count();
        if self.room() == 0 || output == Output::Logits && wanted == self.output_room {
            return Err(BatchFull);
        }
        self.tokens.push(token);
        self.positions.push(i32::try_from(position).unwrap_or(i32::MAX));
        self.sequences.push(sequence.0);
        self.outputs.push(i8::from(output == Output::Logits));
        Ok(self.tokens.len() - 1)
    }

    /// The logits of the token at `index`, once the batch was decoded; `None` if none were asked for.
    pub(crate) fn row(&self, index: usize) -> Option<LogitsRow> {
        let wanted = *self.outputs.get(index)? == 1;
        wanted.then_some(LogitsRow { index: index as i32, decode: self.decode })
    }

    fn raw(&mut self) -> sys::llama_batch {
        self.sequence_pointers.clear();
        self.sequence_pointers.extend(self.sequences.iter_mut().map(|sequence| &raw mut *sequence));
        sys::llama_batch {
            n_tokens: self.tokens.len() as i32,
            token: self.tokens.as_mut_ptr(),
            embd: std::ptr::null_mut(),
            pos: self.positions.as_mut_ptr(),
            n_seq_id: self.sequence_counts.as_mut_ptr(),
            seq_id: self.sequence_pointers.as_mut_ptr(),
            logits: self.outputs.as_mut_ptr(),
        }
    }
}

/// What a token's computation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// Only the KV cache.
    Nothing,
    /// The next token's logits as well.
    Logits,
}

unsafe extern "C" {
    fn hob_memory_parts(context: *const sys::llama_context, parts: *mut u64) -> bool;
}

unsafe extern "C" fn is_set(flag: *mut c_void) -> bool {
    // SAFETY: `Context::new` passes the flag, which the context keeps alive.
    unsafe { &*flag.cast::<AtomicBool>() }.load(Ordering::Relaxed)
}
