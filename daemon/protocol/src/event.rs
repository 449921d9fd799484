//! What a worker says about a running request, in order: any number of pieces, then one end.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::GenerateError;

/// One step of an answer. [`Event::Done`] or [`Event::Failed`] comes last, once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// More of the answer. Whole characters only, and never part of a stop string.
    Text(String),
    /// The answer is complete.
    Done(Done),
    /// The request failed; what was sent before stands.
    Failed(GenerateError),
}

/// How a request ended, and what it took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Done {
    /// Why it ended.
    pub reason: FinishReason,
    /// Tokens of the prompt, cached ones included.
    pub prompt_tokens: u32,
    /// Of these, taken from the prefix cache.
    pub cached_tokens: u32,
    /// Tokens that were sampled, the end token not counted.
    pub generated_tokens: u32,
    /// From admission to the last prompt token.
    pub prompt_time: Duration,
    /// From then to the end.
    pub generate_time: Duration,
    /// Prompt and answer as tokens, for Ollama's `context`.
    pub context: Vec<i32>,
}

/// Why a generation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FinishReason {
    /// The model ended its turn, or a stop string came.
    Stop,
    /// `num_predict` or the context was used up.
    Length,
}
