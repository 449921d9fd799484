//! One connection's requests and answers: whether any is under way, and whether the client still takes what it is told.
//! HTTP/2 says neither by itself: its connections are open for as long as the client likes, and a client that takes no more
//! of an answer holds up nothing but that answer, and the model that gives it.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use axum::BoxError;
use axum::body::Body;
use bytes::Bytes;
use http::Version;
use http_body::{Body as _, Frame, SizeHint};

use crate::request_body::Arrival;
use crate::unread::Rest;

/// What is under way on one connection. A clone is the same one.
#[derive(Clone, Debug)]
pub(crate) struct Conversation(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// Requests whose answers have not been sent to their end.
    under_way: usize,
    /// When the last of them ended, or the connection was opened; or when HTTP/1 last got rid of some of an answer.
    quiet_since: Instant,
    /// That of the last request.
    version: Option<Version>,
    answers: Vec<Weak<Mutex<Answer>>>,
}

impl Conversation {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            under_way: 0,
            quiet_since: Instant::now(),
            version: None,
            answers: Vec::new(),
        })))
    }

    /// Begins a request, which lasts as long as what is returned.
    pub(crate) fn begin(&self, version: Version, arrival: Arc<Arrival>, unread: Rest) -> Turn {
        let mut state = lock(&self.0);
        state.under_way += 1;
        state.version = Some(version);
        Turn { conversation: self.clone(), _arrival: arrival, _unread: unread }
    }

    /// In which protocol something was asked, if anything ever was.
    pub(crate) fn version(&self) -> Option<Version> {
        lock(&self.0).version
    }

    /// The client took something. In HTTP/1 that is of an answer; in HTTP/2 it may be an answer to a ping, which makes no claim.
    pub(crate) fn was_written(&self) {
        let mut state = lock(&self.0);
        if state.version.is_some_and(|version| version < Version::HTTP_2) {
            state.quiet_since = Instant::now();
        }
    }

    /// For how long nothing has been under way.
    pub(crate) fn quiet(&self) -> Option<Duration> {
        let state = lock(&self.0);
        (state.under_way == 0).then(|| state.quiet_since.elapsed())
    }

    /// The answer's body, watched until it was sent.
    pub(crate) fn watch(&self, body: Body, turn: Turn) -> Body {
        let answer =
            Arc::new(Mutex::new(Answer { sent: Some((body, turn)), rest: Bytes::new(), offered: None }));
        let answers = &mut lock(&self.0).answers;
        answers.retain(|answer| answer.strong_count() > 0);
        answers.push(Arc::downgrade(&answer));
        Body::new(Watched(answer))
    }

    /// Ends the answers of which the client took nothing for so long.
    pub(crate) fn give_up_stalled(&self, longest: Duration) {
        let answers: Vec<_> = lock(&self.0).answers.iter().filter_map(Weak::upgrade).collect();
        for answer in answers {
            let mut answer = lock(&answer);
            let stalled = answer.offered.is_some_and(|since| since.elapsed() > longest);
            // Its turn ends with it, though hyper keeps what is left of the stream for as long as the client does.
            let given_up = if stalled { answer.sent.take() } else { None };
            drop(answer);
            if given_up.is_some() {
                tracing::debug!("a client stopped reading its answer");
            }
        }
    }
}

/// A request from its headers to the end of its answer.
#[derive(Debug)]
pub(crate) struct Turn {
    conversation: Conversation,
    /// What was made of its body is there as long.
    _arrival: Arc<Arrival>,
    /// Broken off when the answer has been sent, and no earlier.
    _unread: Rest,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = lock(&self.conversation.0);
        state.under_way -= 1;
        state.quiet_since = Instant::now();
    }
}

/// An answer that is being sent.
#[derive(Debug)]
struct Answer {
    /// `None` once it was given up.
    sent: Option<(Body, Turn)>,
    /// Of a large piece, what was not handed on yet.
    rest: Bytes,
    /// Since when the client has not asked for more, if it was given something.
    offered: Option<Instant>,
}

impl Answer {
    fn body(&self) -> Option<&Body> {
        self.sent.as_ref().map(|(body, _)| body)
    }

    /// The next piece; large ones in parts, since what hyper has taken is out of our sight.
    fn next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some((body, _)) = &mut self.sent else {
            return Poll::Ready(Some(Err("the client stopped reading".into())));
        };
        if self.rest.is_empty() {
            match ready!(Pin::new(body).poll_frame(context)).map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => self.rest = data,
                Some(Ok(Err(trailers))) => return Poll::Ready(Some(Ok(trailers))),
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                None => return Poll::Ready(None),
            }
        }
        let part = self.rest.len().min(PART_BYTES);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(part)))))
    }
}

/// Bytes of an answer that hyper is given at once. Who takes less in the time that a stalled reader has is one.
const PART_BYTES: usize = 16 << 10;

struct Watched(Arc<Mutex<Answer>>);

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut answer = lock(&self.0);
        let frame = answer.next(context);
        answer.offered = frame.is_ready().then(Instant::now);
        frame
    }

    fn is_end_stream(&self) -> bool {
        let answer = lock(&self.0);
        answer.rest.is_empty() && answer.body().is_some_and(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let answer = lock(&self.0);
        let (mut hint, rest) =
            (answer.body().map(Body::size_hint).unwrap_or_default(), answer.rest.len() as u64);
        // The greater first, as neither may pass the other.
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + rest);
        }
        hint.set_lower(hint.lower() + rest);
        hint
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What a panic leaves is a body that is polled no more, and counts that are still right.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
