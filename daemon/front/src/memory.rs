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
    of_strangers: Arc<Semaphore>,
    passing: Arc<Semaphore>,
    most_passing: u32,
}

impl Memory {
    pub(crate) fn within(limits: &Limits) -> Self {
        let pool = |bytes: usize| Arc::new(Semaphore::new((bytes >> 10).min(Semaphore::MAX_PERMITS)));
        let most_passing = u32::try_from(limits.passing_bytes >> 10).unwrap_or(u32::MAX).max(1);
        Self {
            held: pool(limits.held_bytes),
            of_strangers: pool(limits.stranger_bytes),
            passing: Arc::new(Semaphore::new(most_passing as usize)),
            most_passing,
        }
    }

    /// Nothing of it yet.
    pub(crate) fn claim(&self, share: Share) -> Claim {
        let memory = match share {
            Share::Stranger => Some(Arc::clone(&self.of_strangers)),
            Share::Known => Some(Arc::clone(&self.held)),
            Share::Operator => None,
        };
        Claim { memory, held: None, bytes: 0 }
    }
}

/// Of which part of it a request may have something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Share {
    /// Who may nothing, or is not known yet: a small one of their own.
    Stranger,
    /// Who may something.
    Known,
    /// Who came by the admin socket, and must come through when all else is taken: as much as they want.
    Operator,
}

/// What one request has of it.
#[derive(Debug)]
pub(crate) struct Claim {
    /// `None` counts nothing.
    memory: Option<Arc<Semaphore>>,
    held: Option<OwnedSemaphorePermit>,
    bytes: u64,
}

impl Claim {
    /// Takes so many bytes more; false where they are not to be had. It waits for nobody: two that each have half of what
    /// they want would wait for each other.
    pub(crate) fn grow(&mut self, bytes: u64) -> bool {
        let Some(memory) = &self.memory else { return true };
        let grown = self.bytes.saturating_add(bytes);
        let lacking = kib(grown).saturating_sub(kib(self.bytes));
        if lacking > 0 {
            let Ok(more) = Arc::clone(memory).try_acquire_many_owned(lacking) else { return false };
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
        let claim = || memory.claim(Share::Known);
        let (mut one, mut other) = (claim(), claim());
        assert!(one.grow(1) && one.grow(1023) && other.grow(3 << 10));
        assert!(!one.grow(1));
        drop(other);
        assert!(one.grow(3 << 10) && !claim().grow(1));
        drop(one);
        assert!(claim().grow(4 << 10));
    }

    #[test]
    fn strangers_take_nothing_of_what_others_have_and_the_operator_needs_none_of_it() {
        let limits = Limits { held_bytes: 4 << 10, stranger_bytes: 2 << 10, ..Limits::default() };
        let memory = Memory::within(&limits);
        let (mut stranger, mut known) = (memory.claim(Share::Stranger), memory.claim(Share::Known));
        assert!(stranger.grow(2 << 10) && !stranger.grow(1));
        assert!(known.grow(4 << 10) && !known.grow(1));
        assert!(memory.claim(Share::Operator).grow(1 << 30));
    }
}
