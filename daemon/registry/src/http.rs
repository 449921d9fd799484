//! The one place that makes HTTP clients: for strangers, whose names are resolved by `hosts`, and for paired boxes, each of which
//! is trusted by its own root alone. They follow no redirect by themselves, and unpack nothing.

use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Proxy, Url};

use crate::places::Places;
use crate::{Config, RegistryError};

const CONNECT: Duration = Duration::from_secs(15);

/// On a local network nothing is far.
const PEER_CONNECT: Duration = Duration::from_secs(3);

/// After so long without a byte it is asked whether the other machine is still there, and then as often until it is given up: one
/// whose cable was pulled does not say so, and an answer may be silent for long.
const PEER_ASKED_AFTER: Duration = Duration::from_secs(5);
const PEER_ASKED_TIMES: u32 = 2;

/// Silence after which a connection is given up.
const STALL: Duration = Duration::from_secs(30);

/// For one chunk over the slowest line, or for a registry to check all of a blob.
const LONGEST_UPLOAD: Duration = Duration::from_secs(3600);

/// What a registry that says nothing is taken to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Silence {
    /// It is gone.
    IsFailure,
    /// It is still reading, or checking what it has read.
    IsWork,
}

#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub(crate) fn client(config: &Config, silence: Silence) -> Result<Client, RegistryError> {
    let mut hosts = config.hosts.clone();
    let mut builder = Client::builder()
        .user_agent(format!("hob/{} ({} {})", config.version, std::env::consts::ARCH, std::env::consts::OS))
        .redirect(Policy::none())
        .referer(false)
        .connect_timeout(CONNECT)
        .no_proxy();
    builder = match silence {
        Silence::IsFailure => builder.read_timeout(STALL),
        Silence::IsWork => builder.timeout(LONGEST_UPLOAD),
    };
    if let Some(address) = &config.proxy {
        let wrong = |source: reqwest::Error| RegistryError::Proxy { source: source.without_url() };
        let host = Url::parse(address).ok().and_then(|url| url.host_str().map(Into::into));
        hosts.proxy = host;
        builder = builder.proxy(Proxy::all(address).map_err(wrong)?);
    }
    Ok(builder.dns_resolver(Arc::new(hosts)).build()?)
}

/// Whether a proxy could be asked at this address.
pub fn is_proxy(address: &str) -> bool {
    Url::parse(address).is_ok_and(|url| {
        let nothing_more = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        matches!(url.scheme(), "http" | "https") && url.has_host() && nothing_more
    })
}

/// Of one paired box.
#[derive(Clone, Debug)]
pub(crate) struct PeerClients {
    pub(crate) usual: Client,
    /// For requests whose connection becomes something else, as HTTP/2's do not.
    pub(crate) alone: Client,
}

/// For one paired box.
pub(crate) fn peer_clients(
    tls: &rustls::ClientConfig,
    resolver: &Places,
) -> Result<PeerClients, RegistryError> {
    let alone = peer_client(tls, resolver).http1_only().pool_max_idle_per_host(0);
    Ok(PeerClients { usual: peer_client(tls, resolver).build()?, alone: alone.build()? })
}

#[expect(clippy::disallowed_methods, reason = "this is the one place")]
fn peer_client(tls: &rustls::ClientConfig, resolver: &Places) -> ClientBuilder {
    Client::builder()
        .tls_backend_preconfigured(tls.clone())
        .https_only(true)
        .redirect(Policy::none())
        .referer(false)
        .connect_timeout(PEER_CONNECT)
        .tcp_keepalive(PEER_ASKED_AFTER)
        .tcp_keepalive_interval(PEER_ASKED_AFTER)
        .tcp_keepalive_retries(PEER_ASKED_TIMES)
        .no_proxy()
        .dns_resolver(Arc::new(resolver.clone()))
}
