//! One blob on its way into the store: parts side by side, each gone on with after a cut, hashed while they arrive. Pulls
//! that want the same blob share one download, which ends when nobody wants it any more.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use reqwest::header::{CONTENT_RANGE, HeaderValue, RANGE};
use reqwest::{Method, Response, StatusCode};
use store::{BlobRef, Digest, HeldBlob, ModelName, Part, PartWriter, Partial, Store, StoreError};
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet, spawn_blocking};
use tokio_util::task::TaskTracker;

use crate::retry::Tries;
use crate::session::{Request, Session};
use crate::{Registry, RegistryError};

/// A blob that is arriving. Whoever wants it keeps this; when nobody does, it ends.
#[derive(Debug)]
pub(crate) struct Download {
    pub(crate) digest: Digest,
    pub(crate) total: u64,
    completed: Arc<AtomicU64>,
    outcome: watch::Receiver<Option<Outcome>>,
    task: Option<AbortHandle>,
}

type Outcome = Result<Arc<HeldBlob>, Arc<RegistryError>>;

impl Drop for Download {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Download {
    /// One that has nothing left to do.
    fn done(held: HeldBlob) -> Self {
        let (digest, total) = (held.digest(), held.bytes());
        let outcome = watch::channel(Some(Ok(Arc::new(held)))).1;
        Self { digest, total, completed: Arc::new(AtomicU64::new(total)), outcome, task: None }
    }

    /// Bytes that are there.
    pub(crate) fn completed(&self) -> u64 {
        self.completed.load(Ordering::Relaxed)
    }

    /// Waits until all of it is there and is what it should be.
    pub(crate) async fn finished(&self) -> Outcome {
        let mut outcome = self.outcome.clone();
        match outcome.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone().unwrap_or_else(|| Err(Arc::new(RegistryError::Lost(self.digest)))),
            Err(_) => Err(Arc::new(RegistryError::Lost(self.digest))),
        }
    }
}

impl Registry {
    /// The download of a blob: one that is under way already, or a new one, for which the room is taken before this
    /// returns.
    pub(crate) async fn download(
        &self,
        session: &Arc<Session>,
        blob: &BlobRef,
        model: &ModelName,
    ) -> Result<Arc<Download>, RegistryError> {
        let partial = match self.begin(blob, model).await? {
            Begun::Running(download) => return Ok(download),
            Begun::New(partial) => partial,
            Begun::Here(held) => return Ok(Arc::new(Download::done(held))),
        };
        let (sender, outcome) = watch::channel(None);
        let completed = Arc::new(AtomicU64::new(partial.completed_bytes()));
        let fetch = Fetch {
            registry: self.clone(),
            session: Arc::clone(session),
            digest: blob.digest,
            completed: Arc::clone(&completed),
            writing: TaskTracker::new(),
        };
        let task = tokio::spawn(async move {
            let outcome = fetch.run(partial).await.map(Arc::new).map_err(Arc::new);
            // Kept by the channel, and so held, as long as somebody wants it.
            sender.send_replace(Some(outcome));
        });
        let task = Some(task.abort_handle());
        let download = Arc::new(Download { digest: blob.digest, total: blob.size, completed, outcome, task });
        let mut downloads = self.downloads.lock().unwrap_or_else(PoisonError::into_inner);
        downloads.retain(|_, download| download.strong_count() > 0);
        downloads.insert(blob.digest, Arc::downgrade(&download));
        Ok(download)
    }

    /// One that has not failed.
    fn running(&self, digest: &Digest) -> Option<Arc<Download>> {
        let download =
            self.downloads.lock().unwrap_or_else(PoisonError::into_inner).get(digest)?.upgrade()?;
        let failed = matches!(*download.outcome.borrow(), Some(Err(_)));
        (!failed).then_some(download)
    }

    /// A download that was just given up may still be writing its last bytes.
    async fn begin(&self, blob: &BlobRef, model: &ModelName) -> Result<Begun, RegistryError> {
        let mut tries = 0;
        loop {
            if let Some(running) = self.running(&blob.digest) {
                return Ok(Begun::Running(running));
            }
            let (store, digest, bytes, model) = (self.store.clone(), blob.digest, blob.size, model.clone());
            match spawn_blocking(move || store.begin_partial(&digest, bytes, &model)).await? {
                Err(StoreError::Busy(_)) if tries < BUSY_TRIES => tries += 1,
                other => {
                    let partial = other?;
                    // It may have come while we waited for our turn.
                    let Some(held) = held(&self.store, blob).await? else { return Ok(Begun::New(partial)) };
                    spawn_blocking(move || partial.discard()).await??;
                    return Ok(Begun::Here(held));
                }
            }
            tokio::time::sleep_until(tokio::time::Instant::now() + BUSY_PAUSE).await;
        }
    }
}

