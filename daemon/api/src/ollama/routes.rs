//! This family's routes: read, hand on, write. The routes of models, blobs and creation have files of their own.

use std::time::{Duration, Instant};

use axum::{
    Router,
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use futures_util::{Stream, stream};
use http::{HeaderValue, header::CONTENT_TYPE};
use jiff::Timestamp;
use protocol::Event;
use serde::Serialize;
use store::Model;

use super::{
    blobs, create, embed,
    errors::Refusal,
    models,
    request::{Framing, Request, Task},
    response::{Moment, Reply, Shape},
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
    ndjson,
};

/// Everything under `/api`, and `/`.
pub(crate) fn router() -> Router<Api> {
    Router::new()
        .route("/", get(async || "Ollama is running"))
        .route("/api/version", get(version))
        .route("/api/tags", get(models::tags))
        .route("/api/ps", get(models::ps))
        .route("/api/show", post(models::show))
        .route("/api/delete", delete(models::delete))
        .route("/api/generate", post(generate))
        .route("/api/chat", post(chat))
        .route("/api/embed", post(embed::embed))
        .route("/api/embeddings", post(embed::embeddings))
        .route("/api/create", post(create::create))
        .route("/api/copy", post(transfers::copy))
        .route("/api/pull", post(transfers::pull))
        .route("/api/push", post(transfers::push))
        .route("/api/blobs/{digest}", post(blobs::receive).head(blobs::probe))
}

async fn version(State(api): State<Api>) -> Response {
    object(&wire::Version { version: api.config.version })
}

/// `POST /api/generate`.
async fn generate(State(api): State<Api>, body: Body) -> Result<Response, Refusal> {
    let request = Request::generate(body::read(body, CONVERSATION_BYTES, "GenerateRequest").await?)?;
    let shape = if matches!(request.task, Task::Raw(_)) { Shape::Raw } else { Shape::Generate };
    Ok(answer(&api, request, shape).await?)
}

/// `POST /api/chat`.
async fn chat(State(api): State<Api>, body: Body) -> Result<Response, Refusal> {
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
    let framing = request.framing;
    let asked = request.model.clone();
    let options = model.parameters.clone().overlaid(request.options.clone());
    let load = load(&model, &options, &api.config, request.keep_alive);
    match request.into_generate(&model, &options) {
        None => {
            api.scheduler.load(load).await?;
            Ok(object(&Reply::named(asked, shape).idle("load", Timestamp::now())))
        }
        Some(generate) => {
            let running = Running::begin(api, load, generate).await;
            let running = running.map_err(|error| error.about(&model, &asked))?;
            let reply = Reply { load_time: running.load_time(), ..Reply::named(asked, shape) };
            respond(framing, reply, running).await
        }
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
