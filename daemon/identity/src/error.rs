//! What can go wrong with an identity.

use std::io;
use std::path::PathBuf;

/// Why there is no identity, or no new certificate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// What is there cannot be understood. It is left alone: who made another would be another box to all that know this one.
    #[error(
        "{path} is damaged: {what}; put it back from a backup, or move {folder} away to begin as a new box, with which \
         everybody has to pair again",
        path = path.display(), folder = path.parent().unwrap_or(path).display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// There was an identity, and what makes it is gone.
    #[error(
        "{path} is gone, though {beside} was made by it; put it back from a backup, or move {beside} away to begin as a new \
         box, with which everybody has to pair again", path = path.display(), beside = beside.display()
    )]
    Lost {
        /// The file that is gone.
        path: PathBuf,
        /// What says that it was there.
        beside: PathBuf,
    },
    /// No key or no certificate could be made.
    #[error("cannot make a certificate")]
    Make(#[from] rcgen::Error),
    /// TLS does not take what was made.
    #[error("cannot set up TLS")]
    Tls(#[from] rustls::Error),
    /// The disk.
    #[error("cannot {action} {path}", path = path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}