enum Begun {
    New(Partial),
    Running(Arc<Download>),
    Here(HeldBlob),
}

const BUSY_TRIES: u32 = 50;
const BUSY_PAUSE: Duration = Duration::from_millis(100);

/// Pieces of a part that wait for the disk at most; the socket waits beyond.
const PIECES_IN_FLIGHT: usize = 16;

/// One download's work.
#[derive(Clone)]
struct Fetch {
    registry: Registry,
    session: Arc<Session>,
    digest: Digest,
    completed: Arc<AtomicU64>,
    /// The threads that write parts.
    writing: TaskTracker,
}

impl Fetch {
    async fn run(self, partial: Partial) -> Result<HeldBlob, RegistryError> {
        // Each takes a thread that may block until its last byte, and there are not as many as a manifest has layers.
        let _turn = self.registry.turns.acquire().await;
        let follower = partial.follower();
        let hashing = spawn_blocking(move || follower.digest());
        let hashing = match self.parts(&partial).await {
            Err(RegistryError::NoParts) => {
                self.whole(&partial).await?;
                // What the first one has read may have been written over since.
                let follower = partial.follower();
                spawn_blocking(move || follower.digest())
            }
            other => other.map(|()| hashing)?,
        };
        // All parts are there, so it has an end.
        let found = hashing.await??.ok_or(RegistryError::Lost(self.digest))?;
        Ok(spawn_blocking(move || partial.finish(found)).await??)
    }

    /// All parts, in their order, as many at once as there are connections. Nobody writes to them once this returns.
    async fn parts(&self, partial: &Partial) -> Result<(), RegistryError> {
        let mut running = JoinSet::new();
        let outcome = self.parts_side_by_side(partial, &mut running).await;
        running.shutdown().await;
        self.written().await;
        outcome
    }

    /// Waits for the threads that write; their ends of the channels are closed.
    async fn written(&self) {
        self.writing.close();
        self.writing.wait().await;
        self.writing.reopen();
    }

    async fn parts_side_by_side(
        &self,
        partial: &Partial,
        running: &mut JoinSet<Result<(), RegistryError>>,
    ) -> Result<(), RegistryError> {
        for part in partial.parts().into_iter().filter(|part| part.completed < part.size) {
            let place = loop {
                tokio::select! {
                    place = Arc::clone(&self.registry.connections).acquire_owned() => break place,
                    Some(ended) = running.join_next() => ended??,
                }
            };
            let (fetch, writer) = (self.clone(), partial.writer(part.number)?);
            running.spawn(async move {
                let _place = place;
                fetch.part(part, writer).await
            });
        }
        while let Some(ended) = running.join_next().await {
            ended??;
        }
        Ok(())
    }

    /// One part, with as many connections one after the other as it takes.
    async fn part(&self, part: Part, writer: PartWriter) -> Result<(), RegistryError> {
        let mut queue = PartQueue::new(writer, &self.writing);
        let mut position = part.offset + part.completed;
        let end = part.offset + part.size;
        let mut tries = Tries::default();
        while position < end {
            let before = position;
            let outcome = match self.request(position, end, part.size).await {
                Ok(response) => self.receive(response, &mut position, end, &mut queue).await,
                Err(error) => Err(error),
            };
            if position > before {
                tries.succeeded();
            }
            match outcome {
                Ok(()) if position > before => {}
                // Asked for again, it would be as empty again.
                Ok(()) => return Err(RegistryError::WrongLength(self.digest)),
                Err(error) => tries.pause(error).await?,
            }
        }
        queue.close().await
    }

    async fn request(&self, from: u64, to: u64, part_bytes: u64) -> Result<Response, RegistryError> {
        let mut request = Request::new(Method::GET, self.session.blob_url(&self.digest));
        let range = HeaderValue::from_str(&format!("bytes={from}-{}", to - 1));
        request.headers.insert(RANGE, range.map_err(|_| RegistryError::Malformed("range"))?);
        let response = self.session.send(request).await.map_err(|error| self.about_blob(error))?;
        match response.status() {
            StatusCode::PARTIAL_CONTENT if starts_at(&response, from) => Ok(response),
            StatusCode::PARTIAL_CONTENT => Err(RegistryError::Malformed("range")),
            // All of it, where all of it is what was wanted.
            StatusCode::OK if from == 0 && to == part_bytes && response.content_length() == Some(to) => {
                Ok(response)
            }
            _ => Err(RegistryError::NoParts),
        }
    }

    fn about_blob(&self, error: RegistryError) -> RegistryError {
        match error {
            RegistryError::Refused { status: StatusCode::NOT_FOUND, .. } => {
                RegistryError::UnknownBlob(self.digest)
            }
            RegistryError::Refused { status: StatusCode::RANGE_NOT_SATISFIABLE, .. } => {
                RegistryError::WrongLength(self.digest)
            }
            other => other,
        }
    }

