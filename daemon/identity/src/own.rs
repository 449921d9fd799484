//! The owner's certificate, by file: read, and checked before it is served. That the files changed is seen by what is in them,
//! since programs that renew certificates replace them as they like.

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
    /// There is no certificate in the file, or what is there is none.
    #[error("there is no certificate in {path}, in PEM", path = path.display())]
    NoCertificate {
        /// Which file.
        path: PathBuf,
    },
    /// There is no key in the file that can be used.
    #[error("there is no key in {path} that can be used; it has to be PEM, without a password", path = path.display())]
    NoKey {
        /// Which file.
        path: PathBuf,
    },
    /// The key is another certificate's.
    #[error("the key in {key} does not belong to the certificate in {cert}", key = key.display(), cert = cert.display())]
    Mismatch {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's.
        key: PathBuf,
    },
    /// The certificate has expired.
    #[error("the certificate in {path} has expired", path = path.display())]
    Expired {
        /// Which file.
        path: PathBuf,
    },
    /// The certificate is for nothing that a client looks at.
    #[error("the certificate in {path} names no subject alternative name, which clients go by", path = path.display())]
    NoNames {
        /// Which file.
        path: PathBuf,
    },
}

/// A good one.
#[derive(Clone, Debug)]
pub(crate) struct Own {
    certified: Arc<CertifiedKey>,
    facts: Facts,
}

/// What is in the two files, as far as one must know to see that it changed.
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

/// The files' text.
pub(crate) struct Files<'a> {
    paths: &'a OwnCertificate,
    cert: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
}

impl<'a> Files<'a> {
    pub(crate) fn read(paths: &'a OwnCertificate) -> Result<Self, OwnCertificateError> {
        Ok(Self { paths, cert: read(&paths.cert)?, key: Zeroizing::new(read(&paths.key)?) })
    }

    pub(crate) fn fingerprint(&self) -> Fingerprint {
        let whole =
            Sha256::new().chain_update(Sha256::digest(&self.cert)).chain_update(Sha256::digest(&*self.key));
        Fingerprint(whole.finalize().into())
    }

    /// The certificate in them, if all is well with it.
    pub(crate) fn checked(&self, now: i64) -> Result<Own, OwnCertificateError> {
        let (cert, key) = (|| self.paths.cert.clone(), || self.paths.key.clone());
        let chain = CertificateDer::pem_slice_iter(&self.cert).collect::<Result<Vec<_>, _>>();
        let chain = chain.ok().filter(|chain| !chain.is_empty());
        let chain = chain.ok_or_else(|| OwnCertificateError::NoCertificate { path: cert() })?;
        let facts =
            chain.iter().map(Facts::of).collect::<Option<Vec<_>>>().and_then(|all| all.into_iter().next());
        let facts = facts.ok_or_else(|| OwnCertificateError::NoCertificate { path: cert() })?;
        let no_key = || OwnCertificateError::NoKey { path: key() };
        let secret = PrivateKeyDer::from_pem_slice(&self.key).map_err(|_| no_key())?;
        let certified =
            CertifiedKey::from_der(chain, secret, &serving::provider()).map_err(|error| match error {
                rustls::Error::InconsistentKeys(_) => {
                    OwnCertificateError::Mismatch { cert: cert(), key: key() }
                }
                _ => no_key(),
            })?;
        if facts.not_after <= now {
            return Err(OwnCertificateError::Expired { path: cert() });
        }
        if facts.subjects.written().is_empty() {
            return Err(OwnCertificateError::NoNames { path: cert() });
        }
        Ok(Own { certified: Arc::new(certified), facts })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, OwnCertificateError> {
    fs::read(path)
        .map_err(|error| OwnCertificateError::Unreadable { path: path.to_owned(), why: error.to_string() })
}
