//! A door of the test's own, and clients of HTTP/1.1 and HTTP/2 that show what came over the wire.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use access::{Access, Caller, NewKey, Origin, Policy, Provision, Scope};
use axum::body::{Body, Bytes, to_bytes};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Extension, Router};
use front::{Config, Kind, Limits, Loopback, RequestId};
use h2::client::SendRequest;
use http::{HeaderMap, Request, StatusCode};
use http_body::Frame;
use identity::{Identity, Names};
use state::{Clock, State};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_util::sync::CancellationToken;

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Serves until it is dropped.
pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    /// That of the loopback, beside another kind.
    pub(crate) near: SocketAddr,
    identity: Option<Identity>,
    /// That may all that a key may.
    pub(crate) key: String,
    pub(crate) access: Access,
    /// Ends once nothing runs any more.
    pub(crate) serving: tokio::task::JoinHandle<()>,
    pub(crate) stop: CancellationToken,
    folder: TempDir,
}

impl Drop for Door {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A name of the box's, and one that it has as well.
pub(crate) const NAME: &str = "box.lan";
pub(crate) const OTHER_NAME: &str = "box.home.arpa";

/// Which listener a test looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Loopback,
    Lan,
    Plaintext,
    AdminSocket,
}

impl Door {
    pub(crate) fn open(app: Router) -> Self {
        Self::within(app, Limits::default())
    }

    pub(crate) fn within(app: Router, limits: Limits) -> Self {
        Self::by(By::Loopback, app, limits)
    }

    pub(crate) fn lan(app: Router, limits: Limits) -> Self {
        Self::by(By::Lan, app, limits)
    }

    pub(crate) fn by(by: By, app: Router, limits: Limits) -> Self {
        Self::trusting(Loopback::Local, by, app, limits)
    }

    pub(crate) fn trusting(loopback: Loopback, by: By, app: Router, limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let network = matches!(by, By::Lan | By::Plaintext);
        let identity = network.then(|| identity(folder.path()));
        let (access, key) = access(folder.path());
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = match by {
            By::Loopback => front::bind(Kind::Loopback, anywhere),
            By::Lan => front::bind(Kind::Lan(identity.clone().unwrap()), anywhere),
            By::Plaintext => {
                let allowed = vec!["127.0.0.1/32".parse().unwrap()];
                front::bind(Kind::Plaintext { identity: identity.clone().unwrap(), allowed }, anywhere)
            }
            By::AdminSocket => front::bind_admin(&folder.path().join("run/admin.sock"), None),
        };
        let mut listeners = vec![listener.unwrap()];
        let address = listeners[0].address().unwrap_or(anywhere);
        let mut near = address;
        if by == By::Lan {
            listeners.push(front::bind(Kind::Loopback, anywhere).unwrap());
            near = listeners[1].address().unwrap();
        }
        let stop = CancellationToken::new();
        let origins = vec!["https://home.example".parse().unwrap(), "vscode-webview://*".parse().unwrap()];
        let config = Config { access: access.clone(), limits, origins, hosts: Vec::new(), loopback };
        let serving = tokio::spawn(front::serve(listeners, app, config, stop.clone()));
        Self { address, near, identity, key, access, serving, stop, folder }
    }

    /// Head and body of the answer to a request of HTTP/1.1 with these header lines, on the loopback.
    pub(crate) async fn ask(&self, request: &str, headers: &str, body: &[u8]) -> Answer {
        let host = format!("Host: {}\r\n{headers}", self.address);
        exchange(TcpStream::connect(self.address).await.unwrap(), request, &host, body).await
    }

    /// The same by TLS, by the box's name, with a key if the headers have one.
    pub(crate) async fn ask_tls(&self, request: &str, headers: &str, body: &[u8]) -> Answer {
        let host = format!("Host: {}\r\n{headers}", self.authority());
        exchange(self.tls(Some(NAME), b"http/1.1").await, request, &host, body).await
    }

    /// The box's name, and the port.
    pub(crate) fn authority(&self) -> String {
        format!("{NAME}:{}", self.address.port())
    }

    pub(crate) fn bearer(&self) -> String {
        format!("Authorization: Bearer {}\r\n", self.key)
    }

    pub(crate) fn admin_socket(&self) -> PathBuf {
        self.folder.path().join("run/admin.sock")
    }

    /// A connection of TLS, which asks for this name and this protocol.
    pub(crate) async fn tls(&self, name: Option<&str>, protocol: &[u8]) -> TlsStream<TcpStream> {
        let socket = TcpStream::connect(self.address).await.unwrap();
        self.secure(socket, name, protocol).await.unwrap()
    }

