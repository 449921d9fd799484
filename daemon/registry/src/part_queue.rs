//! A part's way to the disk, on a thread that may block.

use bytes::Bytes;
use store::{PartWriter, StoreError};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use crate::RegistryError;

/// Pieces of a part that wait for the disk at most; the socket waits beyond.
const PIECES_IN_FLIGHT: usize = 16;

pub(crate) struct PartQueue {
    pieces: mpsc::Sender<Bytes>,
    writing: Option<JoinHandle<Result<(), StoreError>>>,
}

impl PartQueue {
    pub(crate) fn new(mut writer: PartWriter, threads: &TaskTracker) -> Self {
        let (pieces, mut arriving) = mpsc::channel::<Bytes>(PIECES_IN_FLIGHT);
        let writing = threads.spawn_blocking(move || {
            while let Some(piece) = arriving.blocking_recv() {
                writer.write(&piece)?;
            }
            Ok(())
        });
        Self { pieces, writing: Some(writing) }
    }

    /// Returns once there is room for the piece on its way; what becomes of it, a later call tells.
    pub(crate) async fn write(&mut self, piece: Bytes) -> Result<(), RegistryError> {
        match self.pieces.send(piece).await {
            Ok(()) => Ok(()),
            Err(_) => self.written().await,
        }
    }

    /// Waits until all is written.
    pub(crate) async fn close(mut self) -> Result<(), RegistryError> {
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
