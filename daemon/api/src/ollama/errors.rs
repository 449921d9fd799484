//! How this family says that a request failed: `{"error": …}`.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header::CONTENT_TYPE};
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};

use crate::{error::Error, go_json};

/// A failure on its way to the client.
pub(crate) struct Refusal(Error);

/// The object, as an answer or as the last line of one.
#[derive(Serialize, ToSchema)]
pub(crate) struct ErrorBody {
    pub(super) error: String,
}

/// What any of this family's routes may answer instead.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "for the description alone")]
pub(crate) enum Refusals {
    /// Something about the request is wrong.
    #[response(status = 400)]
    Invalid(ErrorBody),
    /// A key is needed, and was not there or is none.
    #[response(status = 401)]
    Unauthorized(ErrorBody),
    /// The page that asks, or the name that it asks by, is not welcome; or the key may other things.
    #[response(status = 403)]
    Forbidden(ErrorBody),
    /// There is no such model, or blob.
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
    /// A model, a registry or the disk failed.
    #[response(status = 500)]
    Failed(ErrorBody),
    /// Too many requests wait already.
    #[response(status = 503)]
    Busy(ErrorBody),
    /// The disk has no room for it.
    #[response(status = 507)]
    Full(ErrorBody),
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
        let mut response = (status, go_json::encode(&ErrorBody { error: self.0.message() })).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        self.0.tell(headers);
        response
    }
}
