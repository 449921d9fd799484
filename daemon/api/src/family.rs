//! Whose clients a request is from, where what answers belongs to no family: each is refused in its own shape.

use axum::response::{IntoResponse, Response};
use http::HeaderMap;

use crate::{anthropic, error::Error, oci, ollama, openai};

/// A family of clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// Ollama's, and Hob's own.
    Ollama,
    OpenAi,
    Anthropic,
    /// Those of registries.
    Oci,
}

impl Family {
    /// By the path, and where two share that, by the header that Anthropic's clients send.
    pub(crate) fn of(path: &str, headers: &HeaderMap) -> Self {
        match path {
            path if anthropic::has(path) => Self::Anthropic,
            path if path.starts_with("/v1/models") && anthropic::asks(headers) => Self::Anthropic,
            path if path.starts_with("/v1/") => Self::OpenAi,
            path if oci::has(path) => Self::Oci,
            _ => Self::Ollama,
        }
    }

    /// What its clients are told in place of an answer.
    pub(crate) fn refuse(self, error: Error) -> Response {
        match self {
            Self::Ollama => ollama::Refusal::from(error).into_response(),
            Self::OpenAi => openai::Refusal::from(error).into_response(),
            Self::Anthropic => anthropic::Refusal::from(error).into_response(),
            Self::Oci => oci::Refusal::from(error).into_response(),
        }
    }
}
