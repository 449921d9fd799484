//! This family's answers as they stand on the wire. What requests look like is `request`'s.

use serde::Serialize;

/// A whole answer, or one event of it.
#[derive(Serialize)]
pub(super) struct Completion {
    pub(super) id: String,
    pub(super) object: &'static str,
    pub(super) created: i64,
    pub(super) model: String,
    pub(super) system_fingerprint: &'static str,
    pub(super) choices: Vec<Choice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) usage: Option<Usage>,
}

#[derive(Serialize)]
pub(super) struct Choice {
    pub(super) index: u32,
    #[serde(flatten)]
    pub(super) said: Said,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) logprobs: Option<Logprobs>,
    pub(super) finish_reason: Option<&'static str>,
}

#[derive(Serialize)]
pub(super) struct Logprobs {
    pub(super) content: Vec<TokenLogprob>,
}

/// A token that was chosen, and what might have been in its place.
#[derive(Serialize)]
pub(super) struct TokenLogprob {
    #[serde(flatten)]
    pub(super) chosen: Logprob,
    pub(super) top_logprobs: Vec<Logprob>,
}

#[derive(Serialize)]
pub(super) struct Logprob {
    pub(super) token: String,
    pub(super) logprob: f32,
    pub(super) bytes: Vec<u8>,
}

/// The field that differs between whole answers and events.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Said {
    Message(Words),
    Delta(Words),
}

#[derive(Default, Serialize)]
pub(super) struct Words {
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
#[derive(Serialize)]
pub(super) struct Call {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<String>,
    pub(super) index: u32,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<&'static str>,
    pub(super) function: CalledFunction,
}

#[derive(Serialize)]
pub(super) struct CalledFunction {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    /// JSON, as text.
    pub(super) arguments: String,
}

#[derive(Default, Serialize)]
pub(super) struct Usage {
    pub(super) prompt_tokens: u32,
    pub(super) completion_tokens: u32,
    pub(super) total_tokens: u32,
}

#[derive(Serialize)]
pub(super) struct Models {
    pub(super) object: &'static str,
    pub(super) data: Vec<Model>,
}

#[derive(Serialize)]
pub(super) struct Model {
    pub(super) id: String,
    pub(super) object: &'static str,
    pub(super) created: i64,
    pub(super) owned_by: String,
}
