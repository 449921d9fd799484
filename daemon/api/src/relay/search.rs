//! One request on its way: those who may answer it are tried one after the other until one does, and at last this box. As long as
//! nothing was said, the client sees nothing of who failed; a stream's head waits for that no longer than it does here.

use std::pin::Pin;
use std::time::Duration;

use axum::{body::Body, extract::Request, middleware::Next, response::Response};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use http::{HeaderName, HeaderValue, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyExt as _, Limited};
use protocol::GenerateError;
use scheduler::Kind;
use tokio::time::timeout;
use tower_http::request_id::RequestId;

use super::forward::{Outgoing, Verdict};
use super::glance::Glance;
use super::passed::Passed;
use super::pulse::Pulse;
use super::route::{Route, Voice};
use super::{Candidate, Plan, Relay, Why, family};
use crate::{Api, answer::HEADERS_WITHIN, cut::Cut, error::Error, family::Family, ndjson, quota::Tally, sse};

/// A request, and whom it may be passed to.
pub(super) struct Search {
    api: Api,
    family: Family,
    relay: Relay,
    plan: Plan,
    outgoing: Outgoing,
    /// What it is called in the log.
    name: Option<String>,
    /// How its answer comes in pieces, if it does.
    streams: Option<Voice>,
    voice: Voice,
    kind: Kind,
    text_bytes: usize,
}

/// Who answered, for those to whom this box is their own.
const ANSWERED_BY: HeaderName = HeaderName::from_static("hob-answered-by");

/// A box that refuses has nothing more to think about.
const REFUSES_WITHIN: Duration = Duration::from_secs(10);
/// Bytes of what it says then.
const MOST_OF_REFUSAL: usize = 64 << 10;

/// Why somebody did not answer.
enum Failed {
    /// Nothing of an answer came.
    Gone,
    /// This came in place of one.
    Overtaxed(Response),
    Unwilling,
    /// It is not to be answered any more.
    Cut(Error),
}

impl Search {
    /// Of this request with this body.
    pub(super) fn new(
        api: Api,
        family: Family,
        relay: Relay,
        plan: Plan,
        glance: &Glance,
        (request, route, body): (&Request, &Route, Bytes),
    ) -> Self {
        let outgoing = Outgoing::of(request, body, &relay.alias(api.caller.owner()));
        let name = request.extensions().get::<RequestId>();
        let name = name.and_then(|id| id.header_value().to_str().ok()).map(str::to_owned);
        let streams = glance.streams.then_some(route.voice);
        Self {
            api,
            family,
            relay,
            plan,
            outgoing,
            name,
            streams,
            voice: route.voice,
            kind: route.kind(),
            text_bytes: glance.text_bytes,
        }
    }

    /// The answer, be it whose it may.
    pub(super) async fn run(self, request: Request, next: Next) -> Response {
        let streams = self.streams;
        let mut search: Pin<Box<dyn Future<Output = Response> + Send>> = Box::pin(self.answer(request, next));
        let Some(voice) = streams else { return search.await };
        match timeout(HEADERS_WITHIN, &mut search).await {
            Ok(response) => response,
            Err(_) if voice == Voice::Lines => ndjson::response(late(voice, search)),
            Err(_) => sse::response(late(voice, search)),
        }
    }

    async fn answer(self, request: Request, next: Next) -> Response {
        let mut told = None;
        for candidate in &self.plan.candidates {
            match self.attempt(candidate).await {
                Ok(response) => return response,
                Err(Failed::Cut(error)) => return self.family.refuse(error),
                Err(Failed::Overtaxed(response)) => told = Some(response),
                Err(Failed::Gone) => {
                    self.relay.reports.failed(&candidate.peer);
                    let asked = self.plan.asked.clone();
                    told = Some(self.family.refuse(Error::NobodyAnswers { asked }));
                }
                Err(Failed::Unwilling) => {}
            }
        }
        match told.filter(|_| self.plan.why == Why::Absent) {
            // Here there is not even the model.
            Some(response) => response,
            None => next.run(request).await,
        }
    }

