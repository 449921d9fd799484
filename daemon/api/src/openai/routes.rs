//! This family's routes: read, hand on, write.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, future, stream};
use http::{HeaderValue, header::CONTENT_TYPE};
use protocol::{Event, Generate, Input, Media};
use scheduler::Load;
use serde::Serialize;

use super::{
    embed,
    errors::Refusal,
    request::{Framing, Request},
    rerank,
    response::Reply,
    wire,
};
use crate::{
    Api,
    answer::Running,
    body::{self, CONVERSATION_BYTES},
    conversation::{Layers, conversation},
    embed::Ability,
    error::Error,
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
        tools: request.tools,
        think: request.think,
        top_logprobs: request.top_logprobs,
        adapters: request.adapters,
        media: Media(Arc::new(request.media)),
        ..Generate::new(Input::Chat(conversation(layers, request.messages)), options.options())
    };
    let load = load(&model, &options, &api.config, None);
    let answers = answers(&api, load, generate, request.answers).await;
    let answers = answers.map_err(|error| error.about(&model, &request.model))?;
    let id = format!("chatcmpl-{}", rand::random_range(0..1_000_000_u32));
    let mut reply = Reply::new(id, seconds(SystemTime::now()), request.model, answers.len());
    match request.framing {
        Framing::Whole => {
            let whole = future::try_join_all(answers.into_iter().map(Running::finish)).await?;
            Ok(object(&reply.whole(whole)))
        }
        Framing::Events(usage) => {
            reply.usage = usage;
            Ok(sse::response(events(reply, answers)))
        }
    }
}

/// Several answers to one request, each with a seed of its own. The prompt is read once: whoever comes second waits for it.
async fn answers(api: &Api, load: Load, generate: Generate, count: u32) -> Result<Vec<Running>, Error> {
    let begun = (0..count).map(|index| {
        let mut generate = generate.clone();
        generate.options.seed = generate.options.seed.map(|seed| seed.wrapping_add(index));
        Running::begin(api, load.clone(), generate)
    });
    future::try_join_all(begun).await
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

fn events(reply: Reply, answers: Vec<Running>) -> impl Stream<Item = Bytes> + Send {
    let each = answers.into_iter().enumerate().map(|(at, running)| {
        // To the end of the answer, which is told as well.
        let events = stream::unfold(Some(running), async |running| {
            let mut running = running?;
            let event = running.next().await;
            let more = matches!(event, Event::Said(_));
            Some((event, more.then_some(running)))
        });
        events.map(move |event| (at, event)).boxed()
    });
    let all = stream::select_all(each);
    stream::unfold((reply, all), async |(mut reply, mut all)| {
        if reply.is_over() {
            return None;
        }
        let (answer, event) = all.next().await?;
        let sent = Bytes::from(reply.events(answer, event));
        Some((sent, (reply, all)))
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
