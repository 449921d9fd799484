//! `/v1/chat/completions` as it stands on the wire: its requests and its answers, without any check.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    adapters::Adapter,
    json::{Harmless, Refused, TextOrList},
    openai::{
        logprobs::Logprobs,
        wire::{ChoiceWord, Effort, StreamOptions, Usage},
    },
};

/// What is asked: a conversation to be gone on with.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChatRequest {
    pub(super) model: String,
    #[schema(min_items = 1)]
    pub(super) messages: Vec<Message>,
    #[serde(default)]
    pub(super) stream: Option<bool>,
    pub(super) stream_options: Option<StreamOptions>,
    /// The older name of `max_completion_tokens`.
    #[schema(minimum = 1)]
    pub(super) max_tokens: Option<i64>,
    #[schema(minimum = 1)]
    pub(super) max_completion_tokens: Option<i64>,
    #[schema(minimum = 0, maximum = 2, default = 1.0)]
    pub(super) temperature: Option<f64>,
    #[schema(minimum = 0, maximum = 1, default = 1.0)]
    pub(super) top_p: Option<f64>,
    pub(super) seed: Option<i64>,
    /// Up to 16 texts that end the answer.
    pub(super) stop: Option<TextOrList<String>>,
    #[schema(minimum = -2, maximum = 2)]
    pub(super) frequency_penalty: Option<f64>,
    #[schema(minimum = -2, maximum = 2)]
    pub(super) presence_penalty: Option<f64>,
    /// From the numbers of tokens to what is added to their logits, from -100 to 100.
    pub(super) logit_bias: Option<BTreeMap<String, f64>>,
    #[schema(minimum = 1, maximum = 128)]
    pub(super) n: Option<i64>,
    pub(super) logprobs: Option<bool>,
    /// Needs `logprobs`.
    #[schema(minimum = 0, maximum = 20)]
    pub(super) top_logprobs: Option<i64>,
    pub(super) response_format: Option<ResponseFormat>,
    pub(super) tools: Option<Vec<Tool>>,
    pub(super) tool_choice: Option<ToolChoice>,
    pub(super) parallel_tool_calls: Option<bool>,
    pub(super) reasoning_effort: Option<Effort>,
    /// As OpenRouter's clients say `reasoning_effort`.
    pub(super) reasoning: Option<Reasoning>,
    /// Only text.
    pub(super) modalities: Option<Vec<Modality>>,
    /// No answer is kept here, so only `false`.
    pub(super) store: Option<bool>,
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
    #[serde(default)]
    pub(super) safety_identifier: Harmless,
    /// Goes with `store`.
    #[serde(default)]
    pub(super) metadata: Harmless,
    /// There is one tier.
    #[serde(default)]
    pub(super) service_tier: Harmless,
    /// Beginnings are always kept, and found by what they are.
    #[serde(default)]
    pub(super) prompt_cache_key: Harmless,
    #[serde(default)]
    pub(super) prompt_cache_options: Harmless,
    #[serde(default)]
    pub(super) prompt_cache_retention: Harmless,
    /// A guess makes an answer sooner, not another one.
    #[serde(default)]
    pub(super) prediction: Harmless,
    /// A hint that local models were not trained to take.
    #[serde(default)]
    pub(super) verbosity: Harmless,
    #[serde(default)]
    pub(super) audio: Refused,
    /// `tools` took its place.
    #[serde(default)]
    pub(super) functions: Refused,
    /// `tool_choice` took its place.
    #[serde(default)]
    pub(super) function_call: Refused,
    #[serde(default)]
    pub(super) moderation: Refused,
    #[serde(default)]
    pub(super) web_search_options: Refused,
}

/// Something that was said before.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Message {
    pub(super) role: Role,
    pub(super) content: Option<TextOrList<Part>>,
    /// Of a tool's result: which tool's.
    pub(super) name: Option<String>,
    pub(super) tool_calls: Option<Vec<PastCall>>,
    /// Of a tool's result: which call's.
    pub(super) tool_call_id: Option<String>,
    /// What the model thought.
    pub(super) reasoning: Option<String>,
    /// The same by another name in use.
    pub(super) reasoning_content: Option<String>,
    /// Is told as what was said.
    pub(super) refusal: Option<String>,
    /// Come with answers of OpenAI's.
    #[serde(default)]
    pub(super) annotations: Harmless,
    #[serde(default)]
    pub(super) audio: Refused,
    #[serde(default)]
    pub(super) function_call: Refused,
}

