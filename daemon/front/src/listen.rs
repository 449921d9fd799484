//! The only place that opens a listener.

use std::io;
use std::net::{SocketAddr, TcpListener};

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

/// Binds one address.
///
/// # Errors
/// [`BindError`] says who may have it and what to do.
pub fn bind(address: SocketAddr) -> Result<Listener, BindError> {
    let refused = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => BindError::InUse { address },
        _ => BindError::Refused { address, source },
    };
    let socket = TcpListener::bind(address).map_err(refused)?;
    socket.set_nonblocking(true).map_err(refused)?;
    let bound = socket.local_addr().map_err(refused)?;
    Ok(Listener { socket, address: bound })
}
