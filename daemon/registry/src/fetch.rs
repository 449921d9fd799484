//! The bytes of one blob: parts side by side, each from whoever has it and taken over by another if that one fails, hashed while
//! they arrive. Paired boxes that have the blob are asked first, then the registry. They are given no credit: if the whole does
//! not hash to its name, it is fetched again from one place alone.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use reqwest::header::{CONTENT_RANGE, HeaderValue, RANGE};
use reqwest::{Method, Response, StatusCode};
use store::{Digest, HeldBlob, Part, PartWriter, Partial, StoreError};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::ledger::{Evidence, Ledger};
use crate::part_queue::PartQueue;
use crate::reads::{Flow, next_piece};
use crate::retry::Tries;
use crate::session::{Request, Session};
use crate::suppliers::{Supplier, Suppliers};
use crate::{Registry, RegistryError};

/// One download's work.
#[derive(Clone)]
pub(crate) struct Fetch {
    pub(crate) registry: Registry,
    /// The registry, unless the manifest is a paired box's.
    pub(crate) session: Option<Arc<Session>>,
    pub(crate) suppliers: Arc<Suppliers>,
    pub(crate) digest: Digest,
    pub(crate) total: u64,
    pub(crate) completed: Arc<AtomicU64>,
    pub(crate) ledger: Arc<Ledger>,
    /// The threads that write parts.
    pub(crate) writing: TaskTracker,
}

/// Who may be asked.
#[derive(Clone)]
enum Among {
    /// Whoever has it, the registry last.
    All,
    Registry(Arc<Session>),
    One(Arc<Supplier>),
}

/// Who is asked.
enum Source {
    Registry(Arc<Session>),
    Peer(Arc<Supplier>),
}

/// What is left to come of a part.
struct Remaining<'a> {
    position: u64,
    end: u64,
    part: Part,
    queue: &'a mut PartQueue,
}

impl Fetch {
    pub(crate) async fn run(self, partial: Partial) -> Result<HeldBlob, RegistryError> {
        // Each takes a thread that may block until its last byte, and there are not as many as a manifest has layers.
        let _turn = self.registry.turns.acquire().await;
        self.suppliers.settled(&self.digest).await;
        // What was there before may have come from anybody.
        let doubtful = partial.completed_bytes() > 0;
        let found = self.once(&partial, &Among::All).await?;
        if found == self.digest || (self.ledger.is_empty() && !doubtful) {
            return Ok(spawn_blocking(move || partial.finish(found)).await??);
        }
        self.again(partial, found).await
    }

    /// All of it, and what it hashes to.
    async fn once(&self, partial: &Partial, among: &Among) -> Result<Digest, RegistryError> {
        let follower = partial.follower();
        let hashing = spawn_blocking(move || follower.digest());
        let hashing = match self.parts(partial, among).await {
            Err(RegistryError::NoParts) => {
                self.whole(partial).await?;
                // The first one ended when it was begun anew.
                let follower = partial.follower();
                spawn_blocking(move || follower.digest())
            }
            other => other.map(|()| hashing)?,
        };
        // All parts are there, so it has an end.
        hashing.await??.ok_or(RegistryError::Lost(self.digest))
    }

    /// Somebody sent wrong bytes. All of it once more, from one place after the other until it is right; who was wrong is told
    /// then by what is right.
    async fn again(&self, partial: Partial, mut found: Digest) -> Result<HeldBlob, RegistryError> {
        tracing::warn!(digest = %self.digest, "what arrived is not what was named, and is fetched again");
        let partial = Arc::new(partial);
        let (ledger, seen) = (Arc::clone(&self.ledger), Arc::clone(&partial));
        let evidence = spawn_blocking(move || ledger.seize(&seen)).await??;
        let mut alone: Vec<Among> = self.session.iter().cloned().map(Among::Registry).collect();
        if alone.is_empty() {
            alone.extend(self.suppliers.having(&self.digest).into_iter().map(Among::One));
        }
        let mut outcome = Ok(());
        for among in alone {
            self.written().await;
            partial.start_over();
            self.completed.store(0, Ordering::Relaxed);
            match self.once(&partial, &among).await {
                Ok(right) if right == self.digest => {
                    let held = finished(partial, right).await?;
                    return self.blame(evidence, held).await;
                }
                Ok(wrong) => {
                    found = wrong;
                    if let Among::One(supplier) = &among {
                        accuse(supplier, &self.digest);
                    }
                }
                Err(error) => outcome = Err(error),
            }
        }
        // Some of it may be anybody's, so none of it is gone on with.
        let discarded = finished(partial, found).await;
        outcome.and(discarded)
    }

