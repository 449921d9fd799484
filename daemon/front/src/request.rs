//! A request's way through the front door: what it may be, where it may come from, who asks; then on to the application, with a
//! body that is within its limits, and back with an answer that is watched.

use std::any::Any;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;

use access::{Caller, Credential, Origin, Presented, Scope, Way, Who};
use axum::body::Body;
use axum::response::Response;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Request, StatusCode, Version};
use hyper::body::Incoming;
use tower::{Layer, ServiceExt};
use tower_http::catch_panic::{CatchPanic, ResponseForPanic};
use tower_http::request_id::RequestId;

use crate::conversation::Conversation;
use crate::door::{Door, Source};
use crate::memory::Share;
use crate::refusal::{Family, refusal};
use crate::refused::Refusal;
use crate::request_body::{self, Arrival, Use};
use crate::unpack::{self, Packing};
use crate::unread::{self, Rest};
use crate::{Loopback, credential, refused, request_id};

impl Door {
    /// One request, and its answer.
    pub(crate) async fn respond(
        self: Arc<Self>,
        request: Request<Incoming>,
        source: Arc<Source>,
        conversation: Conversation,
    ) -> Response {
        let arrival = Arrival::begin(&self.house.memory);
        let rest = Rest::default();
        let turn = conversation.begin(request.version(), Arc::clone(&arrival), rest.clone());
        let started = Instant::now();
        let id = request_id::of(request.headers());
        let (method, path, version) =
            (request.method().clone(), request.uri().path().to_owned(), request.version());
        let origin = Origin { way: self.way(&source, request.headers()), address: source.address };
        let family = Family::of(&path);
        let asked = Asked { family, id: id.clone(), arrival: Arc::clone(&arrival), origin, source };
        let request = request.map(|body| unread::Body::new(body, &rest));
        let mut response = Arc::clone(&self).answer(request, asked).await;
        // One that had something wrong with it is not waited for.
        if version == Version::HTTP_2 && arrival.fault().is_none() {
            rest.forget().await;
        }
        let known = response.extensions_mut().remove::<Caller>();
        // Whom the application answered.
        let is_answered = known.is_some();
        let caller = known.unwrap_or_else(Caller::nobody);
        request_id::put(response.headers_mut(), &id);
        let status = response.status();
        tracing::debug!(
            id = ?id.header_value(), who = %caller.name(), from = ?origin.address, %method, path, ?version,
            status = status.as_u16(), elapsed = ?started.elapsed(), "request"
        );
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().entry(WWW_AUTHENTICATE).or_insert(challenge(family));
        }
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            let target = format!("{method} {path}");
            if !is_answered || !refused::is_recorded(&target, origin.way) {
                self.house.refusals.note(Refusal { caller, address: origin.address, target });
            }
        }
        response.map(|body| conversation.watch(body, turn))
    }

    fn way(&self, source: &Source, headers: &HeaderMap) -> Way {
        match (source.way, self.house.loopback) {
            (Way::Loopback, Loopback::RequiresKey) => Way::Forwarded,
            (Way::Loopback, Loopback::Local) => credential::loopback(headers),
            // Who forwards says what it likes, and has a key of its own.
            (way, _) => way,
        }
    }

    async fn answer(self: Arc<Self>, request: Request<unread::Body>, asked: Asked) -> Response {
        if request.headers().len() > self.house.limits.headers {
            return asked
                .refuse(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "the request has too many headers");
        }
        if bytes(request.headers()) > self.house.limits.header_bytes {
            return asked
                .refuse(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "the request's headers are too large");
        }
        let server_name = asked.source.server_name.as_deref();
        let welcome = self.guard.check(request.method(), request.uri(), request.headers(), server_name);
        if let Err(refused) = welcome {
            return asked.refuse(refused.status, &refused.text);
        }
        let cors = self.house.cors.clone();
        let inside = tower::service_fn(move |request| {
            let (door, asked) = (Arc::clone(&self), asked.clone());
            async move { Ok::<_, Infallible>(door.identify(request, asked).await) }
        });
        match cors.layer(inside).oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }

    /// Finds out who asks.
    async fn identify(&self, mut request: Request<unread::Body>, asked: Asked) -> Response {
        if asked.family == Family::Oci {
            credential::take_password_for_key(request.headers_mut());
        }
        let credential = credential::of(request.headers());
        let by_cookie = matches!(credential, Credential::Session(_));
        let changes = !request.method().is_safe();
        if by_cookie && changes && !self.guard.is_of_own_page(request.uri(), request.headers()) {
            return asked.refuse(StatusCode::FORBIDDEN, "a session is for hob's own pages; others use a key");
        }
        let caller = match self.house.access.identify(&Presented { origin: asked.origin, credential }) {
            Ok(caller) => caller,
            Err(denied) => {
                let place = denied.is_for_the_place();
                let status = if place { StatusCode::FORBIDDEN } else { StatusCode::UNAUTHORIZED };
                return asked.refuse(status, &denied.to_string());
            }
        };
        let share = share_of(&caller);
        if let Some(seat) = &asked.source.seat
            && share != Share::Stranger
        {
            seat.identified();
        }
        asked.arrival.draw_on(&self.house.memory, share);
        credential::take_off(request.headers_mut());
        request.extensions_mut().insert(caller.clone());
        request.extensions_mut().insert(asked.origin);
        let mut response = self.pass(request, share, asked).await;
        response.extensions_mut().insert(caller);
        response
    }

    /// On to the application, with a body that is within its limits.
    async fn pass(&self, mut request: Request<unread::Body>, share: Share, asked: Asked) -> Response {
        let packing = match Packing::of(request.headers()) {
            Ok(packing) => packing,
            Err(unknown) => return cannot_unpack(&unknown, &asked),
        };
        if packing.is_some() {
            // They are of the body as it was sent.
            request.headers_mut().remove(CONTENT_ENCODING);
            request.headers_mut().remove(CONTENT_LENGTH);
        }
        request.extensions_mut().insert(asked.id.clone());
        let used = Use::of(request.method(), request.uri().path());
        let within = (&self.house.limits, &self.house.memory);
        let request =
            request.map(|body| request_body::arriving(body, (packing, used, share), within, &asked.arrival));
        let app = CatchPanic::custom(self.house.app.clone(), asked.clone());
        let response = match app.oneshot(request).await {
            Ok(response) => response.map(Body::new),
            Err(never) => match never {},
        };
        match asked.arrival.fault() {
            // Whoever read the body can only tell that it ended.
            Some(fault) if !response.status().is_success() => {
                asked.refuse(fault.status(), &fault.to_string())
            }
            _ => response,
        }
    }
}

