//! The certificate that the box serves by its own authority, and its key, which stays the same.

use rcgen::KeyPair;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

use crate::authority::{Authority, DAY};
use crate::certificate::Facts;
use crate::names::Subjects;
use crate::{IdentityError, pem, serving};

/// A certificate, what it says, and its key.
pub(crate) struct Leaf {
    certificate: CertificateDer<'static>,
    key: KeyPair,
    facts: Facts,
}

/// A certificate is made anew when it has less than this left.
const RENEWED_AT: i64 = 60 * DAY;

impl Leaf {
    /// Makes one. `before` is the one that it follows, whose key it gets.
    pub(crate) fn issue(
        authority: &Authority,
        subjects: &Subjects,
        now: i64,
        before: Option<&Self>,
    ) -> Result<Self, IdentityError> {
        let key = before.map_or_else(KeyPair::generate, |leaf| leaf.own_key())?;
        let certificate = authority.sign(subjects, &key, now)?;
        let facts = Facts::of(&certificate).ok_or(rcgen::Error::CouldNotParseCertificate)?;
        Ok(Self { certificate, key, facts })
    }

    /// Reads what [`to_pem`](Self::to_pem) wrote. `None` if it is damaged or another authority's: then there is to be another,
    /// and nobody who trusts the root sees a difference.
    pub(crate) fn read(text: &[u8], authority: &Authority) -> Option<Self> {
        let key = KeyPair::try_from(&PrivatePkcs8KeyDer::from_pem_slice(text).ok()?).ok()?;
        let certificate = CertificateDer::from_pem_slice(text).ok()?;
        let leaf = Self { facts: Facts::of(&certificate)?, certificate, key };
        let whole = authority.vouches_for(&leaf.certificate) && leaf.certified(authority).is_ok();
        whole.then_some(leaf)
    }

    /// It and its key, as they are kept.
    pub(crate) fn to_pem(&self) -> Zeroizing<String> {
        pem::key_and_certificates(self.key.serialized_der(), &[&self.certificate])
    }

    /// As TLS wants it.
    ///
    /// # Errors
    /// If key and certificate do not belong together.
    pub(crate) fn certified(&self, authority: &Authority) -> Result<CertifiedKey, rustls::Error> {
        let chain = [self.certificate.clone()].into_iter().chain(authority.chain()).collect();
        let key = PrivateKeyDer::Pkcs8(self.key.serialized_der().to_vec().into());
        CertifiedKey::from_der(chain, key, &serving::provider())
    }

    /// Whether there is to be another by this time: little is left of it, or it is of a time that has not come, because the
    /// clock was ahead.
    pub(crate) fn is_due(&self, authority: &Authority, now: i64) -> bool {
        let ends =
            self.facts.not_after - now <= RENEWED_AT && authority.end_of_leaf(now) > self.facts.not_after;
        ends || self.facts.not_before > now
    }

    pub(crate) fn facts(&self) -> &Facts {
        &self.facts
    }

    #[cfg(test)]
    pub(crate) fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    fn own_key(&self) -> Result<KeyPair, rcgen::Error> {
        KeyPair::try_from(self.key.serialized_der())
    }
}
