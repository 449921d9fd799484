//! Responses that are made while nobody waits for them: who runs them, who follows them, how they are stopped. Their owner is the
//! daemon, which waits for them, or stops them, before it ends.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::{Stream, stream};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    events::Numbered,
    kept,
    progress::{End, Progress},
    response::{Failure, FailureCode, Response, Status},
};
use crate::{Api, asked::Asked, error::Error};
use protocol::Event;

/// All of them that are under way, and the last that ended. A clone is cheap.
#[derive(Clone, Default)]
pub(crate) struct Background {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    runs: Mutex<Runs>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

#[derive(Default)]
struct Runs {
    by_id: HashMap<String, Run>,
    /// The names of those that ended, the oldest first.
    ended: VecDeque<String>,
}

/// Those that ended and may still be followed from any event on.
const MOST_ENDED: usize = 16;

/// One of them. A clone is cheap.
#[derive(Clone)]
pub(super) struct Run {
    told: watch::Sender<Told>,
    cancel: CancellationToken,
}

/// What was told of one so far.
struct Told {
    /// As they are sent, from the first on.
    events: Vec<Bytes>,
    response: Response,
    ended: bool,
}

impl Background {
    /// Runs one that was kept, as soon as the model can be had.
    pub(super) fn start(&self, api: Api, asked: Asked, mut progress: Progress) -> Run {
        progress.create(Status::Queued);
        let response = progress.response().clone();
        let id = response.id.clone();
        let told = Told { events: Vec::new(), response, ended: false };
        let run = Run { told: watch::Sender::new(told), cancel: self.shared.stop.child_token() };
        run.tell(&mut progress);
        self.runs().by_id.insert(id.clone(), run.clone());
        let (background, begun) = (self.clone(), run.clone());
        self.shared.tasks.spawn(async move {
            background.finish(&api, asked, &mut progress, &begun).await;
            background.runs().end(id);
        });
        run
    }

    /// One that is under way, or ended not long ago.
    pub(super) fn find(&self, id: &str) -> Option<Run> {
        self.runs().by_id.get(id).cloned()
    }

    /// One that is deleted is not followed any more.
    pub(super) fn forget(&self, id: &str) {
        self.runs().by_id.remove(id);
    }

    /// Waits until none is under way.
    pub(crate) async fn drain(&self) {
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }

    /// Stops those that are, and waits until that is written down.
    pub(crate) async fn stop(&self) {
        self.shared.stop.cancel();
        self.drain().await;
    }

    async fn finish(&self, api: &Api, asked: Asked, progress: &mut Progress, run: &Run) {
        let end = tokio::select! {
            end = answer(api, asked, progress, run) => end.unwrap_or_else(|error| End::Failed(failure(&error))),
            () = run.cancel.cancelled() => match self.shared.stop.is_cancelled() {
                true => End::Failed(stopped()),
                false => End::Cancelled,
            },
        };
        progress.end(end);
        match kept::settle(api, progress.response()).await {
            Ok(_) => progress.last(),
            Err(error) => {
                tracing::error!(%error, "a response is lost");
                progress.not_kept(error.message());
            }
        }
        run.tell(progress);
        run.told.send_modify(|told| told.ended = true);
    }

    fn runs(&self) -> MutexGuard<'_, Runs> {
        self.shared.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Runs {
    fn end(&mut self, id: String) {
        self.ended.push_back(id);
        if self.ended.len() > MOST_ENDED
            && let Some(oldest) = self.ended.pop_front()
        {
            self.by_id.remove(&oldest);
        }
    }
}

async fn answer(api: &Api, asked: Asked, progress: &mut Progress, run: &Run) -> Result<End, Error> {
    let mut running = api.prepare(asked).await?.begin(api).await?;
    progress.start();
    run.tell(progress);
    loop {
        match running.next().await {
            Event::Said(said) => progress.said(said),
            Event::Done(done) => return Ok(End::Done(done)),
            Event::Failed(error) => return Err(error.into()),
        }
        run.tell(progress);
    }
}

impl Run {
    /// What clients are told of it now.
    pub(super) fn response(&self) -> Response {
        self.told.borrow().response.clone()
    }

    /// Its events after the one of this number, or all; those that come, as they come.
    pub(super) fn follow(&self, after: Option<u64>) -> impl Stream<Item = Bytes> + Send + use<> {
        let first = after.map_or(0, |after| usize::try_from(after).unwrap_or(usize::MAX).saturating_add(1));
        // The run goes along, as nothing changes any more without it.
        stream::unfold((self.clone(), self.told.subscribe(), first), async |(run, mut told, at)| {
            loop {
                let (sent, ended) = {
                    let told = told.borrow_and_update();
                    (told.events.get(at..).unwrap_or_default().to_vec(), told.ended)
                };
                if !sent.is_empty() {
                    return Some((Bytes::from(sent.concat()), (run, told, at + sent.len())));
                }
                if ended || told.changed().await.is_err() {
                    return None;
                }
            }
        })
    }

    /// Stops it, unless it has ended, and waits until that is written down.
    pub(super) async fn cancel(&self) {
        self.cancel.cancel();
        let mut told = self.told.subscribe();
        // It comes, as the sender is here.
        let _ended = told.wait_for(|told| told.ended).await;
    }

    fn tell(&self, progress: &mut Progress) {
        let news: Vec<Bytes> = progress.take().iter().map(sent).collect();
        self.told.send_modify(|told| {
            told.events.extend(news);
            if told.response.status != progress.response().status {
                told.response = progress.response().clone();
            }
        });
    }
}

fn sent(event: &Numbered) -> Bytes {
    let mut sent = Vec::new();
    event.push(&mut sent);
    sent.into()
}

/// What is told of a response that failed, where no status can say it.
pub(super) fn failure(error: &Error) -> Failure {
    Failure { code: FailureCode::of(error), message: error.message() }
}

fn stopped() -> Failure {
    let message = "the server was stopped before the response was complete".into();
    Failure { code: FailureCode::ServerError, message }
}
