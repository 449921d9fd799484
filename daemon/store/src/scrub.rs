//! Whether the store is what its manifests say: every blob there, as long as it should be, and, if asked, hashed anew.
//! Changes nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::time::Duration;

use crate::error::io;
use crate::{Digest, ModelName, Store, StoreError};

/// How closely to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Manifests and lengths.
    Sizes,
    /// Every byte.
    Hashes,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scrubbed {
    /// Models whose manifests can be read.
    pub models: usize,
    /// Blobs that were looked at.
    pub blobs: usize,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// Blobs that no manifest names.
    pub unused_blobs: usize,
    /// Their bytes.
    pub unused_bytes: u64,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// A manifest that cannot be read.
    Manifest {
        /// Of the model.
        name: ModelName,
        /// What is wrong with it.
        reason: String,
    },
    /// A blob that is not there.
    Missing {
        /// A model that needs it.
        name: ModelName,
        /// Which.
        digest: Digest,
    },
    /// A blob that is not as long as it should be.
    Size {
        /// A model that needs it.
        name: ModelName,
        /// Which.
        digest: Digest,
        /// As the manifest says.
        expected: u64,
        /// As it is.
        found: u64,
    },
    /// A blob whose bytes are not the ones it is named after.
    Hash {
        /// Which.
        digest: Digest,
        /// What it is.
        found: Digest,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manifest { name, reason } => write!(f, "{name}: {reason}"),
            Self::Missing { name, digest } => {
                write!(f, "{name}: its blob {digest} is missing; pull or create it again")
            }
            Self::Size { name, digest, expected, found } => {
                write!(
                    f,
                    "{name}: its blob {digest} has {found} bytes, not {expected}; pull or create it again"
                )
            }
            Self::Hash { digest, found } => write!(f, "blob {digest} is damaged: its bytes hash to {found}"),
        }
    }
}

impl Store {
    /// Looks at everything; `progress` is told the bytes that were hashed.
    ///
    /// # Errors
    /// [`StoreError::Io`] if the store cannot be read.
    pub fn scrub(&self, depth: Depth, progress: &mut dyn FnMut(u64)) -> Result<Scrubbed, StoreError> {
        let mut found = Scrubbed::default();
        let mut used: BTreeMap<Digest, ModelName> = BTreeMap::new();
        for name in self.names()? {
            match self.manifest(&name) {
                Ok(manifest) => {
                    found.models += 1;
                    for blob in manifest.blobs() {
                        found.problems.extend(self.misfit(&name, blob.digest, blob.size));
                        used.insert(blob.digest, name.clone());
                    }
                }
                Err(StoreError::UnknownModel(_)) => {}
                Err(error) => found.problems.push(Problem::Manifest { name, reason: error.to_string() }),
            }
        }
        found.blobs = used.len();
        for digest in self.blob_names(Duration::ZERO)? {
            if !used.contains_key(&digest) {
                found.unused_blobs += 1;
                found.unused_bytes +=
                    fs::metadata(self.blob_path(&digest)).map_or(0, |metadata| metadata.len());
            }
        }
        if depth == Depth::Hashes {
            for digest in used.keys().filter(|digest| self.has_blob(digest)) {
                let path = self.blob_path(digest);
                let file = File::open(&path).map_err(io("open", &path))?;
                let (actual, bytes) = Digest::of_reader(file).map_err(io("read", &path))?;
                progress(bytes);
                if actual != *digest {
                    found.problems.push(Problem::Hash { digest: *digest, found: actual });
                }
            }
        }
        Ok(found)
    }

    fn misfit(&self, name: &ModelName, digest: Digest, expected: u64) -> Option<Problem> {
        match fs::metadata(self.blob_path(&digest)) {
            Ok(metadata) if metadata.len() == expected => None,
            Ok(metadata) => {
                Some(Problem::Size { name: name.clone(), digest, expected, found: metadata.len() })
            }
            Err(_) => Some(Problem::Missing { name: name.clone(), digest }),
        }
    }
}
