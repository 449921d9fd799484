//! `POST /v1/messages` and what goes with it: read, hand on, write.

use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures_util::{Stream, stream};
use protocol::Event;

use super::{
    errors::{Refusal, Refusals, RequestName},
    object,
    request::{Framing, Request},
    response::{self, Reply, prompt_read},
    wire::{
        answer::{Message, StreamEvent, TokenCount},
        request::{CountRequest, MessagesRequest},
    },
};
use crate::{
    Api,
    answer::Running,
    body::{self, CONVERSATION_BYTES},
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
    api: Api,
    RequestName(request_id): RequestName,
    body: Body,
) -> Result<Response, Refusal> {
    let request = Request::try_from(body::typed::<MessagesRequest>(body, CONVERSATION_BYTES).await?)?;
    let model = request.asked.model.clone();
    let running = api.prepare(request.asked).await?.begin(&api).await?;
    // What its key allows is its limit as well.
    let max_tokens = request.max_tokens.min(api.caller.most_output().unwrap_or(u32::MAX));
    let reply = Reply::new(identifier::fresh("msg_"), model, request.telling, max_tokens).to(request_id);
    match request.framing {
        Framing::Whole => Ok(object(&reply.whole(running.finish().await?))),
        Framing::Events => {
            let ping = Bytes::from(response::ping());
            Ok(sse::response_with_heartbeat(events(reply, running), ping))
        }
    }
}

/// How long the prompt is that a conversation makes; nothing is answered.
#[utoipa::path(
    post,
    path = "/v1/messages/count_tokens",
    request_body = CountRequest,
    responses((status = OK, body = TokenCount), Refusals)
)]
pub(super) async fn count_tokens(api: Api, body: Body) -> Result<Response, Refusal> {
    let counted = body::typed::<CountRequest>(body, CONVERSATION_BYTES).await?;
    let request = Request::try_from(MessagesRequest::from(counted))?;
    let rendered = api.prepare(request.asked).await?.render(&api).await?;
    Ok(object(&TokenCount { input_tokens: rendered.tokens.len() }))
}

/// The beginning waits for the first event, with which it is known what the prompt took.
fn events(reply: Reply, running: Running) -> impl Stream<Item = Bytes> + Send {
    stream::unfold(Some((reply, running, Begun::No)), async |under_way| {
        let (mut reply, mut running, begun) = under_way?;
        let event = running.next().await;
        let mut sent = Vec::new();
        if begun == Begun::No && !matches!(event, Event::Failed(_)) {
            let read = match &event {
                Event::Done(done) => prompt_read(done),
                _ => running.read().unwrap_or_default(),
            };
            sent = reply.begin(read);
        }
        let more = matches!(event, Event::Said(_));
        sent.extend(reply.events(event));
        Some((Bytes::from(sent), more.then_some((reply, running, Begun::Yes))))
    })
}

/// Whether the beginning was sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Begun {
    No,
    Yes,
}
