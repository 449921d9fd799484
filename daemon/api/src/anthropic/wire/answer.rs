//! What is answered: a message, or the events that it grows by.

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{ObjectBuilder, Schema, Type},
    },
};

use crate::anthropic::errors::Detail;

/// An answer, whole or about to grow.
#[derive(Serialize, ToSchema)]
pub(crate) struct Message {
    pub(crate) id: String,
    #[serde(rename = "type")]
    pub(crate) kind: MessageType,
    pub(crate) role: Speaker,
    pub(crate) model: String,
    pub(crate) content: Vec<Content>,
    /// Not yet known where an answer begins.
    pub(crate) stop_reason: Option<StopReason>,
    /// That of the request's which ended the answer.
    pub(crate) stop_sequence: Option<String>,
    pub(crate) stop_details: Null,
    pub(crate) usage: Usage,
    /// Where the request speaks of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) context_management: Option<AppliedEdits>,
}

#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MessageType {
    Message,
}

#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Speaker {
    Assistant,
}

/// A part of an answer.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Content {
    Thinking {
        thinking: String,
        /// Says nothing; clients give it back.
        signature: String,
    },
    Text {
        text: String,
    },
    ToolUse {
        id: String,
        name: String,
        /// What was cut off, and is no JSON, stands as text under `INVALID_JSON`.
        input: Map<String, Value>,
        caller: Caller,
    },
}

/// Who calls a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Caller {
    Direct,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StopReason {
    EndTurn,
    MaxTokens,
    StopSequence,
    ToolUse,
    /// The context is full.
    ModelContextWindowExceeded,
}

/// How many tokens were read and said; the prompt's are `input_tokens` and those of the cache together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Usage {
    /// Of the prompt's, those that were computed.
    pub(crate) input_tokens: u32,
    /// Beginnings are kept without being counted.
    pub(crate) cache_creation_input_tokens: u32,
    /// Of the prompt's, those that had been computed before.
    pub(crate) cache_read_input_tokens: u32,
    pub(crate) output_tokens: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) output_tokens_details: Option<OutputDetails>,
    pub(crate) service_tier: ServiceTier,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct OutputDetails {
    /// Of what was said, those that were thought.
    pub(crate) thinking_tokens: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ServiceTier {
    Standard,
}

/// What was left out of the conversation: nothing.
#[derive(Clone, Default, Serialize, ToSchema)]
pub(crate) struct AppliedEdits {
    #[schema(max_items = 0)]
    applied_edits: Vec<Null>,
}

/// How an answer grows. Each is sent as an event of its type's name.
#[derive(Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum StreamEvent {
    MessageStart {
        message: Box<Message>,
    },
    ContentBlockStart {
        index: u32,
        content_block: Content,
    },
    Ping {},
    ContentBlockDelta {
        index: u32,
        delta: Delta,
    },
    ContentBlockStop {
        index: u32,
    },
    MessageDelta {
        delta: End,
        /// All of it, not what was added.
        usage: Usage,
        #[serde(skip_serializing_if = "Option::is_none")]
        context_management: Option<AppliedEdits>,
    },
    MessageStop {},
    /// The last one, if the answer could not be ended.
    Error {
        error: Detail,
        request_id: Option<String>,
    },
}

impl StreamEvent {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::MessageStart { .. } => "message_start",
            Self::ContentBlockStart { .. } => "content_block_start",
            Self::Ping {} => "ping",
            Self::ContentBlockDelta { .. } => "content_block_delta",
            Self::ContentBlockStop { .. } => "content_block_stop",
            Self::MessageDelta { .. } => "message_delta",
            Self::MessageStop {} => "message_stop",
            Self::Error { .. } => "error",
        }
    }
}

/// What was added to a part.
#[derive(Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[expect(clippy::enum_variant_names, reason = "these are Anthropic's names")]
pub(crate) enum Delta {
    TextDelta { text: String },
    ThinkingDelta { thinking: String },
    SignatureDelta { signature: String },
    InputJsonDelta { partial_json: String },
}

#[derive(Serialize, ToSchema)]
pub(crate) struct End {
    pub(crate) stop_reason: StopReason,
    pub(crate) stop_sequence: Option<String>,
    pub(crate) stop_details: Null,
}

/// How long a prompt is.
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenCount {
    pub(crate) input_tokens: usize,
}

/// What Anthropic's objects have and ours never do.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Null;

impl Serialize for Null {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_none()
    }
}

impl PartialSchema for Null {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::Null).into()
    }
}

impl ToSchema for Null {}