    /// Whether this one answers. It has begun then.
    async fn attempt(&self, candidate: &Candidate) -> Result<Response, Failed> {
        let peer = &candidate.peer;
        tracing::info!(request = self.name, model = self.plan.asked, peer = %peer.name(), why = %self.plan.why, "passed to a paired box");
        self.relay.reports.sent(peer);
        let mut tally = Tally::of(&self.api);
        tally.begun(self.text_bytes);
        let mut pulse = Pulse::of(peer);
        let model = self.plan.model.clone();
        let enrolled = self.api.scheduler.pass_on(self.api.errand(self.kind), model, peer.name().as_str());
        let mut cut = Cut::of(&self.api).or(enrolled.stop(), GenerateError::Ended);
        let begun = tokio::select! {
            why = &mut cut => Err(Failed::Cut(why.into())),
            () = &mut pulse => Err(Failed::Gone),
            begun = self.begin(candidate) => begun,
        };
        let (response, first) = match begun {
            Ok(begun) => begun,
            Err(failed) => {
                tally.failed();
                return Err(failed);
            }
        };
        if !response.status().is_success() {
            tally.failed();
        }
        let voice = in_pieces(&response).then_some(self.voice);
        let (mut head, body) = response.into_parts();
        let name = HeaderValue::from_str(peer.name().as_str()).ok();
        if let Some(name) = name.filter(|_| self.api.is_for_its_owner()) {
            head.headers.insert(ANSWERED_BY, name);
        }
        let body = Passed::new(body, first, voice, cut, pulse, (tally, Some(enrolled)));
        Ok(Response::from_parts(head, Body::new(body)))
    }

    /// The head of an answer, and the first of its pieces if it comes in some: a box that passes for one that answers and then
    /// says nothing has not begun.
    async fn begin(&self, candidate: &Candidate) -> Result<(Response, Option<Bytes>), Failed> {
        let sent = self.outgoing.send(&candidate.peer, &candidate.digest.to_string()).await;
        let mut response = sent.ok_or(Failed::Gone)?;
        if !response.status().is_success() {
            response = whole(response).await.ok_or(Failed::Gone)?;
        }
        match Verdict::of(response.status()) {
            Verdict::Answer => {}
            Verdict::Overtaxed => {
                let name = candidate.peer.name();
                tracing::info!(peer = %name, status = %response.status(), "a paired box does not answer now");
                return Err(Failed::Overtaxed(response));
            }
            Verdict::Unwilling => {
                let name = candidate.peer.name();
                tracing::warn!(peer = %name, status = %response.status(), "a paired box will not answer");
                return Err(Failed::Unwilling);
            }
        }
        if !in_pieces(&response) {
            return Ok((response, None));
        }
        let first = response.body_mut().frame().await.and_then(Result::ok);
        let first = first.and_then(|frame| frame.into_data().ok()).ok_or(Failed::Gone)?;
        Ok((response, Some(first)))
    }
}

/// A refusal with all that it says, which is not much.
async fn whole(response: Response) -> Option<Response> {
    let (head, body) = response.into_parts();
    let said = timeout(REFUSES_WITHIN, Limited::new(body, MOST_OF_REFUSAL).collect()).await.ok()?.ok()?;
    Some(Response::from_parts(head, Body::from(said.to_bytes())))
}

fn in_pieces(response: &Response) -> bool {
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    response.status() == StatusCode::OK
        && (kind.starts_with("text/event-stream") || kind.starts_with("application/x-ndjson"))
}

/// What comes when the head of the answer is sent, and with it that it is one.
fn late(
    voice: Voice,
    search: impl Future<Output = Response> + Send + 'static,
) -> impl Stream<Item = Bytes> + Send {
    let answer = async move {
        let response = search.await;
        if in_pieces(&response) {
            let pieces = response.into_body().into_data_stream();
            // One that comes in pieces tells of its failures in these.
            pieces.filter_map(async |piece| piece.ok()).left_stream()
        } else {
            let last = family::late(voice, response).await;
            stream::iter([last]).right_stream()
        }
    };
    stream::once(answer).flatten()
}
