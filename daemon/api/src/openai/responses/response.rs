//! What clients are told of a response, whole. How it comes about is `progress`'.

use http::StatusCode;
use protocol::{Done, GenerateError};
use scheduler::ScheduleError;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{
    items::Item,
    wire::{ReasoningConfig, TextConfig, Tool, ToolChoice, Truncation},
};
use crate::error::Error;

/// A response, with what was asked for it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Response {
    pub(super) id: String,
    pub(super) object: ResponseTag,
    /// In seconds since 1970.
    pub(super) created_at: i64,
    pub(super) status: Status,
    pub(super) completed_at: Option<i64>,
    pub(super) background: bool,
    pub(super) error: Option<Failure>,
    pub(super) incomplete_details: Option<IncompleteDetails>,
    pub(super) instructions: Option<String>,
    pub(super) max_output_tokens: Option<i64>,
    pub(super) max_tool_calls: Option<i64>,
    pub(super) model: String,
    pub(super) output: Vec<Item>,
    pub(super) parallel_tool_calls: bool,
    pub(super) previous_response_id: Option<String>,
    pub(super) prompt_cache_key: Option<String>,
    pub(super) reasoning: ReasoningConfig,
    pub(super) safety_identifier: Option<String>,
    pub(super) service_tier: ServiceTier,
    pub(super) store: bool,
    pub(super) temperature: f64,
    pub(super) text: TextConfig,
    pub(super) tool_choice: ToolChoice,
    pub(super) tools: Vec<Tool>,
    pub(super) top_logprobs: u32,
    pub(super) top_p: f64,
    pub(super) truncation: Truncation,
    pub(super) usage: Option<Usage>,
    pub(super) user: Option<String>,
    pub(super) metadata: Map<String, Value>,
}

#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ResponseTag {
    Response,
}

#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ServiceTier {
    Default,
}

/// How far a response is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    Queued,
    InProgress,
    Completed,
    Incomplete,
    Failed,
    Cancelled,
}

/// Why a response failed.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Failure {
    pub(super) code: FailureCode,
    pub(super) message: String,
}

impl Failure {
    /// Of a response that the daemon's end cut off.
    pub(super) fn stopped() -> Self {
        let message = "the server was stopped before the response was complete".into();
        Self { code: FailureCode::ServerError, message }
    }
}

impl From<&Error> for Failure {
    /// What is told of a response that failed, where no status can say it.
    fn from(error: &Error) -> Self {
        Self { code: FailureCode::of(error), message: error.message() }
    }
}

/// Of OpenAI's words those that fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FailureCode {
    ServerError,
    /// Too many requests wait already.
    RateLimitExceeded,
    InvalidPrompt,
    InvalidImage,
}

impl FailureCode {
    fn of(error: &Error) -> Self {
        match error {
            Error::Generate(GenerateError::Media { .. }) => Self::InvalidImage,
            Error::Generate(GenerateError::Revoked | GenerateError::Stopping | GenerateError::Ended)
            | Error::Schedule(ScheduleError::Ended) => Self::ServerError,
            error if error.status() == StatusCode::SERVICE_UNAVAILABLE => Self::RateLimitExceeded,
            error if error.status().is_client_error() => Self::InvalidPrompt,
            _ => Self::ServerError,
        }
    }
}

#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(crate) struct IncompleteDetails {
    pub(super) reason: IncompleteReason,
}

#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum IncompleteReason {
    /// Or the context is full.
    MaxOutputTokens,
}

/// How many tokens were read and said.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(crate) struct Usage {
    input_tokens: u32,
    input_tokens_details: InputDetails,
    output_tokens: u32,
    output_tokens_details: OutputDetails,
    total_tokens: u32,
}

#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(crate) struct InputDetails {
    /// Of the input's, those that had been computed before.
    cached_tokens: u32,
    /// The others: what is computed is kept.
    cache_write_tokens: u32,
}

#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(crate) struct OutputDetails {
    /// Of what was said, those that were thought.
    reasoning_tokens: u32,
}

impl From<&Done> for Usage {
    fn from(done: &Done) -> Self {
        Self {
            input_tokens: done.prompt_tokens,
            input_tokens_details: InputDetails {
                cached_tokens: done.cached_tokens,
                cache_write_tokens: done.prompt_tokens.saturating_sub(done.cached_tokens),
            },
            output_tokens: done.generated_tokens,
            output_tokens_details: OutputDetails { reasoning_tokens: done.thinking_tokens },
            total_tokens: done.prompt_tokens.saturating_add(done.generated_tokens),
        }
    }
}

/// What became of a response that was to be deleted.
#[derive(Serialize, ToSchema)]
pub(crate) struct Deleted {
    pub(super) id: String,
    pub(super) object: ResponseTag,
    pub(super) deleted: bool,
}

/// A page of the items that were asked with.
#[derive(Serialize, ToSchema)]
pub(crate) struct ItemList {
    pub(super) object: ListTag,
    pub(super) data: Vec<Item>,
    pub(super) first_id: Option<String>,
    pub(super) last_id: Option<String>,
    pub(super) has_more: bool,
}

#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ListTag {
    List,
}

/// How long an input is.
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenCount {
    pub(super) object: TokenCountTag,
    pub(super) input_tokens: usize,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
pub(crate) enum TokenCountTag {
    #[serde(rename = "response.input_tokens")]
    InputTokens,
}
