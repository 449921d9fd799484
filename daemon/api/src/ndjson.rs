//! Answers of one JSON object a line. What the objects hold is the families'.

use std::convert::Infallible;

use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, future};
use http::{HeaderValue, header::CONTENT_TYPE};
use serde::Serialize;

use crate::go_json;

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
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    response
}
