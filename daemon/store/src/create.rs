//! Making a model: from uploaded weights or from another model, with what is laid over them.

use protocol::{Message, OptionPatch};
use serde_json::{Map, Value};

use crate::blob::HeldBlob;
use crate::manifest::{self, BlobRef, Manifest};
use crate::model::StoredMessage;
use crate::{Digest, ModelConfig, ModelName, Store, StoreError};

/// What a model is made from, and what is laid over it.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The weights.
    pub base: Base,
    /// Packed anew, in place of the base's own.
    pub weights: Option<Digest>,
    /// ADAPTER: uploaded LoRA files by name, in place of the base's own.
    pub adapters: Vec<(String, Digest)>,
    /// DRAFT: an uploaded model by name, in place of the base's own.
    pub draft: Option<(String, Digest)>,
    /// TEMPLATE.
    pub template: Option<String>,
    /// SYSTEM.
    pub system: Option<String>,
    /// LICENSE, as often as given.
    pub licenses: Vec<String>,
    /// PARAMETER, by name.
    pub parameters: Vec<(String, Value)>,
    /// MESSAGE, in order.
    pub messages: Vec<Message>,
    /// RENDERER.
    pub renderer: Option<String>,
    /// PARSER.
    pub parser: Option<String>,
    /// REQUIRES.
    pub requires: Option<String>,
}

/// The weights of a recipe.
#[derive(Clone, Debug)]
pub enum Base {
    /// Those of a model in the store, with its layers where the recipe has none.
    Model(ModelName),
    /// Uploaded files by name.
    Blobs(Vec<(String, Digest)>),
}

/// What is being done, in Ollama's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateStatus {
    /// Such as `writing manifest`.
    pub status: String,
}

impl std::fmt::Display for CreateStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.status)
    }
}

impl Store {
    /// Makes or replaces a model. The manifest is written last, so a failure leaves what was there.
    ///
    /// # Errors
    /// [`StoreError::BadGguf`], [`StoreError::Parameter`] and others say what is wrong with the recipe.
    pub fn create(
        &self,
        name: &ModelName,
        recipe: Recipe,
        progress: &mut dyn FnMut(CreateStatus),
    ) -> Result<(), StoreError> {
        let mut say = |status: String| progress(CreateStatus { status });
        check_parameters(&recipe.parameters)?;
        // Held until the manifest names them.
        let mut held = Vec::new();
        let mut layers = self.base_layers(&recipe.base, &mut held, &mut say)?;
        if let Some(digest) = recipe.weights {
            let packed = self.hold(&digest)?.ok_or(StoreError::UnknownBlob(digest))?;
            layers.retain(|layer| layer.media_type != manifest::MODEL);
            layers.insert(0, BlobRef::of(manifest::MODEL, &packed));
            held.push(packed);
        }
        let weights =
            layers.iter().find(|layer| layer.media_type == manifest::MODEL).ok_or(StoreError::NoBase)?.digest;
        for (media_type, digest) in self.companions(&recipe, &weights)? {
            let companion = self.hold(&digest)?.ok_or(StoreError::UnknownBlob(digest))?;
            say(format!("using existing layer {digest}"));
            // In place of what the base brought.
            layers.retain(|layer| layer.media_type != media_type || layer.from.is_none());
            layers.push(BlobRef::of(media_type, &companion));
            held.push(companion);
        }
        let config = self.config_of(&recipe, &weights)?;
        for (media_type, text) in self.overlays(recipe, &layers)? {
            layers.retain(|layer| layer.media_type != media_type);
            for bytes in text {
                let known = self.has_blob(&Digest::of(bytes.as_bytes()));
                let blob = self.put(bytes.as_bytes())?;
                let what = if known { "using existing layer" } else { "creating new layer" };
                say(format!("{what} {}", blob.digest()));
                layers.push(BlobRef::of(media_type, &blob));
                held.push(blob);
            }
        }
        let config = self.put(&serde_json::to_vec(&config).unwrap_or_default())?;
        let manifest = Manifest::of(&config, layers);
        held.push(config);
        say("writing manifest".into());
        self.publish(name, &manifest, &held)?;
        say("success".into());
        Ok(())
    }

    /// The files that go with the weights, each with its media type and checked against them.
    fn companions(
        &self,
        recipe: &Recipe,
        weights: &Digest,
    ) -> Result<Vec<(&'static str, Digest)>, StoreError> {
        let mut companions = Vec::new();
        for (file, digest) in &recipe.adapters {
            if !self.header_of(digest)?.is_adapter() {
                return Err(StoreError::NoAdapter(file.clone()));
            }
            companions.push((manifest::ADAPTER, *digest));
        }
        if let Some((file, digest)) = &recipe.draft {
            if digest == weights || !self.header_of(digest)?.shares_vocabulary(&self.header_of(weights)?) {
                return Err(StoreError::NoDraft(file.clone()));
            }
            companions.push((manifest::DRAFT, *digest));
        }
        Ok(companions)
    }

