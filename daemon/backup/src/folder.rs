//! The folder of a box's state: what lies in it by which name. All that a box makes there is named here, or a reset would leave it.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use crate::PlaceError;

/// Where a box keeps all but its models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// This one, which need not be there.
    pub fn of(root: PathBuf) -> Self {
        Self { root }
    }

    /// As a whole.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// What the owner set by the page.
    pub fn settings(&self) -> PathBuf {
        self.root.join("settings.toml")
    }

    /// The state's file.
    pub fn state(&self) -> PathBuf {
        self.root.join("state.db")
    }

    /// What SQLite has beside it.
    pub(crate) fn beside_state(&self) -> [PathBuf; 2] {
        ["state.db-wal", "state.db-shm"].map(|name| self.root.join(name))
    }

    /// Who the box is.
    pub fn identity(&self) -> PathBuf {
        self.root.join("tls")
    }

    /// The boxes that it is paired with.
    pub fn peers(&self) -> PathBuf {
        self.root.join("peers")
    }

    /// The audit log.
    pub fn audit(&self) -> PathBuf {
        self.root.join("audit")
    }

    /// Prefixes that outlive workers.
    pub fn cache(&self) -> PathBuf {
        self.root.join("cache")
    }

    /// What callers are called to paired boxes by.
    pub fn aliases(&self) -> PathBuf {
        self.root.join("aliases.secret")
    }

    /// What was typed in the console, where the daemon is its user's own.
    pub fn history(&self) -> PathBuf {
        self.root.join("history")
    }

    /// The models, unless they have a place of their own.
    pub fn models(&self) -> PathBuf {
        self.root.join("models")
    }

    /// Of a backup that is being made.
    pub(crate) fn making(&self) -> PathBuf {
        self.root.join("backup")
    }

    /// Of one that is being taken in.
    pub(crate) fn taking(&self) -> PathBuf {
        self.root.join("restore")
    }

    /// What of that is put in place: a folder as this one.
    pub(crate) fn staged(&self) -> Self {
        Self { root: self.taking().join("new") }
    }

    /// Manifests of models, beside what they are called.
    pub(crate) fn manifests(&self) -> PathBuf {
        self.root.join("manifests")
    }

    /// What is to be done at the next start.
    pub(crate) fn next(&self) -> PathBuf {
        self.root.join("next.json")
    }

    /// Makes sure that no daemon is at work here, until it is dropped: the lock is that of its audit log.
    pub(crate) fn lock(&self) -> Result<File, PlaceError> {
        let failed = |source| PlaceError::Io { action: "lock", path: self.audit(), source };
        platform::durable::make_private_folder(&self.audit()).map_err(failed)?;
        let file =
            OpenOptions::new().create(true).append(true).open(self.audit().join(LOCK)).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(PlaceError::InUse { path: self.root.clone() }),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }
}

/// In the folder of the audit log.
pub(crate) const LOCK: &str = ".lock";
