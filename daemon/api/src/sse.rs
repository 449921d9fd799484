//! Answers as server-sent events. What the events hold is the families'.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, future};
use http::{
    HeaderName, HeaderValue,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use serde::Serialize;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::{go_json, json};

/// OpenAI's word for the end.
pub(crate) const DONE: &[u8] = b"data: [DONE]\n\n";

/// Appends one event.
pub(crate) fn push(events: &mut Vec<u8>, value: &impl Serialize) {
    events.extend_from_slice(b"data: ");
    go_json::append(events, value);
    events.extend_from_slice(b"\n\n");
}

/// Appends one event that has a name, as Anthropic's have.
pub(crate) fn push_named(events: &mut Vec<u8>, name: &str, value: &impl Serialize) {
    events.extend_from_slice(b"event: ");
    events.extend_from_slice(name.as_bytes());
    events.extend_from_slice(b"\ndata: ");
    events.extend_from_slice(&json::encode(value));
    events.extend_from_slice(b"\n\n");
}

/// What is sent while there is nothing to tell: a comment, which the format's readers skip.
const HEARTBEAT: Bytes = Bytes::from_static(b": keep-alive\n\n");

/// The silence after which it is sent. Proxies and clients give up a connection after 30 or 60 seconds of it.
const SILENCE: Duration = Duration::from_secs(15);

/// Sends events as they come; `events` is dropped when the client goes away.
pub(crate) fn response(events: impl Stream<Item = Bytes> + Send + 'static) -> Response {
    response_with_heartbeat(events, HEARTBEAT)
}

/// The same for a family that has an event of its own for when there is nothing to tell.
pub(crate) fn response_with_heartbeat(
    events: impl Stream<Item = Bytes> + Send + 'static,
    heartbeat: Bytes,
) -> Response {
    // Not every event of a generation makes one of the stream's.
    let events = events.filter(|events| future::ready(!events.is_empty()));
    let body = Body::from_stream(Beating::new(events, heartbeat).map(Ok::<_, Infallible>));
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    response
}

/// Asks nginx, and what took that from it, to pass on each piece as it comes.
pub(crate) const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Events, and a heartbeat whenever none came for a while.
struct Beating<S> {
    events: Pin<Box<S>>,
    heartbeat: Bytes,
    last: Instant,
    /// Goes off at the earliest moment that silence may have lasted too long. It is not set anew for each event, which
    /// would cost more than the event.
    alarm: Pin<Box<Sleep>>,
}

impl<S> Beating<S> {
    fn new(events: S, heartbeat: Bytes) -> Self {
        let last = Instant::now();
        Self { events: Box::pin(events), heartbeat, last, alarm: Box::pin(sleep_until(last + SILENCE)) }
    }
}

impl<S: Stream<Item = Bytes>> Stream for Beating<S> {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let this = &mut *self;
        if let Poll::Ready(events) = this.events.as_mut().poll_next(context) {
            this.last = Instant::now();
            return Poll::Ready(events);
        }
        while this.alarm.as_mut().poll(context).is_ready() {
            let silent = this.last.elapsed() >= SILENCE;
            if silent {
                this.last = Instant::now();
            }
            this.alarm.as_mut().reset(this.last + SILENCE);
            if silent {
                return Poll::Ready(Some(this.heartbeat.clone()));
            }
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use tokio::sync::mpsc;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silence_is_filled_with_heartbeats_and_talk_is_not() {
        let (tell, mut told) = mpsc::unbounded_channel::<Bytes>();
        let mut body = response(stream::poll_fn(move |context| told.poll_recv(context))).into_body();
        let begun = Instant::now();
        let mut next = async || {
            let frame = http_body_util::BodyExt::frame(&mut body).await;
            let text = frame.map(|frame| frame.unwrap().into_data().unwrap());
            (text, begun.elapsed().as_secs())
        };

        // While the model is loaded.
        assert_eq!(next().await, (Some(": keep-alive\n\n".into()), 15));
        assert_eq!(next().await, (Some(": keep-alive\n\n".into()), 30));
        tokio::time::advance(Duration::from_secs(10)).await;
        tell.send("data: 1\n\n".into()).unwrap();
        assert_eq!(next().await, (Some("data: 1\n\n".into()), 40));
        // From then on, and nothing that only looks like an event is sent.
        tell.send(Bytes::new()).unwrap();
        assert_eq!(next().await, (Some(": keep-alive\n\n".into()), 55));
        drop(tell);
        assert_eq!(next().await, (None, 55));
    }

    #[tokio::test]
    async fn nobody_between_is_to_collect_events() {
        let response = response(stream::empty());
        let header = |name| response.headers().get(name).unwrap().to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), "text/event-stream");
        assert_eq!((header("cache-control"), header("x-accel-buffering")), ("no-cache".into(), "no".into()));
        assert!(response.headers().get("content-encoding").is_none());
    }
}
