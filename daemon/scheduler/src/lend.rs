//! This box lent to another one: a worker without a model, which computes for one that is there. What is lent counts as what a
//! model takes, and goes before any model of this box's is refused, waits for it, or is unloaded though it would be enough.

use std::os::unix::net::UnixStream;
use std::sync::Arc;

use platform::process::WorkerFiles;
use protocol::{Lending, ToWorker};
use tokio::process::Child;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::run::Shared;
use crate::table::Table;
use crate::{Scheduler, worker};

/// Why this box is not lent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LendError {
    /// One at a time.
    #[error("this box has a part of a model of another box already")]
    Lent,
    /// Its own models come first.
    #[error("this box has {free_bytes} bytes to lend, and {wanted_bytes} are wanted")]
    NoRoom {
        /// What there is.
        free_bytes: u64,
        /// What was asked for.
        wanted_bytes: u64,
    },
    /// There is no worker for it.
    #[error("this box cannot be lent: {0}")]
    Failed(String),
}

/// What another box has of this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lent {
    /// What that box is called.
    pub borrower: String,
    /// Bytes of this one's memory.
    pub bytes: u64,
}

/// This box, lent until this is dropped.
#[derive(Debug)]
pub struct Loan {
    /// To the worker. It ends when the loan does.
    pub stream: UnixStream,
    ended: CancellationToken,
    _ends: DropGuard,
}

impl Loan {
    /// Comes when the loan is over: the box needs its memory, is about to end, or the worker did.
    pub fn ended(&self) -> impl Future<Output = ()> + Send + use<> {
        self.ended.clone().cancelled_owned()
    }
}

impl Scheduler {
    /// Bytes that this box would lend now.
    pub fn lendable(&self) -> u64 {
        let table = self.shared.table();
        if table.lent.is_some() { 0 } else { self.shared.free_bytes(&table) }
    }

    /// What is lent now.
    pub fn lent(&self) -> Option<Lent> {
        let table = self.shared.table();
        table.lent.as_ref().map(|lent| Lent { borrower: lent.borrower.clone(), bytes: lent.taken.bytes })
    }

    /// Lends so many bytes of this box, and its processors, to one that is called that.
    ///
    /// # Errors
    /// [`LendError`] says why not.
    pub async fn lend(&self, borrower: &str, bytes: u64, threads: Option<u32>) -> Result<Loan, LendError> {
        let (stop, ended) = (CancellationToken::new(), CancellationToken::new());
        let id = {
            let mut table = self.shared.table();
            if table.lent.is_some() {
                return Err(LendError::Lent);
            }
            let free_bytes = self.shared.free_bytes(&table);
            if bytes > free_bytes {
                return Err(LendError::NoRoom { free_bytes, wanted_bytes: bytes });
            }
            table.lend(borrower, bytes, stop.clone())
        };
        // From here on, whatever happens, its end is noted.
        let kept = Kept { shared: Arc::clone(&self.shared), id, ended: ended.clone() };
        let failed = |error: std::io::Error| LendError::Failed(error.to_string());
        let (ours, theirs) = UnixStream::pair().map_err(failed)?;
        let files = WorkerFiles {
            model: None,
            adapters: Vec::new(),
            draft: None,
            projector: None,
            output: None,
            prefixes: None,
            remote: vec![theirs.into()],
        };
        let connection = (self.shared.world.spawn)(files).map_err(failed)?;
        let process = connection.process.as_ref().and_then(Child::id);
        self.shared.table().lent_to(id, process);
        let lending = ToWorker::Lend(Lending { threads, bytes });
        let ready = worker::lend(connection, &lending, self.shared.config.load_timeout);
        let mut lender = ready.await.map_err(LendError::Failed)?;
        let closing = self.shared.closing.clone();
        let (stopped, loan) = (stop.clone(), stop.drop_guard());
        self.shared.tasks.spawn(async move {
            tokio::select! {
                () = stopped.cancelled() => {}
                () = closing.cancelled() => {}
                () = lender.ended() => {}
            }
            lender.kill().await;
            tracing::info!(bytes, "this box is not lent any more");
            drop(kept);
        });
        tracing::info!(borrower, bytes, "this box is lent to another one");
        Ok(Loan { stream: ours, ended, _ends: loan })
    }
}

impl Shared {
    /// What no model has, idle ones included.
    fn free_bytes(&self, table: &Table) -> u64 {
        let (room, _) = self.room(table, None);
        room.budget_bytes.saturating_sub(room.held_bytes())
    }
}

/// What is lent, until its worker is no more.
struct Kept {
    shared: Arc<Shared>,
    id: u64,
    ended: CancellationToken,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.shared.table().returned(self.id);
        self.ended.cancel();
        self.shared.changed.notify_waiters();
    }
}
