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
    /// A new one. It is that of no key before one is made of it.
    pub fn generate() -> Self {
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

/// A text is no key. Whoever sent it is told by [`crate::Denied`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InvalidKey {
    /// It does not begin as one.
    NotOurs,
    /// It does not end as one that begins like this.
    Mistyped,
}

/// Whether a text means to be a key of Hob's, and not of another service that the same program knows.
pub fn is_hob_key(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// Whether a text looks like a key of Hob's, and was copied right. Whether any box knows it is another matter.
pub fn is_whole_key(text: &str) -> bool {
    parse(text).is_ok()
}

/// The hash of a presented key, if it is one by its looks. That can be told without knowing any, so it tells nothing of them.
///
/// # Errors
/// [`InvalidKey`].
pub(crate) fn parse(text: &str) -> Result<Hash, InvalidKey> {
    let key = text.strip_prefix(PREFIX).ok_or(InvalidKey::NotOurs)?;
    let (random, check) = key.split_at_checked(RANDOM).ok_or(InvalidKey::Mistyped)?;
    match check.as_bytes() == checksum(random) {
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
pub(crate) struct Hash(pub(crate) [u8; 32]);

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_is_one_and_no_two_are_alike() {
        let secrets: Vec<_> = (0..200).map(|_| Secret::generate()).collect();

        for secret in &secrets {
            let text = secret.reveal();
            assert_eq!((text.len(), parse(text)), (43, Ok(secret.hash())), "{text}");
            // A double click selects it whole.
            assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'));
        }
        let different: std::collections::HashSet<_> = secrets.iter().map(Secret::hash).collect();
        assert_eq!(different.len(), secrets.len());
    }

    #[test]
    fn the_checksum_is_a_crc_32_in_base_62() {
        // By Python: zlib.crc32(33 times b"0"), in base 62.
        assert_eq!(checksum(&"0".repeat(33)), *b"26BYXP");
        // Leading zeros are written.
        assert_eq!(checksum(""), *b"000000");
    }

    #[test]
    fn what_is_shown_and_what_is_logged_is_not_the_key() {
        let secret = Secret::generate();
        let text = secret.reveal();

        assert_eq!(secret.shown().chars().filter(|letter| *letter != '…').count(), "hob_".len() + 8);
        let logged = format!("{secret:?} {:?} {:?}", secret.hash(), parse(&text.replace('_', "")));
        assert!(!logged.contains(&text[8..]), "{logged}");
    }

    #[test]
    fn what_is_no_key_says_which_way_it_is_none() {
        for text in ["", "ollama", "sk-proj-abc", "HOB_", "hob-"] {
            assert_eq!(parse(text), Err(InvalidKey::NotOurs), "{text}");
        }
        let ä = format!("hob_{}", "ä".repeat(20));
        for text in ["hob_", "hob_short", &ä, &format!("hob_{}", "0".repeat(4000))] {
            assert_eq!(parse(text), Err(InvalidKey::Mistyped), "{text}");
        }
    }

    #[test]
    fn ids_are_read_as_they_are_written() {
        let id = KeyId::generate();
        assert_eq!(id.to_string().parse(), Ok(id));
        for text in
            ["", "key_", "key_1234567", "key_123456789", "key_1234567/", "kez_12345678", "key_1234567ä"]
        {
            assert_eq!(text.parse::<KeyId>(), Err(InvalidKeyId), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_key_with_one_wrong_character_is_none(random in "[a-zA-Z0-9]{33}", at in 0_usize..43, other in "[ -~ä]") {
            let check = checksum(&random);
            let key = format!("hob_{random}{}", std::str::from_utf8(&check).unwrap());
            proptest::prop_assert!(parse(&key).is_ok());

            let (before, after) = key.split_at(at);
            let changed = format!("{before}{other}{}", &after[1..]);
            proptest::prop_assert_eq!(parse(&changed).is_ok(), changed == key);
            let shorter = format!("{before}{}", &after[1..]);
            let longer = format!("{before}{other}{after}");
            proptest::prop_assert!(parse(&shorter).is_err() && parse(&longer).is_err());
        }
    }
}
