//! Boxes beside this machine, as the command line finds them: by mDNS, itself, as there need be no daemon here, and as many
//! systems do not look up names under `.local`.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use discovery::{Config, Discovery, Neighbour, Rules};
use identity::DeviceId;
use identity::pairing::{Address, Introduction, PairingError, introduce, introduce_at};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::serve::neighbours::links;

/// Who is there answers within a tenth of a second.
const PATIENCE: Duration = Duration::from_secs(2);
/// What is meant where no port is named.
const USUAL_PORT: u16 = 11443;

/// Looks for others, and says nothing of this machine.
pub(crate) fn browse(rules: Rules) -> Discovery {
    Discovery::start(Config { announce: None, rules, links: links() })
}

/// The first that is the one, if any is there.
async fn find(rules: Rules, is: impl Fn(&Neighbour) -> bool) -> Option<Neighbour> {
    let discovery = browse(rules);
    let mut list = discovery.watch();
    let found = list.wait_for(|list| list.iter().any(&is));
    let found = tokio::time::timeout(PATIENCE, found).await.ok()?.ok()?;
    found.iter().find(|neighbour| is(neighbour)).cloned()
}

/// The name by which a box is known to its neighbours, if this is one: `hob-abcd`, of `hob-abcd` or `hob-abcd.local`.
pub(crate) fn label(host: &str) -> Option<&str> {
    let label = host.strip_suffix(".local").unwrap_or(host);
    let rest = label.strip_prefix("hob-")?;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (!rest.is_empty() && rest.bytes().all(plain)).then_some(label)
}

/// Asks a box who it is, wherever it is found: `hob-abcd` is looked for on the network, at the port that it tells there unless
/// another is asked for. Nothing else is said to it.
///
/// # Errors
/// Those of [`introduce`].
pub(crate) async fn acquaint(
    asked: Address,
    rules: Rules,
    patience: Duration,
) -> Result<Introduction, PairingError> {
    let host = asked.host();
    let found = match label(&host) {
        Some(label) => find(rules, |neighbour| neighbour.label == label).await,
        None => None,
    };
    let address = match &found {
        Some(found) => {
            let port = if asked.port() == USUAL_PORT { found.port } else { asked.port() };
            format!("{}.local:{port}", found.label).parse().unwrap_or(asked)
        }
        None => asked,
    };
    let unasked = address.clone();
    let asks = move || match found {
        Some(found) => {
            let places = found.addresses.iter().map(|place| SocketAddr::new(*place, address.port()));
            introduce_at(&address, &places.collect::<Vec<_>>(), patience)
        }
        None => introduce(&address, patience),
    };
    let asked = tokio::task::spawn_blocking(asks).await;
    asked.unwrap_or_else(|gone| Err(PairingError::Unreachable { address: unasked, source: gone.into() }))
}

/// Finds hosts for the client: as the system does, and boxes on the network by mDNS besides.
#[derive(Clone, Debug, Default)]
pub(crate) struct Finder {
    /// One box, by whatever name it is asked for: at this host, or where its ID is announced.
    pub(crate) only: Option<(String, DeviceId)>,
}

impl Resolve for Finder {
    fn resolve(&self, name: Name) -> Resolving {
        let only = self.only.clone();
        Box::pin(async move {
            let host = only.as_ref().map_or_else(|| name.as_str().to_owned(), |(host, _)| host.clone());
            let found = if host.parse::<IpAddr>().is_err() && (only.is_some() || label(&host).is_some()) {
                let wanted = label(&host);
                let is = |neighbour: &Neighbour| match &only {
                    Some((_, id)) => neighbour.claims_to_be(id),
                    None => Some(neighbour.label.as_str()) == wanted,
                };
                find(Rules::default(), is).await
            } else {
                None
            };
            let places: Vec<SocketAddr> = match found {
                // The port is the address's.
                Some(found) => {
                    found.addresses.into_iter().map(|address| SocketAddr::new(address, 0)).collect()
                }
                None => tokio::net::lookup_host((host.as_str(), 0)).await?.collect(),
            };
            Ok(Box::new(places.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_is_looked_for_by_its_name_and_nothing_else_is() {
        assert_eq!(label("hob-abcd"), Some("hob-abcd"));
        assert_eq!(label("hob-abcd.local"), Some("hob-abcd"));
        for other in ["nas.local", "hob-abcd.lan", "hob-", "hob-a.b.local", "hob-a_b", "192.168.1.5"] {
            assert_eq!(label(other), None, "{other}");
        }
    }
}