    async fn blame(&self, evidence: Evidence, held: HeldBlob) -> Result<HeldBlob, RegistryError> {
        let compared = spawn_blocking(move || (evidence.against(&held), held)).await?;
        let (liars, held) = compared;
        liars?.iter().for_each(|supplier| accuse(supplier, &self.digest));
        Ok(held)
    }

    /// All parts, in their order, as many at once as there are connections. Nobody writes to them once this returns.
    async fn parts(&self, partial: &Partial, among: &Among) -> Result<(), RegistryError> {
        let mut running = JoinSet::new();
        let outcome = self.parts_side_by_side(partial, among, &mut running).await;
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
        among: &Among,
        running: &mut JoinSet<Result<(), RegistryError>>,
    ) -> Result<(), RegistryError> {
        for part in partial.parts().into_iter().filter(|part| part.completed < part.size) {
            let place = loop {
                tokio::select! {
                    place = Arc::clone(&self.registry.connections).acquire_owned() => break place,
                    Some(ended) = running.join_next() => ended??,
                }
            };
            let (fetch, among, writer) = (self.clone(), among.clone(), partial.writer(part.number)?);
            running.spawn(async move {
                let _place = place;
                fetch.part(part, writer, &among).await
            });
        }
        while let Some(ended) = running.join_next().await {
            ended??;
        }
        Ok(())
    }

    /// One part, with as many connections one after the other as it takes, to whoever is the best to ask then.
    async fn part(&self, part: Part, writer: PartWriter, among: &Among) -> Result<(), RegistryError> {
        let mut queue = PartQueue::new(writer, &self.writing);
        let (position, end) = (part.offset + part.completed, part.offset + part.size);
        let mut left = Remaining { position, end, part, queue: &mut queue };
        let mut tries = Tries::default();
        while left.position < left.end {
            let before = left.position;
            let outcome = match self.source(among)? {
                Source::Registry(session) => self.part_of_registry(&session, &mut left).await,
                Source::Peer(supplier) => {
                    let _running = supplier.begin().await;
                    // It may have failed others while this one waited for its turn.
                    if !supplier.is_good(Instant::now()) && self.has_another(among) {
                        continue;
                    }
                    self.part_of_peer(&supplier, &mut left).await
                }
            };
            if left.position > before {
                tries.succeeded();
            }
            match outcome {
                Ok(()) if left.position > before => {}
                // Asked for again, it would be as empty again.
                Ok(()) => return Err(RegistryError::WrongLength(self.digest)),
                Err(RegistryError::Peer { .. }) if self.has_another(among) => {}
                Err(error) if matches!(among, Among::All) => self.before_another(error, &mut tries).await?,
                Err(error) => tries.pause(error).await?,
            }
        }
        queue.close().await
    }

    fn source(&self, among: &Among) -> Result<Source, RegistryError> {
        let resting = || self.suppliers.choose_resting(&self.digest).map(Source::Peer);
        match among {
            Among::Registry(session) => Ok(Source::Registry(Arc::clone(session))),
            Among::One(supplier) => Ok(Source::Peer(Arc::clone(supplier))),
            Among::All => self.good().or_else(resting).ok_or(RegistryError::NoSource(self.digest)),
        }
    }

    /// Whoever has not failed of late, or else the registry.
    fn good(&self) -> Option<Source> {
        let peer = self.suppliers.choose(&self.digest).map(Source::Peer);
        peer.or_else(|| self.session.clone().map(Source::Registry))
    }

    /// Whether a part can be taken over by somebody else, now that one has failed.
    fn has_another(&self, among: &Among) -> bool {
        matches!(among, Among::All) && self.good().is_some()
    }

    /// Waits for whoever is next, or gives up.
    async fn before_another(&self, error: RegistryError, tries: &mut Tries) -> Result<(), RegistryError> {
        match self.suppliers.rest_left(&self.digest) {
            // This box is out for good, which says nothing of those that rest.
            Some(rest) if matches!(error, RegistryError::Peer { .. }) && !error.is_transient() => {
                tries.rest(error, rest).await
            }
            _ => tries.pause(error).await,
        }
    }

