//! `hob worker` without a model: it computes for a model whose worker is on another box, until the stream from there ends.
//! Nothing here looks at what is computed, and the daemon only carries it.

use std::io::BufReader;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use protocol::{FrameError, FromWorker, Lending, ToWorker, frame};

use crate::outbox::Outbox;
use crate::worker::cores;
use crate::{ServeError, ggml};

/// Has this process take no more than so many bytes beyond what it has; false if the system does not.
pub type Bound = fn(u64) -> bool;

/// What a thread takes before it has done anything.
const STACK_BYTES: u64 = 8 << 20;

/// Lends this box to whoever is at the other end of `stream`, until that ends; the process is to end with it. Blocks.
///
/// # Errors
/// [`ServeError`]; a box that cannot be lent is no error here, the daemon is told.
pub fn lend(socket: UnixStream, stream: OwnedFd, bound: Bound) -> Result<(), ServeError> {
    let mut reader = BufReader::new(socket.try_clone().map_err(FrameError::Io)?);
    let outbox = Outbox::new(socket);
    let Lending { threads, bytes } = match frame::read(&mut reader)? {
        Some(ToWorker::Lend(lending)) => lending,
        Some(_) => return Err(ServeError::OutOfOrder("something else")),
        None => return Ok(()),
    };
    ggml::start();
    let threads = threads.unwrap_or_else(cores);
    // Whoever borrows could ask for more than was agreed, and is told no by the system.
    if !bound(bytes.saturating_add(STACK_BYTES.saturating_mul(threads.into()))) {
        let reason = "the system does not bound what it takes".into();
        return Ok(outbox.send(&FromWorker::LoadFailed { reason })?);
    }
    outbox.send(&FromWorker::Lending)?;
    if let Err(reason) = ggml::lend(stream, threads, bytes) {
        outbox.send(&FromWorker::LoadFailed { reason })?;
    }
    Ok(())
}
