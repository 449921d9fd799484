//! One connection's requests and answers: whether any is under way, and whether the client still takes what it is told.
//! HTTP/2 says neither by itself: its connections are open for as long as the client likes, and a client that takes no more
//! of an answer holds up nothing but that answer, and the model that gives it.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::BoxError;
use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};

/// What is under way on one connection. A clone is the same one.
#[derive(Clone, Debug)]
pub(crate) struct Conversation(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// Requests whose answers have not been sent to their end.
    under_way: usize,
    /// When the last of them ended, or the connection was opened.
    quiet_since: Instant,
    was_asked: bool,
    answers: Vec<Weak<Mutex<Answer>>>,
}

impl Conversation {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            under_way: 0,
            quiet_since: Instant::now(),
            was_asked: false,
            answers: Vec::new(),
        })))
    }

    /// Begins a request, which lasts as long as what is returned.
    pub(crate) fn begin(&self) -> Turn {
        let mut state = lock(&self.0);
        state.under_way += 1;
        state.was_asked = true;
        Turn(self.clone())
    }

    /// Whether anything was ever asked.
    pub(crate) fn was_asked(&self) -> bool {
        lock(&self.0).was_asked
    }

    /// For how long nothing has been under way.
    pub(crate) fn quiet(&self) -> Option<Duration> {
        let state = lock(&self.0);
        (state.under_way == 0).then(|| state.quiet_since.elapsed())
    }

    /// The answer's body, watched until it was sent.
    pub(crate) fn watch(&self, body: Body, turn: Turn) -> Body {
        let answer = Arc::new(Mutex::new(Answer { body: Some(body), offered: None }));
        let answers = &mut lock(&self.0).answers;
        answers.retain(|answer| answer.strong_count() > 0);
        answers.push(Arc::downgrade(&answer));
        Body::new(Watched { answer, _turn: turn })
    }

    /// Ends the answers of which the client took nothing for so long.
    pub(crate) fn give_up_stalled(&self, longest: Duration) {
        let answers: Vec<_> = lock(&self.0).answers.iter().filter_map(Weak::upgrade).collect();
        for answer in answers {
            let mut answer = lock(&answer);
            let stalled = answer.offered.is_some_and(|since| since.elapsed() > longest);
            let given_up = if stalled { answer.body.take() } else { None };
            drop(answer);
            if given_up.is_some() {
                tracing::debug!("a client stopped reading its answer");
            }
        }
    }
}

/// A request from its headers to the end of its answer.
#[derive(Debug)]
pub(crate) struct Turn(Conversation);

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = lock(&self.0.0);
        state.under_way -= 1;
        state.quiet_since = Instant::now();
    }
}

/// An answer that is being sent.
#[derive(Debug)]
struct Answer {
    /// `None` once it was given up.
    body: Option<Body>,
    /// Since when the client has not asked for more, if it was given something.
    offered: Option<Instant>,
}

struct Watched {
    answer: Arc<Mutex<Answer>>,
    _turn: Turn,
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut answer = lock(&self.answer);
        let Some(body) = &mut answer.body else {
            return Poll::Ready(Some(Err("the client stopped reading".into())));
        };
        let frame = Pin::new(body).poll_frame(context);
        answer.offered = frame.is_ready().then(Instant::now);
        frame.map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        lock(&self.answer).body.as_ref().is_some_and(http_body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        lock(&self.answer).body.as_ref().map(http_body::Body::size_hint).unwrap_or_default()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What a panic leaves is a body that is polled no more, and counts that are still right.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
