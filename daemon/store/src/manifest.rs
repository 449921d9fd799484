//! Manifests: which blobs make up a model. The file's own SHA-256 is the model's digest, so its bytes are kept as they came.

use serde::{Deserialize, Serialize};

use crate::error::io;
use crate::{Digest, ModelName, Store, StoreError};

pub(crate) const MODEL: &str = "application/vnd.ollama.image.model";
pub(crate) const TEMPLATE: &str = "application/vnd.ollama.image.template";
pub(crate) const SYSTEM: &str = "application/vnd.ollama.image.system";
pub(crate) const PARAMS: &str = "application/vnd.ollama.image.params";
pub(crate) const MESSAGES: &str = "application/vnd.ollama.image.messages";
pub(crate) const LICENSE: &str = "application/vnd.ollama.image.license";
const CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// A manifest is a few kilobytes; more is an attack (CVE-2025-1975).
const MAX_BYTES: u64 = 1 << 20;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manifest {
    schema_version: u32,
    media_type: String,
    pub(crate) config: Layer,
    pub(crate) layers: Vec<Layer>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Layer {
    pub(crate) media_type: String,
    pub(crate) digest: Digest,
    pub(crate) size: u64,
}

impl Manifest {
    pub(crate) fn new(config: (Digest, u64), layers: Vec<Layer>) -> Self {
        let config = Layer { media_type: CONFIG.into(), digest: config.0, size: config.1 };
        Self { schema_version: 2, media_type: MANIFEST.into(), config, layers }
    }

    /// Bytes of everything that the model is made of.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.layers.iter().map(|layer| layer.size).fold(self.config.size, u64::saturating_add)
    }

    /// Every blob that it names.
    pub(crate) fn digests(&self) -> impl Iterator<Item = Digest> {
        std::iter::once(self.config.digest).chain(self.layers.iter().map(|layer| layer.digest))
    }

    pub(crate) fn of_type(&self, media_type: &str) -> impl Iterator<Item = &Layer> {
        self.layers.iter().filter(move |layer| layer.media_type == media_type)
    }
}

/// A manifest as it lies on the disk.
pub(crate) struct Stored {
    /// As spelled on the disk.
    pub(crate) name: ModelName,
    pub(crate) manifest: Manifest,
    pub(crate) digest: Digest,
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
            Err(StoreError::UnknownModel(_)) => {
                let known = self.names()?.into_iter().find(|known| known.is_same(name));
                self.stored_as_spelled(&known.ok_or_else(|| StoreError::UnknownModel(name.clone()))?)
            }
            other => other,
        }
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
        let manifest = serde_json::from_slice(&bytes).map_err(|error| corrupt(error.to_string()))?;
        let modified = metadata.modified().map_err(io("read", &path))?;
        Ok(Stored { name: name.clone(), manifest, digest: Digest::of(&bytes), modified })
    }

    pub(crate) fn write_manifest(&self, name: &ModelName, manifest: &Manifest) -> Result<(), StoreError> {
        let known = self.names()?.into_iter().find(|known| known.is_same(name));
        let path = self.manifest_path(known.as_ref().unwrap_or(name));
        let folder = path.parent().unwrap_or(&path);
        std::fs::create_dir_all(folder).map_err(io("make", folder))?;
        for made in folder.ancestors().skip(1).take(3) {
            platform::durable::sync_folder(made).map_err(io("sync", made))?;
        }
        let bytes = serde_json::to_vec(manifest).unwrap_or_default();
        platform::durable::write(&path, &bytes).map_err(io("write", &path))
    }

    /// Removes a model's manifest, then the blobs that only it named.
    ///
    /// # Errors
    /// [`StoreError::UnknownModel`]; [`StoreError::Io`] if a file cannot be removed.
    pub fn delete(&self, name: &ModelName) -> Result<(), StoreError> {
        let stored = self.stored(name)?;
        let path = self.manifest_path(&stored.name);
        std::fs::remove_file(&path).map_err(io("remove", &path))?;
        // Or a power cut could bring the manifest back without its blobs.
        let folder = path.parent().unwrap_or(&path);
        platform::durable::sync_folder(folder).map_err(io("sync", folder))?;
        self.remove_unused(stored.manifest.digests().collect())?;
        // Only empty ones go.
        for folder in path.ancestors().skip(1).take(3) {
            if std::fs::remove_dir(folder).is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Removes those of these blobs that no manifest names. If one manifest cannot be read, all stay: it may name them.
    pub(crate) fn remove_unused(&self, mut candidates: Vec<Digest>) -> Result<(), StoreError> {
        for name in self.names()? {
            match self.stored_as_spelled(&name) {
                Ok(stored) => {
                    let used: Vec<Digest> = stored.manifest.digests().collect();
                    candidates.retain(|digest| !used.contains(digest));
                }
                Err(StoreError::UnknownModel(_)) => {}
                Err(error) => {
                    tracing::warn!(%error, "no blob was removed, since a manifest cannot be read");
                    return Ok(());
                }
            }
        }
        for digest in candidates {
            let path = self.blob_path(&digest);
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(io("remove", &path)(error));
                }
                _ => {}
            }
        }
        Ok(())
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
