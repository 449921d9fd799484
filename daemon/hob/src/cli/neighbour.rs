//! Boxes beside this machine, as the command line finds them: by mDNS, itself, as there need be no daemon here, and as many
//! systems do not look up names under `.local`.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use discovery::{Config, Discovery, Neighbour, Rules, label_of};
use identity::pairing::{Address, Introduction, Paired, PairingError, USUAL_PORT, introduce};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::task::JoinSet;

use crate::serve::neighbours::links;

/// Who is there answers within a tenth of a second.
const PATIENCE: Duration = Duration::from_secs(2);

/// Looks for others, and says nothing of this machine.
pub(crate) fn browse(rules: Rules) -> Discovery {
    Discovery::start(Config { own: None, announce: None, rules, links: links() })
}

/// Whoever says that it is the one; nobody, if none does in time.
async fn find(rules: Rules, is: impl Fn(&Neighbour) -> bool) -> Vec<Neighbour> {
    let discovery = browse(rules);
    let mut list = discovery.watch();
    let found = list.wait_for(|list| list.iter().any(&is));
    match tokio::time::timeout(PATIENCE, found).await {
        Ok(Ok(found)) => found.iter().filter(|neighbour| is(neighbour)).cloned().collect(),
        _ => Vec::new(),
    }
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
    let found = match label_of(&host) {
        Some(label) => find(rules, |neighbour| neighbour.label == label).await,
        None => Vec::new(),
    };
    let address = match found.first() {
        Some(found) => {
            let port = if asked.port() == USUAL_PORT { found.port } else { asked.port() };
            format!("{}.local:{port}", found.label).parse().unwrap_or(asked)
        }
        None => asked,
    };
    let unasked = address.clone();
    let places = found.iter().flat_map(|found| &found.addresses);
    let places: Vec<_> = places.map(|place| SocketAddr::new(*place, address.port())).collect();
    let asked = tokio::task::spawn_blocking(move || introduce(&address, &places, patience)).await;
    asked.unwrap_or_else(|gone| Err(PairingError::Unreachable { address: unasked, source: gone.into() }))
}

/// Finds hosts for the client: as the system does, and boxes on the network by mDNS besides.
#[derive(Clone, Debug, Default)]
pub(crate) struct Finder {
    /// One box, by whatever name it is asked for.
    pub(crate) only: Option<Box<Paired>>,
}

impl Resolve for Finder {
    fn resolve(&self, name: Name) -> Resolving {
        let only = self.only.clone();
        Box::pin(async move {
            let places = match only {
                Some(paired) => of_paired(*paired).await?,
                None => of_host(name.as_str()).await?,
            };
            // The port is the address's.
            let places = places.into_iter().map(|place| SocketAddr::new(place.ip(), 0));
            Ok(Box::new(places) as Addrs)
        })
    }
}

async fn of_host(host: &str) -> io::Result<Vec<SocketAddr>> {
    if let Some(label) = label_of(host) {
        let found = find(Rules::default(), |neighbour| neighbour.label == label).await;
        if !found.is_empty() {
            return Ok(found.iter().flat_map(Neighbour::sockets).collect());
        }
    }
    Ok(tokio::net::lookup_host((host, 0)).await?.collect())
}

/// Where it was, if it still is there; else where its ID is announced, which anybody may do; else where its address leads.
async fn of_paired(paired: Paired) -> io::Result<Vec<SocketAddr>> {
    let (id, port, host) = (paired.id(), paired.address().port(), paired.address().host());
    let paired = Arc::new(paired);
    if let Some(place) = shown(&paired, paired.place().into_iter().collect()).await {
        return Ok(vec![place]);
    }
    if host.parse::<IpAddr>().is_err() {
        let found = find(Rules::default(), |neighbour| neighbour.claims_to_be(&id)).await;
        let said = found.iter().flat_map(|found| &found.addresses);
        let said = said.map(|place| SocketAddr::new(*place, port)).collect();
        if let Some(place) = shown(&paired, said).await {
            return Ok(vec![place]);
        }
    }
    Ok(tokio::net::lookup_host((host.as_str(), 0)).await?.collect())
}

/// The first of these at which the box shows that it is there.
async fn shown(paired: &Arc<Paired>, places: Vec<SocketAddr>) -> Option<SocketAddr> {
    let mut tried = JoinSet::new();
    for place in places {
        let paired = Arc::clone(paired);
        tried.spawn_blocking(move || paired.prove(place, PATIENCE).ok().map(|()| place));
    }
    while let Some(ended) = tried.join_next().await {
        if let Ok(Some(place)) = ended {
            return Some(place);
        }
    }
    None
}
