//! What a client is told that speaks plaintext on the port of TLS: how to ask for the same in the right way. Nothing else is said
//! in clear there.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT, CONNECTION, LOCATION};
use http::request::Parts;
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::connection::{Protocol, Protocols};
use crate::guard::{Guard, Scheme};
use crate::refusal::{Family, refusal};
use crate::request_id;

/// Bytes of a body that are read only to be forgotten: a client that is still sending would lose the answer.
const FORGOTTEN_BYTES: usize = 64 << 10;

/// Answers one request. Whoever calls it keeps the time.
pub(crate) async fn answer(stream: TcpStream, guard: &Arc<Guard>, protocols: &Protocols) {
    let guard = Arc::clone(guard);
    let service = service_fn(move |request: Request<Incoming>| {
        let guard = Arc::clone(&guard);
        async move {
            let (head, body) = request.into_parts();
            let _forgotten = Limited::new(body, FORGOTTEN_BYTES).collect().await;
            let mut response = told(&head, &guard);
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            Ok::<_, Infallible>(response)
        }
    });
    let connection = protocols.speak(Protocol::Http1).serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!(error, "plaintext on the port of TLS");
    }
}

fn told(head: &Parts, guard: &Guard) -> Response<Body> {
    // Whoever asks by another's name is not sent there.
    let host = guard.host(&head.uri, &head.headers, Scheme::Http).ok();
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let target = host.and_then(|host| HeaderValue::try_from(format!("https://{host}{path}")).ok());
    match target {
        Some(target) if is_page(head) => {
            (StatusCode::PERMANENT_REDIRECT, [(LOCATION, target)]).into_response()
        }
        _ => {
            let instead = host.map_or_else(|| "https".to_owned(), |host| format!("https://{host}"));
            let text = format!("this port speaks TLS; use {instead}");
            let (family, id) = (Family::of(head.uri.path()), request_id::of(&head.headers));
            refusal(family, StatusCode::BAD_REQUEST, &text, &id)
        }
    }
}

/// Whether a person looks at the answer.
fn is_page(head: &Parts) -> bool {
    let accepted = head.headers.get_all(ACCEPT).iter().filter_map(|accepted| accepted.to_str().ok());
    matches!(head.method, Method::GET | Method::HEAD)
        && accepted.flat_map(|accepted| accepted.split(',')).any(|kind| kind.trim().starts_with("text/html"))
}
