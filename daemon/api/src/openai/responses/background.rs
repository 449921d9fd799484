//! Responses that are made while nobody waits for them: who runs them, who follows them, how they are stopped. Their owner is the
//! daemon, which waits for them, or stops them, before it ends.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::{Stream, stream};
use protocol::{Event, Owner};
use scheduler::ScheduleError;
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    events::{Numbered, StreamEvent},
    items::Item,
    kept,
    progress::{End, Progress},
    response::{Failure, FailureCode, Response, Status},
};
use crate::{
    Api,
    asked::Asked,
    cut::Cut,
    error::Error,
    places::{Places, Taken},
};

/// All of them that are under way, and the last that ended. A clone is cheap.
#[derive(Clone, Default)]
pub(crate) struct Background {
    shared: Arc<Shared>,
}

struct Shared {
    runs: Mutex<Runs>,
    /// One for each that may be under way.
    slots: Places,
    tasks: TaskTracker,
    stop: CancellationToken,
}

#[derive(Default)]
struct Runs {
    by_id: HashMap<String, Run>,
    /// The names of those that ended, the oldest first, and what the events of each take.
    ended: VecDeque<(String, usize)>,
}

/// Those that may be under way at once, as each holds its conversation.
const MOST_UNDER_WAY: usize = 64;
/// The same of one owner's.
const MOST_OF_ONE: usize = 16;
/// Those that ended and may still be followed, and what the events of all of them may take.
const MOST_ENDED: usize = 16;
const MOST_ENDED_BYTES: usize = 32 << 20;
/// What the events of one may take. Of more, the first are let go.
const MOST_BYTES: usize = 8 << 20;

/// What is told of events that were let go.
pub(super) const GONE: &str = "The first events of this response are not kept any more; follow it from a later one on, or ask for it \
                               without stream.";

/// One of them. A clone is cheap.
#[derive(Clone)]
pub(super) struct Run {
    owner: Owner,
    told: watch::Sender<Told>,
    cancel: CancellationToken,
}

/// What was told of one so far.
struct Told {
    /// As they are sent.
    events: VecDeque<Bytes>,
    bytes: usize,
    /// Those before them, which were let go.
    gone: usize,
    response: Response,
    ended: bool,
}

impl Background {
    /// Keeps one, and runs it as soon as the model can be had. Whoever asked may go away meanwhile: what was kept is run.
    pub(super) async fn start(
        &self,
        api: Api,
        asked: Asked,
        progress: Progress,
        items: Vec<Item>,
    ) -> Result<Run, Error> {
        let slot = self.slot(api.caller.owner())?;
        let background = self.clone();
        let begun = self.shared.tasks.spawn(async move {
            let queued = Response { status: Status::Queued, ..progress.response().clone() };
            kept::keep(&api, &queued, &items).await?;
            Ok(background.run(api, asked, progress, slot))
        });
        begun.await?
    }

    /// The right to be under way, until it is dropped.
    fn slot(&self, owner: Owner) -> Result<Taken, ScheduleError> {
        self.shared.slots.take(owner).ok_or(ScheduleError::Busy)
    }

    fn run(&self, api: Api, asked: Asked, mut progress: Progress, slot: Taken) -> Run {
        progress.create(Status::Queued);
        let told = Told::of(progress.response().clone());
        let id = told.response.id.clone();
        let (told, cancel) = (watch::Sender::new(told), self.shared.stop.child_token());
        let run = Run { owner: api.caller.owner(), told, cancel };
        run.tell(&mut progress);
        self.runs().by_id.insert(id.clone(), run.clone());
        let (background, begun) = (self.clone(), run.clone());
        self.shared.tasks.spawn(async move {
            background.finish(&api, asked, &mut progress, &begun).await;
            background.runs().end(&id);
            drop(slot);
        });
        run
    }

    /// One of this owner's that is under way, or ended not long ago.
    pub(super) fn find(&self, owner: Owner, id: &str) -> Option<Run> {
        self.runs().by_id.get(id).filter(|run| run.owner == owner).cloned()
    }

