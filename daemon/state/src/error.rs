//! What can go wrong with the state, by what a caller must tell apart.

use std::io;
use std::path::PathBuf;

use rusqlite::ErrorCode;

use crate::conversations::ConversationError;

/// What can go wrong with the state.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The folder or the file cannot be made.
    #[error("cannot make {path}: {source}", path = path.display())]
    Make {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file was written by a later version of Hob. It was left as it is.
    #[error(
        "{path} was written by a later version of hob (its format is {found}, this one knows {known}): update hob, or move the \
         file away to begin anew",
        path = path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The latest that this version knows.
        known: usize,
    },
    /// The file is no database, or not a whole one. It was left as it is.
    #[error(
        "{path} is damaged ({source}): move it away, and what has its name and -wal or -shm after it, to begin anew, or put a \
         backup in its place",
        path = path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// How.
        source: rusqlite::Error,
    },
    /// The file cannot be opened just now, or not by this user.
    #[error("cannot open {path}: {source}", path = path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// The file came from elsewhere, and is not one that a box wrote.
    #[error("{path} was not written by a box: {what}", path = path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Nobody may ask any more for the response that this one goes on from. It was not kept.
    #[error("the response that this one goes on from was deleted meanwhile; it was not stored")]
    PreviousGone,
    /// What was asked for takes more than was to be read.
    #[error("what was said takes more than can be gone on with")]
    TooLong,
    /// What cannot be done with a conversation.
    #[error(transparent)]
    Conversation(#[from] ConversationError),
    /// The database refused, with its own words. What was asked for was not done, not even in part.
    #[error("the state cannot be read or written: {0}")]
    Database(#[from] rusqlite::Error),
}

impl StateError {
    /// Whether the disk has no room for it.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::Database(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull))
    }
}
