//! `/v1/completions` as it stands on the wire: its requests and its answers, without any check.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    adapters::Adapter,
    json::{Harmless, TextOrList},
    openai::{
        prompts::Prompts,
        wire::{StreamOptions, Usage},
    },
};

/// What is asked: texts to be gone on with, as they stand.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CompletionRequest {
    pub(super) model: String,
    pub(super) prompt: Prompts,
    /// What comes after the gap that is to be filled.
    pub(super) suffix: Option<String>,
    /// As many as the model likes, if nothing is said.
    #[schema(minimum = 0)]
    pub(super) max_tokens: Option<i64>,
    #[schema(minimum = 0, maximum = 2, default = 1.0)]
    pub(super) temperature: Option<f64>,
    #[schema(minimum = 0, maximum = 1, default = 1.0)]
    pub(super) top_p: Option<f64>,
    /// Answers to each prompt.
    #[schema(minimum = 1, maximum = 128)]
    pub(super) n: Option<i64>,
    /// Answers to each prompt of which the `n` likeliest are told.
    #[schema(minimum = 1, maximum = 128)]
    pub(super) best_of: Option<i64>,
    pub(super) stream: Option<bool>,
    pub(super) stream_options: Option<StreamOptions>,
    /// So many others are told beside each token.
    #[schema(minimum = 0, maximum = 20)]
    pub(super) logprobs: Option<i64>,
    /// Whether the prompt is told before the answer.
    pub(super) echo: Option<bool>,
    pub(super) seed: Option<i64>,
    /// Up to 16 texts that end the answer.
    pub(super) stop: Option<TextOrList<String>>,
    #[schema(minimum = -2, maximum = 2)]
    pub(super) frequency_penalty: Option<f64>,
    #[schema(minimum = -2, maximum = 2)]
    pub(super) presence_penalty: Option<f64>,
    /// From the numbers of tokens to what is added to their logits, from -100 to 100.
    pub(super) logit_bias: Option<BTreeMap<String, f64>>,
    /// Not OpenAI's: candidates kept.
    pub(super) top_k: Option<i64>,
    /// Not OpenAI's: the least probability kept, relative to the best.
    pub(super) min_p: Option<f64>,
    /// Not OpenAI's: divides the logits of seen tokens.
    pub(super) repeat_penalty: Option<f64>,
    /// Not OpenAI's: Ollama's options, as `num_ctx`.
    pub(super) options: Option<Map<String, Value>>,
    /// Not OpenAI's: how long the model stays in memory, as Ollama has it.
    pub(super) keep_alive: Option<Value>,
    /// Not OpenAI's: which of the model's adapters are laid over it, as llama-server has it.
    pub(super) lora: Option<Vec<Adapter>>,
    /// Whoever asks is known by their key.
    #[serde(default)]
    pub(super) user: Harmless,
}

/// A whole answer, or one event of it.
#[derive(Serialize, ToSchema)]
pub(crate) struct TextCompletion {
    pub(super) id: String,
    pub(super) object: &'static str,
    pub(super) created: i64,
    pub(super) model: String,
    pub(super) system_fingerprint: &'static str,
    pub(super) choices: Vec<TextChoice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) usage: Option<Usage>,
}

/// One of the answers, or what was added to it. Those to the first prompt come first.
#[derive(Serialize, ToSchema)]
pub(crate) struct TextChoice {
    pub(super) text: String,
    pub(super) index: usize,
    pub(super) logprobs: Option<Likelihoods>,
    pub(super) finish_reason: Option<TextEnd>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TextEnd {
    Stop,
    Length,
}

/// How likely tokens were: lists of one length.
#[derive(Debug, Default, PartialEq, Serialize, ToSchema)]
pub(crate) struct Likelihoods {
    pub(super) tokens: Vec<String>,
    /// There is none for the first token of a prompt.
    pub(super) token_logprobs: Vec<Option<f32>>,
    pub(super) top_logprobs: Vec<Option<Map<String, Value>>>,
    /// Where each token begins in the text, in characters.
    pub(super) text_offset: Vec<usize>,
}
