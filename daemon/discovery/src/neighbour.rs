//! A box that was heard of.

use std::net::{IpAddr, SocketAddr};

use identity::DeviceId;

/// A box that says it is there. Nothing of this is proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// What it is called on the network, before `.local`: `hob-abcd`.
    pub label: String,
    /// The short form of the ID that it claims to have.
    pub id: String,
    /// Where it serves TLS.
    pub port: u16,
    /// At which addresses; those of IPv6 that begin with fe80 mean something on one link only, and are left out.
    pub addresses: Vec<IpAddr>,
    /// Of Hob, `major.minor`.
    pub version: String,
    /// Whether it is somebody's.
    pub phase: Phase,
}

/// What a box can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nobody owns it yet.
    Setup,
    /// It serves whom it knows.
    Ready,
}

impl Neighbour {
    /// Where it is asked, by name.
    pub fn url(&self) -> String {
        format!("https://{}.local:{}", self.label, self.port)
    }

    /// Whether it claims to be this one.
    pub fn claims_to_be(&self, id: &DeviceId) -> bool {
        self.id == id.short()
    }

    /// Where it can be connected to.
    pub fn sockets(&self) -> Vec<SocketAddr> {
        self.addresses.iter().map(|address| SocketAddr::new(*address, self.port)).collect()
    }
}
