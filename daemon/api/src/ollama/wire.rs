//! This family's answers as they stand on the wire. What requests look like is `request`'s.

use serde::Serialize;
use serde_json::{Map, Value};

/// One line of `/api/generate` or `/api/chat`, or its one object.
#[derive(Serialize)]
pub(super) struct Line {
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

/// The fields that differ between the two.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Content {
    Response {
        response: String,
        #[serde(skip_serializing_if = "String::is_empty")]
        thinking: String,
    },
    Message {
        message: ChatMessage,
    },
}

#[derive(Serialize)]
pub(super) struct ChatMessage {
    pub(super) role: &'static str,
    pub(super) content: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) thinking: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tool_calls: Vec<Call>,
}

#[derive(Serialize)]
pub(super) struct Call {
    pub(super) id: String,
    pub(super) function: CalledFunction,
}

#[derive(Serialize)]
pub(super) struct CalledFunction {
    pub(super) index: usize,
    pub(super) name: String,
    pub(super) arguments: Map<String, Value>,
}

/// A token that was chosen, and what might have been in its place.
#[derive(Serialize)]
pub(super) struct TokenLogprob {
    #[serde(flatten)]
    pub(super) chosen: Logprob,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) top_logprobs: Vec<Logprob>,
}

#[derive(Serialize)]
pub(super) struct Logprob {
    pub(super) token: String,
    pub(super) logprob: f32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) bytes: Vec<u8>,
}

/// Times in nanoseconds; zeros are left out.
#[derive(Default, Serialize)]
pub(super) struct Metrics {
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

#[derive(Serialize)]
pub(super) struct Version {
    pub(super) version: String,
}

/// `/api/tags` and `/api/ps`.
#[derive(Serialize)]
pub(super) struct Models<T> {
    pub(super) models: Vec<T>,
}

#[derive(Serialize)]
pub(super) struct Tag {
    pub(super) name: String,
    pub(super) model: String,
    pub(super) modified_at: String,
    pub(super) size: u64,
    pub(super) digest: String,
    pub(super) details: Details,
    pub(super) capabilities: Vec<&'static str>,
}

#[derive(Serialize)]
pub(super) struct Process {
    pub(super) name: String,
    pub(super) model: String,
    pub(super) size: u64,
    pub(super) digest: String,
    pub(super) details: Details,
    pub(super) expires_at: String,
    pub(super) size_vram: u64,
    pub(super) context_length: u32,
}

#[derive(Default, Serialize)]
pub(super) struct Details {
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
#[derive(Serialize)]
pub(super) struct Show {
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
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tensors: Vec<TensorInfo>,
    pub(super) capabilities: Vec<&'static str>,
    pub(super) modified_at: String,
}

/// A message of a Modelfile.
#[derive(Serialize)]
pub(super) struct ShownMessage {
    pub(super) role: &'static str,
    pub(super) content: String,
}

#[derive(Serialize)]
pub(super) struct TensorInfo {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) shape: Vec<u64>,
}

/// A line of `/api/create`.
#[derive(Serialize)]
pub(super) struct Status {
    pub(super) status: String,
}

/// A line of `/api/pull` or `/api/push` about a blob.
#[derive(Serialize)]
pub(super) struct TransferLine {
    pub(super) status: String,
    pub(super) digest: String,
    pub(super) total: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) completed: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}
