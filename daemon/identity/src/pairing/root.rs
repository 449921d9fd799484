//! What a box is known by, as another sends it: its root's certificate as text, held to be exactly that. Pure.

use std::str::FromStr;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::introduction::is_root;
use crate::{DeviceId, pem};

/// The certificate of a box's root. Anybody may have it; whether whoever sends it is that box, it does not tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root(CertificateDer<'static>);

/// A text that is no box's root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is not the root certificate of a box: it is one certificate as PEM, which signs itself, and nothing else"
)]
pub struct InvalidRoot;

/// Bytes of a text that are read at all; a box's are some 700.
const MOST_BYTES: usize = 4 << 10;

impl Root {
    /// Who the box is: by the certificate, whatever is said besides.
    pub fn id(&self) -> DeviceId {
        DeviceId::of(&self.0)
    }

    /// The certificate.
    pub fn der(&self) -> &CertificateDer<'static> {
        &self.0
    }

    /// As it is sent.
    pub fn pem(&self) -> String {
        pem::certificate(&self.0)
    }
}

impl FromStr for Root {
    type Err = InvalidRoot;

    fn from_str(text: &str) -> Result<Self, InvalidRoot> {
        if text.len() > MOST_BYTES {
            return Err(InvalidRoot);
        }
        let der = CertificateDer::from_pem_slice(text.as_bytes()).map_err(|_| InvalidRoot)?;
        // A reader of PEM passes over what is before and behind: another certificate, or a key.
        let is_whole = pem::certificate(&der).trim_end() == text.trim_end();
        if is_whole && is_root(&der) { Ok(Self(der)) } else { Err(InvalidRoot) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Place;

    #[test]
    fn a_root_is_one_certificate_that_signs_itself_and_nothing_else() {
        let place = Place::new();
        let identity = place.open().unwrap();
        let root = pem::certificate(identity.root_der());
        let parsed: Root = root.parse().unwrap();
        assert_eq!((parsed.id(), parsed.pem()), (*identity.id(), root.clone()));
        assert_eq!(root.trim_end().parse(), Ok(parsed));

        let served = place.asked_for(&identity, "hob.local");
        let other = Place::new().open().unwrap();
        let other = pem::certificate(other.root_der());
        let damaged = root.replacen("MII", "MIJ", 1);
        let mut wrong = vec![
            String::new(),
            "-----BEGIN CERTIFICATE-----".into(),
            format!("{root}{other}"),
            format!("{root}{root}"),
            format!("{root}-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
            format!("# mine\n{root}"),
            root.replace("CERTIFICATE", "TRUSTED CERTIFICATE"),
            format!("{root}{}", " ".repeat(MOST_BYTES)),
            damaged,
        ];
        if let Ok(met) = served {
            wrong.extend(met.chain.iter().filter(|der| !is_root(der)).map(pem::certificate));
        }
        for text in wrong {
            assert_eq!(text.parse::<Root>(), Err(InvalidRoot), "{text}");
        }
    }
}
