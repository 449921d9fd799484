//! What loading a model would take, and how it would be loaded, without doing it.

use std::sync::Arc;

use protocol::CacheOptions;

use crate::{Estimate, Load, ScheduleError, Scheduler};

/// What loading a model would take.
#[derive(Clone, Copy, Debug)]
pub struct Fit {
    /// As it would be loaded, or as it was wanted, if it would not be.
    pub estimate: Estimate,
    /// Its bytes: what was measured the last time, or else the estimate's sum.
    pub bytes: u64,
    /// Of one request.
    pub context_tokens: u32,
    /// Requests that it would answer at once.
    pub sequences: u32,
    /// What all models together may take.
    pub budget_bytes: u64,
}

impl Scheduler {
    /// What a load would come to if whatever is idle went for it.
    ///
    /// # Errors
    /// [`ScheduleError::TooBig`] if it would not be loaded at all; others if the model cannot be read.
    pub async fn fit(&self, mut load: Load) -> Result<Fit, ScheduleError> {
        load.options.cache = CacheOptions { bytes: self.shared.config.cache_bytes, ..Default::default() };
        let load = Arc::new(load);
        let shape = self.shared.shape(&load).await?;
        let table = self.shared.table();
        let (room, _) = self.shared.room(&table, Some(&load.name));
        let sizes = table.sizes(&load, &shape);
        let Some(size) = sizes.iter().find(|size| size.bytes <= room.most_bytes()) else {
            return Err(self.shared.refused(&table, &load, &shape, crate::plan::Refusal::TooBig));
        };
        let (context_tokens, sequences) = (size.context_tokens, size.sequences);
        let options = protocol::LoadOptions { context_tokens, sequences, ..load.options.clone() };
        Ok(Fit {
            estimate: shape.estimate(&options),
            bytes: size.bytes,
            context_tokens,
            sequences,
            budget_bytes: room.budget_bytes,
        })
    }
}
