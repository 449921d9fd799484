//! A box that was heard of.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

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

impl Phase {
    /// As it is said on the network and listed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::Ready => "ready",
        }
    }
}

/// A word that is no phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is neither setup nor ready")]
pub struct UnknownPhase;

impl FromStr for Phase {
    type Err = UnknownPhase;

    fn from_str(text: &str) -> Result<Self, UnknownPhase> {
        [Self::Setup, Self::Ready].into_iter().find(|phase| phase.name() == text).ok_or(UnknownPhase)
    }
}

/// The name by which a box is known to its neighbours, if this is one: `hob-abcd`, of `hob-abcd` or `hob-abcd.local`.
pub fn label_of(host: &str) -> Option<&str> {
    let label = host.strip_suffix(".local").unwrap_or(host);
    let rest = label.strip_prefix("hob-")?;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (!rest.is_empty() && rest.bytes().all(plain)).then_some(label)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_is_looked_for_by_its_name_and_nothing_else_is() {
        assert_eq!(label_of("hob-abcd"), Some("hob-abcd"));
        assert_eq!(label_of("hob-abcd.local"), Some("hob-abcd"));
        for other in ["nas.local", "hob-abcd.lan", "hob-", "hob-a.b.local", "hob-a_b", "192.168.1.5"] {
            assert_eq!(label_of(other), None, "{other}");
        }
    }
}
