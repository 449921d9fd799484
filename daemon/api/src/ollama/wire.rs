//! This family's answers as they stand on the wire. What requests look like is `request`'s.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// One line of `/api/generate` or `/api/chat`, or its one object.
#[derive(Serialize, ToSchema)]
pub(crate) struct Line {
    pub(super) model: String,
    pub(super) created_at: String,
    #[serde(flatten)]
    pub(super) content: Content,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) logprobs: Vec<TokenLogprob>,
    pub(super) done: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) done_reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) context: Vec<i32>,
    #[serde(flatten)]
    pub(super) metrics: Metrics,
}

/// A prompt as the model would read it, in place of an answer.
#[derive(Serialize, ToSchema)]
pub(crate) struct Rendered {
    pub(super) model: String,
    pub(super) created_at: String,
    #[serde(rename = "_debug_info")]
    pub(super) debug_info: DebugInfo,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct DebugInfo {
    pub(super) rendered_template: String,
    #[serde(skip_serializing_if = "is_none")]
    pub(super) image_count: u32,
}

/// The fields that differ between the two.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum Content {
    Response {
        response: String,
        #[serde(skip_serializing_if = "String::is_empty")]
        thinking: String,
    },
    Message {
        message: ChatMessage,
    },
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ChatMessage {
    pub(super) role: &'static str,
    pub(super) content: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) thinking: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tool_calls: Vec<Call>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Call {
    pub(super) id: String,
    pub(super) function: CalledFunction,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct CalledFunction {
    pub(super) index: usize,
    pub(super) name: String,
    pub(super) arguments: Map<String, Value>,
}

/// A token that was chosen, and what might have been in its place.
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenLogprob {
    #[serde(flatten)]
    pub(super) chosen: Logprob,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) top_logprobs: Vec<Logprob>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Logprob {
    pub(super) token: String,
    pub(super) logprob: f32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) bytes: Vec<u8>,
}

/// Times in nanoseconds; zeros are left out.
#[derive(Default, Serialize, ToSchema)]
pub(crate) struct Metrics {
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) total_duration: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) load_duration: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) prompt_eval_count: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) prompt_eval_duration: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) eval_count: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) eval_duration: u64,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Version {
    pub(super) version: String,
}

/// `/api/tags` and `/api/ps`.
#[derive(Serialize, ToSchema)]
pub(crate) struct Models<T> {
    pub(super) models: Vec<T>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Tag {
    pub(super) name: String,
    pub(super) model: String,
    pub(super) modified_at: String,
    pub(super) size: u64,
    pub(super) digest: String,
    pub(super) details: Details,
    pub(super) capabilities: Vec<&'static str>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Process {
    pub(super) name: String,
    pub(super) model: String,
    pub(super) size: u64,
    pub(super) digest: String,
    pub(super) details: Details,
    pub(super) expires_at: String,
    pub(super) size_vram: u64,
    pub(super) context_length: u32,
    /// What paired boxes have of it. Ollama has no such thing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) parts: Vec<ProcessPart>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ProcessPart {
    /// Which one.
    pub(super) on: String,
    pub(super) layers: u32,
    pub(super) size: u64,
}

#[derive(Default, Serialize, ToSchema)]
pub(crate) struct Details {
    pub(super) parent_model: String,
    pub(super) format: String,
    pub(super) family: String,
    pub(super) families: Option<Vec<String>>,
    pub(super) parameter_size: String,
    pub(super) quantization_level: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) context_length: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) embedding_length: Option<u64>,
}

/// `/api/show`.
#[derive(Serialize, ToSchema)]
pub(crate) struct Show {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) license: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) modelfile: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) parameters: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) template: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) system: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) renderer: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) parser: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) requires: String,
    pub(super) details: Details,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) messages: Vec<ShownMessage>,
    pub(super) model_info: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) projector_info: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tensors: Vec<TensorInfo>,
    pub(super) capabilities: Vec<&'static str>,
    pub(super) modified_at: String,
}

/// A message of a Modelfile.
#[derive(Serialize, ToSchema)]
pub(crate) struct ShownMessage {
    pub(super) role: &'static str,
    pub(super) content: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct TensorInfo {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) shape: Vec<u64>,
}

/// Whether models of Ollama's cloud can be had.
#[derive(Serialize, ToSchema)]
pub(crate) struct CloudStatus {
    pub(super) cloud: Cloud,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Cloud {
    pub(super) disabled: bool,
    pub(super) source: &'static str,
}

/// A line of `/api/create`, or of `/api/pull` or `/api/push` about no blob.
#[derive(Serialize, ToSchema)]
pub(crate) struct Status {
    pub(super) status: String,
}

/// A line of `/api/pull` or `/api/push` about a blob.
#[derive(Serialize, ToSchema)]
pub(crate) struct TransferLine {
    pub(super) status: String,
    pub(super) digest: String,
    pub(super) total: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) completed: u64,
    /// Paired boxes that some of it came from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) from: Vec<String>,
}

fn is_none(count: &u32) -> bool {
    *count == 0
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}
