//! One worker: its process, its socket, and the requests that wait for its events.

use std::collections::HashMap;
use std::io;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use platform::process::WorkerFiles;
use protocol::{
    Embed, Embedded, Event, FrameError, FromWorker, Generate, GenerateError, LoadOptions, ModelFacts,
    Quantization, Rendered, RequestId, ToWorker,
    frame::{self, MEDIA_PART_BYTES},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::Child;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::backlog::{Backlog, Pace};

/// A worker that was started: a socket, and the process at its other end. Tests have none.
pub(crate) struct Connection {
    pub(crate) socket: std::os::unix::net::UnixStream,
    pub(crate) process: Option<Child>,
}

/// Starts a worker on open files.
pub(crate) type Spawn = dyn Fn(WorkerFiles) -> io::Result<Connection> + Send + Sync;

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
    stop: CancellationToken,
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
    Answer(UnboundedSender<News>, Backlog),
    Vectors(Reply<Embedded>),
    Prompt(Reply<Rendered>),
    Pieces(Reply<Pieces>),
}

/// An answer that comes as a whole.
pub(crate) type Whole<T> = oneshot::Receiver<Result<T, GenerateError>>;
type Reply<T> = oneshot::Sender<Result<T, GenerateError>>;

/// What each of some tokens stands for.
pub(crate) type Pieces = Vec<Vec<u8>>;

impl Listener {
    fn is_held(&self) -> bool {
        matches!(self, Self::Answer(_, backlog) if backlog.is_held())
    }

    fn fail(self, error: GenerateError) {
        // Nobody listens to a cancelled request.
        match self {
            Self::Answer(sender, _) => drop(sender.send(Event::Failed(error).into())),
            Self::Vectors(sender) => drop(sender.send(Err(error))),
            Self::Prompt(sender) => drop(sender.send(Err(error))),
            Self::Pieces(sender) => drop(sender.send(Err(error))),
        }
    }
}

