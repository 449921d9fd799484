//! OpenAI's API, under `/v1`, as far as its clients of a local server go. It only translates.

mod chat;
mod completions;
mod embed;
mod errors;
mod framing;
mod logprobs;
mod models;
mod path;
mod prompts;
mod rerank;
mod responses;
mod sampling;
mod seconds;
mod tokens;
mod wire;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Method, StatusCode, Uri, header::CONTENT_TYPE};
use serde::Serialize;
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use self::errors::ErrorBody;
pub(crate) use self::{errors::Refusal, responses::Background};
use crate::{Api, json};

/// Everything under `/v1` but Anthropic's part.
pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::with_openapi(Shared::openapi())
        .routes(routes!(chat::chat))
        .routes(routes!(completions::complete))
        .routes(routes!(embed::embeddings))
        .routes(routes!(models::list))
        .routes(routes!(models::get, models::delete))
        .routes(routes!(rerank::rerank))
        .routes(routes!(tokens::tokenize))
        .routes(routes!(tokens::detokenize))
}

/// Everything under `/v1/responses`, which has so many types that it is described by itself.
pub(crate) fn responses_router() -> OpenApiRouter<Api> {
    OpenApiRouter::with_openapi(Shared::openapi())
        .routes(routes!(responses::create))
        .routes(routes!(responses::get, responses::delete))
        .routes(routes!(responses::cancel))
        .routes(routes!(responses::input_items))
        .routes(routes!(responses::input_tokens))
}

/// What no route names by itself.
#[derive(OpenApi)]
#[openapi(components(schemas(ErrorBody)))]
struct Shared;

/// What is told where no route is.
pub(crate) fn no_route(method: &Method, uri: &Uri, status: StatusCode) -> Response {
    let path = uri.path();
    let message = format!("there is no {method} {path} here; /openapi.json tells what there is");
    errors::body(status, &ErrorBody::no_route(message))
}

/// One JSON object as an answer.
fn object(value: &impl Serialize) -> Response {
    let json = HeaderValue::from_static("application/json");
    ([(CONTENT_TYPE, json)], json::encode(value)).into_response()
}
