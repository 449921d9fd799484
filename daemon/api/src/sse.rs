//! Answers as server-sent events. What the events hold is the families'.

use std::convert::Infallible;

use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::{
    HeaderValue,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use serde::Serialize;

use crate::{go_json, json};

/// OpenAI's word for the end.
pub(crate) const DONE: &[u8] = b"data: [DONE]\n\n";

/// Appends one event.
pub(crate) fn push(events: &mut Vec<u8>, value: &impl Serialize) {
    events.extend_from_slice(b"data: ");
    events.extend_from_slice(&go_json::encode(value));
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

/// Sends events as they come; `events` is dropped when the client goes away.
pub(crate) fn response(events: impl Stream<Item = Bytes> + Send + 'static) -> Response {
    let mut response = Response::new(Body::from_stream(events.map(Ok::<_, Infallible>)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
