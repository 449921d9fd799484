//! A request as it goes to a paired box, and the head of the answer that comes back: of both, the few headers that go along.

use axum::{body::Body, extract::Request, response::Response};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, TE},
};
use registry::Peer;
use tower_http::request_id::RequestId;

use super::hop;
use crate::sse::X_ACCEL_BUFFERING;

/// What is sent to whomever it is passed to.
pub(super) struct Outgoing {
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

/// What of a request's headers matters to its answer. Its credentials do not, and were taken off it at the door.
static FROM_CLIENT: [HeaderName; 4] = [
    CONTENT_TYPE,
    ACCEPT,
    HeaderName::from_static("anthropic-version"),
    HeaderName::from_static("anthropic-beta"),
];

/// What of an answer's headers does; the others are ours to say.
static FROM_ANSWER: [HeaderName; 5] =
    [CONTENT_TYPE, CACHE_CONTROL, X_ACCEL_BUFFERING, RETRY_AFTER, HeaderName::from_static("x-should-retry")];

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

impl Outgoing {
    /// The same request, on behalf of somebody of that alias.
    pub(super) fn of(request: &Request, body: Bytes, alias: &str) -> Self {
        let mut headers = only(request.headers(), &FROM_CLIENT);
        if let Some(id) = request.extensions().get::<RequestId>() {
            headers.insert(X_REQUEST_ID, id.header_value().clone());
        }
        headers.insert(hop::HOP, HeaderValue::from_static("1"));
        // Behind the answer comes what it took.
        headers.insert(TE, HeaderValue::from_static("trailers"));
        if let Ok(alias) = HeaderValue::from_str(alias) {
            headers.insert(hop::OWNER, alias);
        }
        let path = request.uri().path_and_query().map_or_else(String::new, |path| path.to_string());
        Self { path, headers, body }
    }

    /// Sends it to a box, whose model of that name must be `digest`. Returns with the head of the answer; nothing, if there is
    /// none.
    pub(super) async fn send(&self, peer: &Peer, digest: &str) -> Option<Response> {
        let mut headers = self.headers.clone();
        headers.insert(hop::MODEL, HeaderValue::from_str(digest).ok()?);
        let request = peer.request(http::Method::POST, &self.path).ok()?;
        let sent = request.headers(headers).body(self.body.clone()).send().await;
        let response =
            sent.inspect_err(|error| tracing::debug!(%error, peer = %peer.name(), "no answer")).ok()?;
        let (head, body) = http::Response::from(response).into_parts();
        let mut response = Response::new(Body::new(body));
        *response.status_mut() = head.status;
        *response.headers_mut() = only(&head.headers, &FROM_ANSWER);
        Some(response)
    }
}

fn only(headers: &HeaderMap, names: &[HeaderName]) -> HeaderMap {
    let named = names.iter().filter_map(|name| Some((name.clone(), headers.get(name)?.clone())));
    named.collect()
}

/// What an answer's status says of whoever gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is the answer, be it that the request is at fault.
    Answer,
    /// Another may do better, and if not, that is what is to be told.
    Overtaxed,
    /// It will not answer this; that is no business of the client's.
    Unwilling,
}

impl Verdict {
    pub(super) fn of(status: StatusCode) -> Self {
        match status {
            status if status.is_success() => Self::Answer,
            StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => {
                Self::Answer
            }
            StatusCode::TOO_MANY_REQUESTS => Self::Overtaxed,
            status if status.is_server_error() => Self::Overtaxed,
            _ => Self::Unwilling,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_who_asks_goes_along() {
        let mut request = Request::post("/v1/messages?beta=true");
        for (name, value) in [
            ("content-type", "application/json"),
            ("anthropic-version", "2023-06-01"),
            ("authorization", "Bearer hob_secret"),
            ("x-api-key", "hob_secret"),
            ("cookie", "session=secret"),
            ("x-forwarded-for", "192.0.2.1"),
            ("user-agent", "mine"),
            ("origin", "https://mine"),
            ("hob-owner", "somebody else"),
        ] {
            request = request.header(name, value);
        }

        let outgoing = Outgoing::of(&request.body(Body::empty()).unwrap(), Bytes::new(), "alias");

        let mut names: Vec<&str> = outgoing.headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["anthropic-version", "content-type", "hob-hop", "hob-owner", "te"]);
        assert_eq!(outgoing.headers["hob-owner"], "alias");
        assert_eq!(outgoing.path, "/v1/messages?beta=true");
    }

    #[test]
    fn a_request_at_fault_is_told_so_and_another_box_is_asked_where_one_cannot() {
        let verdict = |status| Verdict::of(StatusCode::from_u16(status).unwrap());
        for status in [200, 400, 413] {
            assert_eq!(verdict(status), Verdict::Answer, "{status}");
        }
        for status in [429, 500, 503, 507, 529] {
            assert_eq!(verdict(status), Verdict::Overtaxed, "{status}");
        }
        for status in [401, 403, 404, 405, 421] {
            assert_eq!(verdict(status), Verdict::Unwilling, "{status}");
        }
    }
}
