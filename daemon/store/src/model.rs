//! A model as its manifest puts it together.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use gguf::Header;
use protocol::{Message, OptionPatch, Role};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::io;
use crate::manifest::{self, BlobRef, Stored};
use crate::{Digest, ModelConfig, ModelName, Store, StoreError};

/// One row of a list of models.
#[derive(Clone, Debug)]
pub struct Listed {
    /// As spelled in the store.
    pub name: ModelName,
    /// Of the manifest.
    pub digest: Digest,
    /// Of all its blobs.
    pub size_bytes: u64,
    /// Of the manifest.
    pub modified: SystemTime,
    /// The GGUF file's name as a blob; a model of somebody else's may have none.
    pub weights_digest: Option<Digest>,
    /// What the model is.
    pub config: ModelConfig,
}

/// A model with all that is laid over its weights.
#[derive(Clone, Debug)]
pub struct Model {
    /// As spelled in the store.
    pub name: ModelName,
    /// Of the manifest.
    pub digest: Digest,
    /// Of all its blobs.
    pub size_bytes: u64,
    /// Of the manifest.
    pub modified: SystemTime,
    /// What the model is.
    pub config: ModelConfig,
    /// The GGUF file.
    pub weights: PathBuf,
    /// LoRA adapters over it, GGUF files too.
    pub adapters: Vec<PathBuf>,
    /// A smaller model that guesses what it will say, a GGUF file too.
    pub draft: Option<PathBuf>,
    /// What turns images and recordings into what it reads.
    pub projector: Option<PathBuf>,
    /// Its name as a blob.
    pub weights_digest: Digest,
    /// The Modelfile's parameters.
    pub parameters: OptionPatch,
    /// The same as text, a line each, in the order of the file.
    pub parameter_lines: Vec<(String, String)>,
    /// The Modelfile's SYSTEM.
    pub system: Option<String>,
    /// The Modelfile's TEMPLATE.
    pub template: Option<String>,
    /// The Modelfile's MESSAGEs.
    pub messages: Vec<Message>,
    /// The Modelfile's LICENSEs.
    pub licenses: Vec<String>,
}

/// A message in its layer.
#[derive(Serialize, Deserialize)]
pub(crate) struct StoredMessage {
    pub(crate) role: String,
    pub(crate) content: String,
}

/// Small layers are read whole; a longer one is no text of a Modelfile.
const MAX_LAYER_BYTES: u64 = 16 << 20;

impl Store {
    /// All models that can be read, newest first. One that cannot is logged and left out.
    ///
    /// # Errors
    /// [`StoreError::Io`] if the folders cannot be listed.
    pub fn list(&self) -> Result<Vec<Listed>, StoreError> {
        let read = |name: &ModelName| -> Result<Listed, StoreError> {
            let stored = self.stored(name)?;
            let config = self.config(&stored)?;
            let Stored { name, manifest, modified } = stored;
            let digest = manifest.digest();
            let weights_digest = manifest.of_type(manifest::MODEL).next().map(|weights| weights.digest);
            Ok(Listed { name, digest, size_bytes: manifest.size_bytes(), modified, weights_digest, config })
        };
        let mut models = Vec::new();
        for name in self.names()? {
            match read(&name) {
                Ok(listed) => models.push(listed),
                Err(error) => tracing::warn!(%error, "a model is left out of the list"),
            }
        }
        models.sort_by(|a, b| b.modified.cmp(&a.modified).then_with(|| a.name.cmp(&b.name)));
        Ok(models)
    }

    /// The model of this name, whatever its case.
    ///
    /// # Errors
    /// [`StoreError::UnknownModel`], or [`StoreError::CorruptManifest`] if a part of it is missing or makes no sense.
    pub fn resolve(&self, name: &ModelName) -> Result<Model, StoreError> {
        self.assemble(self.stored(name)?)
    }

