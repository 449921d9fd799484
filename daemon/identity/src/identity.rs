//! The box's identity, open: what it serves TLS with, what it is called, and when that is made anew. What is made, and how,
//! is `authority`'s and `leaf`'s.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls_pki_types::CertificateDer;

use crate::{DeviceId, IdentityError};

/// What time it is, in seconds since 1970.
pub type Now = Arc<dyn Fn() -> i64 + Send + Sync>;

/// What an identity is made by.
#[derive(Clone)]
pub struct Config {
    /// What the box is called beside its own label.
    pub names: Names,
    /// What time it is.
    pub now: Now,
    /// When this build was made, in seconds since 1970: it is not earlier than that.
    pub build_date: i64,
    /// A certificate that the owner has for the box.
    pub own: Option<OwnCertificate>,
}

/// What the box is called beside its own label.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// The operating system's name for the machine.
    pub hostname: String,
    /// More, by the settings.
    pub extra: Vec<String>,
}

/// Where the owner's certificate lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnCertificate {
    /// The chain, PEM, the box's own first.
    pub cert: PathBuf,
    /// Its key, PEM.
    pub key: PathBuf,
}

/// Who the box is. A clone is cheap, and the same identity.
#[derive(Clone)]
pub struct Identity {}

/// What a look at the surroundings led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refreshed {
    /// Nothing.
    Unchanged,
    /// A new certificate of the box's own authority is served.
    Issued,
    /// The owner's certificate, which is new or has changed, is served.
    Loaded,
}

/// How things stand, for people and for `/readyz`.
#[derive(Clone, Debug)]
pub struct Status {
    /// Who the box is.
    pub id: DeviceId,
    /// Its name on the network: `hob-` and four letters of its ID.
    pub label: String,
    /// Whose certificate is served.
    pub source: Source,
    /// The names and addresses in that certificate.
    pub names: Vec<String>,
    /// Until when it holds, in seconds since 1970.
    pub not_after: i64,
    /// What is not as it should be. Nothing of that stops the box.
    pub warnings: Vec<Warning>,
}

/// Whose certificate is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The box's own authority's.
    Local,
    /// The owner's, by file; the box's own where a client asks for none of the names in that.
    Own,
}

/// What is not as it should be with the certificates.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("")]
pub enum Warning {}

impl Identity {
    /// Opens the identity in a folder, or makes one where there is none.
    ///
    /// # Errors
    /// If what is there is damaged, which is left alone; what the disk says.
    pub fn open(_folder: &Path, _config: Config) -> Result<Self, IdentityError> {
        todo!()
    }

    /// Who the box is.
    pub fn id(&self) -> &DeviceId {
        todo!()
    }

    /// Its name on the network: `hob-` and four letters of its ID.
    pub fn label(&self) -> &str {
        todo!()
    }

    /// What its clients trust.
    pub fn root_der(&self) -> &CertificateDer<'static> {
        todo!()
    }

    /// What its clients trust, as most programs want it.
    pub fn root_pem(&self) -> &str {
        todo!()
    }

    /// What its clients trust, as Apple's devices want it.
    pub fn mobileconfig(&self) -> String {
        todo!()
    }

    /// What TLS is spoken by. It follows each change of certificate by itself.
    pub fn server_config(&self) -> Arc<ServerConfig> {
        todo!()
    }

    /// Looks whether the served certificate is still what it should be. To be called every few seconds, and at SIGHUP.
    ///
    /// # Errors
    /// If a certificate cannot be made; the one before is served on.
    pub fn refresh(&self, _addresses: &[IpAddr]) -> Result<Refreshed, IdentityError> {
        todo!()
    }

    /// Whether a request's host is this box: one of its names, or an address that it has now. A port is not part of it.
    pub fn is_ours(&self, _host: &str) -> bool {
        todo!()
    }

    /// How things stand.
    pub fn status(&self) -> Status {
        todo!()
    }
}
