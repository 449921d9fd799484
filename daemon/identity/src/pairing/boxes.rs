//! The boxes that this user paired, one file each.

use std::path::PathBuf;
use std::time::Duration;

use super::{Address, Introduction, PairingError};
use crate::DeviceId;

/// What a user calls a box: letters, digits, dots and dashes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BoxName(String);

/// Why a text is no name of a box.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no name for a box; it has letters, digits, dots and dashes, and at most 63 of them")]
pub struct InvalidBoxName(pub String);

/// The key by which a box is administered. It does not show itself.
#[derive(Clone, PartialEq, Eq)]
pub struct AdminKey(String);

/// A box that is known.
#[derive(Clone, Debug)]
pub struct Paired {
    name: BoxName,
    address: Address,
    root_pem: String,
    key: Option<AdminKey>,
}

/// The folder of those that are known.
#[derive(Clone, Debug)]
pub struct Boxes {
    folder: PathBuf,
}

impl std::str::FromStr for BoxName {
    type Err = InvalidBoxName;
    fn from_str(_text: &str) -> Result<Self, InvalidBoxName> {
        todo!()
    }
}

impl BoxName {
    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AdminKey {
    /// A key.
    pub fn new(key: String) -> Self {
        Self(key)
    }
    /// What is sent.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for AdminKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AdminKey")
    }
}

impl Paired {
    /// A box that was found to be the right one.
    pub fn new(_name: BoxName, _address: Address, _introduction: &Introduction) -> Self {
        todo!()
    }
    /// What the user calls it.
    pub fn name(&self) -> &BoxName {
        &self.name
    }
    /// Where it is reached.
    pub fn address(&self) -> &Address {
        &self.address
    }
    /// What it is trusted by, and nothing else: for an ordinary client.
    pub fn root_pem(&self) -> &str {
        &self.root_pem
    }
    /// Who it is.
    pub fn id(&self) -> DeviceId {
        todo!()
    }
    /// The key by which it is administered, if there is one.
    pub fn key(&self) -> Option<&AdminKey> {
        self.key.as_ref()
    }
    /// With this key.
    #[must_use]
    pub fn with_key(self, key: Option<AdminKey>) -> Self {
        Self { key, ..self }
    }
    /// Asks the box who it is, before it is told a secret. Blocks, `patience` long at most.
    ///
    /// # Errors
    /// [`PairingError::Changed`] if another answers.
    pub fn confirm(&self, _patience: Duration) -> Result<(), PairingError> {
        todo!()
    }
}

impl Boxes {
    /// Those in a folder, which need not be there.
    pub fn within(folder: PathBuf) -> Self {
        Self { folder }
    }
    /// Writes a box down. Nobody but the user can read it.
    ///
    /// # Errors
    /// [`PairingError::Changed`] if another box goes by that name; what the disk says.
    pub fn save(&self, _paired: &Paired) -> Result<(), PairingError> {
        let _ = &self.folder;
        todo!()
    }
    /// The box that goes by this name.
    ///
    /// # Errors
    /// If its file cannot be read.
    pub fn load(&self, _name: &BoxName) -> Result<Option<Paired>, PairingError> {
        todo!()
    }
    /// All, by name.
    ///
    /// # Errors
    /// If one cannot be read.
    pub fn list(&self) -> Result<Vec<Paired>, PairingError> {
        todo!()
    }
    /// Forgets a box. Whether there was one.
    ///
    /// # Errors
    /// What the disk says.
    pub fn remove(&self, _name: &BoxName) -> Result<bool, PairingError> {
        todo!()
    }
}
