//! What can go wrong between us and a registry.

use std::time::Duration;

use identity::pairing::BoxName;
use reqwest::StatusCode;
use store::{Digest, InvalidManifest, ModelName, StoreError};

/// What went wrong between us and a registry.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The registry has no such model.
    #[error("file does not exist")]
    UnknownModel,
    /// The registry has a manifest, but not a blob that it names.
    #[error("the registry does not have blob {0}")]
    UnknownBlob(Digest),
    /// Plain HTTP was asked for, to a host that is not trusted with it.
    #[error("{host} is not trusted with plain HTTP; add it to the setting registry.trusted if it should be")]
    Untrusted {
        /// The host.
        host: String,
    },
    /// The host is on the inside, where a pull must not reach by itself.
    #[error(
        "{host} is a private address; add it to the setting registry.trusted if models may come from there"
    )]
    Private {
        /// The host.
        host: String,
    },
    /// The registry sent us on to something else than HTTP over TLS.
    #[error("the registry redirects to {0}, which is not safe to follow")]
    UnsafeRedirect(String),
    /// The registry sent us on and on.
    #[error("the registry redirects too often")]
    TooManyRedirects,
    /// The registry wants to know who we are.
    #[error("unauthorized: access denied")]
    Unauthorized,
    /// The registry wants a proof of who we are to go elsewhere than to itself (CVE-2025-51471).
    #[error("realm host \"{realm}\" does not match original host \"{host}\"")]
    ForeignRealm {
        /// Where it wants it.
        realm: String,
        /// Who wants it.
        host: String,
    },
    /// A challenge or a header that cannot be read.
    #[error("the registry sent a {0} that makes no sense")]
    Malformed(&'static str),
    /// A box that was asked to lend itself does not: in its words.
    #[error("{0}")]
    Lender(String),
    /// The registry refused.
    #[error("the registry answered {status}{detail}")]
    Refused {
        /// With this.
        status: StatusCode,
        /// And these words, with `: ` before them; may be empty.
        detail: String,
        /// When to come again, if it said so.
        retry_after: Option<Duration>,
    },
    /// The registry knows only how to send the whole blob.
    #[error("the registry does not send parts")]
    NoParts,
    /// A part that is not the one that was asked for.
    #[error("blob {0} does not have the length that the manifest says")]
    WrongLength(Digest),
    /// The manifest makes no sense.
    #[error("the registry's manifest makes no sense: {0}")]
    Manifest(#[from] InvalidManifest),
    /// The connection could not be made, or broke.
    #[error("{}", said(.0))]
    Transport(#[source] reqwest::Error),
    /// The proxy's address makes no sense.
    #[error("the proxy's address makes no sense: {source}")]
    Proxy {
        /// Why. What was set is not told, as it may hold a password.
        source: reqwest::Error,
    },
    /// No paired box goes by this name.
    #[error(
        "this box is paired with no box called {0}; `hob pair --list` shows those that it is paired with"
    )]
    UnknownPeer(BoxName),
    /// A paired box has no such model.
    #[error("it does not have {0}")]
    PeerLacks(Box<ModelName>),
    /// It was with a paired box that something went wrong.
    #[error("{}", of_peer(name, source))]
    Peer {
        /// Which.
        name: BoxName,
        /// What.
        source: Box<Self>,
    },
    /// The registry, after many tries.
    #[error(
        "the registry cannot be reached ({0}); see whether this box is on the internet, or bring the model from another: from a \
         paired one by `hob pull --from`, on a stick by `hob export` and `hob import`"
    )]
    OutOfReach(#[source] Box<Self>),
    /// A paired box has what the registry cannot be asked for. It was not asked to be believed.
    #[error(
        "the registry cannot be reached ({source}), but {peer} has {model}: `hob pull {model} --from {peer}` takes it as it is there"
    )]
    OnlyNearby {
        /// What was wanted.
        model: Box<ModelName>,
        /// Who has it.
        peer: BoxName,
        /// Why the registry cannot be reached.
        source: Box<Self>,
    },
    /// A paired box says nothing.
    #[error("it does not answer in time")]
    Stalled,
    /// A paired box sent less than it was asked for.
    #[error("it stopped in the middle")]
    Cut,
    /// Nobody is left who may be asked for it.
    #[error("no paired box that is to be asked has blob {0}")]
    NoSource(Digest),
    /// The disk, or what is on it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A local file that is being pushed.
    #[error("cannot read what is to be pushed: {0}")]
    Io(#[from] std::io::Error),
    /// A download's task panicked.
    #[error("the download of {0} ended without a word; the log says more")]
    Lost(Digest),
    /// A pull's task panicked.
    #[error("the pull ended without a word; the log says more")]
    Unfinished,
    /// A part of ours failed.
    #[error("a part of the transfer failed; the log says more")]
    Task(#[from] tokio::task::JoinError),
}

impl From<reqwest::Error> for RegistryError {
    fn from(error: reqwest::Error) -> Self {
        // Addresses of storage hosts carry signatures, which are secrets.
        Self::Transport(error.without_url())
    }
}

impl RegistryError {
    /// Worth another try.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Transport(error) => !error.is_builder() && !is_private(error),
            Self::Refused { status, .. } => {
                status.is_server_error()
                    || matches!(*status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
            }
            Self::Stalled | Self::Cut => true,
            Self::Peer { source, .. } => source.is_transient(),
            _ => false,
        }
    }

    /// What it means at last that nobody answers at a registry.
    pub(crate) fn of_registry(self) -> Self {
        if self.is_unreachable() { Self::OutOfReach(Box::new(self)) } else { self }
    }

    /// Nobody answers there.
    pub(crate) fn is_unreachable(&self) -> bool {
        matches!(self, Self::Transport(error) if !is_private(error) && (error.is_connect() || error.is_timeout()))
    }
}

