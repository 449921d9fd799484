//! Whether what is to come has room on the disk, asked before its first byte.

use std::io;
use std::path::Path;

use platform::disk;

use crate::{Digest, Store, StoreError};

/// Bytes of the disk that holds the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskRoom {
    /// That can still be written.
    pub free_bytes: u64,
    /// In all.
    pub total_bytes: u64,
}

impl Store {
    /// How much room the disk has.
    ///
    /// # Errors
    /// If the system does not say.
    pub fn disk_room(&self) -> Result<DiskRoom, StoreError> {
        let measured = disk::free_bytes(&self.root)
            .and_then(|free_bytes| Ok(DiskRoom { free_bytes, total_bytes: disk::total_bytes(&self.root)? }));
        measured.map_err(crate::error::io("measure", &self.root))
    }

    /// Bytes of the disk that models take, and downloads of them. Looks at each file.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn taken_bytes(&self) -> Result<u64, StoreError> {
        let entries = std::fs::read_dir(self.blobs()).map_err(crate::error::io("read", &self.blobs()))?;
        // One that goes while it is looked at takes nothing.
        let files = entries.flatten().filter_map(|entry| entry.metadata().ok()).filter(|it| it.is_file());
        Ok(files.map(|metadata| disk::taken_bytes(&metadata)).sum())
    }

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
