//! One blob on its way into the store. Pulls that want the same blob share one download, which ends when nobody wants it any
//! more. Where its bytes come from is `fetch`'s.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use identity::pairing::BoxName;
use store::{BlobRef, Digest, HeldBlob, ModelName, Partial, Store, StoreError};
use tokio::sync::watch;
use tokio::task::{AbortHandle, spawn_blocking};
use tokio_util::task::TaskTracker;

use crate::fetch::Fetch;
use crate::ledger::Ledger;
use crate::session::Session;
use crate::suppliers::Suppliers;
use crate::{Registry, RegistryError};

/// A blob that is arriving. Whoever wants it keeps this; when nobody does, it ends.
#[derive(Debug)]
pub(crate) struct Download {
    pub(crate) digest: Digest,
    pub(crate) total: u64,
    completed: Arc<AtomicU64>,
    ledger: Arc<Ledger>,
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
        Self {
            digest,
            total,
            completed: Arc::new(AtomicU64::new(total)),
            ledger: Arc::default(),
            outcome,
            task: None,
        }
    }

    /// Bytes that are there.
    pub(crate) fn completed(&self) -> u64 {
        self.completed.load(Ordering::Relaxed)
    }

    /// Paired boxes that some of it came from.
    pub(crate) fn from(&self) -> Vec<BoxName> {
        self.ledger.all_names()
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

/// Where a pull's blobs come from.
pub(crate) struct Origin {
    /// The registry, unless the manifest is a paired box's.
    pub(crate) session: Option<Arc<Session>>,
    /// What is noted of that, for whoever goes on with it.
    pub(crate) noted: Option<String>,
    pub(crate) suppliers: Arc<Suppliers>,
}

impl Registry {
    /// The download of a blob: one that is under way already, or a new one, for which the room is taken before this
    /// returns.
    pub(crate) async fn download(
        &self,
        origin: &Origin,
        blob: &BlobRef,
        model: &ModelName,
    ) -> Result<Arc<Download>, RegistryError> {
        let partial = match self.begin(blob, model, origin.noted.as_deref()).await? {
            Begun::Running(download) => return Ok(download),
            Begun::New(partial) => partial,
            Begun::Here(held) => return Ok(Arc::new(Download::done(held))),
        };
        let (sender, outcome) = watch::channel(None);
        let completed = Arc::new(AtomicU64::new(partial.completed_bytes()));
        let ledger = Arc::<Ledger>::default();
        let fetch = Fetch {
            registry: self.clone(),
            session: origin.session.clone(),
            suppliers: Arc::clone(&origin.suppliers),
            digest: blob.digest,
            total: blob.size,
            completed: Arc::clone(&completed),
            ledger: Arc::clone(&ledger),
            writing: TaskTracker::new(),
        };
        let task = tokio::spawn(async move {
            let outcome = fetch.run(partial).await.map(Arc::new).map_err(Arc::new);
            // Kept by the channel, and so held, as long as somebody wants it.
            sender.send_replace(Some(outcome));
        });
        let task = Some(task.abort_handle());
        let download =
            Arc::new(Download { digest: blob.digest, total: blob.size, completed, ledger, outcome, task });
        let mut downloads = self.downloads.lock().unwrap_or_else(PoisonError::into_inner);
        downloads.retain(|_, download| download.strong_count() > 0);
        downloads.insert(blob.digest, Arc::downgrade(&download));
        Ok(download)
    }

    /// Blobs that are arriving.
    pub(crate) fn arriving(&self) -> HashSet<Digest> {
        let downloads = self.downloads.lock().unwrap_or_else(PoisonError::into_inner);
        let arriving = downloads.iter().filter(|(_, download)| download.strong_count() > 0);
        arriving.map(|(digest, _)| *digest).collect()
    }

    /// One that has not failed.
    fn running(&self, digest: &Digest) -> Option<Arc<Download>> {
        let download =
            self.downloads.lock().unwrap_or_else(PoisonError::into_inner).get(digest)?.upgrade()?;
        let failed = matches!(*download.outcome.borrow(), Some(Err(_)));
        (!failed).then_some(download)
    }

    /// A download that was just given up may still be writing its last bytes.
    async fn begin(
        &self,
        blob: &BlobRef,
        model: &ModelName,
        noted: Option<&str>,
    ) -> Result<Begun, RegistryError> {
        let mut tries = 0;
        loop {
            if let Some(running) = self.running(&blob.digest) {
                return Ok(Begun::Running(running));
            }
            let (store, digest, bytes, model) = (self.store.clone(), blob.digest, blob.size, model.clone());
            let noted = noted.map(str::to_owned);
            let begin = move || {
                let partial = store.begin_partial(&digest, bytes, &model)?;
                noted.map(|source| partial.note_source(&model, &source)).transpose()?;
                Ok(partial)
            };
            match spawn_blocking(begin).await? {
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

/// For pulls: whether a blob is there already, whole.
pub(crate) async fn held(store: &Store, blob: &BlobRef) -> Result<Option<HeldBlob>, RegistryError> {
    let (store, digest, size) = (store.clone(), blob.digest, blob.size);
    let held = spawn_blocking(move || store.hold(&digest)).await??;
    Ok(held.filter(|held| held.bytes() == size))
}
