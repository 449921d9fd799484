//! Secret keys as `minisign -G` makes them, sealed by a password or not. What is secret is wiped from memory, and has no `Debug`.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use blake2::{Blake2b, Digest as _, digest::consts::U32};
use zeroize::{Zeroize as _, Zeroizing};

use super::signature::{ED, UNTRUSTED, part};
use super::{BundleError, KeyId, Signature};

/// The bytes of a file, of which those from `KEY` on are sealed.
const BYTES: usize = 158;
const SALT: usize = 6;
const WORK: usize = 38;
const MEMORY: usize = 46;
const KEY: usize = 54;

/// The number of the key, the key, and a hash of both.
const SEALED_BYTES: usize = 8 + 64 + 32;

/// As much as minisign's own take; more is no key of its making.
const MAX_MEMORY: u64 = 1 << 30;
const MAX_WORK: u64 = 1 << 25;

/// A secret key as it lies in its file.
pub struct SealedKey(Zeroizing<[u8; BYTES]>);

impl SealedKey {
    /// Reads a file of two lines.
    ///
    /// # Errors
    /// [`BundleError::MalformedSecretKey`].
    pub fn parse(text: &str) -> Result<Self, BundleError> {
        let mut lines = text.lines();
        let comment = lines.next().is_some_and(|line| line.starts_with(UNTRUSTED));
        let mut bytes = STANDARD.decode(lines.next().unwrap_or_default().trim()).unwrap_or_default();
        let key = <[u8; BYTES]>::try_from(bytes.as_slice()).map(Zeroizing::new);
        bytes.zeroize();
        let known = |key: &Zeroizing<[u8; BYTES]>| {
            key.starts_with(ED) && matches!(&key[2..4], b"Sc" | [0, 0]) && &key[4..6] == b"B2"
        };
        key.ok().filter(|key| comment && known(key)).map(Self).ok_or(BundleError::MalformedSecretKey)
    }

    /// Whether it takes a password to open it.
    pub fn has_password(&self) -> bool {
        &self.0[2..4] == b"Sc"
    }

    /// Opens it. With a password that takes a second, and as much memory as its maker decided.
    ///
    /// # Errors
    /// [`BundleError::WrongPassword`]; [`BundleError::NoPassword`] if it takes one.
    pub fn open(&self, password: Option<&str>) -> Result<SigningKey, BundleError> {
        let mut sealed = Zeroizing::new(part::<BYTES, SEALED_BYTES>(&self.0, KEY));
        if self.has_password() {
            let stream = self.stream(password.ok_or(BundleError::NoPassword)?)?;
            sealed.iter_mut().zip(stream.iter()).for_each(|(byte, pad)| *byte ^= pad);
        }
        let sum = Blake2b::<U32>::new().chain_update(ED).chain_update(&sealed[..72]).finalize();
        // Minisign writes none where there is no password that could be wrong; rsign does.
        let unsummed = !self.has_password() && sealed[72..].iter().all(|byte| *byte == 0);
        if sum[..] != sealed[72..] && !unsummed {
            return Err(BundleError::WrongPassword);
        }
        let pair = Ed25519KeyPair::from_seed_and_public_key(&sealed[8..40], &sealed[40..72]);
        Ok(SigningKey { id: KeyId(part(&sealed, 0)), pair: pair.map_err(|_| BundleError::WrongPassword)? })
    }

    /// What the key was sealed with.
    fn stream(&self, password: &str) -> Result<Zeroizing<[u8; SEALED_BYTES]>, BundleError> {
        let work = u64::from_le_bytes(part(&self.0, WORK));
        let memory = u64::from_le_bytes(part(&self.0, MEMORY));
        let params = cost(work, memory).ok_or(BundleError::TooDear)?;
        let salt: [u8; 32] = part(&self.0, SALT);
        let mut stream = Zeroizing::new([0; SEALED_BYTES]);
        scrypt::scrypt(password.as_bytes(), &salt, &params, stream.as_mut_slice())
            .map_err(|_| BundleError::TooDear)?;
        Ok(stream)
    }
}

/// What libsodium makes of how much work and memory a key is to cost.
fn cost(work: u64, memory: u64) -> Option<scrypt::Params> {
    const BLOCK: u64 = 8;
    if work > MAX_WORK || memory > MAX_MEMORY {
        return None;
    }
    let work = work.max(32_768);
    let log2_of = |most: u64| (1..63).find(|log2| 1_u64 << log2 > most / 2).unwrap_or(63);
    let (log2, lanes) = if work < memory / 32 {
        (log2_of(work / (BLOCK * 4)), 1)
    } else {
        let log2 = log2_of(memory / (BLOCK * 128));
        (log2, ((work / 4) >> log2).min(0x3fff_ffff) / BLOCK)
    };
    scrypt::Params::new(u8::try_from(log2).ok()?, BLOCK as u32, u32::try_from(lanes).ok()?).ok()
}

