//! How this family says that a request failed: `{"error": {"message": …, "type": …, "param": …, "code": …}}`.

use access::{Exceeded, Limit};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header::CONTENT_TYPE};
use protocol::GenerateError;
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};

use crate::{error::Error, json};

/// A failure on its way to the client.
pub(crate) struct Refusal(Error);

/// The object, as an answer or as the last event of one.
#[derive(Serialize, ToSchema)]
pub(crate) struct ErrorBody {
    error: Detail,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Detail {
    message: String,
    #[serde(rename = "type")]
    kind: &'static str,
    /// The field at fault, where it is known.
    param: Option<String>,
    code: Option<&'static str>,
}

/// What any of this family's routes may answer instead.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "for the description alone")]
pub(crate) enum Refusals {
    /// Something about the request is wrong; `param` is the field.
    #[response(status = 400)]
    Invalid(ErrorBody),
    /// A key is needed, and was not there or is none.
    #[response(status = 401)]
    Unauthorized(ErrorBody),
    /// The page that asks, or the name that it asks by, is not welcome; or the key may other things.
    #[response(status = 403)]
    Forbidden(ErrorBody),
    /// There is no such model.
    #[response(status = 404)]
    NotFound(ErrorBody),
    /// The body did not arrive.
    #[response(status = 408)]
    TooSlow(ErrorBody),
    /// The body is too large.
    #[response(status = 413)]
    TooLarge(ErrorBody),
    /// The body is packed in a way that is not known here.
    #[response(status = 415)]
    Packed(ErrorBody),
    /// The key's limits are used up for now.
    #[response(status = 429)]
    Exceeded(ErrorBody),
    /// The model could not be loaded, or could not go on.
    #[response(status = 500)]
    Failed(ErrorBody),
    /// Too many requests wait already.
    #[response(status = 503)]
    Busy(ErrorBody),
}

impl ErrorBody {
    /// Of a request that no route is for.
    pub(super) fn no_route(message: String) -> Self {
        let kind = "invalid_request_error";
        Self { error: Detail { message, kind, param: None, code: Some("unknown_url") } }
    }
}

impl From<&Error> for ErrorBody {
    fn from(error: &Error) -> Self {
        let kind = match error.status() {
            // In the words that OpenAI's service has for it.
            StatusCode::NOT_FOUND if matches!(error, Error::UnknownResponse { .. }) => {
                "invalid_request_error"
            }
            StatusCode::NOT_FOUND => "not_found_error",
            StatusCode::FORBIDDEN => "permission_error",
            StatusCode::TOO_MANY_REQUESTS => limit(error),
            status if status.is_client_error() => "invalid_request_error",
            _ => "api_error",
        };
        let (message, param) = match error {
            Error::EmptyBody => ("EOF".into(), None),
            Error::Invalid(invalid) => (invalid.message.clone(), invalid.field.clone()),
            Error::UnknownPrevious { .. } => (error.message(), Some("previous_response_id".into())),
            other => (other.message(), None),
        };
        Self { error: Detail { message, kind, param, code: code(error) } }
    }
}

/// In the words that OpenAI's service has for it.
fn limit(error: &Error) -> &'static str {
    match error {
        Error::Exceeded(Exceeded { limit: Limit::TokensPerDay(_) | Limit::TokensPerMonth(_), .. }) => {
            "tokens"
        }
        _ => "requests",
    }
}

/// What clients tell apart.
fn code(error: &Error) -> Option<&'static str> {
    match error {
        Error::UnknownModel { .. } | Error::NothingToEmbed { .. } => Some("model_not_found"),
        Error::Unauthorized { .. } | Error::Unclaimed | Error::Generate(GenerateError::Revoked) => {
            Some("invalid_api_key")
        }
        Error::LacksScope { .. } => Some("missing_scope"),
        Error::Exceeded(_) => Some("rate_limit_exceeded"),
        Error::UnknownPrevious { .. } => Some("previous_response_not_found"),
        Error::Generate(GenerateError::PromptTooLong { .. } | GenerateError::InputTooLong) => {
            Some("context_length_exceeded")
        }
        _ => None,
    }
}

impl<E: Into<Error>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = self.0.status();
        tracing::debug!(%status, error = %self.0, "request refused");
        let mut response = body(status, &ErrorBody::from(&self.0));
        self.0.tell(response.headers_mut());
        response
    }
}

pub(super) fn body(status: StatusCode, body: &ErrorBody) -> Response {
    let json = HeaderValue::from_static("application/json");
    (status, [(CONTENT_TYPE, json)], json::encode(body)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Invalid;

    #[test]
    fn a_refusal_names_the_field_at_fault() {
        let body = json::encode(&ErrorBody::from(&Error::from(Invalid::of("tools", "no tools"))));
        assert_eq!(
            String::from_utf8(body).unwrap(),
            r#"{"error":{"message":"no tools","type":"invalid_request_error","param":"tools","code":null}}"#
        );
    }

    #[test]
    fn what_clients_tell_apart_has_a_code() {
        let too_long = GenerateError::PromptTooLong { prompt_tokens: 9, context_tokens: 8 };
        assert_eq!(code(&too_long.into()), Some("context_length_exceeded"));
        assert_eq!(code(&Error::UnknownModel { asked: "m".into() }), Some("model_not_found"));
    }
}
