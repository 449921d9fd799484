//! Packing a model: a worker for it alone, which ends with its work, or with whoever wanted it.

use std::fs::File;

use platform::process::WorkerFiles;
use protocol::Quantization;

use crate::{ScheduleError, Scheduler, worker};

impl Scheduler {
    /// Packs an open model into another open file; `progress` hears values from 0 to 1. Dropping the future ends the
    /// worker.
    ///
    /// # Errors
    /// [`ScheduleError::Quantize`] with what the worker said.
    pub async fn quantize(
        &self,
        model: File,
        output: File,
        to: Quantization,
        progress: &mut (dyn FnMut(f32) + Send),
    ) -> Result<(), ScheduleError> {
        let failed = |reason| ScheduleError::Quantize { reason };
        let files = WorkerFiles {
            model: Some(model),
            adapters: Vec::new(),
            draft: None,
            projector: None,
            output: Some(output),
            prefixes: None,
            remote: Vec::new(),
        };
        let connection = (self.shared.world.spawn)(files)
            .map_err(|error| failed(format!("a worker cannot be started: {error}")))?;
        worker::quantize(connection, to, self.shared.config.load_timeout, progress).await.map_err(failed)
    }
}
