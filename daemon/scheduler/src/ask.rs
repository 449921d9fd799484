//! Questions to a model's worker that are answered at once: what it would read, and what tokens stand for.

use protocol::{Generate, GenerateError, Rendered, RequestId, ToWorker};

use crate::link::Whole;
use crate::roll::{Enrolled, Stage};
use crate::run::{Lease, Turn};
use crate::{AskError, Load, Scheduler};

impl Scheduler {
    /// What the model would read for a generation, which is not begun; see [`ToWorker::Render`]. Loads the model first if
    /// need be, and as it is: for one that only makes vectors, that is [`Load::for_vectors`]'s to say.
    ///
    /// # Errors
    /// [`AskError`]; what a generation would be refused for, but for its length.
    pub async fn render(&self, load: Load, work: Generate) -> Result<Rendered, AskError> {
        let enrolled = self.enrol(&load);
        let (lease, _) = self.lease(load, Turn::Aside, &enrolled).await?;
        let (request, answer) = lease.link().render(work);
        Question { lease, enrolled, request, answer }.answer().await
    }

    /// The bytes of each token, which need not be whole characters; control tokens have their names. Loads as
    /// [`Scheduler::render`] does.
    ///
    /// # Errors
    /// [`AskError`]; [`GenerateError::UnknownToken`] for one that the model does not have.
    pub async fn detokenize(&self, load: Load, tokens: Vec<i32>) -> Result<Vec<Vec<u8>>, AskError> {
        let enrolled = self.enrol(&load);
        let (lease, _) = self.lease(load, Turn::Aside, &enrolled).await?;
        let (request, answer) = lease.link().detokenize(tokens);
        Question { lease, enrolled, request, answer }.answer().await
    }
}

/// A question that was asked. Dropping it takes it back.
struct Question<T> {
    lease: Lease,
    enrolled: Enrolled,
    request: RequestId,
    answer: Whole<T>,
}

impl<T> Question<T> {
    async fn answer(mut self) -> Result<T, AskError> {
        self.enrolled.followed().at(Stage::Reading);
        tokio::select! {
            answer = &mut self.answer => Ok(answer.unwrap_or(Err(GenerateError::WorkerDied))?),
            () = self.enrolled.stopped() => Err(GenerateError::Ended.into()),
        }
    }
}

impl<T> Drop for Question<T> {
    fn drop(&mut self) {
        if self.lease.link().forget(self.request).is_some() {
            self.lease.link().send(ToWorker::Cancel(self.request));
        }
    }
}
