//! What a blob is called: the SHA-256 of its bytes.

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

/// The SHA-256 of a blob, written `sha256:` and 64 lowercase hex digits. Holding one means it was checked.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

/// The text is no digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid digest format")]
pub struct InvalidDigest;

impl Digest {
    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Of all that is left to read, and how many bytes that is.
    ///
    /// # Errors
    /// If reading fails.
    pub fn of_reader(mut reader: impl Read) -> io::Result<(Self, u64)> {
        let mut hasher = Hasher::default();
        let mut buffer = vec![0; 1 << 20];
        let mut total = 0;
        loop {
            let count = reader.read(&mut buffer)?;
            if count == 0 {
                return Ok((hasher.finish(), total));
            }
            hasher.update(&buffer[..count]);
            total += count as u64;
        }
    }

    /// The 64 hex digits alone.
    pub fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// A digest in the making.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hasher(Sha256);

impl Hasher {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

/// Reads through to what it has, and knows what that hashes to.
#[derive(Debug)]
pub struct HashingReader<R> {
    reader: R,
    hasher: Hasher,
}

impl<R> HashingReader<R> {
    /// Nothing was read yet.
    pub fn new(reader: R) -> Self {
        Self { reader, hasher: Hasher::default() }
    }

    /// Of all that was read.
    pub fn digest(self) -> Digest {
        self.hasher.finish()
    }
}

impl<R: Read> Read for HashingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        Ok(count)
    }
}

impl FromStr for Digest {
    type Err = InvalidDigest;

    /// `sha256:` as on the wire, or `sha256-` as in file names.
    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let hex =
            text.strip_prefix("sha256:").or_else(|| text.strip_prefix("sha256-")).ok_or(InvalidDigest)?;
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Ok(byte - b'0'),
            b'a'..=b'f' => Ok(byte - b'a' + 10),
            _ => Err(InvalidDigest),
        };
        let mut digest = [0; 32];
        if hex.len() != 64 {
            return Err(InvalidDigest);
        }
        for (byte, pair) in digest.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(Self(digest))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl serde::Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn a_digest_comes_back_as_it_was_written(bytes: [u8; 32]) {
            let digest = Digest(bytes);
            proptest::prop_assert_eq!(digest.to_string().parse(), Ok(digest));
        }

        #[test]
        fn no_other_text_is_a_digest(text in "sha256[:-][0-9a-fA-F./]{0,70}") {
            if let Ok(digest) = text.parse::<Digest>() {
                proptest::prop_assert_eq!(digest.to_string(), text.replacen('-', ":", 1));
            }
        }
    }

    #[test]
    fn both_spellings_name_one_digest() {
        let digest = Digest::of(b"");
        assert_eq!(
            digest.to_string(),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(digest.to_string().replace(':', "-").parse(), Ok(digest));
    }

    /// CVE-2024-37032: a digest from the network became a path unchecked.
    #[test]
    fn a_path_is_no_digest() {
        let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let long = format!("sha256:{hex}/../x");
        let upper = format!("sha256:{}", hex.to_uppercase());
        for text in ["", "sha256:", "sha256:../../etc/passwd", "sha256-../..", hex, &long, &upper] {
            assert_eq!(text.parse::<Digest>(), Err(InvalidDigest), "{text}");
        }
    }
}
