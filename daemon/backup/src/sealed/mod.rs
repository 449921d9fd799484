//! A file that a passphrase opens: the format of age (age-encryption.org/v1) with its scrypt recipient, so that `age -d` opens it
//! where there is no Hob. Changed, shortened or lengthened bytes are never read as anything. `header` is its beginning, `writer` and
//! `reader` what follows.

mod header;
mod reader;
mod writer;

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::aead::{CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use zeroize::Zeroizing;

pub(crate) use header::{INTRODUCTION, Unopened};
pub(crate) use reader::Opened;
pub(crate) use writer::Sealer;

/// What somebody seals a file with. It does not show itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Passphrase(Zeroizing<String>);

/// A text is no passphrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a passphrase has at least {LEAST} characters, and at most {MOST} bytes: whoever gets the file can try for as long as they like"
)]
pub struct InvalidPassphrase;

const LEAST: usize = 10;
const MOST: usize = 1024;

impl FromStr for Passphrase {
    type Err = InvalidPassphrase;

    fn from_str(text: &str) -> Result<Self, InvalidPassphrase> {
        let is_one = text.chars().count() >= LEAST && text.len() <= MOST;
        if is_one { Ok(Self(Zeroizing::new(text.to_owned()))) } else { Err(InvalidPassphrase) }
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase")
    }
}

/// Bytes of what is sealed as one.
const PIECE: usize = 64 * 1024;
/// Bytes that each piece is longer for it.
const TAG: usize = 16;
/// By what a file's pieces are told from those of another that is sealed with the same passphrase.
const NONCE: usize = 16;

/// What the pieces of one file are sealed with.
struct Pieces {
    key: LessSafeKey,
    number: u64,
}

/// Whether more comes after a piece.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Within,
    Last,
}

impl Pieces {
    fn of(file_key: &[u8; 16], nonce: &[u8; NONCE]) -> Result<Self, Unspecified> {
        let extracted = Salt::new(HKDF_SHA256, nonce).extract(file_key);
        let key = UnboundKey::from(extracted.expand(&[b"payload"], &CHACHA20_POLY1305)?);
        Ok(Self { key: LessSafeKey::new(key), number: 0 })
    }

    /// That of the next piece: its number, and whether it is the last.
    fn nonce(&mut self, place: Place) -> Nonce {
        let mut nonce = [0; 12];
        nonce[3..11].copy_from_slice(&self.number.to_be_bytes());
        nonce[11] = u8::from(place == Place::Last);
        self.number += 1;
        Nonce::assume_unique_for_key(nonce)
    }
}

#[cfg(test)]
mod tests;
