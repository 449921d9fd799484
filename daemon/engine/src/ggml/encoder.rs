//! A context that makes one vector of each text: nothing of a text is kept for the next.

use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use gguf::Pooling;
use llama_cpp_sys_2 as sys;
use protocol::MemoryParts;

use super::context::{Batch, Context, DecodeError, Output, SequenceId};
use super::{LoadError, Model, Token};

#[derive(Clone, Copy, Debug)]
pub(crate) struct EncoderOptions {
    /// Of the longest input.
    pub(crate) context_tokens: u32,
    /// Of one step, if no input is longer.
    pub(crate) batch_tokens: u32,
    /// Inputs of one step, of a model that keeps a state for each.
    pub(crate) sequences: u32,
    pub(crate) threads: u32,
    pub(crate) pooling: Pooling,
    /// A token sees only those before it.
    pub(crate) causal: bool,
}

/// Inputs of one step.
const MOST_INPUTS: u32 = 64;

/// Tokens that a model which can is given at once.
const MICRO_BATCH: u32 = 512;

/// What a running step looks at after each part of its computation.
#[derive(Debug)]
pub(crate) struct Progress {
    abort: Arc<AtomicBool>,
    parts: AtomicU64,
}

impl Progress {
    /// Parts that were computed since the beginning.
    pub(crate) fn parts(&self) -> u64 {
        self.parts.load(Ordering::Relaxed)
    }
}

pub(crate) struct Encoder {
    context: Context,
    // Pointed to from C++, and so must outlive the context.
    progress: Arc<Progress>,
    batch: Batch,
    room: usize,
    /// Numbers of one vector.
    width: usize,
    /// Only what the last token of an input gives is wanted.
    pools_last: bool,
}

impl Encoder {
    /// `abort` ends a running step when set.
    pub(crate) fn new(
        model: Arc<Model>,
        options: EncoderOptions,
        abort: Arc<AtomicBool>,
    ) -> Result<Self, LoadError> {
        let pools_last = options.causal && matches!(options.pooling, Pooling::Last | Pooling::Rank);
        let width = model.vector_width(options.pooling);
        let room = options.context_tokens.max(options.batch_tokens);
        // SAFETY: returns a plain struct.
        let mut params = unsafe { sys::llama_context_default_params() };
        params.n_ctx = room;
        params.n_batch = room;
        // Where tokens look ahead, and where all of them are pooled, an input is computed as a whole.
        params.n_ubatch = if pools_last { room.min(MICRO_BATCH) } else { room };
        params.n_seq_max = if model.keeps_parts() { MOST_INPUTS } else { options.sequences };
        params.n_outputs_max = if pools_last { params.n_seq_max } else { room };
        params.n_threads = options.threads as i32;
        params.n_threads_batch = options.threads as i32;
        params.embeddings = true;
        params.pooling_type = of_ggml(options.pooling);
        params.flash_attn_type = sys::LLAMA_FLASH_ATTN_TYPE_AUTO;
        params.kv_unified = true;
        params.swa_full = true;
        params.no_perf = true;
        let mut context = Context::with_params(model, params, Arc::clone(&abort))?;
        let progress = Arc::new(Progress { abort, parts: AtomicU64::new(0) });
        // SAFETY: the context is ours, and the encoder keeps what is passed for as long.
        unsafe {
            let data = Arc::as_ptr(&progress).cast_mut().cast();
            sys::llama_set_abort_callback(context.raw(), Some(look), data);
        }
        // SAFETY: the context is ours.
        let remembers = !unsafe { sys::llama_get_memory(context.raw()) }.is_null();
        // SAFETY: as above.
        let at_once = unsafe { sys::llama_n_ubatch(context.raw()) } as usize;
        let pools_last = pools_last && remembers;
        let batch = context.batch();
        let room = if pools_last { batch.room() } else { batch.room().min(at_once) };
        Ok(Self { context, progress, batch, room, width, pools_last })
    }

    /// What it and its model take here, if ggml says so.
    pub(crate) fn memory(&self) -> Option<MemoryParts> {
        self.context.memory()
    }

    /// Tokens of one step.
    pub(crate) fn room(&self) -> usize {
        self.room
    }

    /// Inputs of one step.
    pub(crate) fn most_inputs(&self) -> usize {
        self.context.sequences().count()
    }

