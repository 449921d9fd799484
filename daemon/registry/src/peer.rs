//! Boxes that this one is paired with, as HTTP is spoken with them: each is trusted by its own root and no other, is told our
//! key for it and nobody else is, and is looked for where it is by now.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use identity::DeviceId;
use identity::pairing::{Address, BoxName, Paired, Peers, trusting};
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Client, Method, RequestBuilder, StatusCode, Url};

use crate::RegistryError;
use crate::http::{self, PeerClients};
use crate::places::Places;
use crate::session::limited;

/// Where a box was seen last, by its ID, if whoever announced that is believed; nowhere, if it was not.
pub type Whereabouts = Arc<dyn Fn(&DeviceId) -> Vec<SocketAddr> + Send + Sync>;

/// All boxes that this one is paired with. A clone is cheap, and is of the same.
#[derive(Clone)]
pub struct Neighbourhood {
    peers: Peers,
    whereabouts: Whereabouts,
    /// Each keeps its connections.
    clients: Arc<Mutex<HashMap<DeviceId, (Places, PeerClients)>>>,
}

impl fmt::Debug for Neighbourhood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Neighbourhood").field(&self.peers).finish()
    }
}

/// One of them.
#[derive(Clone, Debug)]
pub struct Peer {
    paired: Paired,
    base: Url,
    clients: PeerClients,
    places: Places,
}

impl Neighbourhood {
    /// Of these peers, which are looked for there.
    pub fn new(peers: Peers, whereabouts: Whereabouts) -> Self {
        Self { peers, whereabouts, clients: Arc::default() }
    }

    /// Whom it knows.
    pub fn known(&self) -> &Peers {
        &self.peers
    }

    /// All, by name. One whose root is damaged is left out.
    pub fn peers(&self) -> Vec<Peer> {
        self.peers.list().into_iter().filter_map(|paired| self.peer(paired).ok()).collect()
    }

    /// The one of this name.
    pub fn named(&self, name: &BoxName) -> Option<Peer> {
        self.peer(self.peers.named(name)?).ok()
    }

    /// A box that has shown who it is and is no peer yet: it is asked where that was. It is told no key.
    ///
    /// # Errors
    /// If its root is damaged.
    pub fn newcomer(&self, paired: Paired) -> Result<Peer, RegistryError> {
        let places = Places::of(&paired, Arc::new(|_| Vec::new()));
        let clients = of_peer(&paired, &places)?;
        Ok(Peer { base: base(&paired, &places)?, paired: paired.with_key(None), clients, places })
    }

    fn peer(&self, paired: Paired) -> Result<Peer, RegistryError> {
        let mut known = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let (places, clients) = match known.get(&paired.id()) {
            // One that was paired again may be elsewhere by now.
            Some((places, clients)) if places.are_of(&paired) => (places.clone(), clients.clone()),
            _ => {
                let places = Places::of(&paired, Arc::clone(&self.whereabouts));
                let made = of_peer(&paired, &places)?;
                known.insert(paired.id(), (places.clone(), made.clone()));
                (places, made)
            }
        };
        Ok(Peer { base: base(&paired, &places)?, paired, clients, places })
    }
}

/// Its certificates are for this name wherever it is. It answers to it by the port where it is, as far as that has been shown.
fn base(paired: &Paired, places: &Places) -> Result<Url, RegistryError> {
    let base = Url::parse(&format!("https://{}.local:{}", paired.id().label(), places.port()));
    base.map_err(|_| RegistryError::Malformed("address"))
}

fn of_peer(paired: &Paired, places: &Places) -> Result<PeerClients, RegistryError> {
    let config = trusting(paired.root()).map_err(|_| RegistryError::Malformed("root"))?;
    http::peer_clients(&config, places)
}

impl Peer {
    /// What it is called here.
    pub fn name(&self) -> &BoxName {
        self.paired.name()
    }

    /// Who it is.
    pub fn id(&self) -> DeviceId {
        self.paired.id()
    }

    /// Where it was when it was paired.
    pub fn address(&self) -> &Address {
        self.paired.address()
    }

    /// A request to it, with our key for it. `path` begins with a slash and may have a query.
    ///
    /// # Errors
    /// If that is no path.
    pub fn request(&self, method: Method, path: &str) -> Result<RequestBuilder, RegistryError> {
        self.request_by(&self.clients.usual, method, path)
    }

    /// Sends one of its requests, and reads what is answered: so many bytes at most, within a time.
    ///
    /// # Errors
    /// If it does not answer in that time, or says more.
    pub async fn answer(
        &self,
        request: RequestBuilder,
        most_bytes: usize,
        within: Duration,
    ) -> Result<(StatusCode, Vec<u8>), RegistryError> {
        let answered = async {
            let response = request.send().await?;
            let status = response.status();
            let body = limited(response, most_bytes).await?.ok_or(RegistryError::Malformed("answer"))?;
            Ok((status, body))
        };
        tokio::time::timeout(within, answered).await.map_err(|_| RegistryError::Stalled)?
    }

    /// The same on a connection of its own, in HTTP/1.1.
    pub(crate) fn request_alone(&self, method: Method, path: &str) -> Result<RequestBuilder, RegistryError> {
        self.request_by(&self.clients.alone, method, path)
    }

    /// Where it is by now.
    pub(crate) async fn whereabouts(&self) -> io::Result<SocketAddr> {
        self.places.find().await
    }

    fn request_by(
        &self,
        client: &Client,
        method: Method,
        path: &str,
    ) -> Result<RequestBuilder, RegistryError> {
        let url = self.base.join(path).ok().filter(|url| url.origin() == self.base.origin());
        let mut request = client.request(method, url.ok_or(RegistryError::Malformed("path"))?);
        if let Some(key) = self.paired.key() {
            let bearer = HeaderValue::try_from(format!("Bearer {}", key.expose()));
            let mut bearer = bearer.map_err(|_| RegistryError::Malformed("key"))?;
            bearer.set_sensitive(true);
            request = request.header(AUTHORIZATION, bearer);
        }
        Ok(request)
    }
}
