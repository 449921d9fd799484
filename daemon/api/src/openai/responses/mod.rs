//! `/v1/responses`: answers that are kept, gone on from, and may be made while nobody waits. Read, hand on, write; the rest is
//! in the other files.
//!
//! What is said here and nowhere else: a response that nobody waits for to the end, and that is not a background one, is not
//! kept. Of a conversation, a response lists only what it was asked with itself. A cancelled response has no last event.

mod background;
mod conversation;
mod events;
mod items;
mod kept;
mod progress;
mod request;
mod response;
mod stored;
mod tools;
mod wire;

use axum::{body::Body, response::Response as HttpResponse};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, future, stream};
use protocol::{Event, Input};

pub(crate) use self::background::Background;
pub(super) use self::stored::{__path_cancel, __path_delete, __path_get, __path_input_items};
pub(super) use self::stored::{cancel, delete, get, input_items};
use self::{
    events::Numbered,
    items::Item,
    progress::{End, Progress},
    request::{Count, Delivery, Request},
    response::{Failure, Response, Status, TokenCount, TokenCountTag},
    wire::{CountTokens, CreateResponse},
};
use super::{
    errors::{Refusal, Refusals},
    object,
};
use crate::{
    Api,
    answer::Running,
    asked::Asked,
    body::{self, CONVERSATION_BYTES},
    cut::Cut,
    error::Error,
    sse,
};

/// An answer to a conversation, which may be asked for and gone on from later.
#[utoipa::path(
    post,
    path = "/v1/responses",
    request_body = CreateResponse,
    responses(
        (status = OK, description = "Whole, or as events if `stream` is set", content(
            (Response = "application/json"),
            (Numbered = "text/event-stream"),
        )),
        Refusals
    )
)]
pub(in crate::openai) async fn create(api: Api, body: Body) -> Result<HttpResponse, Refusal> {
    let request = Request::try_from(body::typed::<CreateResponse>(body, CONVERSATION_BYTES).await?)?;
    let Request { asked, items, response, delivery, telling } = request;
    let items = kept::resolved(&api, items).await?;
    let previous = response.previous_response_id.as_deref();
    let asked = with_conversation(&api, asked, response.instructions.clone(), previous, &items).await?;
    let progress = Progress::new(response, telling);
    match delivery {
        Delivery::Background | Delivery::BackgroundEvents => {
            let run = api.background.start(api.clone(), asked, progress, items).await?;
            match delivery {
                Delivery::BackgroundEvents => Ok(sse::response(run.follow(None, Cut::of(&api)))),
                _ => Ok(object(&run.response())),
            }
        }
        Delivery::Whole | Delivery::Events => {
            let running = api.prepare(asked).await?.begin(&api).await?;
            let answering = Answering { api, running, progress, items };
            match delivery {
                Delivery::Events => Ok(sse::response(answering.events())),
                _ => Ok(object(&answering.whole().await?)),
            }
        }
    }
}

/// How many tokens a conversation takes.
#[utoipa::path(
    post,
    path = "/v1/responses/input_tokens",
    request_body = CountTokens,
    responses((status = OK, body = TokenCount), Refusals)
)]
pub(in crate::openai) async fn input_tokens(api: Api, body: Body) -> Result<HttpResponse, Refusal> {
    let count = Count::try_from(body::typed::<CountTokens>(body, CONVERSATION_BYTES).await?)?;
    let Count { asked, items, instructions, previous } = count;
    let items = kept::resolved(&api, items).await?;
    let asked = with_conversation(&api, asked, instructions, previous.as_deref(), &items).await?;
    let rendered = api.prepare(asked).await?.render(&api).await?;
    Ok(object(&TokenCount { object: TokenCountTag::InputTokens, input_tokens: rendered.tokens.len() }))
}

async fn with_conversation(
    api: &Api,
    asked: Asked,
    instructions: Option<String>,
    previous: Option<&str>,
    items: &[Item],
) -> Result<Asked, Error> {
    let mut all = match previous {
        Some(previous) => kept::earlier(api, previous, items).await?,
        None => Vec::new(),
    };
    all.extend_from_slice(items);
    let said = conversation::of(instructions, all)?;
    Ok(Asked { input: Input::Chat(said.messages), media: said.media, ..asked })
}

/// A response that somebody waits for.
struct Answering {
    api: Api,
    running: Running,
    progress: Progress,
    items: Vec<Item>,
}

impl Answering {
    /// The whole response, once it is kept.
    async fn whole(mut self) -> Result<Response, Error> {
        loop {
            match self.running.try_next().await? {
                Event::Said(said) => self.progress.said(said),
                Event::Done(done) => {
                    self.progress.end(End::Done(done));
                    keep(&self.api, self.progress.response(), &self.items).await?;
                    return Ok(self.progress.response().clone());
                }
                Event::Failed(error) => return Err(error.into()),
            }
            // Nobody follows them.
            self.progress.take();
        }
    }

    /// All events. The last one is sent when the response is kept, so that whoever has it can go on from there.
    fn events(mut self) -> impl Stream<Item = Bytes> + Send {
        self.progress.create(Status::InProgress);
        self.progress.start();
        // The first may be long in coming: of a model that is being loaded nothing is said.
        let opening = self.news();
        let others = stream::unfold(Some(self), async |answering| {
            let mut answering = answering?;
            let more = match answering.running.try_next().await {
                Ok(Event::Said(said)) => {
                    answering.progress.said(said);
                    true
                }
                Ok(Event::Done(done)) => answering.ended(End::Done(done)).await,
                Ok(Event::Failed(error)) => answering.failed(&error.into()).await,
                Err(error) => answering.failed(&error).await,
            };
            Some((answering.news(), more.then_some(answering)))
        });
        stream::once(future::ready(opening)).chain(others)
    }

    /// The events since the last time, as they are sent.
    fn news(&mut self) -> Bytes {
        let mut sent = Vec::new();
        self.progress.take().iter().for_each(|event| event.push(&mut sent));
        sent.into()
    }

    async fn failed(&mut self, error: &Error) -> bool {
        self.ended(End::Failed(Failure::from(error))).await
    }

    /// Always false: nothing comes any more.
    async fn ended(&mut self, end: End) -> bool {
        self.progress.end(end);
        match keep(&self.api, self.progress.response(), &self.items).await {
            Ok(()) => self.progress.last(),
            Err(error) => {
                tracing::error!(%error, "a response is lost");
                self.progress.not_kept(error.message());
            }
        }
        false
    }
}

/// Keeps a response that is to be kept.
async fn keep(api: &Api, response: &Response, input: &[Item]) -> Result<(), Error> {
    match response.store {
        true => kept::keep(api, response, input).await,
        false => Ok(()),
    }
}
