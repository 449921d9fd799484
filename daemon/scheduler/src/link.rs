//! What the scheduler holds of a worker: the requests that wait for what it says, and the way to it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use protocol::{
    Embed, Embedded, Event, FromWorker, Generate, GenerateError, Rendered, RequestId, ToWorker,
    frame::MEDIA_PART_BYTES,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::backlog::{Backlog, Pace};
use crate::roll::{Followed, Hold};

/// One step of an answer.
#[derive(Debug)]
pub(crate) struct News {
    pub(crate) event: Event,
    /// The tokens that led to it.
    pub(crate) tokens: Vec<i32>,
}

impl From<Event> for News {
    fn from(event: Event) -> Self {
        Self { event, tokens: Vec::new() }
    }
}

/// What the scheduler holds of a worker.
#[derive(Debug)]
pub(crate) struct Link {
    /// Of one request, as the worker loaded.
    pub(crate) context_tokens: u32,
    outgoing: UnboundedSender<ToWorker>,
    pending: Mutex<Option<Pending>>,
    next: AtomicU64,
    pub(crate) stop: CancellationToken,
}

/// Who waits for a worker.
#[derive(Debug)]
struct Pending {
    requests: HashMap<RequestId, Listener>,
    /// Since when somebody has.
    since: Instant,
}

/// Who is told what a worker says of a request.
#[derive(Debug)]
pub(crate) enum Listener {
    Answer(Heard),
    Vectors(Reply<Embedded>),
    Prompt(Reply<Rendered>),
    Pieces(Reply<Pieces>),
}

/// Where an answer goes piece by piece.
#[derive(Debug)]
pub(crate) struct Heard {
    sender: UnboundedSender<News>,
    backlog: Backlog,
    followed: Followed,
}

/// An answer that comes as a whole.
pub(crate) type Whole<T> = oneshot::Receiver<Result<T, GenerateError>>;
type Reply<T> = oneshot::Sender<Result<T, GenerateError>>;

/// What each of some tokens stands for.
pub(crate) type Pieces = Vec<Vec<u8>>;

impl Listener {
    fn is_held(&self) -> bool {
        matches!(self, Self::Answer(heard) if heard.backlog.is_held())
    }

    fn wants_slot(&self) -> bool {
        match self {
            Self::Answer(heard) => !heard.backlog.is_held(),
            Self::Vectors(_) => true,
            Self::Prompt(_) | Self::Pieces(_) => false,
        }
    }

    fn fail(self, error: GenerateError) {
        // Nobody listens to a cancelled request.
        match self {
            Self::Answer(heard) => drop(heard.sender.send(Event::Failed(error).into())),
            Self::Vectors(sender) => drop(sender.send(Err(error))),
            Self::Prompt(sender) => drop(sender.send(Err(error))),
            Self::Pieces(sender) => drop(sender.send(Err(error))),
        }
    }
}

impl Heard {
    /// How far the answer is, by what is said of it.
    fn note(&self, news: &News) {
        match &news.event {
            Event::Said(said) => {
                if let Some(read) = said.read {
                    self.followed.read_all(read);
                }
                self.followed.said(news.tokens.len() as u64);
            }
            Event::Done(done) => self.followed.done(done),
            Event::Failed(_) => {}
        }
    }
}

impl Link {
    /// One to a worker that has loaded, and what is to be sent to it.
    pub(crate) fn new(context_tokens: u32) -> (Self, UnboundedReceiver<ToWorker>) {
        let (outgoing, sent) = unbounded_channel();
        let link = Self {
            context_tokens,
            outgoing,
            pending: Mutex::new(Some(Pending::none())),
            next: AtomicU64::new(1),
            stop: CancellationToken::new(),
        };
        (link, sent)
    }

    /// Begins a generation, or goes on with one of whose answer these tokens were told. On a dead worker the answer is
    /// that it died.
    pub(crate) fn begin(
        &self,
        work: Generate,
        told: Vec<i32>,
        followed: &Followed,
    ) -> (RequestId, UnboundedReceiver<News>) {
        let (sender, events) = unbounded_channel();
        let heard = Heard { sender, backlog: Backlog::default(), followed: followed.clone() };
        let request = self.enter(Listener::Answer(heard));
        self.send_media(request, &work);
        let work = Box::new(work);
        self.send(match told.is_empty() {
            true => ToWorker::Generate(request, work),
            false => ToWorker::Resume(request, work, told),
        });
        (request, events)
    }