/// What it means of a paired box, and what to do.
fn of_peer(name: &BoxName, source: &RegistryError) -> String {
    match source {
        RegistryError::Unauthorized => format!(
            "{name} does not let this box have its models: the key that it gave has ended, or lacks the scope models.read; pair \
             again, with a code of `hob pair --invite` there"
        ),
        RegistryError::Cut => {
            format!("{name} stopped in the middle; the same pull goes on where this one was")
        }
        source if source.is_unreachable() || matches!(source, RegistryError::Stalled) => format!(
            "{name} cannot be reached ({}); see whether it is on, `hob pair --list` tells. The same pull goes on where this one was",
            cause(source)
        ),
        source => format!("{name}: {source}"),
    }
}

/// The word at the very bottom.
fn cause(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source())
        .last()
        .map_or_else(String::new, ToString::to_string)
}

/// The words at the bottom say most: `dns error`, `connection refused`.
fn said(error: &reqwest::Error) -> String {
    let mut words = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(deeper) = source {
        words = format!("{words}: {deeper}");
        source = deeper.source();
    }
    words
}

fn is_private(error: &reqwest::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(deeper) = source {
        if deeper.is::<crate::hosts::PrivateAddress>() {
            return true;
        }
        source = deeper.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_paired_box_refuses_or_leaves_unsaid_comes_with_what_to_do() {
        let told = |source| {
            let name = "attic".parse().unwrap();
            RegistryError::Peer { name, source: Box::new(source) }.to_string()
        };
        let refused = told(RegistryError::Unauthorized);
        assert!(refused.contains("models.read") && refused.contains("hob pair --invite"), "{refused}");
        let silent = told(RegistryError::Stalled);
        assert!(silent.starts_with("attic cannot be reached") && silent.contains("--list"), "{silent}");
        assert!(told(RegistryError::Cut).contains("goes on"));
        assert_eq!(told(RegistryError::NoParts), "attic: the registry does not send parts");
    }

    #[tokio::test]
    async fn a_registry_that_nobody_finds_is_told_in_words_with_what_to_do() {
        // Nobody listens at this port of a host of its own.
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let error = reqwest::get(format!("http://{nobody}/")).await.unwrap_err();

        let told = RegistryError::from(error).of_registry().to_string();

        assert!(told.starts_with("the registry cannot be reached (") && told.contains("--from"), "{told}");
    }
}
