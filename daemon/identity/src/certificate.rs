//! What a certificate says, as far as it matters here. Whether that is true is `webpki`'s to say. Pure.

use std::net::IpAddr;

use rustls_pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::names::Subjects;

/// What a certificate says.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) subjects: Subjects,
    /// In seconds since 1970, as the next.
    pub(crate) not_before: i64,
    pub(crate) not_after: i64,
}

impl Facts {
    /// `None` if it is no certificate.
    pub(crate) fn of(der: &CertificateDer<'_>) -> Option<Self> {
        let certificate = parsed(der)?;
        let validity = certificate.validity();
        let mut subjects = Subjects::default();
        for name in
            certificate.subject_alternative_name().ok()?.iter().flat_map(|names| &names.value.general_names)
        {
            match name {
                GeneralName::DNSName(name) => {
                    subjects.names.insert(name.to_ascii_lowercase());
                }
                GeneralName::IPAddress(octets) => {
                    subjects.addresses.extend(address(octets));
                }
                _ => {}
            }
        }
        Some(Self {
            subjects,
            not_before: validity.not_before.timestamp(),
            not_after: validity.not_after.timestamp(),
        })
    }
}

/// A certificate and nothing behind it.
pub(crate) fn parsed<'a>(der: &'a CertificateDer<'_>) -> Option<X509Certificate<'a>> {
    let (rest, certificate) = X509Certificate::from_der(der).ok()?;
    rest.is_empty().then_some(certificate)
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(octets).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from)).ok()
}
