//! What loading a model would take, and how it would be loaded, without doing it.

use std::sync::Arc;

use protocol::LoadOptions;

use crate::plan::{Refusal, Step, foresee};
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
    /// What a request would find.
    pub outcome: Outcome,
}

/// What a request would find, as things are now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The model is there.
    Loaded,
    /// It would be loaded at once, in the place of so many idle ones.
    Loads {
        /// How many.
        evicted: usize,
    },
    /// It would wait for models that are in use, or for its own load.
    Waits,
}

impl Scheduler {
    /// What a request for this load would find, without doing it.
    ///
    /// # Errors
    /// [`ScheduleError::TooBig`] or [`ScheduleError::TooMany`] if it would not be loaded at all; others if the model cannot
    /// be read.
    pub async fn fit(&self, mut load: Load) -> Result<Fit, ScheduleError> {
        load.options.cache = self.shared.cache_of(&load);
        let load = Arc::new(load);
        let shape = self.shared.shape(&load).await?;
        let mut table = self.shared.table();
        table.bury(&load.name);
        let (room, _) = self.shared.room(&table, Some(&load.name));
        let (budget_bytes, most_bytes) = (room.budget_bytes, room.most_bytes());
        let sizes = table.sizes(&load, &shape);
        let (step, evicted) = foresee(table.place(&load), &sizes, room);
        let there = table.models.get(&load.name).map(|entry| entry.size);
        let to_come = || sizes.iter().find(|size| size.bytes <= most_bytes).copied();
        let (size, outcome) = match step {
            Step::Load(size) => (Some(size), Outcome::Loads { evicted }),
            Step::Use => (there, Outcome::Loaded),
            Step::Refuse(refusal) => return Err(self.shared.refused(&table, &load, &shape, refusal)),
            Step::Wait | Step::Replace | Step::Evict(_) => (to_come(), Outcome::Waits),
        };
        let Some(size) = size else {
            return Err(self.shared.refused(&table, &load, &shape, Refusal::TooBig));
        };
        let (context_tokens, sequences) = (size.context_tokens, size.sequences);
        let options = LoadOptions { context_tokens, sequences, ..load.options.clone() };
        Ok(Fit {
            estimate: shape.estimate(&options),
            bytes: table.measured(&load, &options).unwrap_or(size.bytes),
            context_tokens,
            sequences,
            budget_bytes,
            outcome,
        })
    }
}
