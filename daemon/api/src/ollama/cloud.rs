//! Ollama's routes about its cloud, which no Hob asks anything: each says so.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header::CONTENT_TYPE};

use super::{
    errors::{ErrorBody, Refusals},
    routes::object,
    wire::{Cloud, CloudStatus},
};
use crate::go_json;

/// That there is no cloud here.
#[utoipa::path(get, path = "/api/status", responses((status = OK, body = CloudStatus), Refusals))]
pub(super) async fn status() -> Response {
    object(&CloudStatus { cloud: Cloud { disabled: true, source: "config" } })
}

/// That nobody searches here.
#[utoipa::path(post, path = "/api/experimental/web_search", responses(Refusals))]
pub(super) async fn web_search() -> Response {
    disabled("web search is unavailable")
}

/// That nothing is fetched from here.
#[utoipa::path(post, path = "/api/experimental/web_fetch", responses(Refusals))]
pub(super) async fn web_fetch() -> Response {
    disabled("web fetch is unavailable")
}

fn disabled(what: &str) -> Response {
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    let error = format!("ollama cloud is disabled: {what}");
    (StatusCode::FORBIDDEN, [(CONTENT_TYPE, json)], go_json::encode(&ErrorBody { error })).into_response()
}
