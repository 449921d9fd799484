//! This family's routes: read, hand on, write. The routes of models, blobs and creation have files of their own.

use std::time::{Duration, Instant};

use access::Origin;
use axum::{
    Extension,
    body::Body,
    response::{IntoResponse, Response},
};
use futures_util::{Stream, stream};
use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};
use jiff::Timestamp;
use protocol::Event;
use serde::Serialize;
use store::Model;
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    blobs, cloud, create, embed,
    errors::{ErrorBody, Refusal, Refusals},
    models,
    request::{Framing, Purpose, Request, Task},
    response::{Moment, Reply, Shape},
    schema::{ChatRequest, GenerateRequest},
    transfers, wire,
};
use crate::{
    Api,
    answer::Running,
    body::{self, CONVERSATION_BYTES},
    embed::Ability,
    error::Error,
    go_json,
    load::load,
    ndjson, pages,
};

/// Everything under `/api`, and `/`.
pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::with_openapi(Shared::openapi())
        .routes(routes!(liveness))
        .routes(routes!(version))
        .routes(routes!(models::tags))
        .routes(routes!(models::ps))
        .routes(routes!(models::show))
        .routes(routes!(models::delete))
        .routes(routes!(generate))
        .routes(routes!(chat))
        .routes(routes!(embed::embed))
        .routes(routes!(embed::embeddings))
        .routes(routes!(create::create))
        .routes(routes!(transfers::copy))
        .routes(routes!(transfers::pull))
        .routes(routes!(transfers::push))
        .routes(routes!(blobs::receive, blobs::probe))
        .routes(routes!(cloud::status))
        .routes(routes!(cloud::web_search))
        .routes(routes!(cloud::web_fetch))
}

/// What no route names by itself.
#[derive(OpenApi)]
#[openapi(components(schemas(ErrorBody)))]
struct Shared;

/// That somebody is here; to a browser, the page.
#[utoipa::path(get, path = "/", responses((status = OK, body = String), Refusals))]
async fn liveness(origin: Option<Extension<Origin>>, headers: HeaderMap) -> Response {
    pages::at_root(&headers, origin).unwrap_or_else(|| "Ollama is running".into_response())
}

/// Which version this is.
#[utoipa::path(get, path = "/api/version", responses((status = OK, body = wire::Version), Refusals))]
async fn version(api: Api) -> Response {
    object(&wire::Version { version: api.config.version })
}

/// How a prompt goes on.
#[utoipa::path(
    post, path = "/api/generate", request_body = GenerateRequest,
    responses((status = OK, description = "A line for each piece, or one object", content(
        (wire::Line = "application/x-ndjson"), (wire::Line = "application/json"),
    )), Refusals)
)]
async fn generate(api: Api, body: Body) -> Result<Response, Refusal> {
    let request = Request::generate(body::read(body, CONVERSATION_BYTES, "GenerateRequest").await?)?;
    let shape = if matches!(request.task, Task::Raw(_)) { Shape::Raw } else { Shape::Generate };
    Ok(answer(&api, request, shape).await?)
}

/// How a conversation goes on.
#[utoipa::path(
    post, path = "/api/chat", request_body = ChatRequest,
    responses((status = OK, description = "A line for each piece, or one object", content(
        (wire::Line = "application/x-ndjson"), (wire::Line = "application/json"),
    )), Refusals)
)]
async fn chat(api: Api, body: Body) -> Result<Response, Refusal> {
    let request = Request::chat(body::read(body, CONVERSATION_BYTES, "ChatRequest").await?)?;
    Ok(answer(&api, request, Shape::Chat).await?)
}

async fn answer(api: &Api, request: Request, shape: Shape) -> Result<Response, Error> {
    let model = api.resolve(&request.model).await?;
    if request.task == Task::Unload {
        return Ok(unload(api, &model, Reply::named(request.model, shape)).await);
    }
    let ability = if shape == Shape::Chat { Ability::Chat } else { Ability::Generate };
    api.demand(&request.model, &model, ability).await?;
    let (framing, purpose) = (request.framing, request.purpose);
    let asked = request.model.clone();
    let options = model.parameters.clone().overlaid(request.options.clone());
    let load = load(&model, &options, api, request.keep_alive);
    match request.into_generate(&model, &options) {
        None => {
            api.bring(load).await?;
            Ok(object(&Reply::named(asked, shape).idle("load", Timestamp::now())))
        }
        Some(generate) if purpose == Purpose::Render => {
            let rendered = api.render(load, generate).await;
            let rendered = rendered.map_err(|error| error.about(&model, &asked))?;
            Ok(object(&shown(asked, rendered)))
        }
        Some(generate) => {
            let running = Running::begin(api, load, generate).await;
            let running = running.map_err(|error| error.about(&model, &asked))?;
            let reply = Reply { load_time: running.load_time(), ..Reply::named(asked, shape) };
            respond(framing, reply, running).await
        }
    }
}

fn shown(model: String, rendered: protocol::Rendered) -> wire::Rendered {
    wire::Rendered {
        model,
        created_at: Timestamp::now().to_string(),
        debug_info: wire::DebugInfo { rendered_template: rendered.text, image_count: rendered.media },
    }
}

async fn unload(api: &Api, model: &Model, reply: Reply) -> Response {
    api.scheduler.unload(&model.name).await;
    object(&reply.idle("unload", Timestamp::now()))
}

async fn respond(framing: Framing, reply: Reply, running: Running) -> Result<Response, Error> {
    let started = running.started();
    Ok(match framing {
        Framing::Lines => ndjson::response(lines(reply, running)),
        Framing::Whole => {
            let whole = running.finish().await?;
            object(&reply.whole(whole, Moment::since(started)))
        }
    })
}

fn lines(reply: Reply, running: Running) -> impl Stream<Item = bytes::Bytes> + Send {
    stream::unfold(Some((reply, running)), async |state| {
        let (mut reply, mut running) = state?;
        let event = running.next().await;
        let more = matches!(event, Event::Said(_));
        let lines = reply.lines(event, Moment::since(running.started()));
        Some((bytes::Bytes::from(lines), more.then_some((reply, running))))
    })
}

/// One JSON object as an answer.
pub(super) fn object(value: &impl Serialize) -> Response {
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    ([(CONTENT_TYPE, json)], go_json::encode(value)).into_response()
}

impl Moment {
    fn since(started: Instant) -> Self {
        Self { now: Timestamp::now(), since_start: started.elapsed() }
    }
}

impl Reply {
    pub(super) fn named(model: String, shape: Shape) -> Self {
        Self { model, shape, load_time: Duration::ZERO, calls: Vec::new(), sent: 0 }
    }
}