/// A secret key that is open.
pub struct SigningKey {
    id: KeyId,
    pair: Ed25519KeyPair,
}

impl SigningKey {
    /// Its number.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// Signs, with a comment of one line that is signed along.
    pub fn sign(&self, message: &[u8], comment: &str) -> Signature {
        let comment = comment.lines().next().unwrap_or_default().to_owned();
        Signature::of(self.id, message, comment, |bytes| {
            let mut signature = [0; 64];
            signature.copy_from_slice(self.pair.sign(bytes).as_ref());
            signature
        })
    }

    /// Its public half, as `--key` takes it.
    pub fn public(&self) -> String {
        STANDARD.encode([ED, &self.id.0, self.pair.public_key().as_ref()].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::PublicKey;

    /// Made by minisign 0.11: `minisign -G -W`, and with the password `pw`.
    const OPEN: &str = "untrusted comment: minisign encrypted secret key
RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAUCO12qUhu8viLK3C4ngTljXqIhhy2xekPaGigRmF1PNPKvMrJ+hCROSV71YXK76nPDQKmQw23vDCBZ1COdsndTxHpcCEotjyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    const SEALED: &str = "untrusted comment: minisign encrypted secret key
RWRTY0IyeABEL0bHZjz519m+y6bdz+0Y0dkYjSQLz2yRCNr4Rh0AAAACAAAAAAAAAEAAAAAA/dO1YrmZvqo9TSCgGKnvX/ppfHHozXfAs4vZMqcPKphjyzasA5b1m3RtA/50OOhX5BGsOCcO/fg0ThIR30mTCV2XVbl80EfoMFooO/CMQEVwqZCQB+BBbkqL5dtHlrEMIBOq0t14/hE=";

    #[test]
    fn minisigns_keys_are_opened_and_sign_what_their_public_halves_check() {
        let open = SealedKey::parse(OPEN).unwrap();
        assert!(!open.has_password());
        let key = open.open(None).unwrap();
        assert_eq!(key.id().to_string(), "CBBB21A5DAB52350");
        assert_eq!(key.public(), "RWRQI7XapSG7y+SV71YXK76nPDQKmQw23vDCBZ1COdsndTxHpcCEotjy");

        let written = key.sign(b"a message", "of today\nand no more").to_string();

        let read = Signature::parse(written.as_bytes()).unwrap();
        let public: PublicKey = key.public().parse().unwrap();
        assert_eq!(read.verify(&public, b"a message").unwrap(), "of today");
        assert!(matches!(read.verify(&public, b"another message"), Err(BundleError::BadSignature)));
    }

    /// It takes a gibibyte and some seconds, as minisign wants it.
    #[test]
    fn a_sealed_key_takes_its_password_and_no_other() {
        let sealed = SealedKey::parse(SEALED).unwrap();
        assert!(sealed.has_password());
        assert!(matches!(sealed.open(None), Err(BundleError::NoPassword)));
        assert!(matches!(sealed.open(Some("PW")), Err(BundleError::WrongPassword)));
        let key = sealed.open(Some("pw")).unwrap();
        assert_eq!(key.public(), "RWSurcKTDG9YlYENzzS9ope+U6zlXjDhDuEPJco49MzGAUq8FZITaJ/U");
    }

    #[test]
    fn what_is_no_secret_key_is_none() {
        let short = &OPEN[..OPEN.len() - 8];
        let unknown = OPEN.replace("RWQAAEIy", "RWQAAUIy");
        let lines = OPEN.replace('\n', " ");
        for text in ["", "untrusted comment: ", short, &unknown, &lines] {
            assert!(matches!(SealedKey::parse(text), Err(BundleError::MalformedSecretKey)), "{text}");
        }
        // The two halves are no pair.
        let changed = OPEN.replace("PDQKmQw23vDCBZ", "PDQKmQw23vDCBY");
        assert!(matches!(SealedKey::parse(&changed).unwrap().open(None), Err(BundleError::WrongPassword)));
        // As much work as no disk of keys asks for.
        let dear = SEALED.replace("AAACAAAAAAAAAEAAAAAA", "AAACAAAAAAAA/EAAAAAA");
        let dear = SealedKey::parse(&dear).unwrap();
        assert!(matches!(dear.open(Some("pw")), Err(BundleError::TooDear)));
    }
}
