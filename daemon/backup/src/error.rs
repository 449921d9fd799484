//! What can be wrong with a backup, and what can keep a box from making one or from being made of one. Whatever it is, the box stays
//! as it is.

use std::io::{self, ErrorKind};
use std::path::PathBuf;

use identity::IdentityError;
use identity::pairing::PairingError;
use state::StateError;
use store::StoreError;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// It begins with something else than a backup does.
    #[error("this is no backup of a box; one is what the page of a box saves as .hobbackup")]
    NotABackup,
    /// A passphrase is needed, and there is none.
    #[error("this backup is sealed: type the passphrase that it was made with")]
    Sealed,
    /// There is a passphrase, and nothing that it opens: it may have been put in the place of what was sealed.
    #[error(
        "this backup is not sealed, so it is not the one that the passphrase was for: leave the passphrase out if it is the right one"
    )]
    NotSealed,
    /// Another one is needed.
    #[error("the passphrase is not the one that this backup was made with")]
    WrongPassphrase,
    /// To try a passphrase takes more than this box gives for it.
    #[error("this backup asks for more memory to be opened than any of a box")]
    TooDear,
    /// What is sealed was changed, or cut off.
    #[error("the backup was changed or cut off after it was made")]
    Unsealed,
    /// Made by a later version.
    #[error("the backup has format {0}, and this hob knows 1: update hob first")]
    Newer(u64),
    /// Something that no backup has, or none at this place.
    #[error("the backup has `{name}`, {what}")]
    Strange {
        /// As called there, made safe to show.
        name: String,
        /// What it is.
        what: &'static str,
    },
    /// A part is missing.
    #[error("{0} is missing in the backup")]
    Missing(String),
    /// A part is longer than any of its kind.
    #[error("{name} is said to have {bytes} bytes, and may have {most}")]
    TooLong {
        /// Which.
        name: String,
        /// As long as it is.
        bytes: u64,
        /// As long as it may be.
        most: u64,
    },
    /// A part is not what the backup says of it.
    #[error("{0} is damaged: its bytes are not those that were kept")]
    WrongBytes(String),
    /// A part makes no sense.
    #[error("{name} in the backup makes no sense: {why}")]
    Senseless {
        /// Which.
        name: String,
        /// Why.
        why: String,
    },
    /// It ends too early.
    #[error("the backup ends in the middle: it was cut off")]
    Truncated,
    /// What is not a part's bytes does not add up.
    #[error("the backup is damaged: {0}")]
    Damaged(&'static str),
    /// What is kept by its state is none of a box, or one of a later version.
    #[error("the backup's state cannot be taken: {0}")]
    TheirState(StateError),
    /// Somebody could come in, and nobody owns the box: the next who claims it would own it with them in it.
    #[error(
        "the backup has people or keys and no owner among them, so whoever claimed the box next would own it with those in it: take a \
         backup of a box that somebody owns"
    )]
    NoOwner,
    /// The disk is too full for it.
    #[error("the backup takes {needed} bytes of the disk, and there are {free}: remove something first")]
    NoRoom {
        /// What it takes.
        needed: u64,
        /// What there is.
        free: u64,
    },
    /// One at a time.
    #[error("another backup is being made or taken in just now: wait for it to end")]
    Busy,
    /// The box's own state cannot be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// The box's own identity cannot be read.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// A paired box cannot be read or written.
    #[error(transparent)]
    Pairing(#[from] PairingError),
    /// The box's own models cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The disk refuses.
    #[error("cannot {action} {path}: {source}", path = path.display())]
    Io {
        /// What was to be done.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Whoever sends it, or takes it, is gone.
    #[error("the backup cannot be passed on: {0}")]
    Passed(io::Error),
}

impl BackupError {
    /// What went wrong while it was read: what this crate says itself comes back out of the readers that it went through.
    pub(crate) fn reading(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::UnexpectedEof => Self::Truncated,
            ErrorKind::InvalidData => Self::Unsealed,
            _ => Self::Passed(error),
        }
    }

    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}