/// Who spoke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    Developer,
    System,
    User,
    Assistant,
    Tool,
}

/// A part of a message.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Part {
    Text { text: String },
    Refusal { refusal: String },
    ImageUrl { image_url: ImageUrl },
    InputAudio { input_audio: InputAudio },
}

/// An image, as a data URI; what lies elsewhere is never fetched.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged, expecting = "image_url must be a data URI, or an object with one as its url")]
pub(crate) enum ImageUrl {
    Plain(String),
    Object {
        url: String,
        /// Images are read as finely as the model can.
        #[serde(default)]
        detail: Harmless,
    },
}

/// A recording.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct InputAudio {
    /// A file in base64.
    pub(super) data: String,
    /// Is told from the file itself.
    #[serde(default)]
    pub(super) format: Harmless,
}

/// A call that the model made before.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct PastCall {
    pub(super) id: Option<String>,
    pub(super) function: PastFunction,
}

#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct PastFunction {
    pub(super) name: String,
    /// A JSON object, as text or as it is.
    pub(super) arguments: Option<Value>,
}

/// Something that the model may call.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tool {
    #[serde(rename = "type")]
    pub(super) kind: ToolKind,
    pub(super) function: Function,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ToolKind {
    Function,
}

#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Function {
    #[schema(min_length = 1, max_length = 256)]
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<String>,
    /// A JSON Schema of an object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) parameters: Option<Map<String, Value>>,
    /// Calls that are insisted on follow their schema, strict or not.
    #[serde(default, skip_serializing)]
    #[expect(dead_code, reason = "taken, and without effect")]
    pub(super) strict: Harmless,
}

/// Whether tools are called.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(
    untagged,
    expecting = "tool_choice must be \"none\", \"auto\", \"required\", {\"type\": \"function\", \"function\": {\"name\": ...}} or \
                 {\"type\": \"allowed_tools\", ...}"
)]
pub(crate) enum ToolChoice {
    Word(ChoiceWord),
    Named(NamedTool),
    Allowed { allowed_tools: AllowedTools },
}

#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct NamedTool {
    pub(super) function: FunctionName,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FunctionName {
    pub(super) name: String,
}

/// Those of the tools that may be called this time.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AllowedTools {
    pub(super) mode: ChoiceWord,
    pub(super) tools: Vec<NamedTool>,
}

/// The form that the answer is to have.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum ResponseFormat {
    Text {},
    JsonObject {},
    JsonSchema { json_schema: NamedSchema },
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NamedSchema {
    #[serde(default)]
    pub(super) name: Harmless,
    #[serde(default)]
    pub(super) description: Harmless,
    /// A JSON Schema.
    pub(super) schema: Map<String, Value>,
    /// An answer follows its schema, strict or not.
    #[serde(default)]
    pub(super) strict: Harmless,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reasoning {
    pub(super) effort: Option<Effort>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Modality {
    Text,
}

/// A whole answer, or one event of it.
#[derive(Serialize, ToSchema)]
pub(crate) struct Completion<C> {
    pub(super) id: String,
    pub(super) object: &'static str,
    pub(super) created: i64,
    pub(super) model: String,
    pub(super) system_fingerprint: &'static str,
    pub(super) choices: Vec<C>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) usage: Option<Usage>,
}

/// One of the answers, whole.
#[derive(Serialize, ToSchema)]
pub(crate) struct Choice {
    pub(super) index: u32,
    pub(super) message: Words,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) logprobs: Option<Logprobs>,
    pub(super) finish_reason: FinishReason,
}

/// What was added to one of the answers.
#[derive(Serialize, ToSchema)]
pub(crate) struct Piece {
    pub(super) index: u32,
    pub(super) delta: Words,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) logprobs: Option<Logprobs>,
    pub(super) finish_reason: Option<FinishReason>,
}

/// Why an answer ended.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FinishReason {
    Stop,
    Length,
    ToolCalls,
}

#[derive(Default, Serialize, ToSchema)]
pub(crate) struct Words {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reasoning: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tool_calls: Vec<Call>,
}

/// A call, or a part of one.
#[derive(Serialize, ToSchema)]
pub(crate) struct Call {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<String>,
    pub(super) index: u32,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<&'static str>,
    pub(super) function: CalledFunction,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct CalledFunction {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    /// JSON, as text.
    pub(super) arguments: String,
}
