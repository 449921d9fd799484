//! One listener's door, and a connection's way through it: who may come in, TLS where it is spoken, then requests until it ends,
//! is to end, or holds its place for nothing. What becomes of a request is `request`'s.

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use access::{Access, Network, Way};
use axum::body::Body;
use axum::{BoxError, Router};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::rt::{Read, Write};
use hyper::server::conn::http1;
use hyper::service::{HttpService, Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::{self, HttpServerConnExec};
use identity::Identity;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, timeout_at};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tower_http::cors::CorsLayer;

use crate::connection::{Protocol, Protocols, Verdict, Watch};
use crate::conversation::Conversation;
use crate::guard::Guard;
use crate::memory::Memory;
use crate::refused::Refusals;
use crate::seats::{Seat, Seats};
use crate::tls::{Begun, Handshakes, Secured};
use crate::wire::Wire;
use crate::{Config, Limits, Loopback, cors, plain};

/// What all doors lead to, and share.
pub(crate) struct House {
    pub(crate) app: Router,
    pub(crate) access: Access,
    pub(crate) loopback: Loopback,
    pub(crate) cors: CorsLayer,
    pub(crate) limits: Limits,
    pub(crate) memory: Memory,
    seats: Seats,
    handshakes: Handshakes,
    near: Protocols,
    far: Protocols,
    pub(crate) refusals: Refusals,
}

impl House {
    pub(crate) fn new(app: Router, config: Config, refusals: Refusals) -> Self {
        let limits = config.limits;
        Self {
            app,
            access: config.access,
            loopback: config.loopback,
            cors: cors::layer(),
            memory: Memory::within(&limits),
            seats: Seats::within(&limits),
            handshakes: Handshakes::new(),
            near: Protocols::within(&limits, limits.streams),
            far: Protocols::within(&limits, limits.network_streams.min(limits.streams)),
            limits,
            refusals,
        }
    }
}

/// One listener's.
pub(crate) struct Door {
    pub(crate) house: Arc<House>,
    pub(crate) entrance: Entrance,
    pub(crate) guard: Arc<Guard>,
}

/// What is asked of whoever comes.
pub(crate) enum Entrance {
    Loopback,
    Lan(Identity),
    Plaintext { allowed: Vec<Network> },
    AdminSocket,
}

/// A connection that was just accepted.
pub(crate) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// A connection that may stay.
pub(crate) struct Connected {
    socket: Socket,
    source: Source,
}

/// Where a connection comes from.
pub(crate) struct Source {
    pub(crate) way: Way,
    pub(crate) address: Option<IpAddr>,
    /// Whom it said in TLS that it wants.
    pub(crate) server_name: Option<Box<str>>,
    /// On the network, what it takes there.
    pub(crate) seat: Option<Seat>,
}

impl Door {
    /// Lets a connection in, if its address is welcome and has not all that it may have.
    pub(crate) fn admit(&self, socket: Socket, address: Option<SocketAddr>) -> Option<Connected> {
        let address = address.map(|address| address.ip().to_canonical());
        let (way, counted) = match &self.entrance {
            Entrance::Loopback => (Way::Loopback, None),
            Entrance::AdminSocket => (Way::AdminSocket, None),
            Entrance::Lan(_) => (Way::Lan, address),
            Entrance::Plaintext { allowed } => {
                let welcome = address.is_some_and(|address| allowed.iter().any(|net| net.contains(address)));
                (Way::Plaintext, Some(address.filter(|_| welcome)?))
            }
        };
        let seat = match (&socket, counted) {
            (Socket::Tcp(stream), Some(address)) => {
                Some(self.house.seats.take(address, stream.local_addr().ok()?.ip())?)
            }
            _ => None,
        };
        Some(Connected { socket, source: Source { way, address, server_name: None, seat } })
    }

    /// Serves a connection to its end.
    pub(crate) async fn welcome(self: Arc<Self>, connected: Connected, shutdown: CancellationToken) {
        // Each for itself: what was needed to begin is gone while the connection lasts, which it may do for long and unused.
        let conversation = Box::pin(self.receive(connected, shutdown)).await;
        if let Some(conversation) = conversation {
            conversation.await;
        }
    }

    /// Begins a connection, and returns what serves it from there on.
    async fn receive(self: Arc<Self>, connected: Connected, shutdown: CancellationToken) -> Option<Serving> {
        let conversation = Conversation::new();
        let Connected { socket, mut source } = connected;
        let (stream, protocol): (Pin<Box<dyn Stream>>, _) = match socket {
            Socket::Unix(stream) => (Box::pin(self.wire(stream, &conversation)), Protocol::Either),
            Socket::Tcp(stream) => {
                let begun = tokio::select! {
                    begun = self.begin(stream, &source, &conversation) => begun?,
                    () = shutdown.cancelled() => return None,
                };
                source.server_name = begun.2;
                (begun.0, begun.1)
            }
        };
        Some(Box::pin(self.converse((stream, protocol), Arc::new(source), conversation, shutdown)))
    }

