//! The accept loop, and a request's way through the front door. Ours, since `axum::serve` knows no time limit for headers
//! and no cap on connections.

use std::any::Any;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, RETRY_AFTER};
use http::{HeaderValue, Request, StatusCode};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::{Layer, ServiceExt};
use tower_http::catch_panic::{CatchPanic, ResponseForPanic};
use tower_http::cors::CorsLayer;
use tower_http::request_id::RequestId;

use crate::connection::{self, Verdict, Watch};
use crate::conversation::Conversation;
use crate::guard::Guard;
use crate::memory::Memory;
use crate::refusal::{Family, refusal};
use crate::request_body::{self, Arrival, Use};
use crate::unpack::{self, Packing};
use crate::wire::Wire;
use crate::{Limits, Listener, OriginPattern, cors, request_id};

/// What the operator decided.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Of connections, bytes and time.
    pub limits: Limits,
    /// Origins of pages that may call us, besides the loopback's.
    pub origins: Vec<OriginPattern>,
    /// Host names that are ours, besides the loopback's.
    pub hosts: Vec<String>,
}

/// Serves the listeners until `shutdown`, then lets what runs end. To be called within a tokio runtime.
///
/// Each request that reaches `app` has a [`RequestId`] among its extensions, which its answer will have as well.
pub async fn serve(listeners: Vec<Listener>, app: Router, config: Config, shutdown: CancellationToken) {
    let places = Arc::new(Semaphore::new(config.limits.connections));
    let memory = Memory::within(&config.limits);
    let protocols = Arc::new(connection::protocols(&config.limits));
    let accepting = listeners.into_iter().map(|listener| {
        let guard = Guard {
            hosts: config.hosts.clone(),
            origins: config.origins.clone(),
            port: listener.address().port(),
        };
        let door = Door {
            app: app.clone(),
            cors: cors::layer(),
            guard,
            limits: config.limits.clone(),
            places: Arc::clone(&places),
            memory: memory.clone(),
            protocols: Arc::clone(&protocols),
        };
        tokio::spawn(Arc::new(door).accept(listener, shutdown.clone()))
    });
    let accepting: Vec<_> = accepting.collect();
    for door in accepting {
        if let Err(error) = door.await {
            tracing::error!(%error, "a listener ended");
        }
    }
}

/// One listener's way in.
struct Door {
    app: Router,
    cors: CorsLayer,
    guard: Guard,
    limits: Limits,
    places: Arc<Semaphore>,
    memory: Memory,
    protocols: Arc<auto::Builder<TokioExecutor>>,
}

impl Door {
    async fn accept(self: Arc<Self>, listener: Listener, shutdown: CancellationToken) {
        let socket = match TcpListener::from_std(listener.socket) {
            Ok(socket) => socket,
            Err(error) => {
                tracing::error!(%error, "cannot listen");
                return;
            }
        };
        let connections = TaskTracker::new();
        while let Some((stream, place)) = self.next(&socket, &shutdown).await {
            let (door, shutdown) = (Arc::clone(&self), shutdown.clone());
            connections.spawn(async move {
                door.converse(stream, shutdown).await;
                drop(place);
            });
        }
        drop(socket);
        connections.close();
        connections.wait().await;
    }

    /// The next connection, once there is a place for it; `None` when it is time to stop.
    async fn next(
        &self,
        socket: &TcpListener,
        shutdown: &CancellationToken,
    ) -> Option<(TcpStream, OwnedSemaphorePermit)> {
        let next = async {
            let place = Arc::clone(&self.places).acquire_owned().await.ok()?;
            loop {
                match socket.accept().await {
                    Ok((stream, _)) => {
                        tune(&stream);
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

    /// Serves one connection until it ends, is to end, or holds its place for nothing.
    async fn converse(self: Arc<Self>, stream: TcpStream, shutdown: CancellationToken) {
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(self.limits.write_idle));
        let conversation = Conversation::new();
        let stream = Wire { stream: Box::pin(stream), conversation: conversation.clone() };
        let service = service_fn(|request| {
            let (door, conversation) = (Arc::clone(&self), conversation.clone());
            async move { Ok::<_, Infallible>(door.take_turn(request, conversation).await) }
        });
        let connection = self.protocols.serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        let mut watch = Watch::begin();
        let look = tokio::time::sleep_until(watch.first_look(&self.limits).into());
        let mut look = std::pin::pin!(look);
        let mut stopping = false;
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(error, "a connection ended");
                    }
                    return;
                }
                () = shutdown.cancelled(), if !stopping => {
                    stopping = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = look.as_mut() => match watch.look(&conversation, &self.limits) {
                    Verdict::Stay(until) => look.as_mut().reset(until.into()),
                    Verdict::Close => connection.as_mut().graceful_shutdown(),
                    Verdict::Drop => return,
                },
            }
        }
    }

    /// One request, and its answer.
    async fn take_turn(self: Arc<Self>, request: Request<Incoming>, conversation: Conversation) -> Response {
        let arrival = Arrival::begin(&self.memory);
        let turn = conversation.begin(request.version(), Arc::clone(&arrival));
        let started = Instant::now();
        let id = request_id::of(request.headers());
        let (method, path, version) =
            (request.method().clone(), request.uri().path().to_owned(), request.version());
        let asked = Asked { family: Family::of(&path), id: id.clone(), arrival };
        let mut response = self.answer(request, asked).await;
        request_id::put(response.headers_mut(), &id);
        tracing::debug!(
            id = ?id.header_value(), %method, path, ?version, status = response.status().as_u16(),
            elapsed = ?started.elapsed(), "request"
        );
        response.map(|body| conversation.watch(body, turn))
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>, asked: Asked) -> Response {
        if request.headers().len() > self.limits.headers {
            return asked
                .refuse(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "the request has too many headers");
        }
        if let Err(refused) = self.guard.check(request.method(), request.uri(), request.headers()) {
            return asked.refuse(refused.status, &refused.text);
        }
        let cors = self.cors.clone();
        let inside = tower::service_fn(move |request| {
            let (door, asked) = (Arc::clone(&self), asked.clone());
            async move { Ok::<_, Infallible>(door.pass(request, asked).await) }
        });
        match cors.layer(inside).oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }

    /// On to the application, with a body that is within its limits.
    async fn pass(&self, mut request: Request<Incoming>, asked: Asked) -> Response {
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
        let within = (&self.limits, &self.memory);
        let request =
            request.map(|body| request_body::arriving(body, (packing, used), within, &asked.arrival));
        let response = match CatchPanic::custom(self.app.clone(), asked.clone()).oneshot(request).await {
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

/// What a refusal is made of.
#[derive(Clone)]
struct Asked {
    family: Family,
    id: RequestId,
    arrival: Arc<Arrival>,
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

/// What the system takes in for a client that does not read: enough for a fast network, and little enough for its model to
/// notice soon. Left to itself the system takes in megabytes.
const SEND_BUFFER_BYTES: usize = 128 << 10;

fn tune(stream: &TcpStream) {
    // A token must not wait for the next one to fill a packet.
    let _slower = stream.set_nodelay(true);
    let _later = SockRef::from(stream).set_send_buffer_size(SEND_BUFFER_BYTES);
}
