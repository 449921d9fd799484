//! Models from registries and to them: Ollama's, Hugging Face, any that speaks OCI's distribution protocol. Opens sockets
//! to strangers, and builds no path: what arrives goes through `store`'s types, which check it.
//!
//! Protocol: <https://github.com/opencontainers/distribution-spec/blob/main/spec.md>
#![forbid(unsafe_code)]

mod auth;
mod download;
mod error;
mod hosts;
mod http;
mod pace;
mod peer;
mod progress;
mod pull;
mod push;
mod retry;
mod session;
pub mod tunnel;

pub use auth::Credential;
pub use error::RegistryError;
pub use hosts::{Hosts, InvalidHost};
pub use peer::{Neighbourhood, Peer, Whereabouts};
pub use progress::{Progress, Transfer};

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};

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
    /// Bytes a second that all downloads together may take; `None` is all there are.
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
        })
    }
}
