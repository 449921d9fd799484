//! The boxes that this user paired, one file each, which nobody else can read.

use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use platform::durable;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::introduction::proven;
use super::{Address, Introduction, PairingError, Root, introduce};
use crate::{DeviceId, pem};

/// What a user calls a box: letters, digits, dots and dashes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BoxName(String);

/// Why a text is no name of a box.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is no name for a box; it begins with a letter or digit, has those, dots and dashes, and at most 63"
)]
pub struct InvalidBoxName(pub String);

impl BoxName {
    /// What this machine is called, for other boxes.
    pub fn of_this_machine() -> Self {
        let hostname = platform::network::hostname();
        let first = hostname.split('.').next().unwrap_or_default();
        let plain: String = first.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
        plain.parse().or_else(|_| "laptop".parse()).expect("a word of letters is a name")
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// One like it, as `hob-abcd-2`; `None` if that is too long.
    pub(super) fn numbered(&self, number: usize) -> Option<Self> {
        format!("{self}-{number}").parse().ok()
    }
}

impl FromStr for BoxName {
    type Err = InvalidBoxName;

    fn from_str(text: &str) -> Result<Self, InvalidBoxName> {
        let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        let rest = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
        if first && rest && text.len() <= 63 {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(InvalidBoxName(text.to_owned()))
        }
    }
}

impl fmt::Display for BoxName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The key by which a box is administered. It does not show itself.
#[derive(Clone, PartialEq, Eq)]
pub struct AdminKey(Zeroizing<String>);

impl AdminKey {
    /// As the box gave it.
    pub fn new(key: String) -> Self {
        Self(Zeroizing::new(key))
    }

    /// What is sent, to this box and no other.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AdminKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminKey")
    }
}

/// A box that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paired {
    name: BoxName,
    address: Address,
    /// Where that led when the box showed who it is: the system need not know its name, and nobody need say where it is.
    place: Option<SocketAddr>,
    root: CertificateDer<'static>,
    key: Option<AdminKey>,
}

impl Paired {
    /// A box that was found to be the right one.
    pub fn new(name: BoxName, introduction: &Introduction) -> Self {
        let Introduction { address, place, root, .. } = introduction;
        Self { name, address: address.clone(), place: Some(*place), root: root.clone(), key: None }
    }

    /// A box that is known by its root, which was told by somebody who may say so, and has been proven there.
    pub fn by_root(name: BoxName, address: Address, root: &Root) -> Self {
        Self { name, address, place: None, root: root.der().clone(), key: None }
    }

    /// What the user calls it.
    pub fn name(&self) -> &BoxName {
        &self.name
    }

    /// Where it is reached.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Where it was when it showed who it is, if that is known.
    pub fn place(&self) -> Option<SocketAddr> {
        self.place.or_else(|| self.address.socket())
    }

    /// What it is trusted by, and nothing else, for an ordinary client.
    pub fn root(&self) -> &CertificateDer<'static> {
        &self.root
    }

    /// The same, as most programs want it.
    pub fn root_pem(&self) -> String {
        pem::certificate(&self.root)
    }

    /// Who it is.
    pub fn id(&self) -> DeviceId {
        DeviceId::of(&self.root)
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

    /// Called otherwise.
    #[must_use]
    pub fn named(self, name: BoxName) -> Self {
        Self { name, ..self }
    }

    /// Reached elsewhere.
    #[must_use]
    pub fn at(self, address: Address) -> Self {
        Self { address, place: None, ..self }
    }

    /// Asks the box who it is, before it is told a secret. Blocks, `patience` long at most.
    ///
    /// # Errors
    /// [`PairingError::Changed`] if another answers.
    pub fn confirm(&self, patience: Duration) -> Result<(), PairingError> {
        self.must_be(introduce(&self.address, &[], patience)?.id)
    }

    /// Whether it answers at a socket, rather than somebody else. It is told nothing. Blocks, `patience` long at most.
    ///
    /// # Errors
    /// If it cannot be reached, or is another box.
    pub fn prove(&self, place: SocketAddr, patience: Duration) -> Result<(), PairingError> {
        proven(&self.root, place, patience)
    }

    /// As it is written down, with its key.
    pub fn written(&self) -> Zeroizing<Vec<u8>> {
        let written = Written {
            address: self.address.to_string(),
            place: self.place,
            id: self.id().to_string(),
            root: self.root_pem(),
            key: self.key.as_ref().map(|key| key.0.clone()),
        };
        Zeroizing::new(serde_json::to_vec_pretty(&written).expect("texts cannot fail to serialize"))
    }

    /// The one that was written down under a name; `None` if that was done by half, or by hand.
    pub fn read(name: &BoxName, text: &[u8]) -> Option<Self> {
        let written: Written = serde_json::from_slice(text).ok()?;
        let root = CertificateDer::from_pem_slice(written.root.as_bytes()).ok()?;
        let address = written.address.parse().ok()?;
        let key = written.key.map(AdminKey);
        let paired = Self { name: name.clone(), address, place: written.place, root, key };
        (written.id == paired.id().to_string()).then_some(paired)
    }

    fn must_be(&self, found: DeviceId) -> Result<(), PairingError> {
        let expected = self.id();
        if expected == found {
            return Ok(());
        }
        Err(PairingError::Changed { name: self.name.clone(), expected, found })
    }
}

