//! The owner's certificate, brought by hand and kept here: checked, then swapped in under running listeners.

use std::fmt;

use zeroize::Zeroizing;

use super::{Identity, OwnHeld};
use crate::own::{Fingerprint, Own, Pair};
use crate::{IdentityError, OwnCertificateError};

/// An owner's certificate with its key that is good, and not kept yet.
pub struct Brought {
    text: Zeroizing<Vec<u8>>,
    fingerprint: Fingerprint,
    own: Own,
}

impl fmt::Debug for Brought {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Brought").field("names", &self.names()).finish_non_exhaustive()
    }
}

impl Brought {
    /// The names and addresses that it is for.
    pub fn names(&self) -> Vec<String> {
        self.own.facts().subjects.written()
    }
}

impl Identity {
    /// Whether a certificate with its chain, and a key, both PEM, could be served.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn check_own(&self, certificate: String, key: String) -> Result<Brought, OwnCertificateError> {
        let (certificate, key) = (Zeroizing::new(certificate), Zeroizing::new(key));
        // What is checked is what will be read.
        let text = Zeroizing::new([certificate.as_bytes(), b"\n", key.as_bytes(), b"\n"].concat());
        let pair = Pair::sent(text.clone());
        let own = pair.checked(self.0.config.clock().max(self.0.config.build_date))?;
        Ok(Brought { text, fingerprint: pair.fingerprint(), own })
    }

    /// Keeps it in the identity's folder, and serves it from the next handshake on. Where the box was told of files, these count
    /// at its next start. Blocks on the disk.
    ///
    /// # Errors
    /// If it cannot be written; what was served is served on.
    pub fn keep_own(&self, brought: Brought) -> Result<(), IdentityError> {
        let mut held = self.held();
        self.0.folder.keep_owners(&brought.text)?;
        held.own = OwnHeld { seen: Some(brought.fingerprint), problem: None };
        self.0.serving.serve_own(Some(brought.own));
        Ok(())
    }

    /// Removes it, and serves the box's own under all names from the next handshake on. Blocks on the disk.
    ///
    /// # Errors
    /// If it cannot be removed; it is served on.
    pub fn forget_own(&self) -> Result<(), IdentityError> {
        let mut held = self.held();
        self.0.folder.forget_owners()?;
        held.own = OwnHeld::default();
        self.0.serving.serve_own(None);
        Ok(())
    }
}
