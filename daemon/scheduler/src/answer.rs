//! An answer under way, and the lease on the model that it holds. If the worker dies and the rest of the answer can only be
//! one, another worker goes on with it.

use std::time::Duration;

use protocol::{Done, Event, Generate, GenerateError, RequestId, ToWorker};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

use crate::link::News;
use crate::roll::Enrolled;
use crate::run::{Lease, Turn};
use crate::{Load, Scheduler};

/// An answer under way. Dropping it before its end cancels the generation; who does not read it for a while has the model
/// stop until they do.
#[derive(Debug)]
pub struct Answer {
    /// How long the request waited for its model.
    pub load_time: Duration,
    request: RequestId,
    events: UnboundedReceiver<News>,
    lease: Lease,
    enrolled: Enrolled,
    ended: bool,
    /// What it takes to begin again.
    scheduler: Scheduler,
    load: Load,
    work: Generate,
    /// Tokens that were told.
    told: Vec<i32>,
    begun: Instant,
    /// When the first of them came.
    first: Option<Instant>,
    /// How many had been told when each other worker took over.
    resumed: Vec<usize>,
}

/// How often an answer goes on.
const MOST_RESUMED: usize = 2;

impl Answer {
    pub(crate) fn begin(
        scheduler: Scheduler,
        load: Load,
        (lease, load_time): (Lease, Duration),
        enrolled: Enrolled,
        work: Generate,
    ) -> Self {
        let (request, events) = lease.link().begin(work.clone(), Vec::new(), enrolled.followed());
        Self {
            load_time,
            request,
            events,
            lease,
            enrolled,
            ended: false,
            scheduler,
            load,
            work,
            told: Vec::new(),
            begun: Instant::now(),
            first: None,
            resumed: Vec::new(),
        }
    }

    /// The next event; [`Event::Done`] or [`Event::Failed`] is the last, and `None` comes after it.
    pub async fn next(&mut self) -> Option<Event> {
        while !self.ended {
            let news = tokio::select! {
                // First, so that it is seen in an answer whose events are there as soon as they are asked for.
                biased;
                () = self.enrolled.stopped() => return Some(self.stop()),
                news = self.events.recv() => news,
            };
            let News { event, tokens } = news?;
            self.lease.link().read(self.request);
            if !tokens.is_empty() {
                self.first.get_or_insert_with(Instant::now);
                self.told.extend(tokens);
            }
            let last = match event {
                Event::Said(said) if said.is_empty() => continue,
                Event::Said(said) => return Some(Event::Said(said)),
                Event::Failed(GenerateError::WorkerDied | GenerateError::LenderLost { .. })
                    if self.may_resume() && self.resume().await =>
                {
                    continue;
                }
                Event::Failed(_) if self.enrolled.followed().is_stopped() => continue,
                Event::Done(done) if !self.resumed.is_empty() => Event::Done(self.as_a_whole(done)),
                last => last,
            };
            self.ended = true;
            return Some(last);
        }
        None
    }

    /// Ends it before its end, as the owner of the box wants.
    fn stop(&mut self) -> Event {
        self.cancel();
        self.ended = true;
        Event::Failed(GenerateError::Ended)
    }

    fn cancel(&self) {
        self.lease.link().forget(self.request);
        self.lease.link().send(ToWorker::Cancel(self.request));
    }

    /// Whether any worker would say the same: by choosing the likeliest, or by a known seed.
    fn is_certain(&self) -> bool {
        self.work.options.temperature <= 0.0 || self.work.options.seed.is_some()
    }

    /// Not again at the same place: what kills a worker there would kill them all.
    fn may_resume(&self) -> bool {
        let got_on = self.resumed.last().is_none_or(|told| *told < self.told.len());
        self.is_certain() && got_on && self.resumed.len() < MOST_RESUMED
    }

    /// Has another worker go on; false if none can be had, or none that reads the same prompt.
    async fn resume(&mut self) -> bool {
        tracing::warn!(model = %self.load.name, tokens = self.told.len(), "the worker died; another one goes on");
        let leased = self.scheduler.lease(self.load.clone(), Turn::Resumed, &self.enrolled).await;
        let Ok((lease, _)) = leased else { return false };
        if lease.link().context_tokens != self.lease.link().context_tokens {
            return false;
        }
        self.resumed.push(self.told.len());
        (self.request, self.events) =
            lease.link().begin(self.work.clone(), self.told.clone(), self.enrolled.followed());
        self.lease = lease;
        true
    }

    /// The last worker's end of an answer that took several: its times are those of all of them.
    fn as_a_whole(&self, done: Done) -> Done {
        let now = Instant::now();
        let first = self.first.unwrap_or(now);
        Done { prompt_time: first - self.begun, generate_time: now - first, ..done }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if !self.ended {
            self.cancel();
        }
    }
}
