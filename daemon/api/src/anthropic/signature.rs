//! What stands under thoughts, since clients insist on it: a digest of them, which tells nothing that they do not. What comes
//! back is not checked, as nothing here depends on whose thoughts they were.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

/// Of thoughts that come in parts.
#[derive(Default)]
pub(super) struct Signature(Sha256);

impl Signature {
    pub(super) fn add(&mut self, thoughts: &str) {
        self.0.update(thoughts);
    }

    pub(super) fn text(self) -> String {
        STANDARD.encode(self.0.finalize())
    }

    pub(super) fn of(thoughts: &str) -> String {
        let mut signature = Self::default();
        signature.add(thoughts);
        signature.text()
    }
}
