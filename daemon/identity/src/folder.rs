//! The folder of an identity: which files there are, and in which order they come to be, so that a power cut between any two of
//! them leaves a whole identity or none.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use platform::durable;
use zeroize::Zeroizing;

use crate::IdentityError;
use crate::authority::Authority;
use crate::leaf::Leaf;
use crate::own::OwnCertificate;

/// Who the box is.
pub(crate) const AUTHORITY: &str = "authority.pem";
/// What it served last.
pub(crate) const LEAF: &str = "server.pem";
/// The certificate that its owner brought.
pub(crate) const OWNERS: &str = "owner.pem";

/// An open one. Nobody but the user can look into it.
pub(crate) struct Folder {
    authority: PathBuf,
    leaf: PathBuf,
    /// The owner's certificate with its key.
    owners: PathBuf,
    lock: PathBuf,
}

/// Whoever holds it opens the identity and nobody else does, in any process: else two that start at once would be two boxes.
pub(crate) struct Turn {
    _held: File,
}

impl Folder {
    /// Makes it if need be.
    pub(crate) fn open(path: &Path) -> Result<(Self, Turn), IdentityError> {
        let failed = |action| move |source| IdentityError::Io { action, path: path.to_owned(), source };
        durable::make_private_folder(path).map_err(failed("make"))?;
        let folder = Self {
            authority: path.join(AUTHORITY),
            leaf: path.join(LEAF),
            owners: path.join(OWNERS),
            lock: path.join(".lock"),
        };
        let held = File::create(&folder.lock).and_then(|file| file.lock().map(|()| file));
        let turn = Turn { _held: held.map_err(failed("lock"))? };
        // What is staged was left by a process that was killed, and may hold a key.
        durable::sweep(path, Duration::ZERO).map_err(failed("list"))?;
        Ok((folder, turn))
    }

    /// The authority, unless the box was not born yet.
    pub(crate) fn authority(&self) -> Result<Option<Authority>, IdentityError> {
        let Some(text) = read(&self.authority)? else {
            // It is written before anything that it signs.
            let lost = read(&self.leaf)?.is_some();
            let error = || IdentityError::Lost { path: self.authority.clone(), beside: self.leaf.clone() };
            return if lost { Err(error()) } else { Ok(None) };
        };
        let damaged = |what| IdentityError::Damaged { path: self.authority.clone(), what };
        Authority::read(&text).map(Some).map_err(damaged)
    }

    /// Writes down that the box is born.
    pub(crate) fn keep_authority(&self, authority: Authority) -> Result<Authority, IdentityError> {
        keep(&self.authority, authority.to_pem().as_bytes())?;
        Ok(authority)
    }

    /// The certificate that was served last, if it is a good one.
    pub(crate) fn leaf(&self, authority: &Authority) -> Result<Option<Leaf>, IdentityError> {
        let Some(text) = read(&self.leaf)? else { return Ok(None) };
        let leaf = Leaf::read(&text, authority);
        if leaf.is_none() {
            tracing::warn!("{} is damaged; another certificate is made", self.leaf.display());
        }
        Ok(leaf)
    }

    /// Replaces it.
    pub(crate) fn keep_leaf(&self, leaf: &Leaf) -> Result<(), IdentityError> {
        keep(&self.leaf, leaf.to_pem().as_bytes())
    }

    /// The owner's certificate, if one is kept here.
    pub(crate) fn owners(&self) -> Option<OwnCertificate> {
        let (cert, key) = (self.owners.clone(), self.owners.clone());
        self.owners.exists().then_some(OwnCertificate { cert, key })
    }

    /// Replaces it, with its key: one file, so that there is no moment at which they do not belong together.
    pub(crate) fn keep_owners(&self, text: &[u8]) -> Result<(), IdentityError> {
        keep(&self.owners, text)
    }

    /// Removes it.
    pub(crate) fn forget_owners(&self) -> Result<(), IdentityError> {
        let failed = |source| IdentityError::Io { action: "remove", path: self.owners.clone(), source };
        durable::remove(&self.owners).map_err(failed)
    }
}

pub(crate) fn keep(path: &Path, bytes: &[u8]) -> Result<(), IdentityError> {
    let failed = |source| IdentityError::Io { action: "write", path: path.to_owned(), source };
    durable::write_private(path, bytes).map_err(failed)
}

pub(crate) fn read(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, IdentityError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(Zeroizing::new(bytes))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(IdentityError::Io { action: "read", path: path.to_owned(), source }),
    }
}
