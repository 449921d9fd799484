//! Models whose blobs came one by one, and whose manifest comes last: from a bundle, say. Nothing of them was seen together
//! until then.

use std::time::SystemTime;

use crate::blob::HeldBlob;
use crate::manifest::{self, BlobRef, Stored};
use crate::{InvalidManifest, Manifest, ModelName, Store, StoreError};

impl Store {
    /// Makes or replaces a model by a manifest that arrived, once all that it names is here, and is what it says. Blocks on the
    /// disk.
    ///
    /// # Errors
    /// [`StoreError::UnknownBlob`] for what is not here; [`StoreError::BadGguf`] and [`StoreError::InvalidManifest`] for what is no
    /// model. What was there stays then.
    pub fn accept(&self, name: &ModelName, manifest: Manifest) -> Result<(), StoreError> {
        let mut held = Vec::new();
        for blob in manifest.distinct_blobs() {
            held.push(self.hold_as_said(blob)?);
        }
        let manifest = match self.joined(&manifest)? {
            Some((joined, whole)) => {
                held.push(whole);
                joined
            }
            None => manifest,
        };
        self.check_files(&manifest)?;
        self.check_texts(name, &manifest)?;
        self.publish(name, &manifest, &held)
    }

    fn hold_as_said(&self, blob: &BlobRef) -> Result<HeldBlob, StoreError> {
        let held = self.hold(&blob.digest)?.ok_or(StoreError::UnknownBlob(blob.digest))?;
        if held.bytes() != blob.size {
            let (said_bytes, bytes) = (blob.size, held.bytes());
            return Err(InvalidManifest::WrongSize { blob: blob.digest, said_bytes, bytes }.into());
        }
        Ok(held)
    }

    /// Each file is what the manifest calls it.
    fn check_files(&self, manifest: &Manifest) -> Result<(), StoreError> {
        let weights = manifest.of_type(manifest::MODEL).next().ok_or(InvalidManifest::NoWeights)?;
        let weights = self.header_of(&weights.digest)?;
        for adapter in manifest.of_type(manifest::ADAPTER) {
            if !self.header_of(&adapter.digest)?.is_adapter() {
                return Err(StoreError::NoAdapter(adapter.digest.to_string()));
            }
        }
        for projector in manifest.of_type(manifest::PROJECTOR) {
            self.header_of(&projector.digest)?;
        }
        for draft in manifest.of_type(manifest::DRAFT) {
            if !self.header_of(&draft.digest)?.shares_vocabulary(&weights) {
                return Err(StoreError::NoDraft(draft.digest.to_string()));
            }
        }
        Ok(())
    }

    /// What is laid over the weights can be read.
    fn check_texts(&self, name: &ModelName, manifest: &Manifest) -> Result<(), StoreError> {
        let stored =
            Stored { name: name.clone(), manifest: manifest.clone(), modified: SystemTime::UNIX_EPOCH };
        match self.assemble(stored) {
            // It is the client's to mend.
            Err(StoreError::CorruptManifest { reason, .. }) => Err(InvalidManifest::Malformed(reason).into()),
            other => other.map(drop),
        }
    }
}
