//! Room on the disk that is kept for the audit log. A box whose models have filled its disk must still be able to write down that
//! its owner signs in and removes one: what cannot be written down is not done.

use std::fs;
use std::path::{Path, PathBuf};

/// A file of no use but that it can be removed.
#[derive(Debug)]
pub(super) struct Reserve {
    path: PathBuf,
}

/// Some thousand entries, and what the state writes with each.
const BYTES: usize = 1 << 20;

impl Reserve {
    pub(super) fn of(folder: &Path) -> Self {
        Self { path: folder.join("reserve") }
    }

    /// Takes the room, if it is not taken and there is any.
    pub(super) fn take(&self) {
        if self.path.exists() {
            return;
        }
        // Not all alike, as some file systems store that in no room at all.
        let mut bytes = vec![0; BYTES];
        rand::fill(&mut bytes[..]);
        if let Err(error) = platform::durable::write(&self.path, &bytes) {
            tracing::warn!("no room can be kept for the audit log: {error}");
        }
    }

    /// Gives it up for an entry; false if it was given up before.
    pub(super) fn give_up(&self) -> bool {
        let given = fs::remove_file(&self.path).is_ok();
        if given {
            tracing::warn!(
                "the disk is full: room that was kept for the audit log is used; remove models to make some"
            );
        }
        given
    }
}
