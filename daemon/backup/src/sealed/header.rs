//! The beginning of a sealed file: how dear it is to try a passphrase, and the file's own key, sealed with it.

use std::io::{self, Read};

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::{hkdf, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use zeroize::Zeroizing;

use super::{Passphrase, TAG};
use crate::BackupError;

/// What every file of age's begins with.
pub(crate) const INTRODUCTION: &str = "age-encryption.org/v1\n";

/// A try takes 128 MiB and about a second of a small box.
pub(super) const WORK: u8 = 17;
/// As dear as what `age` itself makes; more is somebody's who wants this box's memory.
const MOST_WORK: u8 = 18;
/// Of all lines, which are four.
const MOST_BYTES: usize = 512;

/// What a file's pieces are sealed by.
pub(super) type FileKey = Zeroizing<[u8; 16]>;

/// A new file's key, and the header that tells it to who has the passphrase.
pub(super) fn made(passphrase: &Passphrase, work: u8) -> io::Result<(FileKey, String)> {
    let (key, salt): (FileKey, [u8; 16]) = (Zeroizing::new(rand::random()), rand::random());
    let wrapping = wrapping(passphrase, &salt, work).map_err(unspecified)?;
    let mut wrapped = Zeroizing::new(key.to_vec());
    wrapping.seal_in_place_append_tag(zeros(), Aad::empty(), &mut *wrapped).map_err(unspecified)?;
    let (salt, wrapped) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(&*wrapped));
    let signed = format!("{INTRODUCTION}-> scrypt {salt} {work}\n{wrapped}\n---");
    let mac = hmac::sign(&mac_key(&key).map_err(unspecified)?, signed.as_bytes());
    Ok((key, format!("{signed} {}\n", STANDARD_NO_PAD.encode(mac))))
}

/// A header that was read, and waits for its passphrase.
pub(crate) struct Unopened {
    salt: [u8; 16],
    work: u8,
    wrapped: [u8; 16 + TAG],
    /// What the last line vouches for, and what it says.
    signed: String,
    mac: [u8; 32],
}

impl Unopened {
    /// Reads what comes after the introduction.
    pub(crate) fn read(from: &mut impl Read) -> Result<Self, BackupError> {
        let mut rest = MOST_BYTES;
        let mut line = || line(from, &mut rest);
        let (recipient, wrapped, last) = (line()?, line()?, line()?);
        let other = || BackupError::Damaged("it is not sealed by one passphrase alone");
        let words = recipient.strip_prefix("-> scrypt ").ok_or_else(other)?;
        let (salt, work) = words.split_once(' ').ok_or_else(other)?;
        let mac = last.strip_prefix("--- ").ok_or_else(other)?;
        // As it is written, and not otherwise: no sign, no zero before it.
        let number = work.parse().ok().filter(|number: &u8| number.to_string() == work);
        Ok(Self {
            salt: decoded(salt).ok_or_else(other)?,
            work: number.ok_or_else(other)?,
            wrapped: decoded(&wrapped).ok_or_else(other)?,
            mac: decoded(mac).ok_or_else(other)?,
            signed: format!("{INTRODUCTION}{recipient}\n{wrapped}\n---"),
        })
    }

    /// The file's key. It takes the time that a try takes.
    pub(super) fn open(self, passphrase: &Passphrase) -> Result<FileKey, BackupError> {
        if self.work > MOST_WORK {
            return Err(BackupError::TooDear);
        }
        let wrong = |Unspecified| BackupError::WrongPassphrase;
        let wrapping = wrapping(passphrase, &self.salt, self.work).map_err(wrong)?;
        let mut wrapped = Zeroizing::new(self.wrapped);
        let opened = wrapping.open_in_place(zeros(), Aad::empty(), &mut *wrapped).map_err(wrong)?;
        let key: FileKey =
            Zeroizing::new(<[u8; 16]>::try_from(&*opened).map_err(|_| BackupError::WrongPassphrase)?);
        let damaged = |Unspecified| BackupError::Damaged("its beginning was changed");
        hmac::verify(&mac_key(&key).map_err(damaged)?, self.signed.as_bytes(), &self.mac).map_err(damaged)?;
        Ok(key)
    }
}

fn wrapping(passphrase: &Passphrase, salt: &[u8; 16], work: u8) -> Result<LessSafeKey, Unspecified> {
    let params = scrypt::Params::new(work, 8, 1).map_err(|_| Unspecified)?;
    let salt = [b"age-encryption.org/v1/scrypt".as_slice(), salt].concat();
    let mut key = Zeroizing::new([0; 32]);
    scrypt::scrypt(passphrase.0.as_bytes(), &salt, &params, key.as_mut_slice()).map_err(|_| Unspecified)?;
    Ok(LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &*key)?))
}

/// The key is used once, so it need not differ.
fn zeros() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

fn mac_key(file_key: &FileKey) -> Result<hmac::Key, Unspecified> {
    let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(&**file_key);
    Ok(extracted.expand(&[b"header"], hmac::HMAC_SHA256)?.into())
}

fn decoded<const BYTES: usize>(text: &str) -> Option<[u8; BYTES]> {
    STANDARD_NO_PAD.decode(text).ok()?.try_into().ok()
}

/// A byte at a time, since what comes after the last line is not to be read here.
fn line(from: &mut impl Read, rest: &mut usize) -> Result<String, BackupError> {
    let mut text = Vec::new();
    loop {
        let mut byte = [0];
        from.read_exact(&mut byte).map_err(BackupError::reading)?;
        *rest = rest.checked_sub(1).ok_or(BackupError::Damaged("its beginning is too long"))?;
        match byte[0] {
            b'\n' => {
                return String::from_utf8(text).map_err(|_| BackupError::Damaged("its beginning is no text"));
            }
            byte => text.push(byte),
        }
    }
}

fn unspecified(Unspecified: Unspecified) -> io::Error {
    io::Error::other("the file cannot be sealed")
}