    /// One that is deleted is not followed any more.
    pub(super) fn forget(&self, id: &str) {
        self.runs().forget(id);
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
            end = answer(api, asked, progress, run) => end.unwrap_or_else(|error| End::Failed(Failure::from(&error))),
            () = run.cancel.cancelled() => match self.shared.stop.is_cancelled() {
                true => End::Failed(Failure::stopped()),
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

impl Default for Shared {
    fn default() -> Self {
        Self {
            runs: Mutex::default(),
            slots: Places::new(MOST_UNDER_WAY, MOST_OF_ONE),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        }
    }
}

impl Runs {
    fn end(&mut self, id: &str) {
        // Unless it was deleted.
        let Some(run) = self.by_id.get(id) else { return };
        let bytes = run.told.borrow().bytes;
        self.ended.push_back((id.to_owned(), bytes));
        while self.ended.len() > MOST_ENDED || self.ended_bytes() > MOST_ENDED_BYTES {
            let Some((oldest, _)) = self.ended.pop_front() else { return };
            self.by_id.remove(&oldest);
        }
    }

    fn ended_bytes(&self) -> usize {
        self.ended.iter().map(|(_, bytes)| bytes).sum()
    }

    fn forget(&mut self, id: &str) {
        self.by_id.remove(id);
        self.ended.retain(|(ended, _)| ended != id);
    }
}

impl Told {
    fn of(response: Response) -> Self {
        Self { events: VecDeque::new(), bytes: 0, gone: 0, response, ended: false }
    }

    fn add(&mut self, event: Bytes) {
        self.bytes += event.len();
        self.events.push_back(event);
        // The newest stays, whatever it takes.
        while self.bytes > MOST_BYTES && self.events.len() > 1 {
            self.bytes -= self.events.pop_front().map_or(0, |event| event.len());
            self.gone += 1;
        }
    }

    /// The events from this one on; none at all if some of them were let go.
    fn since(&self, first: usize) -> Option<Vec<Bytes>> {
        let skipped = first.checked_sub(self.gone)?;
        Some(self.events.iter().skip(skipped).cloned().collect())
    }
}

async fn answer(api: &Api, asked: Asked, progress: &mut Progress, run: &Run) -> Result<End, Error> {
    let mut running = api.prepare(asked).await?.begin(api).await?;
    progress.start();
    run.tell(progress);
    loop {
        match running.try_next().await? {
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

    /// Whether none of its events after the one of this number was let go.
    pub(super) fn has_all(&self, after: Option<u64>) -> bool {
        self.told.borrow().gone <= first(after)
    }

    /// Its events after the one of this number, or all; those that come, as they come. The last is an error for whoever is so
    /// slow that some were let go meanwhile.
    pub(super) fn follow(&self, after: Option<u64>, cut: Cut) -> impl Stream<Item = Bytes> + Send + use<> {
        // The run goes along, as nothing changes any more without it.
        let following = (self.clone(), self.told.subscribe(), first(after), cut);
        stream::unfold(Some(following), async |following| {
            let (run, mut told, at, mut cut) = following?;
            loop {
                let (news, ended) = {
                    let told = told.borrow_and_update();
                    (told.since(at), told.ended)
                };
                match news {
                    None => return Some((gone(at), None)),
                    Some(news) if !news.is_empty() => {
                        let following = (run, told, at + news.len(), cut);
                        return Some((Bytes::from(news.concat()), Some(following)));
                    }
                    Some(_) if ended => return None,
                    Some(_) => tokio::select! {
                        why = &mut cut => return Some((in_place_of(at, Failure::from(&why.into())), None)),
                        changed = told.changed() => changed.ok()?,
                    },
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
            news.into_iter().for_each(|event| told.add(event));
            if told.response.status != progress.response().status {
                told.response = progress.response().clone();
            }
        });
    }
}

/// The number of the first event after this one.
fn first(after: Option<u64>) -> usize {
    after.map_or(0, |after| usize::try_from(after).unwrap_or(usize::MAX).saturating_add(1))
}

/// In place of this event and all that come after it.
fn gone(at: usize) -> Bytes {
    in_place_of(at, Failure { code: FailureCode::ServerError, message: GONE.into() })
}

/// The same, for another reason.
fn in_place_of(at: usize, why: Failure) -> Bytes {
    let event = StreamEvent::Error { code: "server_error", message: why.message, param: None };
    sent(&Numbered { event, sequence_number: at as u64 })
}

fn sent(event: &Numbered) -> Bytes {
    let mut sent = Vec::new();
    event.push(&mut sent);
    sent.into()
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt as _;
    use serde_json::json;

    use super::*;
    use crate::openai::responses::{request::Request, wire::CreateResponse};

    fn run() -> Run {
        let body: CreateResponse = serde_json::from_value(json!({"model": "m", "input": "hi"})).unwrap();
        let response = Request::try_from(body).unwrap().response;
        let (told, cancel) = (watch::Sender::new(Told::of(response)), CancellationToken::new());
        Run { owner: Owner(1), told, cancel }
    }

    fn tell(run: &Run, bytes: usize) {
        run.told.send_modify(|told| told.add(Bytes::from(vec![b'.'; bytes])));
    }

    #[tokio::test]
    async fn the_first_events_of_a_long_response_are_let_go_and_who_missed_them_is_told() {
        let run = run();
        let mut slow = Box::pin(run.follow(None, Cut::never()));
        (0..4).for_each(|_| tell(&run, MOST_BYTES / 4));
        assert!(run.has_all(None));
        assert_eq!(slow.next().await.unwrap().len(), MOST_BYTES);

        (0..5).for_each(|_| tell(&run, MOST_BYTES / 4));
        run.told.send_modify(|told| told.ended = true);

        assert!(!run.has_all(None) && !run.has_all(Some(3)) && run.has_all(Some(4)));
        assert_eq!(run.follow(Some(4), Cut::never()).collect::<Vec<_>>().await.concat().len(), MOST_BYTES);
        let rest = slow.collect::<Vec<_>>().await.concat();
        let rest = String::from_utf8(rest).unwrap();
        assert!(rest.starts_with("event: error\n") && rest.contains("\"sequence_number\":4"), "{rest}");
    }

    #[test]
    fn those_that_ended_take_only_so_much_and_what_is_deleted_nothing() {
        let mut runs = Runs::default();
        let mut end = |name: &str, bytes: usize| {
            let run = run();
            tell(&run, bytes);
            runs.by_id.insert(name.to_owned(), run);
            runs.end(name);
            runs.forget("deleted");
            let mut left: Vec<String> = runs.by_id.keys().cloned().collect();
            left.sort();
            left.concat()
        };
        assert_eq!(end("a", MOST_ENDED_BYTES / 2), "a");
        assert_eq!(end("deleted", MOST_ENDED_BYTES / 2), "a");
        assert_eq!(end("b", MOST_ENDED_BYTES / 2), "ab");
        assert_eq!(end("c", 1), "bc");
        assert_eq!(end("d", MOST_ENDED_BYTES + 1), "");
        (0..=MOST_ENDED).for_each(|at| {
            end(&format!("{at:02}"), 1);
        });
        assert_eq!(end("x", 1).len(), 2 * (MOST_ENDED - 1) + 1);
    }

    #[test]
    fn so_many_are_under_way_at_once_and_the_next_may_be_asked_for_again() {
        let background = Background::default();
        let one = Owner(1);
        let mut slots: Vec<_> = (0..MOST_OF_ONE).map(|_| background.slot(one).unwrap()).collect();
        let refused = Error::from(background.slot(one).unwrap_err());
        assert_eq!(refused.status(), http::StatusCode::SERVICE_UNAVAILABLE);
        let another = background.slot(Owner(2));
        assert!(another.is_ok());
        slots.pop();
        assert!(background.slot(one).is_ok());
    }
}
