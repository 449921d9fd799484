//! All models at once, for a box that is to have none. What else lies in their folder stays.

use std::path::Path;

use crate::{Store, StoreError, error};

impl Store {
    /// Removes all models of a folder that nobody has open, with all that was begun of others. Can be done again if it ended early.
    /// Blocks on the disk.
    ///
    /// # Errors
    /// [`StoreError::Io`]; some are gone then.
    pub fn erase(root: &Path) -> Result<(), StoreError> {
        // Names first: what is left of a half that has none is swept by whoever opens it.
        for part in ["manifests", "blobs", ".lock"] {
            let path = root.join(part);
            platform::durable::remove_all(&path).map_err(error::io("remove", &path))?;
        }
        Ok(())
    }
}
