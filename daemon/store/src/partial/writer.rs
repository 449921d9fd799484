//! One part's way to the disk.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use super::progress::Progress;
use super::record::Record;
use super::{NOTED_EVERY, Part, SYNCED_EVERY};
use crate::error::io;
use crate::{Digest, Store, StoreError};

/// Where a part's bytes go. What was written is on record once this is dropped.
#[derive(Debug)]
pub struct PartWriter {
    pub(super) store: Store,
    pub(super) digest: Digest,
    pub(super) file: Arc<File>,
    pub(super) record: File,
    pub(super) progress: Arc<Progress>,
    pub(super) number: usize,
    /// Bytes of the part that are on record as written.
    pub(super) noted: u64,
    /// Bytes of the part that are on record as synced.
    pub(super) synced: u64,
}

impl PartWriter {
    /// The next bytes of the part. Blocks on the disk.
    ///
    /// # Errors
    /// [`StoreError::Overlong`] if there are more than the part has; [`StoreError::Io`], as when the disk is full.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let part = self.part();
        let count = bytes.len() as u64;
        if count > part.size - part.completed {
            return Err(StoreError::Overlong(self.digest));
        }
        let path = self.store.partial_path(&self.digest);
        self.file.write_all_at(bytes, part.offset + part.completed).map_err(io("write", &path))?;
        self.progress.state().parts[self.number].completed += count;
        self.progress.changed.notify_all();
        let completed = part.completed + count;
        if completed - self.synced >= SYNCED_EVERY || completed == part.size {
            self.sync()
        } else if completed - self.noted >= NOTED_EVERY {
            self.note()
        } else {
            Ok(())
        }
    }

    /// How far it is.
    pub fn part(&self) -> Part {
        self.progress.state().parts[self.number]
    }

    /// Puts on record what is written.
    fn note(&mut self) -> Result<(), StoreError> {
        let part = self.part();
        let path = self.store.part_path(&self.digest, self.number);
        // In one call and in place: a process that is killed leaves the old record or the new one.
        self.record.write_all_at(&Record::bytes(&part, self.synced), 0).map_err(io("write", &path))?;
        self.noted = part.completed;
        Ok(())
    }

    /// The bytes first, then the word that they are there.
    fn sync(&mut self) -> Result<(), StoreError> {
        let completed = self.part().completed;
        let path = self.store.partial_path(&self.digest);
        self.file.sync_data().map_err(io("sync", &path))?;
        self.synced = completed;
        self.note()?;
        self.record.sync_data().map_err(io("sync", &path))
    }
}

impl Drop for PartWriter {
    fn drop(&mut self) {
        if self.noted < self.part().completed
            && let Err(error) = self.note()
        {
            tracing::warn!(%error, "the last bytes of a download will be fetched again");
        }
    }
}
