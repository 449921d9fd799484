//! A caller's limits, held to: a request is let in while they have room, keeps its place until its answer has ended, and its
//! tokens count, also those of an answer that was cut off. What the limits are, and how much of them is used, is `access`'s.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use access::{Caller, Permit, Usage};
use axum::{body::Body, extract::Request, middleware::Next, response::Response};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use protocol::{Done, PromptRead, Said};

use crate::{Api, error::Error, family::Family, rate, relay::Hop};

/// A request's place among those that its caller may have at once. It is given back with the last clone.
#[derive(Clone)]
pub(crate) struct Place {
    _permit: Arc<Permit>,
}

/// Runs a request if its caller's limits have room for it, and holds its place until its answer was sent, or nobody waits for it
/// any more. Who goes on beyond that, as a response in the background does, holds the place itself: it is the request's `Api`'s.
pub(crate) async fn admit(api: &Api, family: Family, mut request: Request, next: Next) -> Response {
    let place = match api.caller.admit() {
        Ok(permit) => Place { _permit: Arc::new(permit) },
        Err(exceeded) => {
            let mut response = family.refuse(Error::Exceeded(exceeded));
            rate::put(response.headers_mut(), family, api);
            return response;
        }
    };
    request.extensions_mut().insert(place.clone());
    let response = next.run(request).await;
    response.map(|body| Body::new(Held { body, _place: place }))
}

/// An answer's body, and the place that goes with it.
struct Held {
    body: Body,
    _place: Place,
}

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Where what is done for a request counts.
#[derive(Clone)]
pub(crate) struct Counter {
    caller: Caller,
    /// It counts as well where the request was passed on, if it was.
    hop: Option<Hop>,
}

impl Counter {
    pub(crate) fn of(api: &Api) -> Self {
        Self { caller: api.caller.clone(), hop: api.hop.clone() }
    }

    pub(crate) fn count(&self, usage: Usage) {
        self.caller.count(usage);
        if let Some(hop) = &self.hop {
            hop.count(usage);
        }
    }
}

/// What an answer took so far. It counts when the answer ends, however it does.
pub(crate) struct Tally {
    counter: Counter,
    prompt: Prompt,
    used: Usage,
    /// What the prompt counts for where it is read, and nothing ever tells how long it was.
    guess: u64,
}

/// Whether the prompt counts, or another answer to the same one has it counted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Prompt {
    Counted,
    Elsewhere,
}

/// So many bytes of text are a token at least, where nothing tells how many there were.
const BYTES_OF_A_TOKEN: usize = 8;
/// The same of a prompt that somebody had read and did not wait for: about as many.
const BYTES_OF_A_READ_TOKEN: usize = 4;

/// Tokens that stand for no byte of a request or an answer: a template's, pictures', thoughts that are not told.
const UNSEEN: u64 = 16 << 10;

impl Tally {
    /// Of an answer on behalf of this caller.
    pub(crate) fn of(api: &Api) -> Self {
        Self::with(api, Prompt::Counted)
    }

    /// The same of another answer to a prompt.
    pub(crate) fn without_prompt(api: &Api) -> Self {
        Self::with(api, Prompt::Elsewhere)
    }

    fn with(api: &Api, prompt: Prompt) -> Self {
        Self { counter: Counter::of(api), prompt, used: Usage::default(), guess: 0 }
    }

    /// Notes that a worker has it: who goes away before the first piece has had the prompt read all the same.
    pub(crate) fn begun(&mut self, prompt_bytes: usize) {
        if self.prompt == Prompt::Counted {
            self.guess = prompt_bytes.div_ceil(BYTES_OF_A_READ_TOKEN) as u64;
        }
    }

    /// Notes that it failed, which nobody pays for that was told nothing.
    pub(crate) fn failed(&mut self) {
        self.guess = 0;
    }

    /// Notes a piece of it, for the case that it stays without an end: no piece tells of how many tokens it is.
    pub(crate) fn said(&mut self, said: &Said, read: Option<PromptRead>) {
        self.read(read.map_or(0, |read| read.prompt_tokens));
        let bytes = said.text.len() + said.thinking.len();
        let least = said.logprobs.len().max(bytes.div_ceil(BYTES_OF_A_TOKEN)).max(1);
        self.used.completion_tokens += least as u64;
    }

