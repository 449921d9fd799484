//! How a request came, and what it presented to be known by. Reading that from a socket and from headers is `front`'s.

use std::net::IpAddr;

/// By which door a request came. It says what somebody may do who presents nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Plaintext on a socket that is bound to the loopback, and nothing says that it was forwarded.
    Loopback,
    /// The same, but a proxy says that it comes from elsewhere, or the owner wants keys on the loopback as well.
    Forwarded,
    /// TLS on the network.
    Lan,
    /// Plaintext on the network, which the owner opened for programs that know no TLS. Nothing is administered by it.
    Plaintext,
    /// The UNIX socket of those whom the system lets open it.
    AdminSocket,
}

/// Where a request came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// By which door it came.
    pub way: Way,
    /// The other end of the connection; `None` by a UNIX socket. Not what a proxy says: anybody can say that.
    pub address: Option<IpAddr>,
}

/// What a request presented.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Credential<'a> {
    /// Nothing.
    None,
    /// A key, or what another service would take for one, from `Authorization: Bearer` or `x-api-key`.
    Key(&'a str),
    /// A browser's session, from its cookie.
    Session(&'a str),
}

/// Not what is presented: it would stand in a log.
impl std::fmt::Debug for Credential<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Key(_) => "Key",
            Self::Session(_) => "Session",
        })
    }
}

/// A request, as far as it matters for who asks.
#[derive(Clone, Copy, Debug)]
pub struct Presented<'a> {
    /// Where it came from.
    pub origin: Origin,
    /// What it presented.
    pub credential: Credential<'a>,
}
