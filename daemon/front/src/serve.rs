//! The accept loop. Ours, since `axum::serve` knows no time limit for headers and no cap on connections.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Method, Request, StatusCode};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::guard::{Guard, Passed, Refused};
use crate::{Limits, Listener};

/// What the operator decided.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Of connections, bytes and time.
    pub limits: Limits,
    /// Origins of pages that may call us, besides the loopback's.
    pub origins: Vec<String>,
    /// Host names that are ours, besides the loopback's.
    pub hosts: Vec<String>,
}

/// Serves the listeners until `shutdown`, then lets what runs end. To be called within a tokio runtime.
pub async fn serve(listeners: Vec<Listener>, app: Router, config: Config, shutdown: CancellationToken) {
    let places = Arc::new(Semaphore::new(config.limits.connections));
    let accepting = listeners.into_iter().map(|listener| {
        let guard = Guard {
            hosts: config.hosts.clone(),
            origins: config.origins.clone(),
            port: listener.address().port(),
        };
        let door = Door {
            app: app.clone(),
            guard: Arc::new(guard),
            limits: config.limits.clone(),
            places: Arc::clone(&places),
        };
        tokio::spawn(door.accept(listener, shutdown.clone()))
    });
    let accepting: Vec<_> = accepting.collect();
    for door in accepting {
        if let Err(error) = door.await {
            tracing::error!(%error, "a listener ended");
        }
    }
}

/// One listener's way in.
#[derive(Clone)]
struct Door {
    app: Router,
    guard: Arc<Guard>,
    limits: Limits,
    places: Arc<Semaphore>,
}

