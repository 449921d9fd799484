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
    pub(super) finish_reason: Option<&'static str>,
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
}

#[derive(Serialize)]
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
