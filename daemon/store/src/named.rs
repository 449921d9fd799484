//! What models there are beside a name: all of a repository, and those that a blob is part of.

use crate::{Digest, ModelName, Store, StoreError};

impl Store {
    /// Names of all models, readable or not, in order.
    ///
    /// # Errors
    /// [`StoreError::Io`] if the folders cannot be listed.
    pub fn all_names(&self) -> Result<Vec<ModelName>, StoreError> {
        let mut names = self.names()?;
        names.sort();
        Ok(names)
    }

    /// Models that name this blob. One whose manifest cannot be read names none.
    ///
    /// # Errors
    /// As [`Store::all_names`].
    pub fn named_by(&self, digest: &Digest) -> Result<Vec<ModelName>, StoreError> {
        let mut names = self.names()?;
        names.retain(|name| {
            // One that was removed meanwhile names nothing either.
            self.manifest(name).is_ok_and(|manifest| manifest.blobs().any(|blob| blob.digest == *digest))
        });
        Ok(names)
    }
}
