//! What keeps two processes, or two threads, on one store apart. The kernel's locks on files: they end with their holder,
//! however it ends, and leave nothing behind.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use crate::error::io;
use crate::{Store, StoreError};

/// While this lives, nobody else changes which blobs are named. Never held over the network.
#[derive(Debug)]
pub(crate) struct StoreLock(#[expect(dead_code, reason = "closing it is what unlocks")] File);

impl Store {
    /// Waits for its turn.
    pub(crate) fn lock(&self) -> Result<StoreLock, StoreError> {
        let path = self.root.join(".lock");
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(io("open", &path))?;
        file.lock().map_err(io("lock", &path))?;
        Ok(StoreLock(file))
    }
}

/// Whether nobody holds this file; if so, nobody will until it is closed.
pub(crate) fn is_free(file: &File, path: &Path) -> Result<bool, StoreError> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(io("lock", path)(error)),
    }
}
