//! What a box keeps in one file, a box that is made of such a file, and one that is made new. Making a file and taking one in is
//! done while the box serves (`make`, `take`); what changes the box is written down there and done at its next start, before
//! anything is opened (`place`).
//!
//! Plain functions that block on the disk and know no runtime. Who may ask for it is `access`'s to know.
#![forbid(unsafe_code)]

mod archive;
mod contents;
mod error;
mod folder;
mod make;
mod next;
mod place;
mod sealed;
mod take;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use identity::DeviceId;
use identity::pairing::Peers;
use state::{Clock, State};
use store::Store;

pub use contents::{LeftOut, Whose};
pub use error::BackupError;
pub use folder::Folder;
pub use make::Backup;
pub use next::Models;
pub use place::{PlaceError, Placed, Restored, place};
pub use sealed::{InvalidPassphrase, Passphrase};
pub use take::{Taken, TakenModel};

/// What a box is made of, as far as it is kept. A clone is cheap, and of the same.
#[derive(Clone)]
pub struct Backups {
    parts: Arc<Parts>,
    /// Held by who makes or takes in one.
    turn: Arc<AtomicBool>,
}

/// What there is to know of the settings that the owner made by the page, as they are kept.
pub trait KeptSettings: Send + Sync {
    /// Whether they are settings at all.
    ///
    /// # Errors
    /// Why not, in words.
    fn check(&self, text: &str) -> Result<(), String>;

    /// The same without what nobody is to see; `None` if there is nothing of that among them.
    fn without_secrets(&self, text: &str) -> Option<String>;
}

/// What is kept, and by what it is read.
pub struct Parts {
    /// Where all of it lies but the models.
    pub folder: Folder,
    /// What is kept in it, open.
    pub state: State,
    /// The models, open.
    pub store: Store,
    /// The boxes that this one is paired with.
    pub peers: Peers,
    /// Who the box is, if it has anything to do with the network.
    pub identity: Option<DeviceId>,
    /// What time it is.
    pub clock: Clock,
    /// Of this hob.
    pub version: String,
    /// What the owner's settings are.
    pub settings: Arc<dyn KeptSettings>,
}

impl Backups {
    /// Of these.
    pub fn new(parts: Parts) -> Self {
        Self { parts: Arc::new(parts), turn: Arc::default() }
    }

    /// Makes the box new at its next start. What was to be put in its place is forgotten.
    ///
    /// # Errors
    /// [`BackupError::Busy`]; what the disk says.
    pub fn reset(&self, models: Models) -> Result<(), BackupError> {
        let _turn = self.turn()?;
        next::Next::Reset { models }.write(&self.parts.folder)
    }

    /// One at a time: each takes the disk that it takes, and memory for its passphrase.
    fn turn(&self) -> Result<Turn, BackupError> {
        match self.turn.swap(true, Ordering::AcqRel) {
            true => Err(BackupError::Busy),
            false => Ok(Turn(self.turn.clone())),
        }
    }
}

impl fmt::Debug for Backups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backups").field("folder", &self.parts.folder).finish_non_exhaustive()
    }
}

/// Until it is dropped.
#[derive(Debug)]
struct Turn(Arc<AtomicBool>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests;
