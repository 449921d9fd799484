//! Anthropic's API: `/v1/messages` and below, and its way to tell of models. It only translates.

mod conversation;
mod errors;
mod identifiers;
mod models;
mod request;
mod response;
mod routes;
mod signature;
mod wire;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Method, StatusCode, Uri, header::CONTENT_TYPE};
use serde::Serialize;
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use self::wire::blocks;
use crate::{Api, json};

pub(crate) use errors::{Refusal, tell_request};
pub(crate) use models::{asks, where_asked};

/// What is described here and routed elsewhere: the paths are OpenAI's, too. And types that the description's maker does not
/// find by itself, as blocks hold blocks.
#[derive(OpenApi)]
#[openapi(
    paths(models::list, models::get),
    components(schemas(
        errors::ErrorBody,
        blocks::Citations,
        blocks::DocumentSource,
        blocks::ImageSource,
        blocks::TextBlock,
        blocks::ToolChange
    ))
)]
struct Shared;

/// `/v1/messages` and below.
pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::with_openapi(Shared::openapi())
        .routes(routes!(routes::create))
        .routes(routes!(routes::count_tokens))
}

/// Whether a path is this family's alone.
pub(crate) fn has(path: &str) -> bool {
    path.strip_prefix("/v1/messages").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What is told where no route is.
pub(crate) fn no_route(method: &Method, uri: &Uri, status: StatusCode) -> Response {
    let path = uri.path();
    errors::no_route(status, format!("there is no {method} {path} here; /openapi.json tells what there is"))
}

/// One JSON object as an answer.
fn object(value: &impl Serialize) -> Response {
    let json = HeaderValue::from_static("application/json");
    ([(CONTENT_TYPE, json)], json::encode(value)).into_response()
}
