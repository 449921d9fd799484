//! The only place that opens a listener, or takes over one that systemd opened. The admin socket is `admin_socket`'s.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use access::Network;
use identity::Identity;
use socket2::{Domain, Socket, Type};

use crate::admin_socket::{self, SocketFile};

/// Who comes by a listener, and how.
#[derive(Clone)]
pub enum Kind {
    /// Programs on this machine, in plaintext.
    Loopback,
    /// The network, by TLS.
    Lan(Identity),
    /// Some networks, in plaintext, for programs that know no TLS.
    Plaintext {
        /// By whose names and addresses it is asked for.
        identity: Identity,
        /// Nobody else's connection is kept.
        allowed: Vec<Network>,
    },
}

/// What is bound, and not yet served.
pub struct Listener {
    pub(crate) socket: Bound,
    place: Place,
}

/// A listening socket.
pub(crate) enum Bound {
    Tcp(TcpListener, Kind),
    /// The file is removed with it, unless systemd made it.
    Admin(UnixListener, Option<SocketFile>),
}

/// Where a listener is to be found.
#[derive(Clone, Debug)]
enum Place {
    Network(&'static str, SocketAddr),
    File(PathBuf),
}

/// What cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// Somebody else has it.
    #[error(
        "{address} is in use, perhaps by Ollama or another hob; stop that program, or choose another address with HOB_LISTEN, \
         such as HOB_LISTEN=127.0.0.1:11435"
    )]
    InUse {
        /// The address.
        address: SocketAddr,
    },
    /// Somebody else has a port of the network's.
    #[error(
        "{address} is in use, perhaps by another hob; stop that program, or choose another port with HOB_LAN, such as \
         HOB_LAN=0.0.0.0:11444"
    )]
    LanInUse {
        /// The address.
        address: SocketAddr,
    },
    /// Somebody else has a port that was to be plaintext's.
    #[error(
        "{address} is in use, perhaps by another hob; stop that program, or choose another address or port with \
         HOB_PLAINTEXT__LISTEN, such as HOB_PLAINTEXT__LISTEN=192.168.1.5:11435"
    )]
    PlaintextInUse {
        /// The address.
        address: SocketAddr,
    },
    /// Another daemon answers at the admin socket.
    #[error("{path} is in use by another hob; stop it, or choose another path with HOB_ADMIN__SOCKET", path = path.display())]
    SocketInUse {
        /// The socket.
        path: PathBuf,
    },
    /// The system refuses it.
    #[error("cannot listen on {address}: {source}")]
    Refused {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The system refuses the admin socket.
    #[error("cannot listen on {path}: {source}", path = path.display())]
    SocketRefused {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others could put a socket of their own in the place of ours.
    #[error(
        "{folder} can be written by others, who could pose as hob there; choose another folder for the admin socket with \
         HOB_ADMIN__SOCKET", folder = folder.display()
    )]
    OpenFolder {
        /// Where the socket was to lie.
        folder: PathBuf,
    },
    /// Without TLS, only this machine may come.
    #[error(
        "{address} is open to the network, where hob is reached by TLS; use a loopback address, or HOB_LAN"
    )]
    NotLoopback {
        /// The address.
        address: SocketAddr,
    },
    /// A socket that systemd opened is none that is served.
    #[error("a socket that systemd hands over {0}; see to the unit that opens it")]
    Unsuitable(&'static str),
}

impl BindError {
    /// This machine has no such address at all, as without IPv6.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Refused { source, .. } if is_unavailable(source))
    }
}

fn is_unavailable(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported)
        || error.raw_os_error() == Some(AF_NOT_SUPPORTED)
}

/// `EAFNOSUPPORT` on Linux, for which the standard library has no kind.
const AF_NOT_SUPPORTED: i32 = 97;

impl Listener {
    /// Where it listens, with the port that the system chose if it was left to it; `None` of the admin socket.
    pub fn address(&self) -> Option<SocketAddr> {
        match self.place {
            Place::Network(_, address) => Some(address),
            Place::File(_) => None,
        }
    }
}

