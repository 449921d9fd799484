//! The way back to the daemon, shared by the worker's threads.

use std::io::{BufWriter, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::{
    Done, Embedded, FrameError, FromWorker, GenerateError, PromptProgress, Rendered, RequestId, Said, frame,
};

use crate::step::HungUp;

/// The way back to the daemon. Events wait for [`Outbox::flush`].
#[derive(Clone)]
pub(crate) struct Outbox(Arc<Mutex<BufWriter<UnixStream>>>);

impl Outbox {
    pub(crate) fn new(socket: UnixStream) -> Self {
        Self(Arc::new(Mutex::new(BufWriter::new(socket))))
    }

    pub(crate) fn reading(&self, request: RequestId, prompt: PromptProgress) -> Result<(), HungUp> {
        self.write(&FromWorker::Reading(request, prompt))
    }

    pub(crate) fn said(&self, request: RequestId, said: Said, tokens: Vec<i32>) -> Result<(), HungUp> {
        self.write(&FromWorker::Said(request, said, tokens))
    }

    pub(crate) fn done(&self, request: RequestId, said: Said, done: Done) -> Result<(), HungUp> {
        self.write(&FromWorker::Done(request, said, done))
    }

    pub(crate) fn embedded(&self, request: RequestId, embedded: Embedded) -> Result<(), HungUp> {
        self.write(&FromWorker::Embedded(request, embedded))
    }

    /// At once; or that it is too long.
    pub(crate) fn rendered(&self, request: RequestId, rendered: Rendered) -> Result<(), HungUp> {
        self.answer(request, &FromWorker::Rendered(request, rendered))
    }

    /// At once; or that it is too long.
    pub(crate) fn detokenized(&self, request: RequestId, pieces: Vec<Vec<u8>>) -> Result<(), HungUp> {
        self.answer(request, &FromWorker::Detokenized(request, pieces))
    }

    fn answer(&self, request: RequestId, answer: &FromWorker) -> Result<(), HungUp> {
        match self.send(answer) {
            Ok(()) => Ok(()),
            Err(FrameError::TooLong(bytes)) => {
                self.failed(request, GenerateError::TooLarge { bytes: bytes as u64 })?;
                self.flush()
            }
            Err(_) => Err(HungUp),
        }
    }

    pub(crate) fn failed(&self, request: RequestId, error: GenerateError) -> Result<(), HungUp> {
        self.write(&FromWorker::Failed(request, error))
    }

    /// That the loop is at work.
    pub(crate) fn alive(&self) -> Result<(), HungUp> {
        self.write(&FromWorker::Alive)
    }

    fn write(&self, message: &FromWorker) -> Result<(), HungUp> {
        frame::write(&mut *self.lock(), message).map_err(|_| HungUp)
    }

    pub(crate) fn flush(&self) -> Result<(), HungUp> {
        self.lock().flush().map_err(|_| HungUp)
    }

    /// At once.
    pub(crate) fn send(&self, message: &FromWorker) -> Result<(), FrameError> {
        let mut socket = self.lock();
        frame::write(&mut *socket, message)?;
        socket.flush()?;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, BufWriter<UnixStream>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
