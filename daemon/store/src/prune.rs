//! Giving back the room of what nobody names: blobs without a manifest, downloads that nobody goes on with.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::error::io;
use crate::{Digest, Store, StoreError};

/// What was given back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Blobs and downloads.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// A blob younger than this may be waiting for its manifest, in whatever program.
const BLOB_GRACE: Duration = Duration::from_secs(3600);

/// A download that was not gone on with for so long is given up.
const PARTIAL_GRACE: Duration = Duration::from_secs(7 * 24 * 3600);

impl Store {
    /// Removes blobs that no manifest names, and downloads that were left for a week. If a manifest cannot be read, no
    /// blob is removed.
    ///
    /// # Errors
    /// [`StoreError::Io`] if a file cannot be removed; those removed before it stay removed.
    pub fn prune(&self) -> Result<Pruned, StoreError> {
        let mut pruned = Pruned::default();
        for partial in self.partials()? {
            if partial.modified.elapsed().is_ok_and(|idle| idle >= PARTIAL_GRACE)
                && let Ok(bytes) = self.remove_partial(&partial.digest)
            {
                pruned.add(bytes);
            }
        }
        let _turn = self.lock()?;
        let removed = self.remove_unused(self.blob_names(BLOB_GRACE)?)?;
        Ok(Pruned { files: pruned.files + removed.files, bytes: pruned.bytes + removed.bytes })
    }

    /// Blobs that nobody has written to for `age`.
    pub(crate) fn blob_names(&self, age: Duration) -> Result<Vec<Digest>, StoreError> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.blobs()).map_err(io("list", &self.blobs()))? {
            let entry = entry.map_err(io("list", &self.blobs()))?;
            let digest = entry.file_name().to_str().and_then(|name| name.parse::<Digest>().ok());
            let idle = entry.metadata().and_then(|metadata| metadata.modified()).ok();
            let idle = idle.and_then(|modified| modified.elapsed().ok());
            if idle.is_some_and(|idle| idle >= age) {
                names.extend(digest);
            }
        }
        names.sort();
        Ok(names)
    }
}

impl Pruned {
    pub(crate) fn add(&mut self, bytes: u64) {
        self.files += 1;
        self.bytes += bytes;
    }
}

/// Ollama once wrote `sha256:` where it now writes `sha256-`.
pub(crate) fn rename_old_blobs(blobs: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(blobs)? {
        let entry = entry?;
        if let Some(hex) = entry.file_name().to_str().and_then(|name| name.strip_prefix("sha256:")) {
            let file = fs::File::open(entry.path())?;
            platform::durable::rename(&file, &entry.path(), &blobs.join(format!("sha256-{hex}")))?;
        }
    }
    Ok(())
}
