//! Manifests: which blobs make up a model. The file's own SHA-256 is the model's digest, so its bytes are kept as they came.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::blob::HeldBlob;
use crate::error::io;
use crate::{Digest, ModelName, Pruned, Store, StoreError};

pub(crate) const MODEL: &str = "application/vnd.ollama.image.model";
pub(crate) const ADAPTER: &str = "application/vnd.ollama.image.adapter";
pub(crate) const PROJECTOR: &str = "application/vnd.ollama.image.projector";
pub(crate) const DRAFT: &str = "application/vnd.ollama.image.draft";
pub(crate) const TEMPLATE: &str = "application/vnd.ollama.image.template";
pub(crate) const SYSTEM: &str = "application/vnd.ollama.image.system";
pub(crate) const PARAMS: &str = "application/vnd.ollama.image.params";
pub(crate) const MESSAGES: &str = "application/vnd.ollama.image.messages";
pub(crate) const LICENSE: &str = "application/vnd.ollama.image.license";
const CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// A manifest is a few kilobytes; more is an attack (CVE-2025-1975).
const MAX_BYTES: u64 = 1 << 20;

/// A model of many split files has hundreds; more is an attack.
const MAX_LAYERS: usize = 4096;

/// Larger than any disk that a box has, and small enough for sums of all layers.
const MAX_BLOB_BYTES: u64 = 1 << 50;

/// A manifest, and its bytes as they came: their SHA-256 is the model's digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    bytes: Vec<u8>,
    document: Document,
}

/// A blob that a manifest names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlobRef {
    /// What it is.
    pub media_type: String,
    /// Its name.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// The model it was taken over from; a registry may have it under that name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// Why bytes are no manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidManifest {
    /// Longer than any manifest.
    #[error("it is more than {MAX_BYTES} bytes long")]
    TooLong,
    /// It is not in the form.
    #[error("{0}")]
    Malformed(String),
    /// Version 1, or one from the future.
    #[error("its schema version is {0}, only 2 is supported")]
    Version(u32),
    /// It names manifests by platform, not layers.
    #[error("it is an index of several platforms, not of one model")]
    Index,
    /// It names too many layers.
    #[error("it has {0} layers, {MAX_LAYERS} at most are supported")]
    TooManyLayers(usize),
    /// A layer as large as no disk.
    #[error("blob {0} is said to have {1} bytes")]
    TooLarge(Digest, u64),
    /// A blob is here, and not as long as the manifest says.
    #[error("it says that blob {blob} has {said_bytes} bytes, and that has {bytes}")]
    WrongSize {
        /// Which.
        blob: Digest,
        /// As the manifest has it.
        said_bytes: u64,
        /// As it is.
        bytes: u64,
    },
    /// Nothing that could be run.
    #[error("it names no weights")]
    NoWeights,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: u32,
    #[serde(default)]
    media_type: String,
    config: BlobRef,
    layers: Vec<BlobRef>,
}

impl Manifest {
    /// The media types of manifests that are read, for a registry's choice.
    pub const MEDIA_TYPES: [&str; 2] = [
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
    ];

    /// How long a manifest may be.
    pub const MAX_BYTES: u64 = MAX_BYTES;

    /// Reads and checks a manifest.
    ///
    /// # Errors
    /// [`InvalidManifest`] says what is wrong with it.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, InvalidManifest> {
        if bytes.len() as u64 > MAX_BYTES {
            return Err(InvalidManifest::TooLong);
        }
        let malformed = |error: serde_json::Error| InvalidManifest::Malformed(error.to_string());
        let document: Document = match serde_json::from_slice(&bytes) {
            Ok(document) => document,
            Err(error) => {
                let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(malformed)?;
                return Err(match value.get("manifests") {
                    Some(_) => InvalidManifest::Index,
                    None => malformed(error),
                });
            }
        };
        if document.schema_version != 2 {
            return Err(InvalidManifest::Version(document.schema_version));
        }
        if document.layers.len() > MAX_LAYERS {
            return Err(InvalidManifest::TooManyLayers(document.layers.len()));
        }
        let manifest = Self { bytes, document };
        if let Some(blob) = manifest.blobs().find(|blob| blob.size > MAX_BLOB_BYTES) {
            return Err(InvalidManifest::TooLarge(blob.digest, blob.size));
        }
        Ok(manifest)
    }

    pub(crate) fn of(config: &HeldBlob, layers: Vec<BlobRef>) -> Self {
        let config = BlobRef::of(CONFIG, config);
        Self::written(Document { schema_version: 2, media_type: MANIFEST.into(), config, layers })
    }

    /// The same with other layers.
    pub(crate) fn with_layers(&self, layers: Vec<BlobRef>) -> Self {
        Self::written(Document { layers, ..self.document.clone() })
    }

    fn written(document: Document) -> Self {
        let bytes = serde_json::to_vec(&document).expect("texts and numbers cannot fail to serialize");
        Self { bytes, document }
    }

    /// As it came.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The model's digest.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.bytes)
    }

    /// What its bytes are to be called by a registry.
    pub fn media_type(&self) -> &str {
        if self.document.media_type.is_empty() { Self::MEDIA_TYPES[1] } else { &self.document.media_type }
    }

    /// Every blob that it names, the config last.
    pub fn blobs(&self) -> impl Iterator<Item = &BlobRef> {
        self.document.layers.iter().chain([&self.document.config])
    }

    /// Its weights are more than one file.
    pub fn is_split(&self) -> bool {
        self.of_type(MODEL).count() > 1
    }

    /// Bytes of everything that the model is made of.
    pub fn size_bytes(&self) -> u64 {
        self.blobs().map(|blob| blob.size).sum()
    }

    pub(crate) fn config(&self) -> &BlobRef {
        &self.document.config
    }

    pub(crate) fn layers(&self) -> &[BlobRef] {
        &self.document.layers
    }

    pub(crate) fn of_type(&self, media_type: &str) -> impl Iterator<Item = &BlobRef> {
        self.document.layers.iter().filter(move |layer| layer.media_type == media_type)
    }

    fn digests(&self) -> impl Iterator<Item = Digest> {
        self.blobs().map(|blob| blob.digest)
    }

    /// Every blob that it names, once, however often it names it.
    pub fn distinct_blobs(&self) -> impl Iterator<Item = &BlobRef> {
        let mut seen = HashSet::new();
        self.blobs().filter(move |blob| seen.insert(blob.digest))
    }
}

