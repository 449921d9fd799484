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

/// Whether the file that was opened at `path` is still the one of that name: between opening and locking it may have been
/// removed, or have become a blob.
pub(crate) fn has_name(file: &File, path: &Path) -> Result<bool, StoreError> {
    let named = match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        other => other.map_err(io("read", path))?,
    };
    let opened = file.metadata().map_err(io("read", path))?;
    #[cfg(unix)]
    return Ok({
        use std::os::unix::fs::MetadataExt;
        (named.dev(), named.ino()) == (opened.dev(), opened.ino())
    });
    #[cfg(not(unix))]
    Ok(named.len() == opened.len())
}

/// Whether nobody holds this file; if so, nobody will until it is closed.
pub(crate) fn is_free(file: &File, path: &Path) -> Result<bool, StoreError> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(io("lock", path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_renamed_or_replaced_has_lost_its_name() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("partial");
        let file = File::create(&path).unwrap();
        assert!(has_name(&file, &path).unwrap());
        std::fs::remove_file(&path).unwrap();
        assert!(!has_name(&file, &path).unwrap());
        std::fs::write(&path, "of somebody else").unwrap();
        assert!(!has_name(&file, &path).unwrap());
    }
}
