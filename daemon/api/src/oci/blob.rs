//! A blob on its way out, never held in memory: read piece by piece on a thread that may block, one piece ahead of the socket.
//! It stays held, so that nobody removes it, and ends with its caller's key.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use protocol::GenerateError;
use store::HeldBlob;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::{
    Api,
    cut::Cut,
    error::Error,
    places::{Places, Taken},
};

/// Read at once: so much that a turn of a thread is little beside it.
const PIECE_BYTES: u64 = 256 << 10;

/// Answers at once, and of one owner: each holds two pieces in memory, and a file open.
const MOST: usize = 128;
const MOST_OF_ONE: usize = 32;

/// A place for each that may be under way.
pub(crate) fn places() -> Places {
    Places::new(MOST, MOST_OF_ONE)
}

/// Bytes of a blob as a body.
pub(super) struct Outgoing {
    file: Arc<File>,
    /// Those that are not being read yet.
    unread: Range<u64>,
    /// Those that are, and how many they are.
    reading: Option<(JoinHandle<io::Result<Bytes>>, u64)>,
    spare: Spare,
    cut: Cut,
    _held: HeldBlob,
    _place: Taken,
}

impl Outgoing {
    /// These of its bytes.
    pub(super) fn begin(api: &Api, held: HeldBlob, bytes: Range<u64>) -> Result<Self, Error> {
        let place = api.downloads.take(api.caller.owner()).ok_or(Error::TooManyDownloads)?;
        let file = Arc::new(held.reader().map_err(Error::Blob)?);
        let mut outgoing = Self {
            file,
            unread: bytes,
            reading: None,
            spare: Spare::default(),
            cut: Cut::of(api),
            _held: held,
            _place: place,
        };
        outgoing.read_on();
        Ok(outgoing)
    }

    /// Begins to read the next piece, if there is one.
    fn read_on(&mut self) {
        let count = (self.unread.end - self.unread.start).min(PIECE_BYTES);
        if count == 0 {
            return;
        }
        let (file, at, spare) = (Arc::clone(&self.file), self.unread.start, Arc::clone(&self.spare));
        self.unread.start += count;
        let reading = spawn_blocking(move || {
            let mut piece = Piece::begin(spare);
            piece.bytes.resize(usize::try_from(count).unwrap_or(0), 0);
            file.read_exact_at(&mut piece.bytes, at)?;
            Ok(Bytes::from_owner(piece))
        });
        self.reading = Some((reading, count));
    }

    fn left(&self) -> u64 {
        self.unread.end - self.unread.start + self.reading.as_ref().map_or(0, |(_, count)| *count)
    }
}

/// Memory of pieces that are sent, for the next ones: mapped anew for each, it takes as long as what is done with it.
type Spare = Arc<Mutex<Vec<Vec<u8>>>>;

struct Piece {
    bytes: Vec<u8>,
    spare: Spare,
}

impl Piece {
    fn begin(spare: Spare) -> Self {
        let bytes = spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Self { bytes: bytes.unwrap_or_default(), spare }
    }
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).push(bytes);
    }
}

/// Why an answer ends before its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error(transparent)]
    Cut(GenerateError),
    #[error("cannot read a blob: {0}")]
    Read(#[from] io::Error),
    #[error("reading a blob ended without a word: {0}")]
    Lost(#[from] tokio::task::JoinError),
}

impl http_body::Body for Outgoing {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if let Poll::Ready(why) = Pin::new(&mut self.cut).poll(context) {
            (self.reading, self.unread) = (None, 0..0);
            self.cut = Cut::never();
            return Poll::Ready(Some(Err(Broken::Cut(why))));
        }
        let Some((reading, _)) = &mut self.reading else { return Poll::Ready(None) };
        let piece = ready!(Pin::new(reading).poll(context));
        self.reading = None;
        let piece = piece.map_err(Broken::from).and_then(|read| Ok(read?));
        if piece.is_ok() {
            self.read_on();
        }
        Poll::Ready(Some(piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.left() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left())
    }
}