    pub(crate) async fn secure(
        &self,
        socket: TcpStream,
        name: Option<&str>,
        protocol: &[u8],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let mut config = client(self.root(), protocol);
        config.enable_sni = name.is_some();
        let name = ServerName::try_from(name.unwrap_or(NAME).to_owned()).unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, socket).await
    }

    pub(crate) fn identity(&self) -> Identity {
        self.identity.clone().unwrap()
    }

    /// What its clients trust.
    pub(crate) fn root(&self) -> CertificateDer<'static> {
        self.identity.as_ref().unwrap().root_der().clone()
    }

    /// A connection of HTTP/2.
    pub(crate) async fn h2(&self) -> Client {
        let socket = TcpStream::connect(self.address).await.unwrap();
        let (requests, connection) = h2::client::handshake(socket).await.unwrap();
        let ended = tokio::spawn(connection);
        Client {
            root: format!("http://{}", self.address),
            authority: self.address.to_string(),
            requests,
            ended,
        }
    }

    /// The same by TLS.
    pub(crate) async fn h2_tls(&self) -> Client {
        let socket = self.tls(Some(NAME), b"h2").await;
        assert_eq!(socket.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let (requests, connection) = h2::client::handshake(socket).await.unwrap();
        let ended = tokio::spawn(connection);
        Client { root: format!("https://{}", self.authority()), authority: self.authority(), requests, ended }
    }
}

/// A client of TLS that speaks one protocol.
pub(crate) fn client(root: CertificateDer<'static>, protocol: &[u8]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(root).unwrap();
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    config
}

fn identity(folder: &Path) -> Identity {
    let config = identity::Config {
        names: Names { hostname: "box".into(), extra: Vec::new() },
        now: Arc::new(|| jiff::Timestamp::now().as_second()),
        build_date: 0,
        own: None,
    };
    Identity::open(&folder.join("tls"), config).unwrap()
}

/// A box that was claimed, and a key of it.
fn access(folder: &Path) -> (Access, String) {
    let clock = Clock::system();
    let state = State::open(&folder.join("state"), clock.clone()).unwrap();
    let config = access::Config {
        clock,
        runtime_dir: folder.join("run"),
        audit_dir: folder.join("audit"),
        provision: Some(Provision { name: "ada".into(), password_hash: PASSWORD_HASH.into() }),
    };
    let access = Access::open(state, config).unwrap();
    let scopes = Scope::ALL.into_iter().collect();
    let new = NewKey { name: "test".into(), policy: Policy::new(scopes), expires: None };
    let (_, secret) = access.create_key(&Caller::operator(), new).unwrap();
    (access, secret.reveal().to_owned())
}

/// Of no password that anybody knows.
const PASSWORD_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Head and body of the answer to a request of HTTP/1.1 with these header lines.
pub(crate) async fn exchange<S>(mut socket: S, request: &str, headers: &str, body: &[u8]) -> Answer
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let length = body.len();
    let head =
        format!("{request} HTTP/1.1\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n");
    socket.write_all(head.as_bytes()).await.unwrap();
    // A server that refuses need not read it all.
    let _refused = socket.write_all(body).await;
    let _refused = socket.flush().await;
    let mut answer = Vec::new();
    let reading = tokio::time::timeout(PATIENCE, socket.read_to_end(&mut answer)).await;
    // The same is why it may break off.
    let _reset = reading.expect("the connection stays open");
    Answer::of(&answer)
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
    root: String,
    pub(crate) authority: String,
    pub(crate) requests: SendRequest<Bytes>,
    pub(crate) ended: tokio::task::JoinHandle<Result<(), h2::Error>>,
}

impl Client {
    pub(crate) fn get(&self, path: &str) -> http::request::Builder {
        Request::get(format!("{}{path}", self.root))
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
    async fn who(Extension(caller): Extension<Caller>, Extension(origin): Extension<Origin>) -> String {
        format!("{:?} {:?}", origin.way, caller.who())
    }
    async fn name(Extension(id): Extension<RequestId>) -> String {
        id.header_value().to_str().unwrap().to_owned()
    }
    Router::new()
        .route("/", get(async || "here"))
        .route("/echo", post(echo))
        .route("/length", post(length))
        .route("/v1/messages", post(echo))
        .route("/name", get(name))
        .route("/who", any(who))
        .route("/headers", any(async |headers: HeaderMap| format!("{headers:?}")))
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
