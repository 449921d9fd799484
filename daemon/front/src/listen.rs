//! The only place that opens a listener.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Socket, Type};

/// An address that is bound, and not yet served.
#[derive(Debug)]
pub struct Listener {
    pub(crate) socket: TcpListener,
    address: SocketAddr,
}

/// An address that cannot be had.
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
    /// The system refuses it.
    #[error("cannot listen on {address}: {source}")]
    Refused {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
}

impl BindError {
    /// This machine has no such address at all, as without IPv6.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Refused { source, .. } if matches!(
            source.kind(),
            io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported
        ) || source.raw_os_error() == Some(AF_NOT_SUPPORTED))
    }
}

/// `EAFNOSUPPORT` on Linux, for which the standard library has no kind.
const AF_NOT_SUPPORTED: i32 = 97;

impl Listener {
    /// Where it listens; with the port that the system chose, if it was left to it.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Connections that may wait to be accepted. With the 128 that are usual, of a thousand clients that come at once many are
/// made to try again for seconds; the system may allow fewer.
const QUEUE: i32 = 4096;

/// Binds one address.
///
/// # Errors
/// [`BindError`] says who may have it and what to do.
pub fn bind(address: SocketAddr) -> Result<Listener, BindError> {
    let refused = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => BindError::InUse { address },
        _ => BindError::Refused { address, source },
    };
    let socket = listen(address).map_err(refused)?;
    let bound = socket.local_addr().map_err(refused)?;
    Ok(Listener { socket, address: bound })
}

/// As `std` does it, but for the length of the queue.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // A daemon that is started again need not wait for the connections of the last.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(QUEUE)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}
