//! What TLS is spoken by: the configuration, made once, and the certificates behind it, which change under it. When they
//! do is `identity`'s to say.

use std::sync::{Arc, PoisonError, RwLock};

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, version};

use crate::names::Subjects;
use crate::own::Own;

/// The certificates that are served now.
#[derive(Debug)]
pub(crate) struct Serving {
    pair: RwLock<Pair>,
}

#[derive(Clone, Debug)]
struct Pair {
    local: Arc<CertifiedKey>,
    own: Option<Own>,
}

impl Serving {
    pub(crate) fn new(local: CertifiedKey, own: Option<Own>) -> Arc<Self> {
        Arc::new(Self { pair: RwLock::new(Pair { local: Arc::new(local), own }) })
    }

    /// From the next handshake on.
    pub(crate) fn serve(&self, local: CertifiedKey) {
        self.pair.write().unwrap_or_else(PoisonError::into_inner).local = Arc::new(local);
    }

    /// From the next handshake on.
    pub(crate) fn serve_own(&self, own: Option<Own>) {
        self.pair.write().unwrap_or_else(PoisonError::into_inner).own = own;
    }

    /// Whether the owner's certificate is for what this says of its subjects.
    pub(crate) fn owns(&self, says: impl FnOnce(&Subjects) -> bool) -> bool {
        let pair = self.pair.read().unwrap_or_else(PoisonError::into_inner);
        pair.own.as_ref().is_some_and(|own| says(&own.facts().subjects))
    }

    /// The owner's certificate, if there is a good one.
    pub(crate) fn own(&self) -> Option<Own> {
        self.pair.read().unwrap_or_else(PoisonError::into_inner).own.clone()
    }
}

impl ResolvesServerCert for Serving {
    /// The owner's certificate for the names that are in it. Under any other it could only fail, and who paired with the box
    /// knows it by its own.
    fn resolve(&self, client_hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let pair = self.pair.read().unwrap_or_else(PoisonError::into_inner);
        let own = pair.own.as_ref().filter(|own| match client_hello.server_name() {
            Some(name) => own.facts().subjects.cover_name(&name.to_ascii_lowercase()),
            // The client asked for an address, and does not say which.
            None => !own.facts().subjects.addresses.is_empty(),
        });
        Some(own.map_or_else(|| Arc::clone(&pair.local), |own| Arc::clone(own.certified())))
    }
}

/// TLS 1.3 and 1.2 for HTTP/2 and HTTP/1.1. A client may resume a session; nothing is taken from it before its handshake.
pub(crate) fn config(serving: Arc<Serving>) -> Result<ServerConfig, rustls::Error> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])?
        .with_no_client_auth();
    let mut config = builder.with_cert_resolver(serving);
    config.alpn_protocols = Vec::from([b"h2".to_vec(), b"http/1.1".to_vec()]);
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    config.max_early_data_size = 0;
    Ok(config)
}

/// Named, as more than one may be linked.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}
