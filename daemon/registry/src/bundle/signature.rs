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
        let signature = STANDARD.decode(line()?).map_err(|_| malformed(""))?;
        let comment = line()?.strip_prefix(TRUSTED).ok_or(malformed(""))?;
        let comment_signature = STANDARD.decode(line()?).map_err(|_| malformed(""))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by minisign 0.11, of `a message` and a line's end.
    const KEY: &str = "RWRQI7XapSG7y+SV71YXK76nPDQKmQw23vDCBZ1COdsndTxHpcCEotjy";
    const SIGNATURE: &str = "untrusted comment: signature from minisign secret key
RURQI7XapSG7y1kuJ+/31jet/M/7BGt672wHuLjbIG3hmZyJbM9hAIyFqq3VjezkgLSlx6r+0ru2+d0E2+51iCYibsWnRIEIMwc=
trusted comment: a comment
2NQMEF+8GfWAq2cLYg+Vt49rjg8625W8Uq7yVMzUiGLeoUsLze0NZxYZgs6a9gEMsPTvaXArhDvhlAFovcF4Cg==
";
    const LEGACY: &str = "untrusted comment: signature from minisign secret key
RWRQI7XapSG7yyl6H0LvcPphDIhccMZn/tw4SE553U/VnA8ALL5nIdGdy8iHCQy6IDx+8EwMydphpH6JmCmfjnUquNWnPLVsUAQ=
trusted comment: old
IVACEkpBHEUUKFX9gWkvEr28c5EJy1latzVV5O06BEOWTzhhunOiDjI3NMywtqfGPPBMV2Ha+JTKdNYLiCRVBA==
";

    fn verify(signature: &str, message: &[u8]) -> Result<String, BundleError> {
        let signature = Signature::parse(signature.as_bytes())?;
        signature.verify(&KEY.parse()?, message).map(Into::into)
    }

    #[test]
    fn minisigns_signatures_are_checked_with_their_comments() {
        assert_eq!(verify(SIGNATURE, b"a message\n").unwrap(), "a comment");
        let filed: PublicKey = format!("untrusted comment: a key\n{KEY}\n").parse().unwrap();
        assert_eq!(filed, KEY.parse().unwrap());

        assert!(matches!(verify(SIGNATURE, b"a message"), Err(BundleError::BadSignature)));
        let comment = SIGNATURE.replace("a comment", "another comment");
        assert!(matches!(verify(&comment, b"a message\n"), Err(BundleError::BadSignature)));
        let other = SIGNATURE.replace("RURQI7Xa", "RURQI7Xb");
        assert!(matches!(verify(&other, b"a message\n"), Err(BundleError::OtherKey { .. })));
        let old = verify(LEGACY, b"a message\n").unwrap_err().to_string();
        assert!(old.contains("made with -l"), "{old}");
    }

    #[test]
    fn what_is_no_signature_is_refused_and_never_worse() {
        for text in ["", "untrusted comment: \n\ntrusted comment: \n\n", &KEY.replace('W', "U")] {
            assert!(Signature::parse(text.as_bytes()).is_err(), "{text}");
        }
        // Too short, where others would read beyond its end.
        let short = SIGNATURE.replace("2NQMEF+8GfWAq2cLYg+Vt49rjg8625W8Uq7yVMzUiGLeoUsLze0NZxYZgs6a9gEM", "");
        assert!(matches!(Signature::parse(short.as_bytes()), Err(BundleError::MalformedSignature(_))));
        assert!(Signature::parse(&[0xff; 100]).is_err());
        assert!("RWQ=".parse::<PublicKey>().is_err() && "".parse::<PublicKey>().is_err());
    }

    proptest::proptest! {
        #[test]
        fn a_signature_that_was_changed_anywhere_is_no_word_of_the_keys(at in 54..SIGNATURE.len(), to in "[ -~\n]") {
            let mut changed = SIGNATURE.to_owned();
            changed.replace_range(at..=at, &to);
            let verified = verify(&changed, b"a message\n");
            proptest::prop_assert!(verified.is_err() || changed.trim_end() == SIGNATURE.trim_end(), "{changed}");
        }
    }
}
