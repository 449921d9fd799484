//! `POST /v1/completions`: read, hand on, write. A prompt is read as it stands: no template is laid around it.

mod request;
mod response;
mod wire;

use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, future, stream};
use protocol::Input;

use self::{
    request::{Echo, Request},
    response::{Echoed, Progress, Reply, likelihood},
    wire::{CompletionRequest, TextCompletion},
};
use super::{
    errors::{Refusal, Refusals},
    framing::{Framing, UsageEvent},
    object, seconds,
    wire::Usage,
};
use crate::{
    Api,
    answer::{Running, Whole},
    asked::{Asked, Prepared},
    body::{self, CONVERSATION_BYTES},
    error::Error,
    identifier, sse,
};

/// How texts go on, or what fills a gap in one.
#[utoipa::path(
    post,
    path = "/v1/completions",
    request_body = CompletionRequest,
    responses(
        (status = OK, description = "Whole, or as events if `stream` is set", content(
            (TextCompletion = "application/json"),
            (TextCompletion = "text/event-stream"),
        )),
        Refusals
    )
)]
pub(super) async fn complete(api: Api, body: Body) -> Result<Response, Refusal> {
    let request = Request::try_from(body::typed::<CompletionRequest>(body, CONVERSATION_BYTES).await?)?;
    let Request { model, asked, framing, told, made, echo, likelihoods } = request;
    let begun = asked.into_iter().map(|asked| begin(&api, asked, made, echo));
    let begun = future::try_join_all(begun).await?;
    let mut reply = Reply {
        id: identifier::fresh("cmpl-"),
        created: seconds::now(),
        model,
        usage: UsageEvent::LeftOut,
        likelihoods,
        answers: Vec::new(),
        told,
        used: Usage::default(),
    };
    // Of the answers to a prompt, fewer may be told than were made.
    let progress = |begun: &Begun| vec![Progress::begin(begun.echo.clone()); told];
    reply.answers = begun.iter().flat_map(progress).collect();
    match framing {
        Framing::Whole => {
            let finished = future::try_join_all(begun.into_iter().map(finish)).await?;
            let mut choices = Vec::with_capacity(reply.answers.len());
            for mut wholes in finished {
                wholes.drain(told..).for_each(|whole| reply.leave_out(&whole));
                choices.extend(
                    wholes.into_iter().zip(choices.len()..).map(|(whole, index)| reply.choice(index, whole)),
                );
            }
            Ok(object(&reply.whole(choices)))
        }
        Framing::Events(usage) => {
            reply.usage = usage;
            let answers = begun.into_iter().flat_map(|begun| begun.answers).collect();
            Ok(sse::response(events(reply, answers)))
        }
    }
}

/// The answers to one prompt, and what is told before each.
struct Begun {
    echo: Option<Echoed>,
    answers: Vec<Running>,
}

async fn begin(api: &Api, asked: Asked, made: u32, echo: Echo) -> Result<Begun, Error> {
    let input = asked.input.clone();
    let likelihoods = asked.prompt_logprobs.is_some();
    let prepared = api.prepare(asked).await?;
    let echo = match echo {
        Echo::Nothing => None,
        Echo::Prompt => Some(Echoed {
            first_token: if likelihoods { first_token(api, &prepared).await? } else { Vec::new() },
            text: match input {
                Input::Raw(text) => text,
                Input::Tokens(tokens) => {
                    String::from_utf8_lossy(&prepared.detokenize(api, tokens).await?.concat()).into_owned()
                }
                Input::Chat(_) | Input::Infill { .. } | Input::Continue { .. } => String::new(),
            },
        }),
    };
    Ok(Begun { echo, answers: prepared.begin_several(api, made).await? })
}

/// Of which the engine does not tell a likelihood, as nothing comes before it.
async fn first_token(api: &Api, prepared: &Prepared) -> Result<Vec<u8>, Error> {
    let read = prepared.render(api).await?.tokens;
    let first = read.into_iter().take(1).collect();
    Ok(prepared.detokenize(api, first).await?.concat())
}

/// The answers to one prompt, the likeliest first where that is known.
async fn finish(begun: Begun) -> Result<Vec<Whole>, Error> {
    let mut wholes = future::try_join_all(begun.answers.into_iter().map(Running::finish)).await?;
    wholes.sort_by(|one, other| likelihood(other).total_cmp(&likelihood(one)));
    Ok(wholes)
}

fn events(reply: Reply, answers: Vec<Running>) -> impl Stream<Item = Bytes> + Send {
    let each = answers.into_iter().enumerate();
    let all =
        stream::select_all(each.map(|(at, running)| running.events().map(move |event| (at, event)).boxed()));
    stream::unfold((reply, all), async |(mut reply, mut all)| {
        if reply.is_over() {
            return None;
        }
        let (answer, event) = all.next().await?;
        let sent = Bytes::from(reply.events(answer, event));
        Some((sent, (reply, all)))
    })
}
