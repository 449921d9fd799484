//! A part's way to the disk, on a thread that may block. What arrives is gathered into larger pieces, whose memory is used again:
//! what it takes to map memory anew for each is much beside what it takes to write it.

use bytes::Bytes;
use store::{PartWriter, StoreError};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use crate::RegistryError;

/// Handed on at once, but for the last of a part.
const PIECE_BYTES: usize = 256 << 10;

/// Pieces of a part that wait for the disk at most; the socket waits beyond.
const PIECES_IN_FLIGHT: usize = 4;

pub(crate) struct PartQueue {
    pieces: mpsc::Sender<Vec<u8>>,
    /// What is not enough for a piece yet.
    gathered: Vec<u8>,
    /// Those that are written.
    spare: mpsc::Receiver<Vec<u8>>,
    writing: Option<JoinHandle<Result<(), StoreError>>>,
}

impl PartQueue {
    pub(crate) fn new(mut writer: PartWriter, threads: &TaskTracker) -> Self {
        let (pieces, mut arriving) = mpsc::channel::<Vec<u8>>(PIECES_IN_FLIGHT);
        let (done, spare) = mpsc::channel(PIECES_IN_FLIGHT);
        let writing = threads.spawn_blocking(move || {
            while let Some(mut piece) = arriving.blocking_recv() {
                writer.write(&piece)?;
                piece.clear();
                let _enough_are_spare = done.try_send(piece);
            }
            Ok(())
        });
        Self { pieces, gathered: Vec::new(), spare, writing: Some(writing) }
    }

    /// Returns once there is room for the bytes on their way; what becomes of them, a later call tells.
    pub(crate) async fn write(&mut self, mut bytes: Bytes) -> Result<(), RegistryError> {
        while !bytes.is_empty() {
            if self.gathered.capacity() == 0 {
                self.gathered = self.spare.try_recv().unwrap_or_else(|_| Vec::with_capacity(PIECE_BYTES));
            }
            let count = bytes.len().min(PIECE_BYTES - self.gathered.len());
            self.gathered.extend_from_slice(&bytes.split_to(count));
            if self.gathered.len() == PIECE_BYTES {
                self.hand_on().await?;
            }
        }
        Ok(())
    }

    /// Waits until all is written.
    pub(crate) async fn close(mut self) -> Result<(), RegistryError> {
        if !self.gathered.is_empty() {
            self.hand_on().await?;
        }
        self.pieces = mpsc::channel(1).0;
        self.written().await
    }

    async fn hand_on(&mut self) -> Result<(), RegistryError> {
        // Its place first: whoever gives up while waiting for it loses nothing.
        if let Ok(place) = self.pieces.reserve().await {
            place.send(std::mem::take(&mut self.gathered));
            return Ok(());
        }
        self.written().await
    }

    async fn written(&mut self) -> Result<(), RegistryError> {
        match self.writing.take() {
            Some(writing) => Ok(writing.await??),
            None => Ok(()),
        }
    }
}

impl Drop for PartQueue {
    /// What a download that is given up has gathered is gone on with. If the disk is far behind, it is fetched again.
    fn drop(&mut self) {
        if !self.gathered.is_empty() {
            let _fetched_again = self.pieces.try_send(std::mem::take(&mut self.gathered));
        }
    }
}
