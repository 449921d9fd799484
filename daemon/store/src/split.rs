//! Models that lie in several files, and become one: ggml is handed one open file.

use crate::blob::HeldBlob;
use crate::error::io;
use crate::manifest::{self, BlobRef, Manifest};
use crate::{Digest, Store, StoreError};

impl Store {
    /// Whether the blob is a file of a split model.
    pub(crate) fn is_part(&self, digest: &Digest) -> Result<bool, StoreError> {
        let known = self.has_blob(digest);
        Ok(known && self.header_of(digest)?.split().is_some())
    }

    /// The files of a split model as one blob.
    pub(crate) fn merged<'a>(
        &self,
        files: impl ExactSizeIterator<Item = &'a Digest>,
    ) -> Result<HeldBlob, StoreError> {
        let (count, mut parts, mut total) = (files.len(), Vec::new(), 0);
        for digest in files {
            let held = self.hold(digest)?.ok_or(StoreError::UnknownBlob(*digest))?;
            let path = self.blob_path(digest);
            total += held.bytes();
            parts.push((self.header_of(digest)?, held.reader().map_err(io("open", &path))?));
        }
        if parts.iter().any(|(header, _)| header.split().is_none()) {
            return Err(StoreError::SeveralFiles(count));
        }
        self.check_room(total)?;
        let mut blob = self.begin_unnamed_blob()?;
        gguf::merge(parts, &mut blob)?;
        blob.finish()
    }

    /// The manifest that names the whole in place of the files of a split model, and the whole. `None` if it names no
    /// such files. Blocks on the disk.
    ///
    /// # Errors
    /// [`StoreError::BadGguf`] if they are not all of one model; [`StoreError::DiskFull`].
    pub fn joined(&self, manifest: &Manifest) -> Result<Option<(Manifest, HeldBlob)>, StoreError> {
        let files: Vec<Digest> = manifest.of_type(manifest::MODEL).map(|layer| layer.digest).collect();
        if files.len() < 2 || !self.is_part(&files[0])? {
            return Ok(None);
        }
        let whole = self.merged(files.iter())?;
        let others = manifest.layers().iter().filter(|layer| layer.media_type != manifest::MODEL).cloned();
        let layers = std::iter::once(BlobRef::of(manifest::MODEL, &whole)).chain(others).collect();
        Ok(Some((manifest.with_layers(layers), whole)))
    }
}