    /// What comes before the first request, within its time.
    async fn begin(&self, stream: TcpStream, source: &Source, conversation: &Conversation) -> Option<Opened> {
        let deadline = Instant::now() + self.house.limits.handshake_time;
        if let Some(seat) = &source.seat {
            timeout_at(deadline, seat.admitted()).await.ok()?;
        }
        let Entrance::Lan(identity) = &self.entrance else {
            return Some((Box::pin(self.wire(stream, conversation)), Protocol::Either, None));
        };
        let below = |stream| self.wire(stream, conversation);
        let begun = timeout_at(deadline, self.house.handshakes.begin(stream, below, identity)).await;
        match begun {
            Ok(Ok(Begun::Tls(Secured { stream, protocol, server_name }))) => {
                Some((stream, protocol, server_name))
            }
            Ok(Ok(Begun::Plain(stream))) => {
                let _late = timeout_at(deadline, plain::answer(stream, &self.guard, &self.house.far)).await;
                None
            }
            Ok(Err(error)) => {
                tracing::debug!(%error, from = ?source.address, "a handshake failed");
                None
            }
            Err(_late) => {
                tracing::debug!(from = ?source.address, "a handshake took too long");
                None
            }
        }
    }

    /// A connection's lowest layer, where it shows whether its client takes what is written: what lies above it, as TLS does,
    /// takes in more by itself.
    fn wire<S: AsyncRead + AsyncWrite>(
        &self,
        stream: S,
        conversation: &Conversation,
    ) -> Wire<Pin<Box<TimeoutStream<S>>>> {
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(self.house.limits.write_idle));
        Wire { stream: Box::pin(stream), conversation: conversation.clone() }
    }

    /// Requests and answers, until the connection ends, is to end, or holds its place for nothing.
    async fn converse(
        self: Arc<Self>,
        (stream, protocol): (Pin<Box<dyn Stream>>, Protocol),
        source: Arc<Source>,
        conversation: Conversation,
        shutdown: CancellationToken,
    ) {
        let service = service_fn(|request| {
            let (door, source, conversation) = (Arc::clone(&self), Arc::clone(&source), conversation.clone());
            async move { Ok::<_, Infallible>(door.respond(request, source, conversation).await) }
        });
        let (house, limits) = (&self.house, &self.house.limits);
        let protocols = if source.seat.is_some() { &house.far } else { &house.near };
        let stream = TokioIo::new(stream);
        // Only what TLS protects becomes anything else than HTTP.
        match protocol {
            Protocol::Http1 => {
                let connection = protocols.upgrading().serve_connection(stream, service).with_upgrades();
                attend(pin!(connection), (&conversation, limits), shutdown).await;
            }
            Protocol::Http2 | Protocol::Either => {
                let connection = protocols.speak(protocol).serve_connection(stream, service);
                attend(pin!(connection), (&conversation, limits), shutdown).await;
            }
        }
    }
}

/// Drives a connection until it ends, becomes something else, is to end, or holds its place for nothing.
async fn attend(
    mut connection: Pin<&mut (dyn Closing + Send + '_)>,
    (conversation, limits): (&Conversation, &Limits),
    shutdown: CancellationToken,
) {
    let mut watch = Watch::begin();
    let mut look = std::pin::pin!(tokio::time::sleep_until(watch.first_look(limits).into()));
    let mut stopping = false;
    loop {
        tokio::select! {
            ended = poll_fn(|context| connection.as_mut().poll_end(context)) => {
                if let Err(error) = ended {
                    tracing::debug!(error, "a connection ended");
                }
                return;
            }
            () = shutdown.cancelled(), if !stopping => {
                stopping = true;
                connection.as_mut().close();
            }
            () = look.as_mut() => match watch.look(conversation, limits) {
                Verdict::Stay(until) => look.as_mut().reset(until.into()),
                Verdict::Close => connection.as_mut().close(),
                Verdict::Drop => return,
            },
        }
    }
}

/// A connection that can be told to end once what runs has.
trait Closing {
    fn poll_end(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), BoxError>>;

    fn close(self: Pin<&mut Self>);
}

impl<I, S> Closing for http1::UpgradeableConnection<I, S>
where
    I: Read + Write + Unpin + Send + 'static,
    S: HttpService<Incoming, ResBody = Body>,
    S::Error: Into<BoxError>,
{
    fn poll_end(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.poll(context).map_err(Into::into)
    }

    fn close(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<I, S> Closing for auto::Connection<'_, I, S, TokioExecutor>
where
    I: Read + Write + Unpin + 'static,
    S: Service<Request<Incoming>, Response = Response<Body>>,
    S::Future: 'static,
    S::Error: Into<BoxError>,
    TokioExecutor: HttpServerConnExec<S::Future, Body>,
{
    fn poll_end(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.poll(context)
    }

    fn close(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// A connection that is served.
type Serving = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A connection on which requests may come.
type Opened = (Pin<Box<dyn Stream>>, Protocol, Option<Box<str>>);

/// Whatever bytes come and go by. One kind, so that the protocols are not compiled once for each way in.
trait Stream: AsyncRead + AsyncWrite + Send {}

impl<S: AsyncRead + AsyncWrite + Send> Stream for S {}