impl Link {
    /// Begins a generation, or goes on with one of whose answer these tokens were told. On a dead worker the answer is
    /// that it died.
    pub(crate) fn begin(&self, work: Generate, told: Vec<i32>) -> (RequestId, UnboundedReceiver<News>) {
        let (sender, events) = unbounded_channel();
        let request = self.enter(Listener::Answer(sender, Backlog::default()));
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
    fn take_in(&self, said: FromWorker) -> bool {
        match said {
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
            | FromWorker::Quantized => return false,
        }
        true
    }

    fn deliver(&self, request: RequestId, news: News) {
        if let Some(pending) = &mut *self.pending() {
            let last = !matches!(news.event, Event::Said(_));
            if let Some(Listener::Answer(sender, backlog)) = pending.requests.get_mut(&request) {
                // Nobody listens to a cancelled request.
                let _undelivered = sender.send(news);
                if !last && backlog.grow() == Some(Pace::Hold) {
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
        if let Some(Listener::Answer(_, backlog)) = pending.requests.get_mut(&request)
            && backlog.shrink() == Some(Pace::Release)
        {
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

    fn fail(&self, request: RequestId, error: GenerateError) {
        if let Some(listener) = self.forget(request) {
            listener.fail(error);
        }
    }

    fn fail_all(&self, error: &GenerateError) {
        for (_, listener) in self.pending().take().into_iter().flat_map(|pending| pending.requests) {
            listener.fail(error.clone());
        }
    }

    /// Fails a request that is too long for a frame.
    fn refuse(&self, message: &ToWorker, bytes: usize) {
        match message {
            ToWorker::Generate(request, _)
            | ToWorker::Resume(request, ..)
            | ToWorker::Render(request, _)
            | ToWorker::Detokenize(request, _) => {
                self.fail(*request, GenerateError::TooLarge { bytes: bytes as u64 });
            }
            // Only one input alone is so long.
            ToWorker::Embed(request, _) => self.fail(*request, GenerateError::InputTooLong),
            ToWorker::Load(_)
            | ToWorker::Quantize(_)
            | ToWorker::Media(..)
            | ToWorker::Hold(_)
            | ToWorker::Release(_)
            | ToWorker::Cancel(_) => {}
        }
    }

    /// Since when somebody has waited for an answer, if anybody does: whose answer is held waits for nothing.
    fn awaited_since(&self) -> Option<Instant> {
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

/// A loaded worker; [`Serving::run`] must be driven for it to answer.
pub(crate) struct Serving {
    pub(crate) link: Arc<Link>,
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    outgoing: UnboundedReceiver<ToWorker>,
    process: Option<Child>,
}

/// Why a worker did not come to serve.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) reason: String,
    /// Its process ended without a word, or said nothing for too long.
    pub(crate) crashed: bool,
}

impl From<String> for Failure {
    fn from(reason: String) -> Self {
        Self { reason, crashed: false }
    }
}

/// Sends the load and waits for its end; `Err` says why there is none. `patience` is how long the worker may be silent.
pub(crate) async fn load(
    connection: Connection,
    options: LoadOptions,
    patience: Duration,
) -> Result<(Serving, ModelFacts), Failure> {
    let gone = |error: io::Error| format!("the worker's socket failed: {error}");
    connection.socket.set_nonblocking(true).map_err(gone)?;
    let (reader, mut writer) = UnixStream::from_std(connection.socket).map_err(gone)?.into_split();
    let mut reader = BufReader::new(reader);
    let hello = frame::encode(&ToWorker::Load(options)).map_err(|error| error.to_string())?;
    writer.write_all(&hello).await.map_err(gone)?;
    let crashed = |reason| Failure { reason, crashed: true };
    loop {
        let news = tokio::time::timeout(patience, read(&mut reader)).await;
        match news.map_err(|_| {
            crashed(format!("timed out waiting for the worker, it said nothing for {patience:?}"))
        })? {
            Ok(Some(FromWorker::Loading(_))) => {}
            Ok(Some(FromWorker::Loaded(facts))) => {
                let (sender, outgoing) = unbounded_channel();
                let link = Arc::new(Link {
                    context_tokens: facts.context_tokens,
                    outgoing: sender,
                    pending: Mutex::new(Some(Pending::none())),
                    next: AtomicU64::new(1),
                    stop: CancellationToken::new(),
                });
                return Ok((Serving { link, reader, writer, outgoing, process: connection.process }, facts));
            }
            Ok(Some(FromWorker::LoadFailed { reason })) => return Err(reason.into()),
            Ok(Some(_)) => return Err("the worker answered before it had loaded".to_owned().into()),
            Ok(None) | Err(_) => return Err(crashed(last_words(connection.process).await)),
        }
    }
}

/// Has the worker pack its model, and waits until it has. `progress` hears values from 0 to 1.
pub(crate) async fn quantize(
    connection: Connection,
    to: Quantization,
    patience: Duration,
    progress: &mut (dyn FnMut(f32) + Send),
) -> Result<(), String> {
    let gone = |error: io::Error| format!("the worker's socket failed: {error}");
    connection.socket.set_nonblocking(true).map_err(gone)?;
    let (reader, mut writer) = UnixStream::from_std(connection.socket).map_err(gone)?.into_split();
    let mut reader = BufReader::new(reader);
    let job = frame::encode(&ToWorker::Quantize(to)).map_err(|error| error.to_string())?;
    writer.write_all(&job).await.map_err(gone)?;
    loop {
        let news = tokio::time::timeout(patience, read(&mut reader)).await;
        match news.map_err(|_| format!("the worker said nothing for {patience:?}"))? {
            Ok(Some(FromWorker::Loading(part))) => progress(part),
            Ok(Some(FromWorker::Quantized)) => return Ok(()),
            Ok(Some(FromWorker::LoadFailed { reason })) => return Err(reason),
            Ok(Some(_)) => return Err("the worker answered something else".into()),
            Ok(None) | Err(_) => return Err(last_words(connection.process).await),
        }
    }
}

async fn last_words(process: Option<Child>) -> String {
    let Some(mut process) = process else { return "the worker hung up".into() };
    match tokio::time::timeout(Duration::from_secs(5), process.wait()).await {
        Ok(Ok(status)) => format!("the worker process has terminated: {status}; its log says more"),
        _ => "the worker hung up".into(),
    }
}

/// How long a worker that is told to go may take.
const FAREWELL: Duration = Duration::from_secs(3);

impl Serving {
    /// Carries frames both ways until the worker ends or is stopped. Then `note` is told how, and what still waits is
    /// failed, in this order: whoever asks again finds it noted.
    pub(crate) async fn run(mut self, stuck_after: Duration, note: impl FnOnce(&Ended)) {
        let mut ended = self.carry(stuck_after).await;
        let Self { link, reader, writer, mut process, .. } = self;
        drop((reader, writer));
        if let Ended::Died(how) = &mut ended
            && let Some(status) = farewell(&mut process).await
        {
            *how = format!("its process ended: {status}");
        }
        note(&ended);
        link.fail_all(match ended {
            Ended::Stuck => &GenerateError::WorkerStuck,
            Ended::Died(_) | Ended::Stopped => &GenerateError::WorkerDied,
        });
        if ended == Ended::Stopped {
            farewell(&mut process).await;
        }
        if let Some(process) = &mut process {
            // Already dead is as good.
            let _killed = process.kill().await;
        }
    }

    /// Until the worker ends, is stopped, or is found stuck: it has requests and said nothing for `stuck_after`.
    async fn carry(&mut self, stuck_after: Duration) -> Ended {
        let Self { link, reader, writer, outgoing, .. } = self;
        let incoming = async {
            loop {
                match heard(reader, link, stuck_after).await {
                    Some(Ok(Some(said))) => {
                        if !link.take_in(said) {
                            return Ended::Died("it said what only a loading worker says".into());
                        }
                    }
                    Some(Ok(None)) => return Ended::Died("it hung up".into()),
                    Some(Err(error)) => return Ended::Died(error.to_string()),
                    None => return Ended::Stuck,
                }
            }
        };
        let sending = async {
            while let Some(message) = outgoing.recv().await {
                match frame::encode(&message) {
                    Ok(bytes) if writer.write_all(&bytes).await.is_err() => break,
                    Ok(_) => {}
                    Err(FrameError::TooLong(bytes)) => link.refuse(&message, bytes),
                    Err(error) => return Ended::Died(error.to_string()),
                }
            }
            // The reader sees the end as well, and knows what was said before it.
            std::future::pending().await
        };
        tokio::select! {
            ended = incoming => ended,
            ended = sending => ended,
            () = link.stop.cancelled() => Ended::Stopped,
        }
    }
}

/// Waits a little for a process that sees that nobody listens, and puts away what it has computed.
async fn farewell(process: &mut Option<Child>) -> Option<ExitStatus> {
    tokio::time::timeout(FAREWELL, process.as_mut()?.wait()).await.ok()?.ok()
}

/// How a worker came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It was told to go.
    Stopped,
    /// It went by itself: how.
    Died(String),
    /// It had to be killed.
    Stuck,
}

impl Ended {
    /// What happened, if that was a crash.
    pub(crate) fn crash(&self) -> Option<&str> {
        match self {
            Self::Stopped => None,
            Self::Died(how) => Some(how),
            Self::Stuck => Some("its process did not respond any more"),
        }
    }
}

/// The next that the worker says; `None` if somebody waits and it says nothing for so long.
async fn heard(
    reader: &mut BufReader<OwnedReadHalf>,
    link: &Link,
    stuck_after: Duration,
) -> Option<Result<Option<FromWorker>, FrameError>> {
    let mut reading = std::pin::pin!(read(reader));
    let mut silent_since = Instant::now();
    loop {
        match tokio::time::timeout_at(silent_since + stuck_after, &mut reading).await {
            Ok(said) => return Some(said),
            Err(_) => match link.awaited_since() {
                Some(since) if since <= silent_since => return None,
                // While nobody waited, it had nothing to say.
                since => silent_since = since.unwrap_or_else(Instant::now),
            },
        }
    }
}

async fn read(socket: &mut BufReader<OwnedReadHalf>) -> Result<Option<FromWorker>, FrameError> {
    let mut prefix = [0; 4];
    match socket.read_exact(&mut prefix).await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other.map_err(FrameError::Io)?,
    };
    let mut body = vec![0; frame::decode_length(prefix)?];
    socket.read_exact(&mut body).await.map_err(FrameError::Io)?;
    frame::decode(&body).map(Some)
}
