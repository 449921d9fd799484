//! The model files: names, blobs, manifests, Modelfiles, in Ollama's own layout, so that an existing store is adopted as
//! it is. The only place that builds a path to a model. Opens no socket; what is in memory is the scheduler's.
#![forbid(unsafe_code)]

mod accept;
mod blob;
mod config;
mod create;
mod digest;
mod erase;
mod error;
mod lock;
mod manifest;
mod model;
pub mod modelfile;
mod name;
mod named;
mod outline;
mod partial;
mod prune;
mod room;
mod scrub;
mod split;

pub use blob::{HeldBlob, IncomingBlob, WrittenBlob};
pub use config::ModelConfig;
pub use create::{Base, CreateStatus, Recipe};
pub use digest::{Digest, HashingReader, InvalidDigest};
pub use error::StoreError;
pub use manifest::{BlobRef, InvalidManifest, Manifest};
pub use model::{Listed, Model};
pub use name::{InvalidName, ModelName};
pub use outline::Outline;
pub use partial::{Follower, ListedPartial, Part, PartWriter, Partial};
pub use prune::Pruned;
pub use room::DiskRoom;
pub use scrub::{Depth, Problem, Scrubbed};

/// What [`Store::header`] answers with.
pub use gguf;

use std::path::PathBuf;
use std::sync::Arc;

/// What was begun and not touched for so long belongs to a process that is gone.
const LEFTOVER_AGE: std::time::Duration = std::time::Duration::from_secs(3600);

/// A folder of models. A clone is cheap and names the same folder.
#[derive(Clone, Debug)]
pub struct Store {
    root: Arc<PathBuf>,
    awaiting: Arc<blob::AwaitingManifest>,
    outlines: Arc<outline::Outlines>,
    floor_bytes: u64,
}

impl Store {
    /// Opens the store in this folder, making it if it is not there.
    ///
    /// # Errors
    /// [`StoreError::NotWritable`] if it cannot be made or written.
    pub fn open(root: PathBuf) -> Result<Self, StoreError> {
        let store =
            Self { root: Arc::new(root), awaiting: Arc::default(), outlines: Arc::default(), floor_bytes: 0 };
        for folder in [store.blobs(), store.manifests()] {
            std::fs::create_dir_all(&folder)
                .map_err(|source| StoreError::NotWritable { path: folder.clone(), source })?;
        }
        // An adopted store may belong to somebody else; better known now than in the middle of a pull.
        platform::durable::Staged::create(&store.blobs())
            .map_err(|source| StoreError::NotWritable { path: store.blobs(), source })?;
        prune::rename_old_blobs(&store.blobs()).map_err(error::io("rename blobs in", &store.blobs()))?;
        platform::durable::sweep(&store.blobs(), LEFTOVER_AGE).map_err(error::io("sweep", &store.blobs()))?;
        Ok(store)
    }

    /// The same store, which leaves so many bytes of the disk free.
    pub fn with_floor(self, floor_bytes: u64) -> Self {
        Self { floor_bytes, ..self }
    }

    fn blobs(&self) -> PathBuf {
        self.root.join("blobs")
    }

    fn manifests(&self) -> PathBuf {
        self.root.join("manifests")
    }

    fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.blobs().join(format!("sha256-{}", digest.hex()))
    }

    fn manifest_path(&self, name: &ModelName) -> PathBuf {
        // Every part was checked when the name was parsed: none is empty, begins with a dot or holds a separator.
        self.manifests().join(name.host()).join(name.namespace()).join(name.model()).join(name.tag())
    }
}
