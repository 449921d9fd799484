//! What the models of the store are, in short. Their headers say, which are long (all words of a vocabulary are in them); so
//! each is read once, and what is short of it is kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use gguf::{Header, ModelKind};

use crate::{Digest, Store, StoreError};

/// A header without what is long.
#[derive(Debug)]
pub struct Outline {
    /// Without tensors, and with long lists empty.
    pub header: Header,
    /// Numbers in all tensors.
    pub parameter_count: u64,
}

/// Values of a list that is kept.
const SHORT_LIST: usize = 16;

/// What is known of weights whose header was read.
#[derive(Debug, Default)]
pub(crate) struct Outlines {
    known: Mutex<HashMap<Digest, Arc<Outline>>>,
    /// Who reads one. Many may ask at once for the same, and each would take memory for all of its words.
    reading: Mutex<()>,
}

impl Store {
    /// What a model with these weights is.
    ///
    /// # Errors
    /// [`StoreError::BadGguf`] if the file is no longer what it was.
    pub fn outline(&self, weights: &Digest) -> Result<Arc<Outline>, StoreError> {
        let known = || self.outlines.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(outline) = known().get(weights) {
            return Ok(Arc::clone(outline));
        }
        let _reading = self.outlines.reading.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(outline) = known().get(weights) {
            return Ok(Arc::clone(outline));
        }
        let header = self.header_of(weights)?;
        let parameter_count = header.parameter_count();
        let outline = Arc::new(Outline { header: header.without_lists(SHORT_LIST), parameter_count });
        known().insert(*weights, Arc::clone(&outline));
        Ok(outline)
    }

    /// What a model with these weights was made for.
    ///
    /// # Errors
    /// [`StoreError::BadGguf`] if the file is no longer what it was.
    pub fn kind(&self, weights: &Digest) -> Result<ModelKind, StoreError> {
        Ok(self.outline(weights)?.header.kind())
    }
}
