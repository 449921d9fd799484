//! The accept loop of each listener. Ours, since `axum::serve` knows no time limit for headers and no cap on connections. What
//! becomes of a connection is `door`'s.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use access::Access;
use axum::Router;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admin_socket::SocketFile;
use crate::door::{Connected, Door, Entrance, House, Socket};
use crate::guard::{Guard, Ours, Scheme};
use crate::listen::{Bound, Kind};
use crate::refused::Refusals;
use crate::{Limits, Listener, OriginPattern};

/// What the operator decided.
#[derive(Clone)]
pub struct Config {
    /// Who is who.
    pub access: Access,
    /// Of connections, bytes and time.
    pub limits: Limits,
    /// Origins of pages that may call us, besides our own and, on this machine, the loopback's.
    pub origins: Vec<OriginPattern>,
    /// Host names that are ours, besides the loopback's and the identity's. One with a port is asked for at that port, as by way
    /// of a proxy; one without, at the listener's.
    pub hosts: Vec<String>,
    /// What a program on this machine is taken for.
    pub loopback: Loopback,
}

/// What a program on this machine is taken for that presents nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Loopback {
    /// One of this machine's users', unless a proxy says that it asks for somebody else.
    #[default]
    Local,
    /// Nobody's.
    RequiresKey,
}

/// Serves the listeners until `shutdown`, then lets what runs end. To be called within a tokio runtime.
///
/// Each request that reaches `app` has a [`RequestId`](crate::RequestId), an [`access::Origin`] and an [`access::Caller`] among
/// its extensions, and no credentials among its headers.
pub async fn serve(listeners: Vec<Listener>, app: Router, config: Config, shutdown: CancellationToken) {
    let places = Places::within(&config.limits);
    let (hosts, origins) = (config.hosts.clone(), config.origins.clone());
    let (refusals, writing) = Refusals::to(config.access.clone());
    let writing = tokio::spawn(writing);
    let house = Arc::new(House::new(app, config, refusals));
    let accepting = listeners.into_iter().map(|listener| {
        let port = listener.address().map_or(0, |address| address.port());
        let (socket, entrance, ours) = match listener.socket {
            Bound::Tcp(socket, kind) => {
                let (entrance, ours) = of(kind, port);
                (TcpListener::from_std(socket).map(Accepting::Tcp), entrance, ours)
            }
            Bound::Admin(socket, file) => {
                let socket = UnixListener::from_std(socket).map(|socket| Accepting::Unix(socket, file));
                (socket, Entrance::AdminSocket, Ours::AdminSocket)
            }
        };
        let guard = Arc::new(Guard { ours, hosts: hosts.clone(), origins: origins.clone() });
        let door = Arc::new(Door { house: Arc::clone(&house), entrance, guard });
        tokio::spawn(accept(door, socket, places.clone(), shutdown.clone()))
    });
    let accepting: Vec<_> = accepting.collect();
    drop(house);
    for door in accepting {
        match door.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "cannot listen"),
            Err(error) => tracing::error!(%error, "a listener ended"),
        }
    }
    // Whoever told it something is gone by now.
    if let Err(error) = writing.await {
        tracing::error!(%error, "refusals are not in the audit log");
    }
}

fn of(kind: Kind, port: u16) -> (Entrance, Ours) {
    match kind {
        Kind::Loopback => (Entrance::Loopback, Ours::Loopback { port }),
        Kind::Lan(identity) => {
            let ours = Ours::Network { identity: identity.clone(), scheme: Scheme::Https, port };
            (Entrance::Lan(identity), ours)
        }
        Kind::Plaintext { identity, allowed } => {
            (Entrance::Plaintext { allowed }, Ours::Network { identity, scheme: Scheme::Http, port })
        }
    }
}

/// Takes in connections until it is time to stop, then waits for those that are left.
async fn accept(
    door: Arc<Door>,
    socket: io::Result<Accepting>,
    places: Places,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let socket = socket?;
    let connections = TaskTracker::new();
    loop {
        let next = tokio::select! {
            next = next(&door, &socket, &places) => next,
            () = shutdown.cancelled() => break,
        };
        let Some((connected, place)) = next else { break };
        let (door, shutdown) = (Arc::clone(&door), shutdown.clone());
        connections.spawn(async move {
            door.welcome(connected, shutdown).await;
            drop(place);
        });
    }
    drop(socket);
    connections.close();
    connections.wait().await;
    Ok(())
}

/// The next connection, once there is a place for it. Those that are turned away at the door go at once, so that an address that
/// has all it may have keeps nobody else waiting.
async fn next(door: &Door, socket: &Accepting, places: &Places) -> Option<(Connected, Place)> {
    let place = places.take(&door.entrance).await?;
    loop {
        let (socket, address) = match socket.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, most likely: some connection must end first.
                tracing::warn!(%error, "cannot accept a connection");
                let later = tokio::time::Instant::now() + Duration::from_millis(100);
                tokio::time::sleep_until(later).await;
                continue;
            }
        };
        match door.admit(socket, address) {
            Some(connected) => return Some((connected, place)),
            None => tracing::debug!(?address, "turned away a connection"),
        }
    }
}

/// A listening socket.
enum Accepting {
    Tcp(TcpListener),
    Unix(UnixListener, #[expect(dead_code, reason = "it goes with the socket")] Option<SocketFile>),
}

impl Accepting {
    async fn accept(&self) -> io::Result<(Socket, Option<SocketAddr>)> {
        match self {
            Self::Tcp(socket) => {
                let (stream, address) = socket.accept().await?;
                tune(&stream);
                Ok((Socket::Tcp(stream), Some(address)))
            }
            Self::Unix(socket, _) => Ok((Socket::Unix(socket.accept().await?.0), None)),
        }
    }
}

/// For connections. A clone is the same.
#[derive(Clone)]
struct Places {
    all: Arc<Semaphore>,
    network: Arc<Semaphore>,
}

/// One connection's, until it is dropped.
type Place = (Option<OwnedSemaphorePermit>, OwnedSemaphorePermit);

impl Places {
    fn within(limits: &Limits) -> Self {
        let semaphore = |places: usize| Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS)));
        Self { all: semaphore(limits.connections), network: semaphore(limits.network_connections()) }
    }

    async fn take(&self, entrance: &Entrance) -> Option<Place> {
        let network = match entrance {
            Entrance::Loopback | Entrance::AdminSocket => None,
            Entrance::Lan(_) | Entrance::Plaintext { .. } => {
                Some(Arc::clone(&self.network).acquire_owned().await.ok()?)
            }
        };
        Some((network, Arc::clone(&self.all).acquire_owned().await.ok()?))
    }
}

/// What the system takes in for a client that does not read: enough for a fast network, and little enough for its model to
/// notice soon. Left to itself the system takes in megabytes.
const SEND_BUFFER_BYTES: usize = 128 << 10;

/// A client that said nothing for so long is asked whether it is there, and is gone after as long again.
const KEEPALIVE: Duration = Duration::from_secs(15);

fn tune(stream: &TcpStream) {
    // A token must not wait for the next one to fill a packet.
    let _slower = stream.set_nodelay(true);
    let socket = SockRef::from(stream);
    let _later = socket.set_send_buffer_size(SEND_BUFFER_BYTES);
    // Whose power went says nothing, least of all that it is gone.
    let gone = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE / 3).with_retries(3);
    let _longer = socket.set_tcp_keepalive(&gone);
}
