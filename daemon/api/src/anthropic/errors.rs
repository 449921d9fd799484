//! How this family says that a request failed: `{"type": "error", "error": {"type": …, "message": …}, "request_id": …}`.

use std::convert::Infallible;

use axum::{
    extract::{FromRequestParts, Request},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{
    HeaderValue, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
    request::Parts,
};
use protocol::GenerateError;
use scheduler::ScheduleError;
use serde::Serialize;
use tower_http::request_id::RequestId;
use utoipa::{IntoResponses, ToSchema};

use crate::{
    error::{Error, Invalid},
    json,
};

/// A failure on its way to the client.
pub(crate) struct Refusal(Error);

/// The object.
#[derive(Clone, Serialize, ToSchema)]
pub(crate) struct ErrorBody {
    #[serde(rename = "type")]
    kind: ErrorType,
    error: Detail,
    request_id: Option<String>,
}

#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ErrorType {
    Error,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Detail {
    #[serde(rename = "type")]
    kind: Kind,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Details>,
}

/// What clients act upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Details {
    error_code: Code,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Code {
    /// Conversations are not kept here. Anthropic's clients, when they run tools, ask for it first, and upon this send the
    /// whole conversation.
    ThreadUnsupportedRequest,
}

/// What clients tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    InvalidRequestError,
    AuthenticationError,
    PermissionError,
    NotFoundError,
    RequestTooLarge,
    RateLimitError,
    ApiError,
    OverloadedError,
}

/// What any of this family's routes may answer instead.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "for the description alone")]
pub(crate) enum Refusals {
    /// Something about the request is wrong; the message names the field.
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
    #[response(status = 529)]
    Overloaded(ErrorBody),
}

/// What a request is called by, if it has a name.
pub(super) struct RequestName(pub(super) Option<String>);

impl<S: Sync> FromRequestParts<S> for RequestName {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.extensions.get().and_then(named)))
    }
}

/// Has refusals of this family tell which request they are of.
pub(crate) async fn tell_request(request: Request, next: Next) -> Response {
    let request_id = request.extensions().get().and_then(named);
    let mut response = next.run(request).await;
    if let (Some(refusal), Some(_)) = (response.extensions_mut().remove::<ErrorBody>(), &request_id) {
        let named = json::encode(&ErrorBody { request_id, ..refusal });
        response.headers_mut().remove(CONTENT_LENGTH);
        *response.body_mut() = named.into();
    }
    response
}

impl From<&Error> for Detail {
    fn from(error: &Error) -> Self {
        let message = match error {
            // By its beginning clients know that they have to make it shorter.
            Error::Generate(GenerateError::PromptTooLong { prompt_tokens, context_tokens }) => {
                format!("prompt is too long: {prompt_tokens} tokens > {context_tokens} maximum")
            }
            other => other.message(),
        };
        let details = match error {
            Error::Invalid(Invalid { field: Some(field), .. }) if field == "thread" => {
                Some(Details { error_code: Code::ThreadUnsupportedRequest })
            }
            _ => None,
        };
        Self { kind: Kind::of(status(error)), message, details }
    }
}

impl Kind {
    fn of(status: StatusCode) -> Self {
        match status {
            StatusCode::UNAUTHORIZED => Self::AuthenticationError,
            StatusCode::FORBIDDEN => Self::PermissionError,
            StatusCode::TOO_MANY_REQUESTS => Self::RateLimitError,
            StatusCode::NOT_FOUND => Self::NotFoundError,
            StatusCode::PAYLOAD_TOO_LARGE => Self::RequestTooLarge,
            status if status == overloaded() => Self::OverloadedError,
            status if status.is_client_error() => Self::InvalidRequestError,
            _ => Self::ApiError,
        }
    }
}

/// Anthropic's own number for a full queue.
fn status(error: &Error) -> StatusCode {
    match error {
        Error::Schedule(ScheduleError::Busy | ScheduleError::ShuttingDown)
        | Error::Generate(GenerateError::Stopping) => overloaded(),
        other => other.status(),
    }
}

fn overloaded() -> StatusCode {
    StatusCode::from_u16(529).unwrap_or(StatusCode::SERVICE_UNAVAILABLE)
}

impl<E: Into<Error>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = status(&self.0);
        tracing::debug!(%status, error = %self.0, "request refused");
        let error = Detail::from(&self.0);
        let mut response = body(status, ErrorBody { kind: ErrorType::Error, error, request_id: None });
        self.0.tell(response.headers_mut());
        response
    }
}

/// Of a request that no route is for.
pub(super) fn no_route(status: StatusCode, message: String) -> Response {
    let error = Detail { kind: Kind::of(status), message, details: None };
    body(status, ErrorBody { kind: ErrorType::Error, error, request_id: None })
}

/// Carries the object as well, for [`tell_request`].
fn body(status: StatusCode, body: ErrorBody) -> Response {
    let json = HeaderValue::from_static("application/json");
    let mut response = (status, [(CONTENT_TYPE, json)], json::encode(&body)).into_response();
    response.extensions_mut().insert(body);
    response
}

fn named(id: &RequestId) -> Option<String> {
    id.header_value().to_str().ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use http::header::RETRY_AFTER;

    use super::*;
    use crate::anthropic::wire::request::MessagesRequest;

    fn told(error: Error) -> String {
        String::from_utf8(json::encode(&Detail::from(&error))).unwrap()
    }

    #[test]
    fn each_failure_has_the_type_that_clients_know_it_by() {
        let invalid = Invalid::of("tools", "no tools");
        assert_eq!(told(invalid.into()), r#"{"type":"invalid_request_error","message":"no tools"}"#);
        let unknown = Error::UnknownModel { asked: "m".into() };
        assert_eq!(told(unknown), r#"{"type":"not_found_error","message":"model 'm' not found"}"#);
        assert!(told(Error::BodyTooLarge).starts_with(r#"{"type":"request_too_large""#));
        assert!(told(ScheduleError::Busy.into()).starts_with(r#"{"type":"overloaded_error""#));
        assert!(told(GenerateError::WorkerDied.into()).starts_with(r#"{"type":"api_error""#));
        let too_long = GenerateError::PromptTooLong { prompt_tokens: 9, context_tokens: 8 };
        assert_eq!(
            told(too_long.into()),
            r#"{"type":"invalid_request_error","message":"prompt is too long: 9 tokens > 8 maximum"}"#
        );
    }

    #[test]
    fn who_wants_a_conversation_to_be_kept_is_told_by_a_code() {
        let refused = json::parse::<MessagesRequest>(
            br#"{"model": "m", "messages": [], "thread": {"type": "create"}}"#,
        );
        let told = told(refused.unwrap_err().into());
        assert!(told.contains(r#""details":{"error_code":"thread_unsupported_request"}"#), "{told}");
    }

    #[test]
    fn a_full_queue_has_anthropics_number_and_a_time_to_come_again() {
        let response = Refusal::from(ScheduleError::Busy).into_response();
        assert_eq!(
            (response.status().as_u16(), &response.headers()[RETRY_AFTER]),
            (529, &HeaderValue::from_static("1"))
        );
    }
}
