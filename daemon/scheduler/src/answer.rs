//! An answer under way, and the lease on the model that it holds.

use std::time::Duration;

use protocol::{Event, RequestId, ToWorker};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::run::Lease;

/// An answer under way. Dropping it before its end cancels the generation.
#[derive(Debug)]
pub struct Answer {
    /// How long the request waited for its model.
    pub load_time: Duration,
    request: RequestId,
    events: UnboundedReceiver<Event>,
    lease: Lease,
    ended: bool,
}

impl Answer {
    pub(crate) fn new(
        load_time: Duration,
        request: RequestId,
        events: UnboundedReceiver<Event>,
        lease: Lease,
    ) -> Self {
        Self { load_time, request, events, lease, ended: false }
    }

    /// The next event; [`Event::Done`] or [`Event::Failed`] is the last, and `None` comes after it.
    pub async fn next(&mut self) -> Option<Event> {
        let event = self.events.recv().await;
        self.ended |= !matches!(event, Some(Event::Text(_)));
        event
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