/// The folder of those that are known.
#[derive(Clone, Debug)]
pub struct Boxes {
    folder: PathBuf,
}

/// A box as it is written down.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<SocketAddr>,
    /// For people who look; who it is is told by the root.
    id: String,
    root: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<Zeroizing<String>>,
}

impl Boxes {
    /// Those in a folder, which need not be there.
    pub fn within(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Writes a box down, or what is new of it.
    ///
    /// # Errors
    /// [`PairingError::Changed`] if another box goes by that name, which has to be forgotten first; what the disk says.
    pub fn save(&self, paired: &Paired) -> Result<(), PairingError> {
        if let Some(before) = self.load(&paired.name)? {
            before.must_be(paired.id())?;
        }
        let folder = |source| PairingError::Io { action: "make", path: self.folder.clone(), source };
        durable::make_private_folder(&self.folder).map_err(folder)?;
        let path = self.path(&paired.name);
        let failed = |source| PairingError::Io { action: "write", path: path.clone(), source };
        let text = paired.written();
        durable::write_private(&path, &text).map_err(failed)
    }

    /// The box that goes by this name.
    ///
    /// # Errors
    /// If its file cannot be read.
    pub fn load(&self, name: &BoxName) -> Result<Option<Paired>, PairingError> {
        let path = self.path(name);
        let text = match fs::read(&path) {
            Ok(text) => Zeroizing::new(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(PairingError::Io { action: "read", path, source }),
        };
        Paired::read(name, &text).map(Some).ok_or(PairingError::Damaged { path })
    }

    /// All, by name.
    ///
    /// # Errors
    /// If one cannot be read.
    pub fn list(&self) -> Result<Vec<Paired>, PairingError> {
        let failed = |source| PairingError::Io { action: "list", path: self.folder.clone(), source };
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.and_then(Iterator::collect::<io::Result<Vec<_>>>).map_err(failed)?,
        };
        let name = |entry: &fs::DirEntry| {
            entry
                .file_name()
                .to_str()
                .and_then(|file| file.strip_suffix(EXTENSION))
                .and_then(|name| name.parse().ok())
        };
        let mut names = entries.iter().filter_map(name).collect::<Vec<BoxName>>();
        names.sort();
        names.iter().filter_map(|name| self.load(name).transpose()).collect()
    }

    /// Forgets a box. Whether there was one.
    ///
    /// # Errors
    /// What the disk says.
    pub fn remove(&self, name: &BoxName) -> Result<bool, PairingError> {
        let path = self.path(name);
        let there = path.exists();
        durable::remove(&path).map_err(|source| PairingError::Io { action: "remove", path, source })?;
        Ok(there)
    }

    fn path(&self, name: &BoxName) -> PathBuf {
        self.folder.join(format!("{name}{EXTENSION}"))
    }
}

const EXTENSION: &str = ".json";

#[cfg(test)]
mod tests;
