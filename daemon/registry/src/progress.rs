//! What a transfer tells while it runs.

use std::sync::Arc;

use identity::pairing::BoxName;
use store::Digest;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::RegistryError;

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
    task: AbortHandle,
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
        let (sender, words) = mpsc::channel(WORDS_IN_FLIGHT);
        let working = work(sender.clone());
        let task = tokio::spawn(async move {
            if let Err(error) = working.await {
                let _nobody_listens = sender.send(Err(error)).await;
            }
        });
        Self { words, task: task.abort_handle() }
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