impl BlobRef {
    pub(crate) fn of(media_type: &str, held: &HeldBlob) -> Self {
        Self { media_type: media_type.into(), digest: held.digest(), size: held.bytes(), from: None }
    }
}

/// A manifest as it lies on the disk.
pub(crate) struct Stored {
    /// As spelled on the disk.
    pub(crate) name: ModelName,
    pub(crate) manifest: Manifest,
    pub(crate) modified: std::time::SystemTime,
}

impl Store {
    /// Names of all manifests, readable or not.
    pub(crate) fn names(&self) -> Result<Vec<ModelName>, StoreError> {
        let mut names = Vec::new();
        for host in entries(&self.manifests())? {
            for namespace in entries(&self.manifests().join(&host))? {
                for model in entries(&self.manifests().join(&host).join(&namespace))? {
                    for tag in entries(&self.manifests().join(&host).join(&namespace).join(&model))? {
                        // What is no name is none of ours: an editor's backup, a staged file.
                        names.extend(ModelName::from_parts([&host, &namespace, &model, &tag]));
                    }
                }
            }
        }
        Ok(names)
    }

    pub(crate) fn stored(&self, name: &ModelName) -> Result<Stored, StoreError> {
        match self.stored_as_spelled(name) {
            Err(StoreError::UnknownModel(_)) => self.stored_as_spelled(&self.spelled(name)?),
            other => other,
        }
    }

    /// The name as the store spells it.
    fn spelled(&self, name: &ModelName) -> Result<ModelName, StoreError> {
        let known = self.names()?.into_iter().find(|known| known.is_same(name));
        known.ok_or_else(|| StoreError::UnknownModel(name.clone()))
    }

