//! Answers of this family that go on: server-sent events, until the client goes away, its caller's key or session is over, or the
//! daemon ends. What they tell is their routes'.

use std::time::Duration;

use axum::response::Response;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::{HeaderMap, HeaderValue, header::CACHE_CONTROL};
use serde::Serialize;
use tokio::time::{Instant, sleep_until};

use crate::{Api, cut::Cut, json, sse};

/// One event.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Event {
    name: &'static str,
    number: Option<u64>,
    data: Vec<u8>,
}

impl Event {
    /// An event of this name that holds this as JSON.
    pub(super) fn of(name: &'static str, value: &impl Serialize) -> Self {
        Self { name, number: None, data: json::encode(value) }
    }

    /// The same with a number, which a browser that lost its connection tells as `last-event-id`.
    pub(super) fn numbered(self, number: u64) -> Self {
        Self { number: Some(number), ..self }
    }

    fn written(&self) -> Bytes {
        let mut text = Vec::with_capacity(self.data.len() + 64);
        if let Some(number) = self.number {
            text.extend_from_slice(format!("id: {number}\n").as_bytes());
        }
        text.extend_from_slice(b"event: ");
        text.extend_from_slice(self.name.as_bytes());
        text.extend_from_slice(b"\ndata: ");
        text.extend_from_slice(&self.data);
        text.extend_from_slice(b"\n\n");
        text.into()
    }
}

/// Sends events as they come; `events` is dropped when nobody waits for more. Silence is filled with comments.
pub(super) fn response(api: &Api, events: impl Stream<Item = Event> + Send + 'static) -> Response {
    let events = events.take_until(Cut::of_onlooker(api)).map(|event| event.written());
    let mut response = sse::response(events);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The number of the last event that a browser has seen before it lost its connection.
pub(super) fn last_seen(headers: &HeaderMap) -> Option<u64> {
    headers.get("last-event-id")?.to_str().ok()?.parse().ok()
}

/// How soon another event may follow: what changes all the time is told now and then, as it is by then.
#[derive(Default)]
pub(super) struct Pace {
    next: Option<Instant>,
}

const APART: Duration = Duration::from_millis(250);

impl Pace {
    /// Waits until it is time for another.
    pub(super) async fn wait(&mut self) {
        if let Some(next) = self.next {
            sleep_until(next).await;
        }
        self.next = Some(Instant::now() + APART);
    }
}

#[cfg(test)]
mod tests {
    use access::Scope;
    use futures_util::stream;
    use http_body_util::BodyExt;
    use serde_json::json;

    use super::*;
    use crate::tests::{Rig, scopes};

    /// All that is told until the end, which must come before anything is said to fill the silence.
    async fn told(response: Response) -> Bytes {
        let body = response.into_body().collect();
        tokio::time::timeout(Duration::from_secs(10), body).await.unwrap().unwrap().to_bytes()
    }

    #[tokio::test]
    async fn an_event_has_its_name_its_number_and_its_json() {
        let rig = Rig::new();
        let events = stream::iter([
            Event::of("now", &json!({"a": "b\nc"})),
            Event::of("line", &json!({"n": 3})).numbered(3),
        ]);
        let response = response(&rig.api, events);

        assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
        assert_eq!(
            told(response).await,
            "event: now\ndata: {\"a\":\"b\\nc\"}\n\nid: 3\nevent: line\ndata: {\"n\":3}\n\n"
        );
    }

    #[tokio::test]
    async fn events_end_with_the_key_of_whoever_reads_them_and_with_the_daemon() {
        let rig = Rig::new();
        let caller = rig.by_key(&rig.key(scopes(&[Scope::Admin])));
        let api = Api { caller, ..rig.api.clone() };
        let by_key = response(&api, stream::pending());
        let by_operator = response(&rig.api, stream::pending());

        rig.revoke_all();
        assert_eq!(told(by_key).await, "");
        rig.api.health().stops();
        assert_eq!(told(by_operator).await, "");
    }
}