fn share_of(caller: &Caller) -> Share {
    match caller.who() {
        Who::Operator => Share::Operator,
        _ if Scope::ALL.into_iter().any(|scope| caller.may(scope)) => Share::Known,
        _ => Share::Stranger,
    }
}

/// Of headers as they are written. hyper looks at its limit between two reads, the last of which may go far beyond.
fn bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len()).sum()
}

/// How to be known.
fn challenge(family: Family) -> HeaderValue {
    HeaderValue::from_static(match family {
        Family::Oci => "Basic realm=\"hob\"",
        Family::Anthropic | Family::OpenAi | Family::Ollama => "Bearer",
    })
}

/// What a refusal is made of.
#[derive(Clone)]
struct Asked {
    family: Family,
    id: RequestId,
    arrival: Arc<Arrival>,
    origin: Origin,
    source: Arc<Source>,
}

impl Asked {
    fn refuse(&self, status: StatusCode, message: &str) -> Response {
        let mut response = refusal(self.family, status, message, &self.id);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// A fault of ours ends one request and nothing else.
impl ResponseForPanic for Asked {
    type ResponseBody = Body;

    fn response_for_panic(&mut self, panic: Box<dyn Any + Send>) -> Response {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or_default();
        tracing::error!(id = ?self.id.header_value(), panic = text, "a request ended in a panic");
        self.refuse(StatusCode::INTERNAL_SERVER_ERROR, "a part of the server failed; its log says more")
    }
}

fn cannot_unpack(unpack::Unknown(packing): &unpack::Unknown, asked: &Asked) -> Response {
    let text =
        format!("a body with the Content-Encoding \"{packing}\" cannot be read, only {}", unpack::ACCEPTED);
    let mut response = asked.refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, &text);
    response.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static(unpack::ACCEPTED));
    response
}
