//! How things stand with the box's certificates, for people and for `/readyz`.

use crate::{DeviceId, OwnCertificateError};

/// How things stand.
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
    /// The owner's; the box's own where a client asks for none of the names in that.
    Own,
}

/// What is not as it should be with the certificates.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Warning {
    /// The clock is before the build.
    #[error("the clock is not set; certificates are made for the date of this version until it is")]
    ClockNotSet,
    /// The owner's certificate is not taken.
    #[error("the owner's certificate is not taken: {0}; what was served before is served on")]
    OwnCertificate(OwnCertificateError),
    /// The owner's certificate that is served has expired.
    #[error("the owner's certificate has expired; renew it")]
    OwnExpired {
        /// When, in seconds since 1970.
        not_after: i64,
    },
    /// Names that clients may use, and that no certificate is for.
    #[error(
        "no certificate is for {names}: the box signs only for the names that it was born with; give it a certificate \
         with tls.cert and tls.key, or begin it anew", names = .0.join(", ")
    )]
    NotInCertificate(Vec<String>),
    /// The authority ends, and with it everybody's trust.
    #[error("the box's own authority ends soon; everybody will have to pair with a new one")]
    AuthorityEnds {
        /// When, in seconds since 1970.
        not_after: i64,
    },
    /// The certificate that is served is not on the disk.
    #[error("the certificate that is served could not be kept: {0}")]
    Unsaved(String),
}
