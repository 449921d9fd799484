//! What the bodies of all requests take of memory together: each is small enough, and a client may send very many, which
//! packed cost it next to nothing.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::PollSemaphore;

use crate::Limits;

/// What there is, in KiB. A clone is the same.
#[derive(Clone, Debug)]
pub(crate) struct Memory {
    held: Arc<Semaphore>,
    passing: Arc<Semaphore>,
    most_passing: u32,
}

impl Memory {
    pub(crate) fn within(limits: &Limits) -> Self {
        let most_passing = u32::try_from(limits.passing_bytes >> 10).unwrap_or(u32::MAX).max(1);
        Self {
            held: Arc::new(Semaphore::new((limits.held_bytes >> 10).min(Semaphore::MAX_PERMITS))),
            passing: Arc::new(Semaphore::new(most_passing as usize)),
            most_passing,
        }
    }

    /// Nothing of it yet.
    pub(crate) fn claim(&self) -> Claim {
        Claim { memory: Arc::clone(&self.held), held: None, bytes: 0 }
    }
}

/// What one request has of it.
#[derive(Debug)]
pub(crate) struct Claim {
    memory: Arc<Semaphore>,
    held: Option<OwnedSemaphorePermit>,
    bytes: u64,
}

impl Claim {
    /// Takes so many bytes more; false where they are not to be had. It waits for nobody: two that each have half of what
    /// they want would wait for each other.
    pub(crate) fn grow(&mut self, bytes: u64) -> bool {
        let grown = self.bytes.saturating_add(bytes);
        let lacking = kib(grown).saturating_sub(kib(self.bytes));
        if lacking > 0 {
            let Ok(more) = Arc::clone(&self.memory).try_acquire_many_owned(lacking) else { return false };
            match &mut self.held {
                Some(held) => held.merge(more),
                None => self.held = Some(more),
            }
        }
        self.bytes = grown;
        true
    }
}

fn kib(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(1 << 10)).unwrap_or(u32::MAX)
}

/// A body whose pieces are soon gone, each of which waits until there is room for it.
pub(crate) struct Passing {
    body: axum::body::Body,
    /// Arrived, without room yet.
    piece: Option<Bytes>,
    room: PollSemaphore,
    most: u32,
}

impl Passing {
    pub(crate) fn new(body: axum::body::Body, memory: &Memory) -> Self {
        let room = PollSemaphore::new(Arc::clone(&memory.passing));
        Self { body, piece: None, room, most: memory.most_passing }
    }
}

impl Body for Passing {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        let piece = match this.piece.take() {
            Some(piece) => piece,
            None => match ready!(Pin::new(&mut this.body).poll_frame(context))
                .map(|frame| frame.map(Frame::into_data))
            {
                Some(Ok(Ok(piece))) => piece,
                Some(Ok(Err(trailers))) => return Poll::Ready(Some(Ok(trailers))),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            },
        };
        match this.room.poll_acquire_many(context, kib(piece.len() as u64).min(this.most)) {
            Poll::Ready(place) => {
                let counted = Bytes::from_owner(Counted { piece, _place: place });
                Poll::Ready(Some(Ok(Frame::data(counted))))
            }
            Poll::Pending => {
                this.piece = Some(piece);
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.piece.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        // What a client says of its length; less than that by a piece that waits.
        self.body.size_hint()
    }
}

/// A piece that has its place until it is dropped.
struct Counted {
    piece: Bytes,
    _place: Option<OwnedSemaphorePermit>,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.piece
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_grows_as_far_as_there_is_memory_and_gives_all_of_it_back() {
        let memory = Memory::within(&Limits { held_bytes: 4 << 10, ..Limits::default() });
        let (mut one, mut other) = (memory.claim(), memory.claim());
        assert!(one.grow(1) && one.grow(1023) && other.grow(3 << 10));
        assert!(!one.grow(1));
        drop(other);
        assert!(one.grow(3 << 10) && !memory.claim().grow(1));
        drop(one);
        assert!(memory.claim().grow(4 << 10));
    }
}
