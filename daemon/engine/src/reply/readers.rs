//! The thread that reads answers, so that the batch loop need not.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use protocol::{Done, RequestId, Said};

use super::Telling;
use crate::outbox::Outbox;

/// Sends answers to be read, and then to the daemon.
#[derive(Clone)]
pub(crate) struct Readers(Sender<Work>);

struct Work {
    request: RequestId,
    telling: Arc<Mutex<Telling>>,
    chunk: Chunk,
}

/// What the model said, as it said it.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) said: Said,
    /// The tokens that it is made of.
    pub(crate) tokens: Vec<i32>,
    /// Nothing follows it.
    pub(crate) done: Option<Done>,
}

impl Readers {
    pub(crate) fn start(outbox: Outbox) -> Self {
        let (sender, work) = channel();
        std::thread::spawn(move || read_all(&work, &outbox));
        Self(sender)
    }

    pub(crate) fn read(&self, request: RequestId, telling: &Arc<Mutex<Telling>>, chunk: Chunk) {
        // A reader that is gone could not reach the daemon, which is gone as well then.
        let _unread = self.0.send(Work { request, telling: Arc::clone(telling), chunk });
    }
}

fn read_all(work: &Receiver<Work>, outbox: &Outbox) {
    while let Ok(first) = work.recv() {
        let mut next = Some(first);
        while let Some(Work { request, telling, chunk }) = next.take() {
            let chunk = telling.lock().unwrap_or_else(PoisonError::into_inner).take(chunk);
            let sent = match chunk {
                Some(Chunk { said, done: Some(done), .. }) => outbox.done(request, said, done),
                Some(Chunk { said, tokens, done: None }) => outbox.said(request, said, tokens),
                None => Ok(()),
            };
            if sent.is_err() {
                return;
            }
            next = work.try_recv().ok();
        }
        if outbox.flush().is_err() {
            return;
        }
    }
}
