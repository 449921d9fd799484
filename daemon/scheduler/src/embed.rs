//! Vectors under way, and the lease on the model that they hold. Many inputs go to the worker in pieces, of which it has two
//! at a time: one that it computes, and the next.

use std::collections::VecDeque;
use std::time::Duration;

use protocol::{Embed, Embedded, GenerateError, Inputs, RequestId, ToWorker};

use crate::link::Whole;
use crate::roll::{Enrolled, Stage};
use crate::run::{Lease, Turn};
use crate::{Load, ScheduleError, Scheduler};

/// Vectors under way. Dropping it before its end cancels what is left.
#[derive(Debug)]
pub struct Embedding {
    /// How long the request waited for its model.
    pub load_time: Duration,
    lease: Lease,
    enrolled: Enrolled,
    pieces: std::vec::IntoIter<Inputs>,
    /// All but the inputs.
    work: Embed,
    asked: VecDeque<Asked>,
}

#[derive(Debug)]
struct Asked {
    request: RequestId,
    answer: Whole<Embedded>,
}

/// Pieces that a worker has at a time.
const AHEAD: usize = 2;

impl Scheduler {
    /// Begins to make vectors, loading the model first if need be; how it is loaded is [`Load::for_vectors`]'s to say.
    ///
    /// # Errors
    /// [`ScheduleError`] says why there is no worker for it.
    pub async fn embed(&self, load: Load, mut work: Embed) -> Result<Embedding, ScheduleError> {
        let enrolled = self.enrol(&load);
        let (lease, load_time) = self.lease(load.for_vectors(), Turn::Slot, &enrolled).await?;
        let inputs = std::mem::replace(&mut work.inputs, Inputs::Texts(Vec::new()));
        let pieces = inputs.into_pieces().into_iter();
        Ok(Embedding { load_time, lease, enrolled, pieces, work, asked: VecDeque::new() })
    }
}

impl Embedding {
    /// All vectors, in the order of their inputs.
    ///
    /// # Errors
    /// What the worker could not do with one of them, or that it died.
    pub async fn finish(mut self) -> Result<Embedded, GenerateError> {
        let mut whole = Embedded::default();
        self.enrolled.followed().at(Stage::Reading);
        self.ask();
        while let Some(asked) = self.asked.front_mut() {
            let piece = tokio::select! {
                piece = &mut asked.answer => piece.unwrap_or(Err(GenerateError::WorkerDied))?,
                () = self.enrolled.stopped() => return Err(GenerateError::Ended),
            };
            self.enrolled.followed().read_more(piece.prompt_tokens);
            self.asked.pop_front();
            self.ask();
            whole.vectors.extend(piece.vectors);
            whole.prompt_tokens = whole.prompt_tokens.saturating_add(piece.prompt_tokens);
        }
        Ok(whole)
    }

    fn ask(&mut self) {
        while self.asked.len() < AHEAD
            && let Some(inputs) = self.pieces.next()
        {
            let (request, answer) = self.lease.link().embed(Embed { inputs, ..self.work.clone() });
            self.asked.push_back(Asked { request, answer });
        }
    }
}

impl Drop for Embedding {
    fn drop(&mut self) {
        for Asked { request, .. } in &self.asked {
            self.lease.link().forget(*request);
            self.lease.link().send(ToWorker::Cancel(*request));
        }
    }
}
