//! Answers of one JSON object a line. What the objects hold is the families'. The format has nothing to say while there is
//! nothing to tell: a blank line breaks some of its clients, and an object without news most others. So a proxy in between must
//! be as patient as the client, or be spoken to by a family that sends events.

use std::convert::Infallible;

use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, future};
use http::{HeaderValue, header::CONTENT_TYPE};
use serde::Serialize;

use crate::{go_json, sse::X_ACCEL_BUFFERING};

/// What a body of such lines says it is.
pub(crate) const CONTENT: &str = "application/x-ndjson";

/// One line.
pub(crate) fn line(value: &impl Serialize) -> Bytes {
    let mut line = go_json::encode(value);
    line.push(b'\n');
    line.into()
}

/// Sends lines as they come; `lines` is dropped when the client goes away.
pub(crate) fn response(lines: impl Stream<Item = Bytes> + Send + 'static) -> Response {
    // Not every event makes a line.
    let lines = lines.filter(|line| future::ready(!line.is_empty()));
    let mut response = Response::new(Body::from_stream(lines.map(Ok::<_, Infallible>)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(CONTENT));
    headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    response
}
