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

#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub(crate) fn client(config: &Config) -> Result<Client, RegistryError> {
    let mut hosts = config.hosts.clone();
    let mut builder = Client::builder()
        .user_agent(format!("hob/{} ({} {})", config.version, std::env::consts::ARCH, std::env::consts::OS))
        .redirect(Policy::none())
        .referer(false)
        .connect_timeout(CONNECT)
        .read_timeout(STALL)
        .no_proxy();
    if let Some(address) = &config.proxy {
        let wrong = |source| RegistryError::Proxy { address: address.clone(), source };
        let host = Url::parse(address).ok().and_then(|url| url.host_str().map(Into::into));
        hosts.proxy = host;
        builder = builder.proxy(Proxy::all(address).map_err(wrong)?);
    }
    Ok(builder.dns_resolver(Arc::new(hosts)).build()?)
}
