//! The last hop: a request that a paired box passed on is answered here and not passed on again. It is on behalf of whoever asked
//! there, of whom a word is told that stands for nobody here but themselves; and what its answer took is told behind it, where
//! the client is counted.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use access::Usage;
use axum::{body::Body, extract::Request, middleware::Next, response::Response};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CONTENT_LENGTH, TRAILER},
};
use http_body::Frame;
use store::Digest;

use crate::{Api, family::Family};

/// That a request is not to be passed on. From whomever: it gives them nothing.
pub(super) const HOP: HeaderName = HeaderName::from_static("hob-hop");
/// On whose behalf, in a word. Heard from paired boxes alone.
pub(super) const OWNER: HeaderName = HeaderName::from_static("hob-owner");
/// The digest of the manifest that the model has to have.
pub(super) const MODEL: HeaderName = HeaderName::from_static("hob-model");
/// What an answer took.
pub(super) const USAGE: HeaderName = HeaderName::from_static("hob-usage");

/// A request that was passed on. A clone is the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hop {
    took: Arc<Took>,
    /// The model has to be this one, whatever it is called.
    model: Option<Digest>,
}

/// Tokens of all that was answered.
#[derive(Debug, Default)]
struct Took {
    prompt_tokens: AtomicU64,
    completion_tokens: AtomicU64,
}

impl Hop {
    /// Whether a model of this digest is the one that is meant.
    pub(crate) fn means(&self, digest: Digest) -> bool {
        self.model.is_none_or(|model| model == digest)
    }

    /// Counts what an answer took.
    pub(crate) fn count(&self, usage: Usage) {
        self.took.prompt_tokens.fetch_add(usage.prompt_tokens, Ordering::Relaxed);
        self.took.completion_tokens.fetch_add(usage.completion_tokens, Ordering::Relaxed);
    }

    fn usage(&self) -> Usage {
        Usage {
            prompt_tokens: self.took.prompt_tokens.load(Ordering::Relaxed),
            completion_tokens: self.took.completion_tokens.load(Ordering::Relaxed),
        }
    }
}

/// Whether a request is to be answered here or not at all.
pub(super) fn is_last(headers: &HeaderMap) -> bool {
    headers.contains_key(HOP)
}

/// Answers it, and tells at the end what that took.
pub(super) async fn answer(api: &Api, family: Family, mut request: Request, next: Next) -> Response {
    let owner = text(request.headers(), OWNER).map(str::to_owned);
    let model = text(request.headers(), MODEL).and_then(|digest| digest.parse().ok());
    if let Some(owner) = owner.filter(|_| api.caller.peer().is_some()) {
        match api.on_access(move |access, caller| access.on_behalf(caller, &owner)).await {
            Ok(person) => _ = request.extensions_mut().insert(person),
            Err(error) => return family.refuse(error),
        }
    }
    let hop = Hop { model, ..Hop::default() };
    request.extensions_mut().insert(hop.clone());
    let mut response = next.run(request).await;
    // What comes behind a body has no place where its length is told before.
    response.headers_mut().remove(CONTENT_LENGTH);
    response.headers_mut().insert(TRAILER, HeaderValue::from(USAGE));
    response.map(|body| Body::new(Telling { body: Some(body), hop }))
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// An answer's body, and what is told behind it.
struct Telling {
    /// Until it has ended.
    body: Option<Body>,
    hop: Hop,
}

impl http_body::Body for Telling {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        if let Some(frame) = ready!(Pin::new(body).poll_frame(context)) {
            return Poll::Ready(Some(frame));
        }
        // With it goes what is counted at its end.
        self.body = None;
        let trailers = HeaderMap::from_iter([(USAGE, written(self.hop.usage()))]);
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }
}

fn written(usage: Usage) -> HeaderValue {
    let text = format!("prompt={};completion={}", usage.prompt_tokens, usage.completion_tokens);
    HeaderValue::from_str(&text).expect("letters, digits and signs may stand in a header")
}

/// What an answer took, by what is told behind it: more than any model has context for is no figure.
pub(super) fn read(trailers: &HeaderMap) -> Option<Usage> {
    let (prompt, completion) = trailers.get(USAGE)?.to_str().ok()?.split_once(';')?;
    let tokens = |text: &str| text.parse::<u32>().ok().map(u64::from);
    Some(Usage {
        prompt_tokens: tokens(prompt.strip_prefix("prompt=")?)?,
        completion_tokens: tokens(completion.strip_prefix("completion=")?)?,
    })
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn what_an_answer_took_is_told_behind_it_and_is_what_it_took_by_then() {
        let hop = Hop::default();
        let counted = hop.clone();
        let pieces = futures_util::stream::unfold(0, move |piece| {
            let counted = counted.clone();
            async move {
                (piece < 2).then(|| {
                    counted.count(Usage { prompt_tokens: 5, completion_tokens: 1 });
                    (Ok::<_, std::convert::Infallible>("a"), piece + 1)
                })
            }
        });
        let body = Telling { body: Some(Body::from_stream(pieces)), hop };

        let whole = body.collect().await.unwrap();

        let told = whole.trailers().and_then(read);
        assert_eq!(told, Some(Usage { prompt_tokens: 10, completion_tokens: 2 }));
        assert_eq!(whole.to_bytes(), "aa");
    }

    #[test]
    fn what_is_no_figure_tells_nothing() {
        for text in [
            "",
            "prompt=1",
            "prompt=1;completion=x",
            "prompt=-1;completion=1",
            "completion=1;prompt=1",
            "prompt=18446744073709551615;completion=1",
        ] {
            let trailers = HeaderMap::from_iter([(USAGE, HeaderValue::from_static(text))]);
            assert_eq!(read(&trailers), None, "{text}");
        }
    }
}
