//! An answer under way, and the lease on the model that it holds. If the worker dies and the rest of the answer can only be
//! one, another worker goes on with it.

use std::time::Duration;

use protocol::{Event, Generate, GenerateError, RequestId, ToWorker};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::run::Lease;
use crate::worker::News;
use crate::{Load, Scheduler};

/// An answer under way. Dropping it before its end cancels the generation.
#[derive(Debug)]
pub struct Answer {
    /// How long the request waited for its model.
    pub load_time: Duration,
    request: RequestId,
    events: UnboundedReceiver<News>,
    lease: Lease,
    ended: bool,
    /// What it takes to begin again.
    scheduler: Scheduler,
    load: Load,
    work: Generate,
    /// Tokens that were told.
    told: Vec<i32>,
    workers_left: u32,
}

/// Workers that one answer may cost.
const MOST_WORKERS: u32 = 3;

impl Answer {
    pub(crate) fn begin(
        scheduler: Scheduler,
        load: Load,
        lease: Lease,
        load_time: Duration,
        work: Generate,
    ) -> Self {
        let (request, events) = lease.link().begin(work.clone(), Vec::new());
        let (told, workers_left) = (Vec::new(), MOST_WORKERS - 1);
        Self { load_time, request, events, lease, ended: false, scheduler, load, work, told, workers_left }
    }

    /// The next event; [`Event::Done`] or [`Event::Failed`] is the last, and `None` comes after it.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            let News { event, tokens } = self.events.recv().await?;
            self.told.extend(tokens);
            match event {
                Event::Text(text) if text.is_empty() => {}
                Event::Text(text) => return Some(Event::Text(text)),
                Event::Failed(GenerateError::WorkerDied) if self.is_certain() && self.resume().await => {}
                last => {
                    self.ended = true;
                    return Some(last);
                }
            }
        }
    }

    /// Whether any worker would say the same: by choosing the likeliest, or by a known seed.
    fn is_certain(&self) -> bool {
        self.work.options.temperature <= 0.0 || self.work.options.seed.is_some()
    }

    /// Has another worker go on; false if none can be had.
    async fn resume(&mut self) -> bool {
        if self.workers_left == 0 {
            return false;
        }
        self.workers_left -= 1;
        tracing::warn!(model = %self.load.name, tokens = self.told.len(), "the worker died; another one goes on");
        let Ok((lease, _)) = self.scheduler.lease(self.load.clone()).await else { return false };
        (self.request, self.events) = lease.link().begin(self.work.clone(), self.told.clone());
        self.lease = lease;
        true
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if !self.ended {
            self.lease.link().forget(self.request);
            self.lease.link().send(ToWorker::Cancel(self.request));
        }
    }
}
