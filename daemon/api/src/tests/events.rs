//! Server-sent events, read as a browser reads them.

use std::time::Duration;

use access::Caller;
use axum::body::Body;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::time::timeout;

use super::Rig;

const DEADLINE: Duration = Duration::from_secs(30);

/// Those of one answer.
pub(crate) struct Events {
    body: Body,
    read: String,
}

impl Events {
    pub(crate) async fn of(rig: &Rig, by: &Caller, request: Request<Body>) -> Self {
        let response = rig.begin(by, request).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        Self { body: response.into_body(), read: String::new() }
    }

    /// The next: its id, its name and what it holds; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<(Option<u64>, String, Value)> {
        timeout(DEADLINE, self.read()).await.expect("no event came, and no end")
    }

    async fn read(&mut self) -> Option<(Option<u64>, String, Value)> {
        loop {
            if let Some((event, rest)) = self.read.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.read = rest;
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
                let Some(data) = field("data: ") else { continue };
                let number = field("id: ").map(|number| number.parse().unwrap());
                return Some((number, field("event: ")?.to_owned(), serde_json::from_str(data).unwrap()));
            }
            let frame = self.body.frame().await?;
            self.read.push_str(std::str::from_utf8(&frame.unwrap().into_data().unwrap()).unwrap());
        }
    }
}