    /// What the weights say, what a base model said of itself, and what the recipe says.
    fn config_of(&self, recipe: &Recipe, weights: &Digest) -> Result<ModelConfig, StoreError> {
        let inherited = match &recipe.base {
            Base::Model(name) => self.resolve(name)?.config,
            Base::Blobs(_) => ModelConfig::default(),
        };
        Ok(ModelConfig {
            renderer: recipe.renderer.clone().unwrap_or(inherited.renderer),
            parser: recipe.parser.clone().unwrap_or(inherited.parser),
            requires: recipe.requires.clone().unwrap_or(inherited.requires),
            ..ModelConfig::of(&self.header_of(weights)?)
        })
    }

    /// The weights that a model is made from, held, and what they are packed to.
    ///
    /// # Errors
    /// As [`Store::create`].
    pub fn base_weights(&self, base: &Base) -> Result<(HeldBlob, &'static str), StoreError> {
        let mut held = Vec::new();
        let layers = self.base_layers(base, &mut held, &mut |_| {})?;
        let weights = layers.iter().find(|layer| layer.media_type == manifest::MODEL);
        let digest = weights.ok_or(StoreError::NoBase)?.digest;
        let weights = held.into_iter().find(|held| held.digest() == digest);
        Ok((weights.ok_or(StoreError::NoBase)?, self.header_of(&digest)?.quantization()))
    }

    fn base_layers(
        &self,
        base: &Base,
        held: &mut Vec<HeldBlob>,
        say: &mut impl FnMut(String),
    ) -> Result<Vec<BlobRef>, StoreError> {
        match base {
            Base::Model(name) => {
                let (manifest, blobs) = self.hold_model(name)?;
                held.extend(blobs);
                let from = name.to_string();
                let taken_over = manifest
                    .layers()
                    .iter()
                    .cloned()
                    .map(|layer| BlobRef { from: layer.from.or_else(|| Some(from.clone())), ..layer });
                Ok(taken_over.collect())
            }
            Base::Blobs(files) => {
                say("parsing GGUF".into());
                let (projectors, files): (Vec<_>, Vec<_>) =
                    self.sorted(files)?.into_iter().partition(|(_, is_projector)| *is_projector);
                let files: Vec<Digest> = files.into_iter().map(|(digest, _)| digest).collect();
                let weights = match files[..] {
                    [] => return Err(StoreError::NoBase),
                    [digest] if !self.is_part(&digest)? => {
                        self.hold(&digest)?.ok_or(StoreError::UnknownBlob(digest))?
                    }
                    _ => {
                        say("merging split GGUF".into());
                        self.merged(files.iter())?
                    }
                };
                let layer = BlobRef::of(manifest::MODEL, &weights);
                say(format!("using existing layer {}", weights.digest()));
                held.push(weights);
                let mut layers = vec![layer];
                for (digest, _) in projectors {
                    let projector = self.hold(&digest)?.ok_or(StoreError::UnknownBlob(digest))?;
                    layers.push(BlobRef::of(manifest::PROJECTOR, &projector));
                    held.push(projector);
                }
                Ok(layers)
            }
        }
    }

    /// The files of a model, and whether each is a projector beside it.
    fn sorted(&self, files: &[(String, Digest)]) -> Result<Vec<(Digest, bool)>, StoreError> {
        match files {
            // Alone, it is the model, whatever it is.
            [(_, digest)] => Ok(vec![(*digest, false)]),
            files => files
                .iter()
                .map(|(_, digest)| Ok((*digest, self.header_of(digest)?.is_projector())))
                .collect(),
        }
    }

    /// The layers that the recipe brings, as texts; only those that it speaks of.
    fn overlays(
        &self,
        recipe: Recipe,
        base: &[BlobRef],
    ) -> Result<Vec<(&'static str, Vec<String>)>, StoreError> {
        let mut overlays = Vec::new();
        overlays.extend(recipe.template.map(|text| (manifest::TEMPLATE, vec![text])));
        overlays.extend(recipe.system.map(|text| (manifest::SYSTEM, vec![text])));
        if !recipe.licenses.is_empty() {
            overlays.push((manifest::LICENSE, recipe.licenses));
        }
        if !recipe.parameters.is_empty() {
            let inherited = base.iter().find(|layer| layer.media_type == manifest::PARAMS);
            let inherited = inherited.map(|layer| self.text(layer)).transpose()?;
            let mut object: Map<String, Value> =
                inherited.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default();
            object.extend(recipe.parameters);
            overlays.push((manifest::PARAMS, vec![Value::Object(object).to_string()]));
        }
        if !recipe.messages.is_empty() {
            let stored: Vec<StoredMessage> = recipe
                .messages
                .into_iter()
                .map(|message| StoredMessage { role: message.role.as_str().into(), content: message.content })
                .collect();
            overlays.push((manifest::MESSAGES, vec![serde_json::to_string(&stored).unwrap_or_default()]));
        }
        Ok(overlays)
    }
}

fn check_parameters(parameters: &[(String, Value)]) -> Result<(), StoreError> {
    let mut patch = OptionPatch::default();
    Ok(parameters.iter().try_for_each(|(name, value)| patch.set(name, value))?)
}
