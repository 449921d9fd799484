//! What is refused at the front door, in the shape of the API that the path belongs to, so that each client's own error
//! class comes of it. What the families refuse is theirs.

use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde_json::json;
use tower_http::request_id::RequestId;

/// Whose clients ask by a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Anthropic,
    OpenAi,
    /// The clients of registries.
    Oci,
    /// Ollama's, and what has no family.
    Ollama,
}

impl Family {
    pub(crate) fn of(path: &str) -> Self {
        let below =
            |root: &str| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if below("/v1/messages") {
            Self::Anthropic
        } else if below("/v1") {
            Self::OpenAi
        } else if below("/v2") {
            Self::Oci
        } else {
            Self::Ollama
        }
    }
}

/// What a client is told in place of an answer.
pub(crate) fn refusal(family: Family, status: StatusCode, message: &str, id: &RequestId) -> Response {
    let body = match family {
        Family::Anthropic => json!({
            "type": "error",
            "error": {"type": anthropic_type(status), "message": message},
            "request_id": id.header_value().to_str().unwrap_or_default(),
        }),
        Family::OpenAi => {
            let code = (status == StatusCode::UNAUTHORIZED).then_some("invalid_api_key");
            json!({"error": {"message": message, "type": openai_type(status), "param": null, "code": code}})
        }
        Family::Oci => json!({"errors": [{"code": oci_code(status), "message": message}]}),
        Family::Ollama => json!({"error": message}),
    };
    let kind = match family {
        Family::Anthropic | Family::OpenAi | Family::Oci => "application/json",
        Family::Ollama => "application/json; charset=utf-8",
    };
    (status, [(CONTENT_TYPE, HeaderValue::from_static(kind))], body.to_string()).into_response()
}

/// Of what can be refused here.
fn anthropic_type(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "authentication_error",
        StatusCode::FORBIDDEN => "permission_error",
        StatusCode::PAYLOAD_TOO_LARGE => "request_too_large",
        StatusCode::SERVICE_UNAVAILABLE => "overloaded_error",
        status if status.is_client_error() => "invalid_request_error",
        _ => "api_error",
    }
}

fn openai_type(status: StatusCode) -> &'static str {
    match status {
        StatusCode::FORBIDDEN => "permission_error",
        status if status.is_client_error() => "invalid_request_error",
        _ => "api_error",
    }
}

fn oci_code(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "UNAUTHORIZED",
        StatusCode::FORBIDDEN => "DENIED",
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => "TOOMANYREQUESTS",
        status if status.is_client_error() => "UNSUPPORTED",
        _ => "UNKNOWN",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn told(path: &str, status: StatusCode) -> String {
        let id = RequestId::new(HeaderValue::from_static("req_1"));
        let response = refusal(Family::of(path), status, "no \"x\"", &id);
        assert_eq!(response.status(), status);
        let body = axum::body::to_bytes(response.into_body(), 1 << 10).await.unwrap();
        String::from_utf8(body.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_refusal_has_the_shape_of_the_api_that_was_asked() {
        let anthropic = r#"{"type":"error","error":{"type":"permission_error","message":"no \"x\""},"request_id":"req_1"}"#;
        let openai =
            r#"{"error":{"message":"no \"x\"","type":"invalid_request_error","param":null,"code":null}}"#;
        assert_eq!(told("/v1/messages", StatusCode::FORBIDDEN).await, anthropic);
        assert_eq!(told("/v1/messages/count_tokens", StatusCode::FORBIDDEN).await, anthropic);
        assert_eq!(told("/v1/messagesque", StatusCode::BAD_REQUEST).await, openai);
        assert_eq!(told("/v1/models", StatusCode::BAD_REQUEST).await, openai);
        let oci = r#"{"errors":[{"code":"DENIED","message":"no \"x\""}]}"#;
        assert_eq!(told("/v2/a/manifests/latest", StatusCode::FORBIDDEN).await, oci);
        let later = r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"no \"x\""}]}"#;
        assert_eq!(told("/v2/a/manifests/latest", StatusCode::TOO_MANY_REQUESTS).await, later);
        for path in ["/api/chat", "/", "/v11", "/v22", "/admin/api/fit"] {
            assert_eq!(told(path, StatusCode::FORBIDDEN).await, r#"{"error":"no \"x\""}"#);
        }
    }
}
