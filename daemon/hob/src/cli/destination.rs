//! Which daemon a command is for, and by which of the three ways it is reached: an address, the socket of those who administer
//! this machine's, or a box that was paired. Decides only; connecting is `client`'s.

use std::path::PathBuf;

use discovery::label_of;
use identity::pairing::{Address, BoxName, Paired};

const DEFAULT_PORT: u16 = 11434;

/// A daemon, and the way to it.
#[derive(Clone, Debug)]
pub(crate) enum Destination {
    /// By its address: plaintext, or TLS of which the system's authorities have to say whose it is.
    Url(String),
    /// By the socket of those whom the system lets administer this machine's.
    Socket(PathBuf),
    /// By TLS, and nobody but this very box.
    Paired(Box<Paired>),
}

impl Destination {
    /// What `--host` stands for, or a variable in its place: a paired box by its name or its address, else an address. Who
    /// writes `http://` wants plaintext.
    pub(crate) fn of(host: &str, boxes: &[Paired]) -> Self {
        match paired(host, boxes) {
            Some(paired) => Self::Paired(Box::new(paired.clone())),
            None => Self::Url(base_url(host)),
        }
    }

    /// As people write it.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Url(url) => url.clone(),
            Self::Socket(path) => path.display().to_string(),
            Self::Paired(paired) => paired.address().url(),
        }
    }

    /// Whether it is on this machine, as far as its address tells.
    pub(crate) fn is_local(&self) -> bool {
        match self {
            Self::Url(url) => is_loopback(url),
            Self::Socket(_) => true,
            Self::Paired(_) => false,
        }
    }

    /// Whether what is sent there can be read on the way.
    pub(crate) fn is_in_clear(&self) -> bool {
        matches!(self, Self::Url(url) if url.starts_with("http://") && !is_loopback(url))
    }
}

fn paired<'a>(host: &str, boxes: &'a [Paired]) -> Option<&'a Paired> {
    let host = trimmed(host);
    let bare = match host.split_once("://") {
        None => host,
        Some(("https", rest)) => rest.trim_end_matches('/'),
        Some(_) => return None,
    };
    let name: Option<BoxName> = host.parse().ok();
    let address: Option<Address> = bare.parse().ok();
    let named = boxes.iter().find(|paired| Some(paired.name()) == name.as_ref());
    let at = || boxes.iter().find(|paired| Some(paired.address()) == address.as_ref());
    // What it is called on its network, wherever it was when it was paired.
    let host = address.as_ref().map(Address::host).unwrap_or_default();
    let label = label_of(&host);
    named.or_else(at).or_else(|| boxes.iter().find(|paired| Some(paired.id().label().as_str()) == label))
}

