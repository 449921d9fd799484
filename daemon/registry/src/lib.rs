//! Models from registries and to them: Ollama's, Hugging Face, any that speaks OCI's distribution protocol; and from the boxes
//! that this one is paired with. Opens sockets to strangers, and builds no path: what arrives goes through `store`'s types, which check it.
//!
//! Protocol: <https://github.com/opencontainers/distribution-spec/blob/main/spec.md>
#![forbid(unsafe_code)]

mod auth;
pub mod bundle;
mod download;
mod error;
mod fetch;
mod hosts;
mod http;
mod ledger;
mod pace;
mod part_queue;
mod peer;
mod places;
mod progress;
mod pull;
mod pulls;
mod push;
mod reads;
mod retry;
mod session;
mod suppliers;
pub mod tunnel;

pub use auth::Credential;
pub use error::RegistryError;
pub use hosts::{Hosts, InvalidHost};
pub use http::is_proxy;
pub use peer::{Neighbourhood, Peer, Whereabouts};
pub use progress::{Figures, Progress, Transfer};
pub use pulls::{Begun, Pull, PullId, PullState, Pulls, PullsError, Wanted};

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};

use identity::pairing::BoxName;
use store::{Digest, Store};
use tokio::sync::Semaphore;

/// What the operator decided.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Whom we may talk to.
    pub hosts: Hosts,
    /// What a registry is told of us, by its host.
    pub credentials: HashMap<String, Credential>,
    /// A proxy for everything, as in `http://proxy:3128`.
    pub proxy: Option<String>,
    /// Bytes a second that all downloads from registries together may take; `None` is all there are. What comes from a paired box
    /// does not go over the line that this is about.
    pub bytes_per_second: Option<u64>,
    /// Told to registries.
    pub version: String,
}

/// How to reach a registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TLS, verified.
    Secure,
    /// Plain HTTP, to hosts that the operator trusts with it.
    Plain,
}

/// Who says what goes by a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authority {
    /// The registry that is in the name.
    Registry(Transport),
    /// The paired box of this name.
    Peer(BoxName),
}

/// How it is noted beside a download that the peer of this name said to bring.
const OF_PEER: &str = "peer ";
/// The same of a registry that was asked by plain HTTP.
const IN_PLAIN: &str = "plain";

impl Authority {
    /// What is noted beside what is brought; nothing for what is usual.
    fn noted(&self) -> Option<String> {
        match self {
            Self::Registry(Transport::Secure) => None,
            Self::Registry(Transport::Plain) => Some(IN_PLAIN.to_owned()),
            Self::Peer(name) => Some(format!("{OF_PEER}{name}")),
        }
    }

    /// Who it was by what was noted; `None` if nobody can tell any more.
    fn of_note(note: Option<&str>) -> Option<Self> {
        match note {
            None => Some(Self::Registry(Transport::Secure)),
            Some(IN_PLAIN) => Some(Self::Registry(Transport::Plain)),
            Some(note) => Some(Self::Peer(note.strip_prefix(OF_PEER)?.parse().ok()?)),
        }
    }
}

/// Pulls and pushes. A clone is cheap and shares downloads and limits.
#[derive(Clone, Debug)]
pub struct Registry {
    store: Store,
    config: Arc<Config>,
    client: reqwest::Client,
    pace: Arc<pace::Pace>,
    /// Of all transfers together.
    connections: Arc<Semaphore>,
    downloads: Arc<Mutex<HashMap<Digest, Weak<download::Download>>>>,
    /// Of downloads that are more than begun.
    turns: Arc<Semaphore>,
    /// Without the time limit on silence, which counts while we send.
    uploads: reqwest::Client,
    neighbourhood: Option<Neighbourhood>,
}

/// Enough to fill a line, few enough for a registry not to mind.
const CONNECTIONS: usize = 8;

impl Registry {
    /// Registries for this store.
    ///
    /// # Errors
    /// [`RegistryError::Proxy`] if the proxy's address makes no sense.
    pub fn new(store: Store, config: Config) -> Result<Self, RegistryError> {
        Ok(Self {
            store,
            client: http::client(&config, http::Silence::IsFailure)?,
            uploads: http::client(&config, http::Silence::IsWork)?,
            turns: Arc::new(Semaphore::new(CONNECTIONS)),
            pace: Arc::new(pace::Pace::new(config.bytes_per_second)),
            connections: Arc::new(Semaphore::new(CONNECTIONS)),
            downloads: Arc::default(),
            config: Arc::new(config),
            neighbourhood: None,
        })
    }

    /// The same, whose pulls ask these boxes first.
    #[must_use]
    pub fn beside(self, neighbourhood: Neighbourhood) -> Self {
        Self { neighbourhood: Some(neighbourhood), ..self }
    }
}
