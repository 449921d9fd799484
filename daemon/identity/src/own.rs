//! The owner's certificate, by file, or as it was sent: read, and checked before it is served. That the files changed is seen by
//! what is in them, since programs that renew certificates replace them as they like.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::certificate::Facts;
use crate::serving;

/// Where the owner's certificate lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnCertificate {
    /// The chain, PEM, the box's own first.
    pub cert: PathBuf,
    /// Its key, PEM.
    pub key: PathBuf,
}

/// Where a certificate or a key was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In this file.
    File(PathBuf),
    /// In what somebody sent, to be kept.
    Sent,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Sent => f.write_str("what was sent"),
        }
    }
}

/// Why an owner's certificate is not served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OwnCertificateError {
    /// A file cannot be read.
    #[error("{path} cannot be read: {why}", path = path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
    /// There is no certificate there, or what is there is none.
    #[error("there is no certificate in {place}, in PEM")]
    NoCertificate {
        /// Where.
        place: Place,
    },
    /// There is no key in the file that can be used.
    #[error("there is no key in {place} that can be used; it has to be PEM, without a password")]
    NoKey {
        /// Where.
        place: Place,
    },
    /// The key is another certificate's.
    #[error("the key in {key} does not belong to the certificate in {cert}")]
    Mismatch {
        /// Where the certificate is.
        cert: Place,
        /// Where the key is.
        key: Place,
    },
    /// The certificate has expired.
    #[error("the certificate in {place} has expired")]
    Expired {
        /// Where.
        place: Place,
    },
    /// The certificate is for nothing that a client looks at.
    #[error("the certificate in {place} names no subject alternative name, which clients go by")]
    NoNames {
        /// Where.
        place: Place,
    },
}

/// A good one.
#[derive(Clone, Debug)]
pub(crate) struct Own {
    certified: Arc<CertifiedKey>,
    facts: Facts,
}

/// What is in the two, as far as one must know to see that it changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint([u8; 32]);

impl Own {
    pub(crate) fn certified(&self) -> &Arc<CertifiedKey> {
        &self.certified
    }

    pub(crate) fn facts(&self) -> &Facts {
        &self.facts
    }
}

/// The text of a certificate and of its key, and where each is.
pub(crate) struct Pair {
    cert: (Place, Zeroizing<Vec<u8>>),
    key: (Place, Zeroizing<Vec<u8>>),
}

impl Pair {
    pub(crate) fn read(paths: &OwnCertificate) -> Result<Self, OwnCertificateError> {
        let read = |path: &Path| Ok((Place::File(path.to_owned()), Zeroizing::new(read(path)?)));
        Ok(Self { cert: read(&paths.cert)?, key: read(&paths.key)? })
    }

    /// Both in one text, as it is kept.
    pub(crate) fn sent(text: Zeroizing<Vec<u8>>) -> Self {
        Self { cert: (Place::Sent, text.clone()), key: (Place::Sent, text) }
    }

    pub(crate) fn fingerprint(&self) -> Fingerprint {
        let whole = Sha256::new()
            .chain_update(Sha256::digest(&*self.cert.1))
            .chain_update(Sha256::digest(&*self.key.1));
        Fingerprint(whole.finalize().into())
    }

    /// The certificate in it, if all is well with it.
    pub(crate) fn checked(&self, now: i64) -> Result<Own, OwnCertificateError> {
        let (cert, key) = (|| self.cert.0.clone(), || self.key.0.clone());
        let chain = CertificateDer::pem_slice_iter(&self.cert.1).collect::<Result<Vec<_>, _>>();
        let chain = chain.ok().filter(|chain| !chain.is_empty());
        let chain = chain.ok_or_else(|| OwnCertificateError::NoCertificate { place: cert() })?;
        let facts =
            chain.iter().map(Facts::of).collect::<Option<Vec<_>>>().and_then(|all| all.into_iter().next());
        let facts = facts.ok_or_else(|| OwnCertificateError::NoCertificate { place: cert() })?;
        let no_key = || OwnCertificateError::NoKey { place: key() };
        let secret = PrivateKeyDer::from_pem_slice(&self.key.1).map_err(|_| no_key())?;
        let certified =
            CertifiedKey::from_der(chain, secret, &serving::provider()).map_err(|error| match error {
                rustls::Error::InconsistentKeys(_) => {
                    OwnCertificateError::Mismatch { cert: cert(), key: key() }
                }
                _ => no_key(),
            })?;
        if facts.not_after <= now {
            return Err(OwnCertificateError::Expired { place: cert() });
        }
        if facts.subjects.written().is_empty() {
            return Err(OwnCertificateError::NoNames { place: cert() });
        }
        Ok(Own { certified: Arc::new(certified), facts })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, OwnCertificateError> {
    fs::read(path)
        .map_err(|error| OwnCertificateError::Unreadable { path: path.to_owned(), why: error.to_string() })
}