/// Whether a URL is of this machine, as far as it tells.
pub(super) fn is_loopback(url: &str) -> bool {
    let url = reqwest::Url::parse(url).ok();
    let host = url.as_ref().and_then(reqwest::Url::host_str).unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn trimmed(host: &str) -> &str {
    host.trim().trim_matches(['"', '\'']).trim()
}

/// The base URL that `host`, `[scheme://]host[:port][/path]`, stands for. Never ends in `/`.
pub(crate) fn base_url(host: &str) -> String {
    let host = trimmed(host);
    let (scheme, rest, default_port) = match host.split_once("://") {
        Some(("https", rest)) => ("https", rest, 443),
        Some((_, rest)) => ("http", rest, 80),
        None => ("http", host, DEFAULT_PORT),
    };
    let (authority, path) = rest.split_once('/').map_or((rest, ""), |(authority, path)| (authority, path));
    let (name, port) = split_port(authority);
    let port = port.and_then(|port| port.parse().ok()).unwrap_or(default_port);
    let name = match name {
        "" | "0.0.0.0" => "127.0.0.1".to_owned(),
        "::" => "[::1]".to_owned(),
        name if name.contains(':') => format!("[{name}]"),
        name => name.to_owned(),
    };
    let path = path.trim_end_matches('/');
    let slash = if path.is_empty() { "" } else { "/" };
    format!("{scheme}://{name}:{port}{slash}{path}")
}

fn split_port(authority: &str) -> (&str, Option<&str>) {
    if let Some(bracketed) = authority.strip_prefix('[') {
        let (name, rest) = bracketed.split_once(']').unwrap_or((bracketed, ""));
        return (name, rest.strip_prefix(':'));
    }
    match authority.split_once(':') {
        // More than one colon without brackets is an IPv6 address without a port.
        Some((_, rest)) if rest.contains(':') => (authority, None),
        Some((name, port)) => (name, Some(port)),
        None => (authority, None),
    }
}

#[cfg(test)]
mod tests {
    use identity::DeviceId;
    use identity::pairing::Introduction;
    use rustls::pki_types::CertificateDer;

    use super::*;

    #[test]
    fn the_scheme_decides_the_default_port() {
        assert_eq!(base_url(""), "http://127.0.0.1:11434");
        assert_eq!(base_url("box"), "http://box:11434");
        assert_eq!(base_url("http://box"), "http://box:80");
        assert_eq!(base_url("https://box/ai/"), "https://box:443/ai");
        assert_eq!(base_url("box:99999"), "http://box:11434");
    }

    #[test]
    fn an_unspecified_address_is_reached_over_loopback() {
        assert_eq!(base_url("0.0.0.0:1234"), "http://127.0.0.1:1234");
        assert_eq!(base_url("[::]:1234"), "http://[::1]:1234");
        assert_eq!(base_url("::1"), "http://[::1]:11434");
        assert_eq!(base_url(" \"[::1]:8\" "), "http://[::1]:8");
    }

    fn paired(name: &str, address: &str) -> Paired {
        let root = CertificateDer::from(name.as_bytes().to_vec());
        let shown = Introduction {
            address: address.parse().unwrap(),
            place: "10.0.0.1:11443".parse().unwrap(),
            id: DeviceId::of(&root),
            root,
        };
        Paired::new(name.parse().unwrap(), &shown)
    }

    #[test]
    fn a_box_is_meant_by_its_name_or_its_address_unless_plaintext_is_asked_for() {
        let boxes = [paired("attic", "hob-abcd.local"), paired("office", "192.168.1.5:8443")];
        let meant = |host: &str| match Destination::of(host, &boxes) {
            Destination::Paired(paired) => paired.name().as_str().to_owned(),
            destination => destination.shown(),
        };
        assert_eq!(meant("attic"), "attic");
        assert_eq!(meant("hob-abcd.local"), "attic");
        assert_eq!(meant("hob-abcd.local:11443"), "attic");
        assert_eq!(meant("https://hob-abcd.local:11443/"), "attic");
        assert_eq!(meant("192.168.1.5:8443"), "office");
        assert_eq!(meant("http://attic"), "http://attic:80");
        assert_eq!(meant("192.168.1.5"), "http://192.168.1.5:11434");
        let office = boxes[1].id().label();
        for host in [office.clone(), format!("{office}.local:1"), format!("https://{office}.local")] {
            assert_eq!(meant(&host), "office", "{host}");
        }
        assert_eq!(meant(&format!("http://{office}.local")), format!("http://{office}.local:80"));
        assert_eq!(meant("cellar"), "http://cellar:11434");
        assert_eq!(meant("https://attic.example"), "https://attic.example:443");
    }

    #[test]
    fn what_leaves_the_machine_in_plaintext_can_be_read_on_the_way() {
        let in_clear = |host: &str| Destination::of(host, &[]).is_in_clear();
        assert!(in_clear("box") && in_clear("192.168.1.5") && in_clear("http://[fd00::1]:1"));
        assert!(in_clear("http://127.0.0.1.example") && in_clear("http://localhost.example"));
        assert!(
            !in_clear("") && !in_clear("localhost:1") && !in_clear("127.0.0.2") && !in_clear("[::1]:11434")
        );
        assert!(!in_clear("https://box") && !Destination::Socket("/run/hob/admin.sock".into()).is_in_clear());
    }
}
