//! The one constructor of HTTP clients that talk to strangers. It follows no redirect by itself, unpacks nothing, and
//! resolves names by `hosts`.

use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Proxy, Url};

use crate::{Config, RegistryError};

const CONNECT: Duration = Duration::from_secs(15);

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
        let wrong = |source| RegistryError::Proxy { address: address.clone(), source };
        let host = Url::parse(address).ok().and_then(|url| url.host_str().map(Into::into));
        hosts.proxy = host;
        builder = builder.proxy(Proxy::all(address).map_err(wrong)?);
    }
    Ok(builder.dns_resolver(Arc::new(hosts)).build()?)
}
