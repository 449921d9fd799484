//! What a key looks like: `hob_`, 33 random characters, and six that tell whether it was copied right. So a typo is told apart
//! from a key that is not known, and whoever looks for keys that leaked can tell one from other text. Who has which is `keys`'.

use std::fmt;
use std::str::FromStr;

use rand::distr::{Alphanumeric, SampleString};
use sha2::{Digest as _, Sha256};

/// What every key begins with.
const PREFIX: &str = "hob_";

/// Random characters, of 62 each: 196 bits.
const RANDOM: usize = 33;

/// Characters of the checksum: 62⁶ is more than 2³².
const CHECK: usize = 6;

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A key's text. It is told once, when it is made; only its hash is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A new one.
    pub(crate) fn generate() -> Self {
        let random = Alphanumeric.sample_string(&mut rand::rng(), RANDOM);
        let check = checksum(&random);
        Self(format!("{PREFIX}{random}{}", std::str::from_utf8(&check).unwrap_or_default()))
    }

    /// The text, to be told to whoever made it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Its first and last characters, by which people know it again.
    pub(crate) fn shown(&self) -> String {
        let text = &self.0[PREFIX.len()..];
        format!("{PREFIX}{}…{}", &text[..4], &text[text.len() - 4..])
    }

    pub(crate) fn hash(&self) -> Hash {
        Hash::of(&self.0)
    }
}

/// Not the text: it would stand in a log.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// A text is no key. It says nothing of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// It does not begin as one.
    #[error("this is not a key of hob's: those begin with \"hob_\"")]
    NotOurs,
    /// It does not end as one that begins like this.
    #[error("the key was not copied right: its last six characters do not fit the rest")]
    Mistyped,
}

/// Whether a text means to be a key of Hob's.
pub(crate) fn is_ours(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// The hash of a presented key, if it is one by its looks. That can be told without knowing any, so it tells nothing of them.
///
/// # Errors
/// [`InvalidKey`].
pub fn parse(text: &str) -> Result<Hash, InvalidKey> {
    let key = text.strip_prefix(PREFIX).ok_or(InvalidKey::NotOurs)?;
    let (random, check) = key.split_at_checked(RANDOM).ok_or(InvalidKey::Mistyped)?;
    let is_whole = random.bytes().all(|byte| byte.is_ascii_alphanumeric());
    match is_whole && check.as_bytes() == checksum(random) {
        true => Ok(Hash::of(text)),
        false => Err(InvalidKey::Mistyped),
    }
}

fn checksum(random: &str) -> [u8; CHECK] {
    let mut rest = crc32fast::hash(random.as_bytes());
    let mut digits = [b'0'; CHECK];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(rest % 62) as usize];
        rest /= 62;
    }
    digits
}

/// SHA-256 of a key's text. The text has more bits than anybody can guess, so that no slow hash is needed.
///
/// It is all that is ever compared: how long that takes may tell how far two hashes agree, which is of no use to somebody who
/// cannot choose what a text's hash begins with, nor go back from a hash to a text.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash(pub(crate) [u8; 32]);

impl Hash {
    fn of(text: &str) -> Self {
        Self(Sha256::digest(text).into())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hash")
    }
}

/// A key's public name, `key_` and eight characters, which have nothing to do with its text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId([u8; 8]);

const ID_PREFIX: &str = "key_";

impl KeyId {
    pub(crate) fn generate() -> Self {
        Self(std::array::from_fn(|_| DIGITS[rand::random_range(0..DIGITS.len())]))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{ID_PREFIX}{}", self.0.escape_ascii())
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A text is no key's public name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not a key's id: those look like key_1a2B3c4D")]
pub struct InvalidKeyId;

impl FromStr for KeyId {
    type Err = InvalidKeyId;

    fn from_str(text: &str) -> Result<Self, InvalidKeyId> {
        let id = text.strip_prefix(ID_PREFIX).ok_or(InvalidKeyId)?;
        let id: [u8; 8] = id.as_bytes().try_into().map_err(|_| InvalidKeyId)?;
        if id.iter().all(u8::is_ascii_alphanumeric) { Ok(Self(id)) } else { Err(InvalidKeyId) }
    }
}
