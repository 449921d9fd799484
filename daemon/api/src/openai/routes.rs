//! This family's routes: read, hand on, write.

use std::time::{SystemTime, UNIX_EPOCH};

use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bytes::Bytes;
use futures_util::{Stream, stream};
use http::{HeaderValue, header::CONTENT_TYPE};
use protocol::{Event, Generate, Input, Overflow, Owner};
use serde::Serialize;

use super::{
    embed,
    errors::Refusal,
    request::{Framing, Request, UsageEvent},
    rerank,
    response::{Opening, Reply},
    wire,
};
use crate::{
    Api,
    answer::Running,
    body::{self, CONVERSATION_BYTES},
    conversation::{Layers, conversation},
    embed::Ability,
    go_json,
    load::load,
    sse,
};

/// Everything under `/v1`.
pub(crate) fn router() -> Router<Api> {
    Router::new()
        .route("/v1/models", get(models))
        .route("/v1/models/{model}", get(model))
        .route("/v1/chat/completions", post(chat))
        .route("/v1/embeddings", post(embed::embeddings))
        .route("/v1/rerank", post(rerank::rerank))
}

/// `POST /v1/chat/completions`.
async fn chat(State(api): State<Api>, body: Body) -> Result<Response, Refusal> {
    let request = Request::chat(body::read(body, CONVERSATION_BYTES, "ChatCompletionRequest").await?)?;
    let model = api.resolve(&request.model).await?;
    api.demand(&request.model, &model, Ability::Chat).await?;
    let options = model.parameters.clone().overlaid(request.options);
    let layers = Layers { system: model.system.clone(), history: &model.messages };
    let generate = Generate {
        format: request.format,
        owner: Owner::default(),
        input: Input::Chat(conversation(layers, request.messages)),
        options: options.options(),
        overflow: Overflow::Truncate,
    };
    let load = load(&model, &options, &api.config, None);
    let running = Running::begin(&api, load, generate).await?;
    let mut reply = Reply {
        id: format!("chatcmpl-{}", rand::random_range(0..1_000_000_u32)),
        created: seconds(SystemTime::now()),
        model: request.model,
        usage: UsageEvent::LeftOut,
        opening: Opening::Due,
    };
    match request.framing {
        Framing::Whole => {
            let (text, done) = running.finish().await?;
            Ok(object(&reply.whole(text, &done)))
        }
        Framing::Events(usage) => {
            reply.usage = usage;
            Ok(sse::response(events(reply, running)))
        }
    }
}

/// `GET /v1/models`. An empty list is `[]`, where Ollama's `null` breaks OpenAI's own client.
async fn models(State(api): State<Api>) -> Result<Response, Refusal> {
    let mut listed = api.on_store(|store| store.list()).await?;
    listed.sort_by_key(|model| std::cmp::Reverse(model.modified));
    let data =
        listed.into_iter().map(|listed| described(listed.name.to_string(), &listed.name, listed.modified));
    Ok(object(&wire::Models { object: "list", data: data.collect() }))
}

/// `GET /v1/models/:model`.
async fn model(State(api): State<Api>, Path(asked): Path<String>) -> Result<Response, Refusal> {
    let model = api.resolve(&asked).await?;
    Ok(object(&described(asked, &model.name, model.modified)))
}

fn described(id: String, name: &store::ModelName, modified: SystemTime) -> wire::Model {
    // A short name is the default namespace's.
    let short = name.to_string();
    let owned_by = short.rsplit('/').nth(1).unwrap_or("library").to_owned();
    wire::Model { id, object: "model", created: seconds(modified), owned_by }
}

fn events(reply: Reply, running: Running) -> impl Stream<Item = Bytes> + Send {
    stream::unfold(Some((reply, running)), async |state| {
        let (mut reply, mut running) = state?;
        let event = running.next().await;
        let more = matches!(event, Event::Text(_));
        let sent = Bytes::from(reply.events(event));
        Some((sent, more.then_some((reply, running))))
    })
}

pub(super) fn object(value: &impl Serialize) -> Response {
    let json = HeaderValue::from_static("application/json");
    ([(CONTENT_TYPE, json)], go_json::encode(value)).into_response()
}

fn seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
