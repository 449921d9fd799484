//! A door of the test's own, and clients of HTTP/1.1 and HTTP/2 that show what came over the wire.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use front::{Config, Limits, RequestId};
use h2::client::SendRequest;
use http::{Request, StatusCode};
use http_body::Frame;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Serves until it is dropped.
pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    stop: CancellationToken,
}

impl Drop for Door {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Door {
    pub(crate) fn open(app: Router) -> Self {
        Self::within(app, Limits::default())
    }

    pub(crate) fn within(app: Router, limits: Limits) -> Self {
        let listener = front::bind(([127, 0, 0, 1], 0).into()).unwrap();
        let (address, stop) = (listener.address(), CancellationToken::new());
        let origins = vec!["https://home.example".parse().unwrap(), "vscode-webview://*".parse().unwrap()];
        let config = Config { limits, origins, ..Config::default() };
        tokio::spawn(front::serve(vec![listener], app, config, stop.clone()));
        Self { address, stop }
    }

    /// Head and body of the answer to a request of HTTP/1.1 with these header lines.
    pub(crate) async fn ask(&self, request: &str, headers: &str, body: &[u8]) -> Answer {
        let mut socket = TcpStream::connect(self.address).await.unwrap();
        let head = format!(
            "{request} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n",
            self.address,
            body.len()
        );
        socket.write_all(head.as_bytes()).await.unwrap();
        // A server that refuses need not read it all.
        let _refused = socket.write_all(body).await;
        let mut answer = Vec::new();
        let reading = tokio::time::timeout(PATIENCE, socket.read_to_end(&mut answer)).await;
        // The same is why it may break off.
        let _reset = reading.expect("the connection stays open");
        Answer::of(&answer)
    }

    /// A connection of HTTP/2.
    pub(crate) async fn h2(&self) -> Client {
        let socket = TcpStream::connect(self.address).await.unwrap();
        let (requests, connection) = h2::client::handshake(socket).await.unwrap();
        let ended = tokio::spawn(async move { connection.await });
        Client { authority: self.address.to_string(), requests, ended }
    }
}

/// An answer of HTTP/1.1.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    fn of(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        Self { status, head: head.to_lowercase(), body: body.into() }
    }

    /// A header, by its name in lower case; several are one.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let found: Vec<&str> = lines.filter(|(key, _)| *key == name).map(|(_, value)| value).collect();
        (!found.is_empty()).then(|| found.join(", "))
    }
}

/// A client of HTTP/2.
pub(crate) struct Client {
    pub(crate) authority: String,
    pub(crate) requests: SendRequest<Bytes>,
    pub(crate) ended: tokio::task::JoinHandle<Result<(), h2::Error>>,
}

impl Client {
    pub(crate) fn get(&self, path: &str) -> http::request::Builder {
        Request::get(format!("http://{}{path}", self.authority))
    }

    /// Status and body.
    pub(crate) async fn ask(&mut self, request: Request<()>, body: Option<&[u8]>) -> (StatusCode, String) {
        let (response, mut sending) =
            self.requests.clone().ready().await.unwrap().send_request(request, body.is_none()).unwrap();
        if let Some(body) = body {
            sending.send_data(Bytes::copy_from_slice(body), true).unwrap();
        }
        read(response).await
    }
}

/// Status and body of an answer of HTTP/2.
pub(crate) async fn read(response: h2::client::ResponseFuture) -> (StatusCode, String) {
    let response = tokio::time::timeout(PATIENCE, response).await.unwrap().unwrap();
    let status = response.status();
    let (mut body, mut text) = (response.into_body(), Vec::new());
    while let Some(data) = body.data().await {
        let data = data.unwrap();
        body.flow_control().release_capacity(data.len()).unwrap();
        text.extend_from_slice(&data);
    }
    (status, String::from_utf8(text).unwrap())
}

/// Says what it is sent, panics when asked to, and knows what its request is called.
pub(crate) fn app() -> Router {
    async fn echo(body: Body) -> Response {
        match to_bytes(body, usize::MAX).await {
            Ok(bytes) => bytes.into_response(),
            Err(_) => (StatusCode::BAD_REQUEST, "unexpected EOF").into_response(),
        }
    }
    async fn length(body: Body) -> Response {
        match to_bytes(body, usize::MAX).await {
            Ok(bytes) => bytes.len().to_string().into_response(),
            Err(_) => (StatusCode::BAD_REQUEST, "unexpected EOF").into_response(),
        }
    }
    async fn name(axum::Extension(id): axum::Extension<RequestId>) -> String {
        id.header_value().to_str().unwrap().to_owned()
    }
    Router::new()
        .route("/", get(async || "here"))
        .route("/echo", post(echo))
        .route("/length", post(length))
        .route("/v1/messages", post(echo))
        .route("/name", get(name))
        .route("/api/panic", any(async || -> String { panic!("on purpose") }))
        .route("/v1/panic", any(async || -> String { panic!("on purpose") }))
}

/// An answer without end, at `/`, and word of when it is given up.
pub(crate) fn endless() -> (Router, oneshot::Receiver<()>) {
    let (given_up, ended) = oneshot::channel();
    let body = Arc::new(Mutex::new(Some(Endless(Some(given_up)))));
    let answer = async move || match body.lock().ok().and_then(|mut body| body.take()) {
        Some(body) => Body::new(body),
        None => Body::empty(),
    };
    (Router::new().route("/", get(answer)), ended)
}

struct Endless(Option<oneshot::Sender<()>>);

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
