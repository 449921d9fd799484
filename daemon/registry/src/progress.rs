//! What a transfer tells while it runs.

use std::sync::{Arc, OnceLock, Weak};

use identity::pairing::BoxName;
use store::Digest;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::RegistryError;
use crate::download::Download;

/// One word of a transfer, in Ollama's terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// A step begins, such as `pulling manifest`.
    Step(&'static str),
    /// A blob is under way.
    Blob {
        /// `pulling` or `pushing`.
        verb: &'static str,
        /// Which.
        digest: Digest,
        /// Its bytes.
        total: u64,
        /// Those that are done.
        completed: u64,
        /// Paired boxes that some of it came from.
        from: Vec<BoxName>,
    },
}

/// A pull or push under way. Dropping it ends it; what has arrived stays, to be gone on with.
#[derive(Debug)]
pub struct Transfer {
    words: mpsc::Receiver<Result<Progress, Arc<RegistryError>>>,
    amount: Amount,
    task: AbortHandle,
}

/// How far a pull is, over all that it brings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Bytes of the model.
    pub total: u64,
    /// Those of them that are here.
    pub completed: u64,
}

/// What a pull brings, once its manifest says it. It keeps none of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Amount(Arc<OnceLock<Brought>>);

#[derive(Debug)]
struct Brought {
    total: u64,
    /// Bytes that were here before.
    here: u64,
    downloads: Vec<Weak<Download>>,
}

impl Amount {
    /// It is this.
    pub(crate) fn is(&self, here: u64, downloads: &[Arc<Download>]) {
        let total = downloads.iter().map(|download| download.total).fold(here, u64::saturating_add);
        let downloads = downloads.iter().map(Arc::downgrade).collect();
        self.0.get_or_init(|| Brought { total, here, downloads });
    }

    fn figures(&self) -> Option<Figures> {
        let Brought { total, here, downloads } = self.0.get()?;
        let mut completed = *here;
        for download in downloads {
            completed = completed.saturating_add(download.upgrade()?.completed());
        }
        Some(Figures { total: *total, completed })
    }
}

/// Where a transfer's words go.
pub(crate) type ProgressSender = mpsc::Sender<Result<Progress, Arc<RegistryError>>>;

/// Words that wait for a slow listener at most; newer figures then come later.
const WORDS_IN_FLIGHT: usize = 64;

impl Transfer {
    /// Runs `work` on its own, until it is done or nobody listens.
    pub(crate) fn start<F>(work: impl FnOnce(ProgressSender) -> F) -> Self
    where
        F: Future<Output = Result<(), Arc<RegistryError>>> + Send + 'static,
    {
        Self::of(Amount::default(), work)
    }

    /// The same of what tells how much it is.
    pub(crate) fn of<F>(amount: Amount, work: impl FnOnce(ProgressSender) -> F) -> Self
    where
        F: Future<Output = Result<(), Arc<RegistryError>>> + Send + 'static,
    {
        let (sender, words) = mpsc::channel(WORDS_IN_FLIGHT);
        let working = work(sender.clone());
        let task = tokio::spawn(async move {
            if let Err(error) = working.await {
                let _nobody_listens = sender.send(Err(error)).await;
            }
        });
        Self { words, amount, task: task.abort_handle() }
    }

    /// How far it is; `None` before the manifest is there, of a push, and once it has ended.
    pub fn figures(&self) -> Option<Figures> {
        self.amount.figures()
    }

    /// Bytes of all that it brings, once the manifest was there.
    pub(crate) fn total(&self) -> Option<u64> {
        Some(self.amount.0.get()?.total)
    }

    /// The next word; `None` once all is done. An error is the last word.
    pub async fn next(&mut self) -> Option<Result<Progress, Arc<RegistryError>>> {
        self.words.recv().await
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Says a word, if somebody listens.
pub(crate) async fn say(words: &ProgressSender, word: Progress) {
    let _nobody_listens = words.send(Ok(word)).await;
}
