//! What the models of the store were made for. Their headers say, which are long; so each is read once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use gguf::ModelKind;

use crate::{Digest, Store, StoreError};

/// Weights of which the header was read.
#[derive(Debug, Default)]
pub(crate) struct Kinds(Mutex<HashMap<Digest, ModelKind>>);

impl Store {
    /// What a model with these weights was made for.
    ///
    /// # Errors
    /// [`StoreError::BadGguf`] if the file is no longer what it was.
    pub fn kind(&self, weights: &Digest) -> Result<ModelKind, StoreError> {
        let known = || self.kinds.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kind) = known().get(weights) {
            return Ok(*kind);
        }
        let kind = self.header_of(weights)?.kind();
        known().insert(*weights, kind);
        Ok(kind)
    }
}
