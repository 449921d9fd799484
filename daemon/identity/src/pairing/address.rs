//! Where a box is reached, as people write it. Pure.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use rustls_pki_types::ServerName;

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    name: ServerName<'static>,
    port: u16,
}

/// Where a Hob listens, if nothing else is said.
pub const USUAL_PORT: u16 = 11443;

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no address of a box; write hob-abcd.local or 192.168.1.5:11443")]
pub struct InvalidAddress(pub String);

impl Address {
    /// A name, or an address without brackets.
    pub fn host(&self) -> String {
        self.name.to_str().into_owned()
    }

    /// By default 11443.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where it leads, if that is said without a name.
    pub(super) fn socket(&self) -> Option<SocketAddr> {
        self.host().parse().ok().map(|host| SocketAddr::new(host, self.port))
    }

    /// `https://host:port`.
    pub fn url(&self) -> String {
        format!("https://{self}")
    }

    /// That of a name; `None` if it is none.
    pub(super) fn named(name: &str, port: u16) -> Option<Self> {
        Some(Self { name: ServerName::try_from(name.to_owned()).ok()?, port })
    }

    /// What certificates have to be for.
    pub(super) fn name(&self) -> &ServerName<'static> {
        &self.name
    }
}

impl From<SocketAddr> for Address {
    fn from(place: SocketAddr) -> Self {
        Self { name: place.ip().into(), port: place.port() }
    }
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let invalid = || InvalidAddress(text.to_owned());
        let place = text.strip_prefix("https://").unwrap_or(text);
        let place = place.strip_suffix('/').unwrap_or(place);
        let (host, port) = match place.rsplit_once(':') {
            // Colons are also in addresses.
            _ if place.parse::<Ipv6Addr>().is_ok() => (place, None),
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (place, None),
        };
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        let digits = |port: &&str| port.bytes().all(|byte| byte.is_ascii_digit());
        let port = match port {
            None => USUAL_PORT,
            Some(port) => Some(port).filter(digits).and_then(|port| port.parse().ok()).ok_or_else(invalid)?,
        };
        let name = ServerName::try_from(bare.to_ascii_lowercase()).map_err(|_| invalid())?;
        let v6 = matches!(bare.parse(), Ok(IpAddr::V6(_)));
        if port == 0 || (bare.len() < host.len() && !v6) {
            return Err(invalid());
        }
        Ok(Self { name, port })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host() {
            host if host.contains(':') => write!(f, "[{host}]:{}", self.port),
            host => write!(f, "{host}:{}", self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_people_write_it() {
        for (text, written) in [
            ("hob-abcd.local", "hob-abcd.local:11443"),
            ("https://HOB-abcd.local:8443/", "hob-abcd.local:8443"),
            ("192.168.1.5:1", "192.168.1.5:1"),
            ("fd00::5", "[fd00::5]:11443"),
            ("[fd00::5]", "[fd00::5]:11443"),
            ("https://[fd00::5]:8443", "[fd00::5]:8443"),
        ] {
            let address = text.parse::<Address>().unwrap();
            assert_eq!(address.to_string(), written, "{text}");
            assert_eq!(address.to_string().parse(), Ok(address));
        }
        for wrong in [
            "",
            ":1",
            "http://nas",
            "nas:0",
            "nas:65536",
            "nas:+1",
            "nas/path",
            "a b",
            "[nas]:1",
            "me@nas",
            "https://",
        ] {
            assert_eq!(wrong.parse::<Address>(), Err(InvalidAddress(wrong.to_owned())), "{wrong}");
        }
    }
}