impl Door {
    async fn accept(self, listener: Listener, shutdown: CancellationToken) {
        let socket = match TcpListener::from_std(listener.socket) {
            Ok(socket) => socket,
            Err(error) => {
                tracing::error!(%error, "cannot listen");
                return;
            }
        };
        let drain = GracefulShutdown::new();
        while let Some((stream, place)) = self.next(&socket, &shutdown).await {
            let door = self.clone();
            let service = service_fn(move |request| {
                let door = door.clone();
                async move { Ok::<_, Infallible>(door.answer(request).await) }
            });
            let mut builder = http1::Builder::new();
            builder
                .timer(TokioTimer::new())
                .header_read_timeout(self.limits.header_time)
                .max_buf_size(self.limits.header_bytes)
                .max_headers(self.limits.headers);
            let mut stream = TimeoutStream::new(stream);
            stream.set_write_timeout(Some(self.limits.write_idle));
            let stream = TokioIo::new(Box::pin(stream));
            let connection = drain.watch(builder.serve_connection(stream, service));
            // Owned by `drain`, which is waited for below.
            tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "a connection ended");
                }
                drop(place);
            });
        }
        drop(socket);
        drain.shutdown().await;
    }

    /// The next connection, once there is a place for it; `None` when it is time to stop.
    async fn next(
        &self,
        socket: &TcpListener,
        shutdown: &CancellationToken,
    ) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
        let next = async {
            let place = Arc::clone(&self.places).acquire_owned().await.ok()?;
            loop {
                match socket.accept().await {
                    Ok((stream, _)) => {
                        // A token must not wait for the next one to fill a packet.
                        let _slower = stream.set_nodelay(true);
                        return Some((stream, place));
                    }
                    Err(error) => {
                        // Out of descriptors, most likely: some connection must end first.
                        tracing::warn!(%error, "cannot accept a connection");
                        tokio::time::sleep_until(tokio::time::Instant::now() + Duration::from_millis(100))
                            .await;
                    }
                }
            }
        };
        tokio::select! {
            next = next => next,
            () = shutdown.cancelled() => None,
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response {
        let started = Instant::now();
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = match self.guard.check(&method, request.uri(), request.headers()) {
            Err(refused) => refusal(&refused),
            Ok(Passed::Plain) => self.pass(request).await,
            Ok(Passed::CrossOrigin(origin)) => {
                let response = if method == Method::OPTIONS { preflight() } else { self.pass(request).await };
                allowed(response, &origin)
            }
        };
        tracing::debug!(%method, path, status = response.status().as_u16(), elapsed = ?started.elapsed(), "request");
        response
    }

    async fn pass(&self, request: Request<Incoming>) -> Response {
        let idle = self.limits.body_idle;
        let request = request.map(|body| Body::new(Punctual { body, idle, deadline: None }));
        match self.app.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

fn refusal(refused: &Refused) -> Response {
    let body = format!("{{\"error\":{}}}", json_text(&refused.text));
    (refused.status, [(header::CONTENT_TYPE, "application/json; charset=utf-8")], body).into_response()
}

fn json_text(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push(' '),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

/// The headers that the SDKs of the three families send.
const ALLOWED_HEADERS: &str = "Authorization, Content-Type, User-Agent, Accept, X-Requested-With, OpenAI-Beta, x-api-key, \
     anthropic-version, x-stainless-arch, x-stainless-async, x-stainless-custom-poll-interval, x-stainless-helper-method, \
     x-stainless-lang, x-stainless-os, x-stainless-package-version, x-stainless-poll-helper, x-stainless-retry-count, \
     x-stainless-runtime, x-stainless-runtime-version, x-stainless-timeout";

fn preflight() -> Response {
    let headers = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, POST, DELETE, OPTIONS"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS),
        (header::ACCESS_CONTROL_MAX_AGE, "600"),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

fn allowed(mut response: Response, origin: &str) -> Response {
    if let Ok(origin) = HeaderValue::from_str(origin) {
        response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        response.headers_mut().insert(header::VARY, HeaderValue::from_static("Origin"));
    }
    response
}

/// A body that must go on arriving.
struct Punctual {
    body: Incoming,
    idle: Duration,
    /// Runs while a piece is waited for.
    deadline: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl http_body::Body for Punctual {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.deadline = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let idle = self.idle;
        let deadline = self
            .deadline
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(tokio::time::Instant::now() + idle)));
        deadline.as_mut().poll(context).map(|()| Some(Err("the request's body stopped arriving".into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tells when an endless answer is given up.
    struct Endless(Option<tokio::sync::oneshot::Sender<()>>);

    impl http_body::Body for Endless {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'.'; 4096])))))
        }
    }

    impl Drop for Endless {
        fn drop(&mut self) {
            let _gone = self.0.take().map(|given_up| given_up.send(()));
        }
    }

    #[tokio::test]
    async fn a_client_that_stops_reading_loses_its_answer() {
        let (given_up, answer_ended) = tokio::sync::oneshot::channel();
        let body = Arc::new(std::sync::Mutex::new(Some(Endless(Some(given_up)))));
        let endless = async move || match body.lock().ok().and_then(|mut body| body.take()) {
            Some(body) => Body::new(body),
            None => Body::empty(),
        };
        let listener = crate::bind(([127, 0, 0, 1], 0).into()).unwrap();
        let address = listener.address();
        let limits = Limits { write_idle: Duration::from_millis(50), ..Limits::default() };
        let config = Config { limits, ..Config::default() };
        let app = Router::new().route("/", axum::routing::get(endless));
        let stop = CancellationToken::new();
        let serving = tokio::spawn(serve(vec![listener], app, config, stop.clone()));

        let mut client = TcpStream::connect(address).await.unwrap();
        let request = format!("GET / HTTP/1.1\r\nHost: {address}\r\n\r\n");
        tokio::io::AsyncWriteExt::write_all(&mut client, request.as_bytes()).await.unwrap();

        // Its buffers fill up, as nothing is read from here on.
        tokio::time::timeout(Duration::from_secs(30), answer_ended).await.unwrap().unwrap();
        stop.cancel();
        serving.await.unwrap();
    }
}