    /// Notes its end, which tells exactly.
    pub(crate) fn done(&mut self, done: &Done) {
        self.read(done.prompt_tokens);
        self.used.completion_tokens = done.generated_tokens.into();
    }

    /// Notes pieces of an answer that another box gives: each is a token at least.
    pub(crate) fn pieces(&mut self, count: u64) {
        self.used.completion_tokens += count;
    }

    /// Notes what the other box says that it took, for an answer of so many bytes. It is exact, unless that box makes it up: so no
    /// more of it counts than may be.
    pub(crate) fn told(&mut self, usage: Usage, answer_bytes: u64) {
        let prompt_bytes = self.guess * BYTES_OF_A_READ_TOKEN as u64;
        self.used = Usage {
            prompt_tokens: usage.prompt_tokens.min(prompt_bytes + UNSEEN),
            completion_tokens: usage.completion_tokens.min(answer_bytes + UNSEEN),
        };
        self.guess = 0;
    }

    fn read(&mut self, tokens: u32) {
        if self.prompt == Prompt::Counted && tokens > 0 {
            self.used.prompt_tokens = tokens.into();
        }
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        if self.used.prompt_tokens == 0 {
            self.used.prompt_tokens = self.guess;
        }
        if self.used != Usage::default() {
            self.counter.count(self.used);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;
    use std::time::Duration;

    use access::{Limits, Policy, Scope};
    use protocol::FinishReason;

    use super::*;
    use crate::tests::{Rig, scopes};

    fn said(text: &str) -> Said {
        Said { text: text.into(), ..Said::default() }
    }

    fn done(prompt_tokens: u32, generated_tokens: u32) -> Done {
        Done {
            reason: FinishReason::Stop,
            prompt_tokens,
            cached_tokens: 0,
            generated_tokens,
            thinking_tokens: 0,
            stop: None,
            prompt_time: Duration::ZERO,
            generate_time: Duration::ZERO,
            context: Vec::new(),
        }
    }

    #[tokio::test]
    async fn what_was_made_counts_also_where_the_end_is_missing() {
        let rig = Rig::new();
        let limits = Limits { tokens_per_day: NonZeroU64::new(1000), ..Limits::default() };
        let caller = rig.by_key(&rig.key(Policy { limits, ..scopes(&[Scope::Infer]) }));
        let api = Api { caller: caller.clone(), ..rig.api.clone() };
        let left =
            || caller.standing().and_then(|standing| standing.tokens).map_or(0, |tokens| tokens.remaining);

        let mut whole = Tally::of(&api);
        whole.said(&said("a"), None);
        whole.done(&done(10, 5));
        assert_eq!(left(), 1000);
        drop(whole);
        assert_eq!(left(), 985);

        // Another answer to the same prompt.
        let mut second = Tally::without_prompt(&api);
        second.done(&done(10, 5));
        drop(second);
        assert_eq!(left(), 980);

        let mut cut_off = Tally::of(&api);
        let read = Some(PromptRead { prompt_tokens: 20, cached_tokens: 0 });
        cut_off.said(&said("a"), read);
        cut_off.said(&said("and much more of it"), read);
        drop(cut_off);
        assert_eq!(left(), 980 - 20 - 1 - 3);

        drop(Tally::of(&api));
        assert_eq!(left(), 956);

        // Given up while the prompt was read.
        let mut given_up = Tally::of(&api);
        given_up.begun(400);
        drop(given_up);
        assert_eq!(left(), 856);
        let mut elsewhere = Tally::of(&api);
        elsewhere.told(Usage { prompt_tokens: 3, completion_tokens: 4 }, 20);
        drop(elsewhere);
        assert_eq!(left(), 849);
        let mut failed = Tally::of(&api);
        failed.begun(400);
        failed.failed();
        drop(failed);
        let mut second = Tally::without_prompt(&api);
        second.begun(400);
        drop(second);
        assert_eq!(left(), 849);

        let mut boasts = Tally::of(&api);
        boasts.told(Usage { prompt_tokens: u32::MAX.into(), completion_tokens: 0 }, 20);
        assert_eq!(boasts.used.prompt_tokens, UNSEEN);
    }
}
