//! What is to be done at the next start, and how far it is: one small file, replaced as a whole, so that whoever starts after a
//! power cut knows where to go on.

use std::io::ErrorKind;

use serde::{Deserialize, Serialize};

use crate::{BackupError, Folder, PlaceError};

/// What becomes of the models of a box that is made new.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Models {
    /// They stay.
    Keep,
    /// They are removed, wherever they lie.
    Remove,
}

/// A step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "next", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum Next {
    /// What was taken in is to be put in place.
    Restore,
    /// Some of it may be: what was there is not whole any more.
    Placing,
    /// All of it is, and nobody was told.
    Restored,
    /// The box is to be made new.
    Reset { models: Models },
    /// It is, and nobody was told.
    New { models: Models },
}

impl Next {
    /// What was written last, unless it was done.
    pub(crate) fn read(folder: &Folder) -> Result<Option<Self>, PlaceError> {
        let path = folder.next();
        match std::fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(PlaceError::Io { action: "read", path, source }),
            Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|_| PlaceError::Unknown { path }),
        }
    }

    /// In the place of what was written before.
    pub(crate) fn write(self, folder: &Folder) -> Result<(), BackupError> {
        let path = folder.next();
        let text = serde_json::to_vec(&self).expect("words cannot fail to serialize");
        platform::durable::write_private(&path, &text).map_err(BackupError::io("write", path))
    }

    /// There is nothing to be done then.
    pub(crate) fn forget(folder: &Folder) -> Result<(), BackupError> {
        let path = folder.next();
        platform::durable::remove(&path).map_err(BackupError::io("remove", path))
    }
}
