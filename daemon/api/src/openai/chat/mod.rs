//! `POST /v1/chat/completions`: read, hand on, write.

mod request;
mod response;
pub(super) mod wire;

use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, future, stream};
use protocol::Event;

pub(super) use self::request::unanswered;
use self::{
    request::Request,
    response::Reply,
    wire::{ChatRequest, Choice, Completion, Piece},
};
use super::{
    errors::{Refusal, Refusals},
    framing::Framing,
    object, seconds,
};
use crate::{
    Api,
    answer::Running,
    body::{self, CONVERSATION_BYTES},
    identifier, sse,
};

/// An answer to a conversation, or several.
#[utoipa::path(
    post,
    path = "/v1/chat/completions",
    request_body = ChatRequest,
    responses(
        (status = OK, description = "Whole, or as events if `stream` is set", content(
            (Completion<Choice> = "application/json"),
            (Completion<Piece> = "text/event-stream"),
        )),
        Refusals
    )
)]
pub(super) async fn chat(api: Api, body: Body) -> Result<Response, Refusal> {
    let request = Request::try_from(body::typed::<ChatRequest>(body, CONVERSATION_BYTES).await?)?;
    let model = request.asked.model.clone();
    let answers = api.prepare(request.asked).await?.begin_several(&api, request.answers).await?;
    let mut reply = Reply::new(identifier::fresh("chatcmpl-"), seconds::now(), model, answers.len());
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

fn events(reply: Reply, answers: Vec<Running>) -> impl Stream<Item = Bytes> + Send {
    let all = stream::select_all(
        answers
            .into_iter()
            .enumerate()
            .map(|(at, running)| running.events().map(move |event: Event| (at, event)).boxed()),
    );
    stream::unfold((reply, all), async |(mut reply, mut all)| {
        if reply.is_over() {
            return None;
        }
        let (answer, event) = all.next().await?;
        let sent = Bytes::from(reply.events(answer, event));
        Some((sent, (reply, all)))
    })
}
