//! Why a worker could not answer a request.

use serde::{Deserialize, Serialize};

use crate::frame::MAX_FRAME_BYTES;

/// Why a worker could not answer a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum GenerateError {
    /// The prompt does not fit, and truncation was refused or impossible.
    #[error(
        "the prompt is longer than the context length currently available to the model: {prompt_tokens} tokens, {context_tokens} fit; \
         shorten the prompt, adjust the context length in settings, or use a model with a longer context length"
    )]
    PromptTooLong {
        /// What was asked for.
        prompt_tokens: u32,
        /// What fits, one token of answer included.
        context_tokens: u32,
    },
    /// The model's chat template refused the conversation.
    #[error("the model's chat template refused the conversation: {reason}")]
    Template {
        /// The template engine's words.
        reason: String,
    },
    /// The form that the answer is to have cannot be had.
    #[error("invalid format: {reason}")]
    Format {
        /// What is wrong with it.
        reason: String,
    },
    /// The model was asked for what it cannot do.
    #[error("the model does not support {0}")]
    Unable(Ability),
    /// An image or a recording cannot be read.
    #[error("invalid media: {reason}")]
    Media {
        /// What is wrong with it.
        reason: String,
    },
    /// A request names an adapter that the model does not have.
    #[error("the model has {adapters} LoRA adapters, and none with the id {adapter}")]
    NoAdapter {
        /// From 0.
        adapter: u32,
        /// That it has.
        adapters: u32,
    },
    /// Nothing to read: an empty prompt for a model that adds no token of its own.
    #[error("the prompt is empty")]
    EmptyPrompt,
    /// An input for a vector does not fit, and truncation was refused or impossible.
    #[error("the input length exceeds the context length")]
    InputTooLong,
    /// An input holds a number that is no token of the model.
    #[error("{token} is no token of this model, which has {vocabulary}")]
    UnknownToken {
        /// The number.
        token: i32,
        /// How many there are.
        vocabulary: i32,
    },
    /// A request, or what it asks for, is too long for a frame.
    #[error("{bytes} bytes are too many for one request, or its answer: at most {MAX_FRAME_BYTES} are")]
    TooLarge {
        /// Of the frame.
        bytes: u64,
    },
    /// What the model gave is of no use.
    #[error("embedding contains NaN or Inf values")]
    NotFinite,
    /// ggml could not go on.
    #[error("an error was encountered while running the model: {reason}")]
    Engine {
        /// What ggml said.
        reason: String,
    },
    /// The worker ended before its answer did.
    #[error(
        "model runner has unexpectedly stopped, this may be due to resource limitations or an internal error, \
         check hob server logs for details"
    )]
    WorkerDied,
    /// Another box had a part of the model, and is gone. No worker says it.
    #[error(
        "{lender}, which lent itself for a part of the model, is gone; the next request loads the model anew"
    )]
    LenderLost {
        /// What that box is called here.
        lender: String,
    },
    /// The worker computed without an end, and was ended.
    #[error("the model stopped responding and was ended; the next request loads it anew")]
    WorkerStuck,
    /// Whoever asked is not welcome any more. No worker says it.
    #[error("the key or session that this was asked with was revoked or has expired")]
    Revoked,
    /// The daemon ends, and waited as long as it does. No worker says it.
    #[error(
        "the server is stopping and could not wait for the end of this answer; ask again once it is back"
    )]
    Stopping,
    /// The owner of the box ended it. No worker says it.
    #[error("the owner of this box stopped this request; ask them before you ask it again")]
    Ended,
}

/// What a model can do, or cannot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ability {
    /// To fill a gap within a text.
    Insert,
    /// To think before it answers.
    Thinking,
    /// To see images.
    Vision,
    /// To hear recordings.
    Audio,
}

impl std::fmt::Display for Ability {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Insert => "insert",
            Self::Thinking => "thinking",
            Self::Vision => "vision",
            Self::Audio => "audio",
        })
    }
}
