//! Signatures and public keys in the form of the tool `minisign`: Ed25519 over a BLAKE2b hash, and over a comment that is
//! signed along.
//!
//! Format: <https://jedisct1.github.io/minisign/#signature-format>

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use blake2::{Blake2b512, Digest as _};

use super::BundleError;

/// Of a key, and of signatures by it: tells keys apart, and proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyId(pub(super) [u8; 8]);

impl fmt::Display for KeyId {
    /// As minisign shows it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016X}", u64::from_le_bytes(self.0))
    }
}

/// Whose signatures are believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey {
    id: KeyId,
    key: [u8; 32],
}

impl FromStr for PublicKey {
    type Err = BundleError;

    /// The key alone, or its file of two lines.
    fn from_str(text: &str) -> Result<Self, BundleError> {
        let line = text.lines().find(|line| !line.starts_with(UNTRUSTED)).unwrap_or_default();
        let bytes = STANDARD.decode(line.trim()).ok();
        let bytes = bytes.and_then(|bytes| <[u8; 42]>::try_from(bytes).ok());
        let bytes = bytes.filter(|bytes| bytes.starts_with(ED)).ok_or(BundleError::MalformedPublicKey)?;
        Ok(Self { id: KeyId(part(&bytes, 2)), key: part(&bytes, 10) })
    }
}

/// A detached signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    key_id: KeyId,
    signature: [u8; 64],
    comment: String,
    comment_signature: [u8; 64],
}

pub(super) const UNTRUSTED: &str = "untrusted comment: ";
const TRUSTED: &str = "trusted comment: ";
/// Of keys; and of signatures by the whole text, which are not taken.
pub(super) const ED: &[u8] = b"Ed";
/// Of signatures by its hash.
const ED_HASHED: &[u8] = b"ED";

impl Signature {
    pub(super) fn of(
        key_id: KeyId,
        message: &[u8],
        comment: String,
        sign: impl Fn(&[u8]) -> [u8; 64],
    ) -> Self {
        let signature = sign(&hash(message));
        let comment_signature = sign(&with_comment(&signature, &comment));
        Self { key_id, signature, comment, comment_signature }
    }

    /// Reads one.
    ///
    /// # Errors
    /// [`BundleError::MalformedSignature`].
    pub fn parse(text: &[u8]) -> Result<Self, BundleError> {
        let malformed = BundleError::MalformedSignature;
        let text = std::str::from_utf8(text).map_err(|_| malformed(""))?;
        let mut lines = text.lines();
        let mut line = || lines.next().ok_or(malformed(""));
        let untrusted = line()?;
        let signature = STANDARD.decode(line()?.trim()).map_err(|_| malformed(""))?;
        let comment = line()?.strip_prefix(TRUSTED).ok_or(malformed(""))?;
        let comment_signature = STANDARD.decode(line()?.trim()).map_err(|_| malformed(""))?;
        let signature = <[u8; 74]>::try_from(signature).map_err(|_| malformed(""))?;
        if signature.starts_with(ED) {
            return Err(malformed(" of today: it was made with -l"));
        }
        if !untrusted.starts_with(UNTRUSTED) || !signature.starts_with(ED_HASHED) {
            return Err(malformed(""));
        }
        Ok(Self {
            key_id: KeyId(part(&signature, 2)),
            signature: part(&signature, 10),
            // As minisign reads it.
            comment: comment.trim_end_matches('\r').to_owned(),
            comment_signature: comment_signature.try_into().map_err(|_| malformed(""))?,
        })
    }

    /// Whose it says to be.
    pub fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// The comment that was signed along, if all of it is this key's word about this message.
    ///
    /// # Errors
    /// [`BundleError::OtherKey`], [`BundleError::BadSignature`].
    pub fn verify(&self, key: &PublicKey, message: &[u8]) -> Result<&str, BundleError> {
        if key.id != self.key_id {
            return Err(BundleError::OtherKey { expected: key.id, found: self.key_id });
        }
        let verifier = UnparsedPublicKey::new(&ED25519, &key.key);
        let bad = |_| BundleError::BadSignature;
        verifier.verify(&hash(message), &self.signature).map_err(bad)?;
        let commented = with_comment(&self.signature, &self.comment);
        verifier.verify(&commented, &self.comment_signature).map_err(bad)?;
        Ok(&self.comment)
    }
}

impl fmt::Display for Signature {
    /// The file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signature = [ED_HASHED, &self.key_id.0, &self.signature].concat();
        writeln!(f, "{UNTRUSTED}signature of a bundle of models")?;
        writeln!(f, "{}", STANDARD.encode(signature))?;
        writeln!(f, "{TRUSTED}{}", self.comment)?;
        writeln!(f, "{}", STANDARD.encode(self.comment_signature))
    }
}

fn hash(message: &[u8]) -> [u8; 64] {
    Blake2b512::digest(message).into()
}

fn with_comment(signature: &[u8; 64], comment: &str) -> Vec<u8> {
    [signature, comment.as_bytes()].concat()
}

/// So many bytes from there on, which the caller knows to be there.
pub(super) fn part<const FROM: usize, const SIZE: usize>(bytes: &[u8; FROM], at: usize) -> [u8; SIZE] {
    let mut part = [0; SIZE];
    part.copy_from_slice(&bytes[at..at + SIZE]);
    part
}
