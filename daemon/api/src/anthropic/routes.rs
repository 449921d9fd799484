//! `POST /v1/messages` and what goes with it: read, hand on, write.

use axum::{body::Body, extract::State, response::Response};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use protocol::Event;

use super::{
    errors::{Refusal, Refusals, RequestName},
    object,
    request::{Framing, Request},
    response::{Reply, prompt_read},
    wire::{
        answer::{Message, StreamEvent, TokenCount},
        request::MessagesRequest,
    },
};
use crate::{
    Api,
    answer::Running,
    body::{self, CONVERSATION_BYTES},
    error::Invalid,
    identifier, sse,
};

/// An answer to a conversation.
#[utoipa::path(
    post,
    path = "/v1/messages",
    request_body = MessagesRequest,
    responses(
        (status = OK, description = "Whole, or as events if `stream` is set", content(
            (Message = "application/json"),
            (StreamEvent = "text/event-stream"),
        )),
        Refusals
    )
)]
pub(super) async fn create(
    State(api): State<Api>,
    RequestName(request_id): RequestName,
    body: Body,
) -> Result<Response, Refusal> {
    let request = Request::try_from(body::typed::<MessagesRequest>(body, CONVERSATION_BYTES).await?)?;
    let Some(max_tokens) = request.max_tokens else {
        // In Anthropic's words.
        return Err(Invalid::of("max_tokens", "max_tokens: Field required").into());
    };
    let model = request.asked.model.clone();
    let running = api.prepare(request.asked).await?.begin(&api).await?;
    let reply = Reply::new(identifier::fresh("msg_"), model, request.telling, max_tokens).to(request_id);
    match request.framing {
        Framing::Whole => Ok(object(&reply.whole(running.finish().await?))),
        Framing::Events => Ok(sse::response(events(reply, running).await)),
    }
}

/// How long the prompt is that a conversation makes; nothing is answered.
#[utoipa::path(
    post,
    path = "/v1/messages/count_tokens",
    request_body = MessagesRequest,
    responses((status = OK, body = TokenCount), Refusals)
)]
pub(super) async fn count_tokens(State(api): State<Api>, body: Body) -> Result<Response, Refusal> {
    let request = Request::try_from(body::typed::<MessagesRequest>(body, CONVERSATION_BYTES).await?)?;
    let rendered = api.prepare(request.asked).await?.render(&api).await?;
    Ok(object(&TokenCount { input_tokens: rendered.tokens.len() }))
}

async fn events(mut reply: Reply, mut running: Running) -> impl Stream<Item = Bytes> + Send {
    let first = running.next().await;
    let read = match &first {
        Event::Done(done) => prompt_read(done),
        _ => running.read().unwrap_or_default(),
    };
    let mut sent = reply.begin(read);
    let more = matches!(first, Event::Said(_)).then(|| running.events());
    sent.extend(reply.events(first));
    let rest = stream::iter(more).flatten().map(move |event| Bytes::from(reply.events(event)));
    stream::once(async { Bytes::from(sent) }).chain(rest)
}
