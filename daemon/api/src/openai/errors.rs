//! How this family says that a request failed: `{"error": {"message": …, "type": …}}`.

use axum::response::{IntoResponse, Response};
use http::{
    HeaderValue, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
};
use serde::Serialize;

use crate::{error::Error, go_json};

/// A failure on its way to the client.
pub(super) struct Refusal(Error);

/// The object, as an answer or as the last event of one.
#[derive(Serialize)]
pub(super) struct ErrorBody {
    error: Detail,
}

#[derive(Serialize)]
struct Detail {
    message: String,
    #[serde(rename = "type")]
    kind: &'static str,
    param: Option<String>,
    code: Option<String>,
}

impl From<&Error> for ErrorBody {
    fn from(error: &Error) -> Self {
        let status = error.status();
        let kind = match status {
            StatusCode::NOT_FOUND => "not_found_error",
            status if status.is_client_error() => "invalid_request_error",
            _ => "api_error",
        };
        let (message, param) = match error {
            Error::EmptyBody => ("EOF".into(), None),
            Error::Invalid(invalid) => (invalid.message.clone(), invalid.field.clone()),
            other => (other.message(), None),
        };
        Self { error: Detail { message, kind, param, code: None } }
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
        let mut response = (status, go_json::encode(&ErrorBody::from(&self.0))).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Invalid;

    #[test]
    fn a_refusal_names_the_field_at_fault() {
        let body = go_json::encode(&ErrorBody::from(&Error::from(Invalid::unsupported("tools"))));
        assert_eq!(
            String::from_utf8(body).unwrap(),
            r#"{"error":{"message":"tools is not supported yet","type":"invalid_request_error","param":"tools","code":null}}"#
        );
    }
}
