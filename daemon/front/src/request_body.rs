//! A request's body on its way in: it must go on arriving, is unpacked where it was packed, and is remembered for what was
//! wrong with it, as whoever reads it can only tell that it ended early.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::BoxError;
use bytes::Bytes;
use http::StatusCode;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::Limits;
use crate::unpack::{Packing, Unpacker};

/// What was wrong with a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("the request's body stopped arriving")]
    Late,
    #[error("the request's body is not packed as its Content-Encoding says")]
    Malformed,
    #[error("the request's body unpacks to more than {0} bytes")]
    TooLarge(u64),
}

impl Fault {
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::Late => StatusCode::REQUEST_TIMEOUT,
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
        }
    }
}

/// Where the first fault of a body is found.
pub(crate) type Faults = Arc<OnceLock<Fault>>;

/// A body as it is read.
pub(crate) fn arriving<B>(
    body: B,
    packing: Option<Packing>,
    limits: &Limits,
    faults: &Faults,
) -> axum::body::Body
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BoxError>,
{
    let punctual = Punctual { body, idle: limits.body_idle, deadline: None, faults: Arc::clone(faults) };
    match packing {
        None => axum::body::Body::new(punctual),
        Some(packing) => axum::body::Body::new(Unpacked {
            body: punctual,
            unpacker: Unpacker::of(packing),
            packed: Bytes::new(),
            room: limits.unpacked_bytes,
            most: limits.unpacked_bytes,
            ended: false,
            faults: Arc::clone(faults),
        }),
    }
}

fn fail(faults: &Faults, fault: Fault) -> BoxError {
    faults.get_or_init(|| fault);
    fault.into()
}

/// A body that must go on arriving.
struct Punctual<B> {
    body: B,
    idle: Duration,
    /// Runs while a piece is waited for.
    deadline: Option<Pin<Box<Sleep>>>,
    faults: Faults,
}

impl<B> Body for Punctual<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.deadline = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let idle = self.idle;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + idle)));
        ready!(deadline.as_mut().poll(context));
        Poll::Ready(Some(Err(fail(&self.faults, Fault::Late))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A body that was packed. How long it is nobody can say.
struct Unpacked<B> {
    body: Punctual<B>,
    unpacker: Unpacker,
    /// Arrived, and not unpacked yet.
    packed: Bytes,
    /// Bytes that it may still unpack to.
    room: u64,
    most: u64,
    ended: bool,
    faults: Faults,
}

impl<B> Body for Unpacked<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        while !this.ended {
            let unpacked = if this.packed.is_empty() {
                match ready!(Pin::new(&mut this.body).poll_frame(context)) {
                    // Trailers say nothing here.
                    Some(Ok(frame)) => {
                        this.packed = frame.into_data().unwrap_or_default();
                        continue;
                    }
                    Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                    None => {
                        this.ended = true;
                        this.unpacker.finish()
                    }
                }
            } else {
                this.unpacker.unpack(&mut this.packed)
            };
            let Ok(unpacked) = unpacked else {
                this.ended = true;
                return Poll::Ready(Some(Err(fail(&this.faults, Fault::Malformed))));
            };
            let Some(room) = this.room.checked_sub(unpacked.len() as u64) else {
                this.ended = true;
                return Poll::Ready(Some(Err(fail(&this.faults, Fault::TooLarge(this.most)))));
            };
            this.room = room;
            if !unpacked.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(unpacked.into()))));
            }
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }
}