    fn stored_as_spelled(&self, name: &ModelName) -> Result<Stored, StoreError> {
        let path = self.manifest_path(name);
        let metadata = match std::fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() => metadata,
            Err(error)
                if error.kind() != std::io::ErrorKind::NotFound
                    && error.kind() != std::io::ErrorKind::NotADirectory =>
            {
                return Err(io("read", &path)(error));
            }
            _ => return Err(StoreError::UnknownModel(name.clone())),
        };
        let corrupt = |reason: String| StoreError::CorruptManifest { name: Box::new(name.clone()), reason };
        if metadata.len() > MAX_BYTES {
            return Err(corrupt(format!("it is {} bytes long", metadata.len())));
        }
        let bytes = std::fs::read(&path).map_err(io("read", &path))?;
        let manifest = Manifest::parse(bytes).map_err(|error| corrupt(error.to_string()))?;
        let modified = metadata.modified().map_err(io("read", &path))?;
        Ok(Stored { name: name.clone(), manifest, modified })
    }

    /// The manifest of a model.
    ///
    /// # Errors
    /// [`StoreError::UnknownModel`], or [`StoreError::CorruptManifest`].
    pub fn manifest(&self, name: &ModelName) -> Result<Manifest, StoreError> {
        Ok(self.stored(name)?.manifest)
    }

    /// The manifest of a model, and all that it names, held.
    ///
    /// # Errors
    /// As [`Store::manifest`]; [`StoreError::CorruptManifest`] too if a blob is missing.
    pub fn hold_model(&self, name: &ModelName) -> Result<(Manifest, Vec<HeldBlob>), StoreError> {
        loop {
            let Stored { name, manifest, .. } = self.stored(name)?;
            match self.hold_all(&name, &manifest) {
                Ok(held) => return Ok((manifest, held)),
                // It was replaced or removed between one line and the other.
                Err(StoreError::CorruptManifest { .. }) if self.stored(&name)?.manifest != manifest => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Makes or replaces a model: all that it names is here and `held`, so its manifest is written, and what only the
    /// old one named goes.
    ///
    /// # Errors
    /// [`StoreError::UnknownBlob`] if something that it names is not held; [`StoreError::Io`] if a file cannot be written.
    pub fn publish(
        &self,
        name: &ModelName,
        manifest: &Manifest,
        held: &[HeldBlob],
    ) -> Result<(), StoreError> {
        if let Some(lacking) =
            manifest.digests().find(|digest| !held.iter().any(|blob| blob.digest() == *digest))
        {
            return Err(StoreError::UnknownBlob(lacking));
        }
        self.replace(name, manifest)?;
        held.iter().for_each(|blob| self.awaiting.named(&blob.digest()));
        Ok(())
    }

    /// Gives a model a second name; its blobs are shared. A model of that name is replaced.
    ///
    /// # Errors
    /// [`StoreError::UnknownModel`] if there is no model `from`.
    pub fn copy(&self, from: &ModelName, to: &ModelName) -> Result<(), StoreError> {
        // Held, as `from` may be deleted before `to` names them.
        let (manifest, held) = self.hold_model(from)?;
        self.publish(to, &manifest, &held)
    }

    /// Holds all that a manifest names.
    fn hold_all(&self, name: &ModelName, manifest: &Manifest) -> Result<Vec<HeldBlob>, StoreError> {
        let hold = |digest: Digest| {
            self.hold(&digest)?.ok_or_else(|| StoreError::CorruptManifest {
                name: Box::new(name.clone()),
                reason: format!("its blob {digest} is missing"),
            })
        };
        manifest.distinct_blobs().map(|blob| hold(blob.digest)).collect()
    }

    fn replace(&self, name: &ModelName, manifest: &Manifest) -> Result<(), StoreError> {
        let _turn = self.lock()?;
        let known = self.names()?.into_iter().find(|known| known.is_same(name));
        let name = known.as_ref().unwrap_or(name);
        let before = self.stored_as_spelled(name).map(|stored| stored.manifest.digests().collect());
        let path = self.manifest_path(name);
        let folder = path.parent().unwrap_or(&path);
        std::fs::create_dir_all(folder).map_err(io("make", folder))?;
        for made in folder.ancestors().skip(1).take(3) {
            platform::durable::sync_folder(made).map_err(io("sync", made))?;
        }
        platform::durable::write(&path, &manifest.bytes).map_err(io("write", &path))?;
        self.remove_unused(before.unwrap_or_default()).map(drop)
    }

    /// Removes a model's manifest, then the blobs that only it named.
    ///
    /// # Errors
    /// [`StoreError::UnknownModel`]; [`StoreError::Io`] if a file cannot be removed.
    pub fn delete(&self, name: &ModelName) -> Result<(), StoreError> {
        let _turn = self.lock()?;
        let name = self.spelled(name)?;
        // One that cannot be read goes too; what it named is left to `prune`.
        let named = match self.stored_as_spelled(&name) {
            Ok(stored) => stored.manifest.digests().collect(),
            Err(StoreError::CorruptManifest { .. }) => Vec::new(),
            Err(error) => return Err(error),
        };
        let path = self.manifest_path(&name);
        // On the disk before the blobs go, or a power cut could bring the manifest back without them.
        platform::durable::remove(&path).map_err(io("remove", &path))?;
        self.remove_unused(named)?;
        // Only empty ones go.
        for folder in path.ancestors().skip(1).take(3) {
            if std::fs::remove_dir(folder).is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Removes those of these blobs that no manifest names and nobody holds; what was removed. The caller has the store's
    /// lock.
    pub(crate) fn remove_unused(&self, candidates: Vec<Digest>) -> Result<Pruned, StoreError> {
        let mut removed = Pruned::default();
        let Some(used) = self.used_blobs()? else { return Ok(removed) };
        for digest in candidates.iter().filter(|digest| !used.contains(digest)) {
            if let Some(bytes) = self.remove_blob(digest)? {
                removed.add(bytes);
            }
        }
        Ok(removed)
    }

    /// What manifests name. `None` if one of them cannot be read: it may name anything.
    fn used_blobs(&self) -> Result<Option<HashSet<Digest>>, StoreError> {
        let mut used = HashSet::new();
        for name in self.names()? {
            match self.stored_as_spelled(&name) {
                Ok(stored) => used.extend(stored.manifest.digests()),
                Err(StoreError::UnknownModel(_)) => {}
                Err(error) => {
                    tracing::warn!(%error, "no blob was removed, since a manifest cannot be read");
                    return Ok(None);
                }
            }
        }
        Ok(Some(used))
    }
}

/// The names in a folder; none if it is a file or gone.
fn entries(folder: &std::path::Path) -> Result<Vec<String>, StoreError> {
    let listing = match std::fs::read_dir(folder) {
        Ok(listing) => listing,
        Err(error)
            if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) =>
        {
            return Ok(Vec::new());
        }
        Err(error) => return Err(io("list", folder)(error)),
    };
    let mut names = Vec::new();
    for entry in listing {
        names.extend(entry.map_err(io("list", folder))?.file_name().into_string());
    }
    Ok(names)
}