/// As one would ask for it.
impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Network(scheme, address) => write!(f, "{scheme}://{address}"),
            Place::File(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Connections that may wait to be accepted. With the 128 that are usual, of a thousand clients that come at once many are
/// made to try again for seconds; the system may allow fewer.
const QUEUE: i32 = 4096;

/// Binds one address. `[::]` is IPv4 as well, and nothing but IPv4 where there is no IPv6.
///
/// # Errors
/// [`BindError`] says who may have it and what to do.
pub fn bind(kind: Kind, address: SocketAddr) -> Result<Listener, BindError> {
    if matches!(kind, Kind::Loopback) && !address.ip().is_loopback() {
        return Err(BindError::NotLoopback { address });
    }
    let everywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()));
    let socket = match listen(address) {
        Err(error) if is_unavailable(&error) && address.ip().is_unspecified() => listen(everywhere),
        socket => socket,
    };
    let refused = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => match kind {
            Kind::Loopback => BindError::InUse { address },
            Kind::Lan(_) => BindError::LanInUse { address },
            Kind::Plaintext { .. } => BindError::PlaintextInUse { address },
        },
        _ => BindError::Refused { address, source },
    };
    let socket = socket.map_err(refused)?;
    let bound = socket.local_addr().map_err(refused)?;
    Ok(Listener::tcp(socket, bound, kind))
}

/// Opens the admin socket, for this user alone or for a group, by its number, as well. Its folder is made if there is none; a
/// socket that a daemon left there is replaced.
///
/// # Errors
/// [`BindError`] says what to do.
pub fn bind_admin(path: &Path, group: Option<u32>) -> Result<Listener, BindError> {
    let (socket, file) = admin_socket::open(path, group, QUEUE)?;
    Ok(Listener { socket: Bound::Admin(socket, Some(file)), place: Place::File(path.into()) })
}

/// Takes over a listening socket of the network's.
///
/// # Errors
/// [`BindError`] if it is something else, or is open to others than its kind.
pub fn adopt(kind: Kind, socket: OwnedFd) -> Result<Listener, BindError> {
    let socket = adopted(socket)?;
    let address = socket.local_addr().ok().and_then(|address| address.as_socket());
    let address = address.ok_or(BindError::Unsuitable("is none of the network's"))?;
    if matches!(kind, Kind::Loopback) && !address.ip().is_loopback() {
        return Err(BindError::NotLoopback { address });
    }
    Ok(Listener::tcp(socket.into(), address, kind))
}

/// Takes over the admin socket. Who may open it is up to whoever made it, who also removes it.
///
/// # Errors
/// [`BindError`] if it is something else.
pub fn adopt_admin(socket: OwnedFd) -> Result<Listener, BindError> {
    let socket = adopted(socket)?;
    let address = socket.local_addr().ok();
    let path = address.as_ref().and_then(socket2::SockAddr::as_pathname);
    let path = path.ok_or(BindError::Unsuitable("lies in no folder, which says who may open it"))?.to_owned();
    Ok(Listener { socket: Bound::Admin(socket.into(), None), place: Place::File(path) })
}

fn adopted(socket: OwnedFd) -> Result<Socket, BindError> {
    let socket = Socket::from(socket);
    let stream = socket.r#type().is_ok_and(|kind| kind == Type::STREAM);
    match stream && socket.is_listener().unwrap_or(false) && socket.set_nonblocking(true).is_ok() {
        true => Ok(socket),
        false => Err(BindError::Unsuitable("does not listen for connections")),
    }
}

impl Listener {
    fn tcp(socket: TcpListener, address: SocketAddr, kind: Kind) -> Self {
        let scheme = match kind {
            Kind::Lan(_) => "https",
            Kind::Loopback | Kind::Plaintext { .. } => "http",
        };
        Self { socket: Bound::Tcp(socket, kind), place: Place::Network(scheme, address) }
    }
}

/// As `std` does it, but for the length of the queue.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        // Some systems keep the two apart.
        socket.set_only_v6(false)?;
    }
    // A daemon that is started again need not wait for the connections of the last.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(QUEUE)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}
