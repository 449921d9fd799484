//! On which network interfaces a box is announced, and by which addresses. Decides only: what there is comes in, from whoever
//! asks the system.

use std::net::IpAddr;
use std::sync::Arc;

/// A network interface that is up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// What the system calls it.
    pub name: String,
    /// Its addresses, without those that are soon others.
    pub addresses: Vec<IpAddr>,
    /// Other machines are behind it: it is no loopback, no bridge of containers and no tunnel.
    pub leads_outside: bool,
    /// The way to everywhere else begins there.
    pub has_default_route: bool,
    /// One packet can reach all machines there.
    pub multicast: bool,
}

/// Asks the system which there are by now. May block for a moment.
pub type Links = Arc<dyn Fn() -> Vec<Link> + Send + Sync>;

/// What the owner says about interfaces: names, or how they begin and `*`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// These and no others, whatever they look like; those that look like a network, if empty.
    pub only: Vec<String>,
    /// Not these, whatever else is said.
    pub skip: Vec<String>,
}
