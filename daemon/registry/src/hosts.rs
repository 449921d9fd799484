//! Whom we may talk to. A name in a pull must not become a way to the inside of the network (CVE-2026-5530): private
//! addresses are reached only if the operator named the host, and this holds for every redirect and every token realm.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::{RegistryError, Transport};

/// The hosts that the operator trusts: to be on the inside, and with plain HTTP.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosts {
    trusted: Vec<Trusted>,
    /// The proxy's own host, which is often on the inside.
    pub(crate) proxy: Option<String>,
}

/// `host` or `host:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Trusted {
    host: String,
    port: Option<u16>,
}

/// The text names no host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no host; write it like registry.local:5000")]
pub struct InvalidHost(String);

impl FromStr for Hosts {
    type Err = InvalidHost;

    /// Hosts with or without a port, separated by commas.
    fn from_str(text: &str) -> Result<Self, InvalidHost> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let trusted = parts.map(|part| {
            let url = Url::parse(&format!("http://{part}/")).map_err(|_| InvalidHost(part.into()))?;
            let plain = url.path() == "/" && url.username().is_empty() && url.query().is_none();
            let host = url.host_str().filter(|_| plain).ok_or_else(|| InvalidHost(part.into()))?;
            // A port of 80 is left out by the parser, but not by us.
            let port = part.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
            Ok(Trusted { host: host.to_owned(), port })
        });
        Ok(Self { trusted: trusted.collect::<Result<_, _>>()?, proxy: None })
    }
}

impl Hosts {
    /// Whether this may be asked at all; names are checked again when they are resolved.
    pub(crate) fn check(&self, url: &Url) -> Result<(), RegistryError> {
        let Some(host) = url.host_str() else { return Err(RegistryError::Malformed("address")) };
        if self.is_trusted(url) {
            return Ok(());
        }
        if url.scheme() != "https" {
            return Err(RegistryError::Untrusted { host: host.into() });
        }
        let inside = match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(address) => !is_public(address),
            // The resolver knows names only, so a host that is trusted at one port is asked at no other.
            Err(_) => is_inside_name(host) || self.is_trusted_name(host),
        };
        if inside { Err(RegistryError::Private { host: host.into() }) } else { Ok(()) }
    }

    /// The scheme to reach a registry by.
    pub(crate) fn scheme(&self, host: &str, transport: Transport) -> Result<&'static str, RegistryError> {
        match transport {
            Transport::Secure => Ok("https"),
            Transport::Plain => {
                let url =
                    Url::parse(&format!("http://{host}/")).map_err(|_| RegistryError::Malformed("host"))?;
                self.check(&url).map(|()| "http")
            }
        }
    }

    fn is_trusted(&self, url: &Url) -> bool {
        self.trusted.iter().any(|trusted| {
            url.host_str() == Some(&trusted.host)
                && trusted.port.is_none_or(|port| url.port_or_known_default() == Some(port))
        })
    }

    fn is_trusted_name(&self, name: &str) -> bool {
        self.trusted.iter().any(|trusted| trusted.host == name)
    }
}

/// A name that stands for an address on the inside.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0} resolves to a private address only; add it to the setting registry.trusted if models may come from there"
)]
pub(crate) struct PrivateAddress(String);

/// Resolves names, and answers with addresses that may be connected to. What was checked is what is connected to, so a
/// name that changes its mind in between gains nothing.
impl Resolve for Hosts {
    fn resolve(&self, name: Name) -> Resolving {
        let hosts = self.clone();
        Box::pin(async move {
            let name = name.as_str();
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name, 0)).await?.collect();
            let known = !found.is_empty();
            let allowed = |address: &SocketAddr| {
                hosts.is_trusted_name(name) || hosts.proxy.as_deref() == Some(name) || is_public(address.ip())
            };
            let found: Vec<SocketAddr> = found.into_iter().filter(allowed).collect();
            if known && found.is_empty() {
                return Err(PrivateAddress(name.into()).into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Whether the name can only mean something on the inside: where a proxy resolves names, nobody else asks.
/// <https://www.iana.org/assignments/special-use-domain-names>
fn is_inside_name(host: &str) -> bool {
    let host = host.trim_end_matches('.');
    let inside =
        ["localhost", "local", "internal", "lan", "home", "corp", "intranet", "private", "home.arpa"];
    !host.contains('.')
        || inside.iter().any(|zone| host.strip_suffix(zone).is_some_and(|rest| rest.ends_with('.')))
}

/// Whether the address is one of the internet at large. <https://www.iana.org/assignments/iana-ipv4-special-registry>
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match embedded_v4(address) {
            Some(inside) => is_public_v4(inside),
            None => (address.segments()[0] & 0xe000) == 0x2000 && !is_documentation(address),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = matches!(
        (a, b, c),
        (0 | 10 | 127 | 224..=255, ..)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 0, 0 | 2)
            | (192, 168, _)
            | (198, 18 | 19, _)
            | (198, 51, 100)
            | (203, 0, 113)
    );
    !special
}

/// IPv4 in IPv6's clothes: mapped, NAT64, 6to4.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match (a, b) {
        (0, 0) if (c, d, e) == (0, 0, 0) && matches!(f, 0 | 0xffff) => Some(v4(g, h)),
        (0x64, 0xff9b) => Some(v4(g, h)),
        (0x2002, _) => Some(v4(b, c)),
        _ => None,
    }
}

fn is_documentation(address: Ipv6Addr) -> bool {
    address.segments()[..2] == [0x2001, 0xdb8]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_the_inside_are_told_in_every_dress() {
        for inside in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "::ffff:127.0.0.1",
            "64:ff9b::a00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "ff02::1",
        ] {
            assert!(!is_public(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["1.1.1.1", "172.32.0.1", "100.63.255.255", "2606:4700::1111", "::ffff:8.8.8.8"] {
            assert!(is_public(outside.parse().unwrap()), "{outside}");
        }
    }

    #[test]
    fn only_hosts_that_are_trusted_may_be_plain_or_inside() {
        let hosts: Hosts = "localhost:5000, box.local".parse().unwrap();
        let may = |url: &str| hosts.check(&url.parse().unwrap()).is_ok();

        assert!(
            may("http://localhost:5000/v2/") && may("http://box.local/") && may("https://box.local:8443/")
        );
        assert!(may("https://registry.ollama.ai/v2/"));
        for url in [
            "http://registry.ollama.ai/",
            "http://localhost:5001/",
            "https://127.0.0.1/",
            "https://[::1]/",
            "https://localhost/",
            "https://localhost:5001/",
            "https://router/",
            "https://nas.local/",
            "https://metadata.google.internal./",
        ] {
            assert!(!may(url), "{url}");
        }
        assert!("a/b".parse::<Hosts>().is_err() && "user@host".parse::<Hosts>().is_err());
    }
}