    async fn part_of_peer(
        &self,
        supplier: &Arc<Supplier>,
        left: &mut Remaining<'_>,
    ) -> Result<(), RegistryError> {
        let before = left.position;
        let outcome = self.read_peer(supplier, left).await;
        self.ledger.note(supplier, before..left.position);
        if left.position > before {
            supplier.succeeded();
        }
        let error = match outcome {
            Ok(()) => return Ok(()),
            // Ours to say, not its.
            Err(error @ (RegistryError::Store(_) | RegistryError::Task(_))) => return Err(error),
            Err(error) => error,
        };
        match &error {
            RegistryError::UnknownBlob(digest) => self.suppliers.lacks(digest, supplier),
            error => supplier.failed(error),
        }
        Err(RegistryError::Peer { name: supplier.name().clone(), source: Box::new(error) })
    }

    async fn read_peer(&self, supplier: &Supplier, left: &mut Remaining<'_>) -> Result<(), RegistryError> {
        let wanted = left.position..left.end;
        let mut response = supplier.peer.part(&self.digest, &wanted, self.total).await?;
        let mut flow = Flow::begin();
        while let Some(piece) = next_piece(&mut response).await? {
            self.ledger.names(supplier.name());
            let came = piece.len();
            self.take(piece, left).await?;
            flow.note(came)?;
        }
        if left.position < left.end { Err(RegistryError::Cut) } else { Ok(()) }
    }

    async fn part_of_registry(
        &self,
        session: &Session,
        left: &mut Remaining<'_>,
    ) -> Result<(), RegistryError> {
        let mut response = self.request(session, left.position..left.end, left.part.size).await?;
        // A connection that breaks is an error, after what came before is on its way to the disk.
        while let Some(piece) = response.chunk().await? {
            self.registry.pace.wait(piece.len()).await;
            self.take(piece, left).await?;
        }
        Ok(())
    }

    async fn take(&self, piece: Bytes, left: &mut Remaining<'_>) -> Result<(), RegistryError> {
        let count = piece.len() as u64;
        if count > left.end - left.position {
            return Err(RegistryError::WrongLength(self.digest));
        }
        left.queue.write(piece).await?;
        left.position += count;
        self.completed.fetch_add(count, Ordering::Relaxed);
        Ok(())
    }

    async fn request(
        &self,
        session: &Session,
        bytes: Range<u64>,
        part_bytes: u64,
    ) -> Result<Response, RegistryError> {
        let mut request = Request::new(Method::GET, session.blob_url(&self.digest));
        let range = HeaderValue::from_str(&format!("bytes={}-{}", bytes.start, bytes.end - 1));
        request.headers.insert(RANGE, range.map_err(|_| RegistryError::Malformed("range"))?);
        let response = session.send(request).await.map_err(|error| self.about_blob(error))?;
        match response.status() {
            StatusCode::PARTIAL_CONTENT if starts_at(&response, bytes.start) => Ok(response),
            StatusCode::PARTIAL_CONTENT => Err(RegistryError::Malformed("range")),
            // All of it, where all of it is what was wanted.
            StatusCode::OK if bytes == (0..part_bytes) && response.content_length() == Some(part_bytes) => {
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

    /// The whole blob over one connection, from a registry that knows no parts. What was there is fetched again.
    async fn whole(&self, partial: &Partial) -> Result<(), RegistryError> {
        let session = self.session.as_ref().ok_or(RegistryError::NoParts)?;
        let _place = self.registry.connections.acquire().await;
        let mut tries = Tries::default();
        loop {
            self.written().await;
            partial.start_over();
            self.ledger.forget();
            self.completed.store(0, Ordering::Relaxed);
            match self.whole_once(session, partial).await {
                Ok(()) => return Ok(()),
                Err(error) => tries.pause(error).await?,
            }
        }
    }

    async fn whole_once(&self, session: &Session, partial: &Partial) -> Result<(), RegistryError> {
        let request = Request::new(Method::GET, session.blob_url(&self.digest));
        let mut response = session.send(request).await.map_err(|error| self.about_blob(error))?;
        if response.content_length().is_some_and(|length| length != partial.bytes()) {
            return Err(RegistryError::WrongLength(self.digest));
        }
        let mut rest = Bytes::new();
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

/// Gives a download its name, or discards it, if that is not its.
async fn finished(partial: Arc<Partial>, found: Digest) -> Result<HeldBlob, RegistryError> {
    let partial = Arc::into_inner(partial).ok_or(StoreError::Busy(found))?;
    Ok(spawn_blocking(move || partial.finish(found)).await??)
}

fn accuse(supplier: &Supplier, digest: &Digest) {
    tracing::warn!(
        peer = %supplier.name(), %digest,
        "a paired box sent other bytes than those that were asked for; it is not asked again in this pull"
    );
    supplier.lied();
}