    /// What of one answer is wanted. A connection that breaks is an error, after what came before is on its way to the disk.
    async fn receive(
        &self,
        mut response: Response,
        position: &mut u64,
        end: u64,
        queue: &mut PartQueue,
    ) -> Result<(), RegistryError> {
        while let Some(piece) = response.chunk().await? {
            let count = piece.len() as u64;
            if count > end - *position {
                return Err(RegistryError::WrongLength(self.digest));
            }
            self.registry.pace.wait(piece.len()).await;
            queue.write(piece).await?;
            *position += count;
            self.completed.fetch_add(count, Ordering::Relaxed);
        }
        Ok(())
    }

    /// The whole blob over one connection, for a registry that knows no parts. What was there is fetched again.
    async fn whole(&self, partial: &Partial) -> Result<(), RegistryError> {
        let _place = self.registry.connections.acquire().await;
        let mut tries = Tries::default();
        loop {
            self.written().await;
            partial.start_over();
            self.completed.store(0, Ordering::Relaxed);
            match self.whole_once(partial).await {
                Ok(()) => return Ok(()),
                Err(error) => tries.pause(error).await?,
            }
        }
    }

    async fn whole_once(&self, partial: &Partial) -> Result<(), RegistryError> {
        let request = Request::new(Method::GET, self.session.blob_url(&self.digest));
        let mut response = self.session.send(request).await.map_err(|error| self.about_blob(error))?;
        if response.content_length().is_some_and(|length| length != partial.bytes()) {
            return Err(RegistryError::WrongLength(self.digest));
        }
        let mut rest = bytes::Bytes::new();
        for part in partial.parts() {
            let mut queue = PartQueue::new(partial.writer(part.number)?, &self.writing);
            let mut lacking = part.size;
            while lacking > 0 {
                if rest.is_empty() {
                    rest = response.chunk().await?.ok_or(RegistryError::WrongLength(self.digest))?;
                    self.registry.pace.wait(rest.len()).await;
                }
                let count = usize::try_from(lacking).map_or(rest.len(), |lacking| lacking.min(rest.len()));
                let piece = rest.split_to(count);
                lacking -= count as u64;
                self.completed.fetch_add(count as u64, Ordering::Relaxed);
                queue.write(piece).await?;
            }
            queue.close().await?;
        }
        if rest.is_empty() && response.chunk().await?.is_none() {
            return Ok(());
        }
        Err(RegistryError::WrongLength(self.digest))
    }
}

/// Whether `Content-Range` says what was asked for; a registry that says nothing is believed, the hash tells.
fn starts_at(response: &Response, from: u64) -> bool {
    let Some(range) = response.headers().get(CONTENT_RANGE) else { return true };
    let range = range.to_str().unwrap_or_default();
    range
        .strip_prefix("bytes ")
        .and_then(|range| range.split_once('-'))
        .and_then(|(start, _)| start.parse().ok())
        == Some(from)
}

/// A part's way to the disk, on a thread that may block.
struct PartQueue {
    pieces: mpsc::Sender<bytes::Bytes>,
    writing: Option<tokio::task::JoinHandle<Result<(), StoreError>>>,
}

impl PartQueue {
    fn new(mut writer: PartWriter, threads: &TaskTracker) -> Self {
        let (pieces, mut arriving) = mpsc::channel::<bytes::Bytes>(PIECES_IN_FLIGHT);
        let writing = threads.spawn_blocking(move || {
            while let Some(piece) = arriving.blocking_recv() {
                writer.write(&piece)?;
            }
            Ok(())
        });
        Self { pieces, writing: Some(writing) }
    }

    /// Returns once there is room for the piece on its way; what becomes of it, a later call tells.
    async fn write(&mut self, piece: bytes::Bytes) -> Result<(), RegistryError> {
        match self.pieces.send(piece).await {
            Ok(()) => Ok(()),
            Err(_) => self.written().await,
        }
    }

    /// Waits until all is written.
    async fn close(mut self) -> Result<(), RegistryError> {
        self.pieces = mpsc::channel(1).0;
        self.written().await
    }

    async fn written(&mut self) -> Result<(), RegistryError> {
        match self.writing.take() {
            Some(writing) => Ok(writing.await??),
            None => Ok(()),
        }
    }
}

/// For pulls: whether a blob is there already, whole.
pub(crate) async fn held(store: &Store, blob: &BlobRef) -> Result<Option<HeldBlob>, RegistryError> {
    let (store, digest, size) = (store.clone(), blob.digest, blob.size);
    let held = spawn_blocking(move || store.hold(&digest)).await??;
    Ok(held.filter(|held| held.bytes() == size))
}