    /// How far it has come, to be looked at from elsewhere.
    pub(crate) fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// From the next step on.
    pub(crate) fn set_threads(&mut self, threads: u32) {
        self.context.set_threads(threads);
    }

    /// The vectors of inputs, none of which is empty, that are no more and no longer than there is room for.
    pub(crate) fn encode(&mut self, inputs: &[&[Token]]) -> Result<Vec<Vec<f32>>, DecodeError> {
        self.forget_all();
        let sequences: Vec<SequenceId> = self.context.sequences().take(inputs.len()).collect();
        let before_last = |tokens: &[Token]| if self.pools_last { tokens.len().saturating_sub(1) } else { 0 };
        let pooled_from: Vec<usize> = inputs.iter().map(|tokens| before_last(tokens)).collect();
        if self.pools_last {
            // A step that pools computes the next token's logits for each of its tokens, which with a large vocabulary is
            // most of the work. So only the last tokens take part in one.
            self.set_pooling(false);
            for ((id, tokens), from) in sequences.iter().zip(inputs).zip(&pooled_from) {
                push(&mut self.batch, *id, 0, &tokens[..*from], Output::Nothing)?;
            }
            self.decode()?;
        }
        self.set_pooling(true);
        for ((id, tokens), from) in sequences.iter().zip(inputs).zip(pooled_from) {
            push(&mut self.batch, *id, from, &tokens[from..], Output::Logits)?;
        }
        self.decode()?;
        sequences.iter().map(|id| self.vector(*id)).collect()
    }

    fn decode(&mut self) -> Result<(), DecodeError> {
        let result = self.context.decode(&mut self.batch);
        self.batch.clear();
        result
    }

    fn forget_all(&mut self) {
        self.batch.clear();
        // SAFETY: the context is ours; without a memory there is nothing to clear, and what was in it is not read again.
        unsafe {
            let memory = sys::llama_get_memory(self.context.raw());
            if !memory.is_null() {
                sys::llama_memory_clear(memory, false);
            }
        }
    }

    fn set_pooling(&mut self, pools: bool) {
        // SAFETY: the context is ours, and nothing of it computes now.
        unsafe { sys::llama_set_embeddings(self.context.raw(), pools) };
    }

    fn vector(&mut self, id: SequenceId) -> Result<Vec<f32>, DecodeError> {
        // SAFETY: the sequence is in range, and took part in the last step or has no vector.
        let numbers = unsafe { sys::llama_get_embeddings_seq(self.context.raw(), id.raw()) };
        if numbers.is_null() {
            return Err(DecodeError::Failed("the step gave no vector".into()));
        }
        // SAFETY: a vector has as many numbers as the model says for this pooling, and stays until the next step.
        Ok(unsafe { std::slice::from_raw_parts(numbers, self.width) }.to_vec())
    }
}

unsafe extern "C" fn look(progress: *mut c_void) -> bool {
    // SAFETY: `Encoder::new` passes a `Progress`, which the encoder keeps alive.
    let progress = unsafe { &*progress.cast::<Progress>() };
    progress.parts.fetch_add(1, Ordering::Relaxed);
    progress.abort.load(Ordering::Relaxed)
}

fn push(
    batch: &mut Batch,
    id: SequenceId,
    from: usize,
    tokens: &[Token],
    output: Output,
) -> Result<(), DecodeError> {
    for (position, token) in (from..).zip(tokens) {
        batch.push(id, position, *token, output).map_err(|_| DecodeError::NoRoom)?;
    }
    Ok(())
}

impl Model {
    /// Numbers of one vector.
    pub(crate) fn vector_width(&self, pooling: Pooling) -> usize {
        // SAFETY: the model is loaded.
        let width = unsafe {
            match pooling {
                Pooling::Rank => i64::from(sys::llama_model_n_cls_out(self.raw())),
                _ => i64::from(sys::llama_model_n_embd_out(self.raw())),
            }
        };
        usize::try_from(width).unwrap_or(0)
    }
}

fn of_ggml(pooling: Pooling) -> sys::llama_pooling_type {
    match pooling {
        Pooling::Mean => sys::LLAMA_POOLING_TYPE_MEAN,
        Pooling::First => sys::LLAMA_POOLING_TYPE_CLS,
        Pooling::Last => sys::LLAMA_POOLING_TYPE_LAST,
        Pooling::Rank => sys::LLAMA_POOLING_TYPE_RANK,
    }
}