    /// Begins to make vectors. On a dead worker the answer is that it died.
    pub(crate) fn embed(&self, work: Embed) -> (RequestId, Whole<Embedded>) {
        let (sender, answer) = oneshot::channel();
        let request = self.enter(Listener::Vectors(sender));
        self.send(ToWorker::Embed(request, Box::new(work)));
        (request, answer)
    }

    /// Asks what would be read for a generation.
    pub(crate) fn render(&self, work: Generate) -> (RequestId, Whole<Rendered>) {
        let (sender, answer) = oneshot::channel();
        let request = self.enter(Listener::Prompt(sender));
        self.send_media(request, &work);
        self.send(ToWorker::Render(request, Box::new(work)));
        (request, answer)
    }

    /// Asks what tokens stand for.
    pub(crate) fn detokenize(&self, tokens: Vec<i32>) -> (RequestId, Whole<Pieces>) {
        let (sender, answer) = oneshot::channel();
        let request = self.enter(Listener::Pieces(sender));
        self.send(ToWorker::Detokenize(request, tokens));
        (request, answer)
    }

    /// Files go ahead of their request.
    fn send_media(&self, request: RequestId, work: &Generate) {
        for file in &*work.media.0 {
            let mut parts = file.chunks(MEDIA_PART_BYTES).peekable();
            while let Some(part) = parts.next() {
                self.send(ToWorker::Media(request, part.to_vec(), parts.peek().is_none()));
            }
        }
    }

    fn enter(&self, listener: Listener) -> RequestId {
        let request = RequestId(self.next.fetch_add(1, Ordering::Relaxed));
        match &mut *self.pending() {
            Some(pending) => pending.add(request, listener),
            None => listener.fail(GenerateError::WorkerDied),
        }
        request
    }

    pub(crate) fn send(&self, message: ToWorker) {
        // A worker that is gone has already failed its requests.
        let _unsent = self.outgoing.send(message);
    }

    pub(crate) fn forget(&self, request: RequestId) -> Option<Listener> {
        self.pending().as_mut()?.requests.remove(&request)
    }

    /// The worker ended: it answers nothing any more.
    pub(crate) fn is_dead(&self) -> bool {
        self.pending().is_none()
    }

    /// Kills the worker.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    /// Passes on what the worker said; false if it is nothing that a loaded worker says.
    pub(crate) fn take_in(&self, said: FromWorker) -> bool {
        match said {
            FromWorker::Reading(request, prompt) => self.follow(request, |followed| followed.read(prompt)),
            FromWorker::Said(request, said, tokens) => {
                self.deliver(request, News { event: Event::Said(said), tokens });
            }
            FromWorker::Done(request, said, done) => {
                self.deliver(request, Event::Said(said).into());
                self.deliver(request, Event::Done(done).into());
            }
            FromWorker::Embedded(request, embedded) => {
                if let Some(Listener::Vectors(sender)) = self.forget(request) {
                    // Nobody listens to a cancelled request.
                    let _undelivered = sender.send(Ok(embedded));
                }
            }
            FromWorker::Rendered(request, rendered) => {
                if let Some(Listener::Prompt(sender)) = self.forget(request) {
                    let _undelivered = sender.send(Ok(rendered));
                }
            }
            FromWorker::Detokenized(request, pieces) => {
                if let Some(Listener::Pieces(sender)) = self.forget(request) {
                    let _undelivered = sender.send(Ok(pieces));
                }
            }
            FromWorker::Failed(request, error) => self.fail(request, error),
            FromWorker::Alive => {}
            FromWorker::Loading(_)
            | FromWorker::Loaded(_)
            | FromWorker::LoadFailed { .. }
            | FromWorker::Quantized
            | FromWorker::Lending => return false,
        }
        true
    }

