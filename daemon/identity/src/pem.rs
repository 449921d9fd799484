//! Certificates and keys as text. Reading it is `rustls_pki_types`'s. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

/// A certificate as most programs want it.
pub(crate) fn certificate(der: &CertificateDer<'_>) -> String {
    block("CERTIFICATE", der)
}

/// A key, and the certificates that belong to it.
pub(crate) fn key_and_certificates(key: &[u8], certificates: &[&CertificateDer<'_>]) -> Zeroizing<String> {
    let key = Zeroizing::new(block("PRIVATE KEY", key));
    let certificates = certificates.iter().map(|der| certificate(der)).collect::<String>();
    // At once as long as it gets: a text that grows leaves copies behind.
    let mut all = Zeroizing::new(String::with_capacity(key.len() + certificates.len()));
    all.push_str(&key);
    all.push_str(&certificates);
    all
}

/// Lines of 76 characters, as MIME has them; what Apple's profiles are written in.
pub(crate) fn lines(bytes: &[u8], width: usize) -> String {
    let text = Zeroizing::new(STANDARD.encode(bytes));
    let mut lines = String::with_capacity(text.len() + text.len() / width + 1);
    for (at, character) in text.chars().enumerate() {
        lines.push(character);
        if (at + 1) % width == 0 || at + 1 == text.len() {
            lines.push('\n');
        }
    }
    lines
}

fn block(kind: &str, der: &[u8]) -> String {
    let lines = Zeroizing::new(lines(der, 64));
    format!("-----BEGIN {kind}-----\n{}-----END {kind}-----\n", *lines)
}
