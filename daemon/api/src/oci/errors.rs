//! How this family says that a request failed: `{"errors": [{"code": …, "message": …}]}`.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header::WWW_AUTHENTICATE};
use serde_json::json;

use crate::error::Error;

/// A failure on its way to the client.
pub(crate) struct Refusal(Error);

impl<E: Into<Error>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

fn code(error: &Error) -> &'static str {
    match error {
        Error::InvalidName => "NAME_INVALID",
        Error::InvalidDigest => "DIGEST_INVALID",
        Error::UnknownModel { .. } => "MANIFEST_UNKNOWN",
        Error::UnknownBlob { .. } => "BLOB_UNKNOWN",
        other => of_status(other.status()),
    }
}

fn of_status(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "UNAUTHORIZED",
        StatusCode::FORBIDDEN => "DENIED",
        StatusCode::NOT_FOUND => "NAME_UNKNOWN",
        StatusCode::RANGE_NOT_SATISFIABLE => "RANGE_INVALID",
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => "TOOMANYREQUESTS",
        status if status.is_client_error() => "UNSUPPORTED",
        _ => "UNKNOWN",
    }
}

/// The clients of registries know a key as a password, whatever the name beside it.
const BASIC: HeaderValue = HeaderValue::from_static("Basic realm=\"hob\"");

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = self.0.status();
        tracing::debug!(%status, error = %self.0, "request refused");
        let mut response = refusal(status, code(&self.0), &self.0.message());
        let headers = response.headers_mut();
        self.0.tell(headers);
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, BASIC);
        }
        response
    }
}

/// A path, or a method, that this family does not have.
pub(crate) fn no_route(status: StatusCode) -> Response {
    let message = match status {
        StatusCode::METHOD_NOT_ALLOWED => "models are only read here; `hob push` and `hob create` write them",
        _ => "there is nothing of that name",
    };
    refusal(status, of_status(status), message)
}

fn refusal(status: StatusCode, code: &str, message: &str) -> Response {
    (status, Json(json!({"errors": [{"code": code, "message": message}]}))).into_response()
}