    fn follow(&self, request: RequestId, tell: impl FnOnce(&Followed)) {
        if let Some(pending) = &*self.pending()
            && let Some(Listener::Answer(heard)) = pending.requests.get(&request)
        {
            tell(&heard.followed);
        }
    }

    fn deliver(&self, request: RequestId, news: News) {
        if let Some(pending) = &mut *self.pending() {
            let last = !matches!(news.event, Event::Said(_));
            if let Some(Listener::Answer(heard)) = pending.requests.get_mut(&request) {
                heard.note(&news);
                // Nobody listens to a cancelled request.
                let _undelivered = heard.sender.send(news);
                if !last && heard.backlog.grow() == Some(Pace::Hold) {
                    heard.followed.hold(Hold::Held);
                    self.send(ToWorker::Hold(request));
                }
            }
            if last {
                pending.requests.remove(&request);
            }
        }
    }

    /// One of an answer's events was read.
    pub(crate) fn read(&self, request: RequestId) {
        let mut pending = self.pending();
        let Some(pending) = &mut *pending else { return };
        let is_awaited = pending.is_awaited();
        if let Some(Listener::Answer(heard)) = pending.requests.get_mut(&request)
            && heard.backlog.shrink() == Some(Pace::Release)
        {
            heard.followed.hold(Hold::Released);
            self.send(ToWorker::Release(request));
            if !is_awaited {
                pending.since = Instant::now();
            }
        }
    }

    /// Answers whose readers are too far behind.
    pub(crate) fn held(&self) -> usize {
        let pending = self.pending();
        pending.iter().flat_map(|pending| pending.requests.values()).filter(|it| it.is_held()).count()
    }

    /// Answers and vectors that the worker is to make, each in a slot. One that is held has none and waits for its reader, as
    /// does one that is made; a question needs none.
    pub(crate) fn slots_wanted(&self) -> usize {
        let pending = self.pending();
        pending.iter().flat_map(|pending| pending.requests.values()).filter(|it| it.wants_slot()).count()
    }

    fn fail(&self, request: RequestId, error: GenerateError) {
        if let Some(listener) = self.forget(request) {
            listener.fail(error);
        }
    }

    pub(crate) fn fail_all(&self, error: &GenerateError) {
        for (_, listener) in self.pending().take().into_iter().flat_map(|pending| pending.requests) {
            listener.fail(error.clone());
        }
    }

    /// Fails a request that is too long for a frame.
    pub(crate) fn refuse(&self, message: &ToWorker, bytes: usize) {
        let too_large = GenerateError::TooLarge { bytes: bytes as u64 };
        match message {
            ToWorker::Generate(request, _) | ToWorker::Resume(request, ..) | ToWorker::Render(request, _) => {
                self.fail(*request, too_large);
                // The worker has its files, and waits for what they belong to.
                self.send(ToWorker::Cancel(*request));
            }
            ToWorker::Detokenize(request, _) => self.fail(*request, too_large),
            // Only one input alone is so long.
            ToWorker::Embed(request, _) => self.fail(*request, GenerateError::InputTooLong),
            ToWorker::Load(_)
            | ToWorker::Quantize(_)
            | ToWorker::Lend(_)
            | ToWorker::Media(..)
            | ToWorker::Hold(_)
            | ToWorker::Release(_)
            | ToWorker::Cancel(_) => {}
        }
    }

    /// Since when somebody has waited for an answer, if anybody does: whose answer is held waits for nothing.
    pub(crate) fn awaited_since(&self) -> Option<Instant> {
        self.pending().as_ref().filter(|pending| pending.is_awaited()).map(|pending| pending.since)
    }

    fn pending(&self) -> MutexGuard<'_, Option<Pending>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pending {
    fn none() -> Self {
        Self { requests: HashMap::new(), since: Instant::now() }
    }

    fn add(&mut self, request: RequestId, listener: Listener) {
        if !self.is_awaited() {
            self.since = Instant::now();
        }
        self.requests.insert(request, listener);
    }

    fn is_awaited(&self) -> bool {
        self.requests.values().any(|listener| !listener.is_held())
    }
}
