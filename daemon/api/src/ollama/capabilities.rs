//! What a model can do, as far as its files tell without being run. Templates are searched for words here, and read by the
//! worker alone.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use store::{
    Digest, Listed, Model, Store, StoreError,
    gguf::{Header, ModelKind},
};

/// What models were found to be able to do, by their manifests, as a list is asked for often. A clone is cheap.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known(Arc<Mutex<HashMap<Digest, Vec<&'static str>>>>);

impl Known {
    /// Of a listed model; of one whose files cannot be read, nothing. Blocks on the disk.
    pub(super) fn of(&self, store: &Store, listed: &Listed) -> Vec<&'static str> {
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known().get(&listed.digest) {
            return found.clone();
        }
        // A failure may pass: the next list asks again.
        let Ok(found) = found(store, listed) else { return Vec::new() };
        known().insert(listed.digest, found.clone());
        found
    }

    /// Forgets models that are gone.
    pub(super) fn keep(&self, listed: &[Listed]) {
        let there: HashSet<Digest> = listed.iter().map(|model| model.digest).collect();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|digest, _| there.contains(digest));
    }
}

fn found(store: &Store, listed: &Listed) -> Result<Vec<&'static str>, StoreError> {
    let model = store.resolve(&listed.name)?;
    let (outline, projector) = (store.outline(&model.weights_digest)?, store.projector(&model)?);
    Ok(of(&model, &outline.header, projector.as_ref()))
}

/// In Ollama's words.
pub(super) fn of(model: &Model, header: &Header, projector: Option<&Header>) -> Vec<&'static str> {
    let mut capabilities = vec![main(header.kind())];
    if header.kind() == ModelKind::Generator {
        let (sees, hears) = projector.map(Header::projects).unwrap_or_default();
        let more = [
            ("vision", sees),
            ("audio", hears),
            ("tools", shows(model, header, &[".Tools"], &["tool_calls"])),
            ("thinking", shows(model, header, &[".Thinking"], THOUGHTS)),
            ("insert", fills_gaps(model, header)),
        ];
        capabilities.extend(more.into_iter().filter(|(_, can)| *can).map(|(name, _)| name));
    }
    capabilities
}

/// What the model was made for.
fn main(kind: ModelKind) -> &'static str {
    match kind {
        ModelKind::Generator => "completion",
        ModelKind::Embedder => "embedding",
        ModelKind::Reranker => "rerank",
    }
}

/// Words of templates whose models think.
const THOUGHTS: &[&str] = &["enable_thinking", "reasoning_content", "<think>", "<|channel|>analysis"];

/// Whether one of the words is in the Modelfile's template or in the model's own, of which the one that can do more is used.
fn shows(model: &Model, header: &Header, in_go: &[&str], in_jinja: &[&str]) -> bool {
    let has = |text: Option<&str>, words: &[&str]| {
        text.is_some_and(|text| words.iter().any(|word| text.contains(word)))
    };
    has(model.template.as_deref(), in_go) || has(header.chat_template(), in_jinja)
}

fn fills_gaps(model: &Model, header: &Header) -> bool {
    let token = |name: &str| header.get(&format!("tokenizer.ggml.{name}_token_id")).is_some();
    let in_template = model.template.as_deref().is_some_and(|template| template.contains(".Suffix"));
    in_template || ["fim_pre", "fim_suf", "fim_mid"].into_iter().all(token)
}
