//! Whether what is to come has room on the disk, asked before its first byte.

use std::io;
use std::path::Path;

use platform::disk;

use crate::{Digest, Store, StoreError};

impl Store {
    /// Whether `needed_bytes` more leave free what is to stay free.
    ///
    /// # Errors
    /// [`StoreError::DiskFull`] if not.
    pub fn check_room(&self, needed_bytes: u64) -> Result<(), StoreError> {
        if needed_bytes == 0 {
            return Ok(());
        }
        let free_bytes = disk::free_bytes(&self.root).map_err(crate::error::io("measure", &self.root))?;
        if needed_bytes.saturating_add(self.floor_bytes) > free_bytes {
            return Err(StoreError::DiskFull { needed_bytes, free_bytes, floor_bytes: self.floor_bytes });
        }
        Ok(())
    }

    /// Whether all of these downloads, by digest and length, have room together. What was begun has its room already.
    ///
    /// # Errors
    /// [`StoreError::DiskFull`] if not.
    pub fn check_downloads(&self, wanted: &[(Digest, u64)]) -> Result<(), StoreError> {
        let taken =
            |digest| std::fs::metadata(self.partial_path(digest)).map_or(0, |it| disk::taken_bytes(&it));
        let needed = wanted.iter().map(|(digest, bytes)| bytes.saturating_sub(taken(digest)));
        self.check_room(needed.fold(0, u64::saturating_add))
    }

    /// Says a full disk as such.
    pub(crate) fn no_room(&self, needed_bytes: u64, error: io::Error, path: &Path) -> StoreError {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::DiskFull {
                needed_bytes,
                free_bytes: disk::free_bytes(&self.root).unwrap_or(0),
                floor_bytes: self.floor_bytes,
            },
            _ => crate::error::io("reserve", path)(error),
        }
    }
}