    /// The model that a manifest makes of what is here.
    pub(crate) fn assemble(&self, stored: Stored) -> Result<Model, StoreError> {
        let corrupt = |reason: &str| StoreError::CorruptManifest {
            name: Box::new(stored.name.clone()),
            reason: reason.into(),
        };
        let weights =
            stored.manifest.of_type(manifest::MODEL).next().ok_or_else(|| corrupt("it names no weights"))?;
        if stored.manifest.is_split() {
            return Err(StoreError::InSeveralFiles(Box::new(stored.name)));
        }
        let path = self.blob_path(&weights.digest);
        if !path.is_file() {
            return Err(corrupt("its weights are missing"));
        }
        let text =
            |media_type| stored.manifest.of_type(media_type).next().map(|layer| self.text(layer)).transpose();
        let (parameters, parameter_lines) = match text(manifest::PARAMS)? {
            Some(json) => parameters(&json).map_err(|error| corrupt(&error.to_string()))?,
            None => Default::default(),
        };
        let messages = match text(manifest::MESSAGES)? {
            Some(json) => messages(&json).ok_or_else(|| corrupt("its messages are malformed"))?,
            None => Vec::new(),
        };
        let licenses = stored
            .manifest
            .of_type(manifest::LICENSE)
            .map(|layer| self.text(layer))
            .collect::<Result<_, _>>()?;
        Ok(Model {
            name: stored.name.clone(),
            digest: stored.manifest.digest(),
            size_bytes: stored.manifest.size_bytes(),
            modified: stored.modified,
            config: self.config(&stored)?,
            weights: path,
            adapters: stored
                .manifest
                .of_type(manifest::ADAPTER)
                .map(|layer| self.blob_path(&layer.digest))
                .collect(),
            projector: stored
                .manifest
                .of_type(manifest::PROJECTOR)
                .next()
                .map(|layer| self.blob_path(&layer.digest)),
            draft: stored.manifest.of_type(manifest::DRAFT).next().map(|layer| self.blob_path(&layer.digest)),
            weights_digest: weights.digest,
            parameters,
            parameter_lines,
            system: text(manifest::SYSTEM)?,
            template: text(manifest::TEMPLATE)?,
            messages,
            licenses,
        })
    }

    /// The header of what turns images and recordings into what a model reads, if it has that.
    ///
    /// # Errors
    /// [`StoreError::BadGguf`] if the file is no longer what it was.
    pub fn projector(&self, model: &Model) -> Result<Option<Header>, StoreError> {
        model.projector.as_deref().map(read_header).transpose()
    }

    /// The header of a model's weights.
    ///
    /// # Errors
    /// [`StoreError::BadGguf`] if the file is no longer what it was.
    pub fn header(&self, model: &Model) -> Result<Header, StoreError> {
        self.header_of(&model.weights_digest)
    }

    pub(crate) fn header_of(&self, digest: &Digest) -> Result<Header, StoreError> {
        read_header(&self.blob_path(digest))
    }

    pub(crate) fn text(&self, layer: &BlobRef) -> Result<String, StoreError> {
        let path = self.blob_path(&layer.digest);
        let length = std::fs::metadata(&path).map_err(io("read", &path))?.len();
        if length > MAX_LAYER_BYTES {
            let source = std::io::Error::new(std::io::ErrorKind::FileTooLarge, "it is too long to be a text");
            return Err(io("read", &path)(source));
        }
        let bytes = std::fs::read(&path).map_err(io("read", &path))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn config(&self, stored: &Stored) -> Result<ModelConfig, StoreError> {
        let text = self.text(stored.manifest.config())?;
        serde_json::from_str(&text).map_err(|error| StoreError::CorruptManifest {
            name: Box::new(stored.name.clone()),
            reason: format!("its config cannot be read: {error}"),
        })
    }
}

fn read_header(path: &Path) -> Result<Header, StoreError> {
    let file = File::open(path).map_err(io("open", path))?;
    let bytes = file.metadata().map_err(io("read", path))?.len();
    Ok(Header::read(&mut BufReader::new(file), bytes)?)
}

type Parameters = (OptionPatch, Vec<(String, String)>);

/// Typed, and as the lines of `show`. Parameters of another Ollama that are unknown here are left to the lines.
fn parameters(json: &str) -> Result<Parameters, serde_json::Error> {
    let object: Map<String, Value> = serde_json::from_str(json)?;
    let mut patch = OptionPatch::default();
    let mut lines = Vec::new();
    for (name, value) in object {
        if let Err(error) = patch.set(&name, &value) {
            tracing::warn!(%error, "a parameter of the model is ignored");
        }
        let values = match value {
            Value::Array(values) => values,
            one => vec![one],
        };
        lines.extend(values.into_iter().map(|value| match value {
            Value::String(text) => (name.clone(), text),
            other => (name.clone(), other.to_string()),
        }));
    }
    Ok((patch, lines))
}

fn messages(json: &str) -> Option<Vec<Message>> {
    let stored: Vec<StoredMessage> = serde_json::from_str(json).ok()?;
    stored
        .into_iter()
        .map(|message| Some(Message::new(stored_role(&message.role)?, message.content)))
        .collect()
}

/// A store of somebody else's may hold results of tools, which a Modelfile cannot say.
fn stored_role(name: &str) -> Option<Role> {
    role(name).or_else(|| (name == Role::Tool.as_str()).then_some(Role::Tool))
}

pub(crate) fn role(name: &str) -> Option<Role> {
    [Role::System, Role::User, Role::Assistant].into_iter().find(|role| role.as_str() == name)
}
