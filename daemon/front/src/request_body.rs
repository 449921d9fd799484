//! A request's body on its way in: it must go on arriving, is unpacked where it was packed, and is remembered for what was
//! wrong with it, as whoever reads it can only tell that it ended early.

use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::BoxError;
use bytes::Bytes;
use http::{Method, StatusCode};
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::Limits;
use crate::memory::{Claim, Memory, Passing, Share};
use crate::unpack::{Packing, Unpacker};

/// What was wrong with a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("the request's body stopped arriving")]
    Late,
    #[error("the request's body takes too long to arrive; send it faster, or less of it")]
    Slow,
    #[error("a packed body is read for those with a key alone; send it without Content-Encoding")]
    Packed,
    #[error("the request's body is not packed as its Content-Encoding says")]
    Malformed,
    #[error("the request's body unpacks to more than {0} bytes")]
    TooLarge(u64),
    #[error("the server holds as many bytes of requests as it can; try again later")]
    Crowded,
}

impl Fault {
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::Late | Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::Packed => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Crowded => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// What became of a body, for as long as its request lasts.
#[derive(Debug)]
pub(crate) struct Arrival {
    fault: OnceLock<Fault>,
    claim: Mutex<Claim>,
}

impl Arrival {
    pub(crate) fn begin(memory: &Memory) -> Arc<Self> {
        Arc::new(Self { fault: OnceLock::new(), claim: Mutex::new(memory.claim(Share::Stranger)) })
    }

    /// By whom it turned out to be, before anything of it is read.
    pub(crate) fn draw_on(&self, memory: &Memory, share: Share) {
        *self.claim.lock().unwrap_or_else(PoisonError::into_inner) = memory.claim(share);
    }

    /// The first that was wrong with it.
    pub(crate) fn fault(&self) -> Option<Fault> {
        self.fault.get().copied()
    }

    fn fail(&self, fault: Fault) -> BoxError {
        self.fault.get_or_init(|| fault);
        fault.into()
    }

    /// So many more bytes are there until the request ends.
    fn hold(&self, bytes: u64) -> Result<(), BoxError> {
        let mut claim = self.claim.lock().unwrap_or_else(PoisonError::into_inner);
        match claim.grow(bytes) {
            true => Ok(()),
            false => Err(self.fail(Fault::Crowded)),
        }
    }
}

/// What becomes of a body's pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// All of it is wanted at once, and what is made of it until the answer has ended.
    Held,
    /// They go to the disk as they come.
    Passed,
}

impl Use {
    pub(crate) fn of(method: &Method, path: &str) -> Self {
        let upload = path.starts_with("/api/blobs/")
            || matches!(path, "/admin/api/store/blobs" | "/admin/api/restore");
        if method == Method::POST && upload { Self::Passed } else { Self::Held }
    }
}

/// A body as it is read.
pub(crate) fn arriving<B>(
    body: B,
    (packing, used, share): (Option<Packing>, Use, Share),
    (limits, memory): (&Limits, &Memory),
    arrival: &Arc<Arrival>,
) -> axum::body::Body
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BoxError>,
{
    let whole = match used {
        Use::Held => Some(limits.body_time),
        Use::Passed => None,
    };
    let punctual = Punctual {
        body,
        idle: limits.body_idle,
        whole,
        due: None,
        deadline: None,
        arrival: Arc::clone(arrival),
    };
    let body = match packing {
        // Unpacking takes memory and time, of which they have next to none.
        Some(_) if share == Share::Stranger => axum::body::Body::new(Unwelcome(Arc::clone(arrival))),
        None => axum::body::Body::new(punctual),
        Some(packing) => axum::body::Body::new(Unpacked {
            body: punctual,
            unpacker: Unpacker::of(packing),
            packed: Bytes::new(),
            kept: 0,
            room: limits.unpacked_bytes,
            most: limits.unpacked_bytes,
            ended: false,
            arrival: Arc::clone(arrival),
        }),
    };
    match used {
        Use::Held => axum::body::Body::new(Held { body, arrival: Arc::clone(arrival) }),
        Use::Passed => axum::body::Body::new(Passing::new(body, memory)),
    }
}

/// A body that must go on arriving.
struct Punctual<B> {
    body: B,
    idle: Duration,
    /// For all of it, but for what its length gives it.
    whole: Option<Duration>,
    /// When all of it must be there, if it has begun to be read.
    due: Option<Instant>,
    /// Runs while a piece is waited for.
    deadline: Option<Pin<Box<Sleep>>>,
    arrival: Arc<Arrival>,
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
        if let (None, Some(whole)) = (self.due, self.whole) {
            self.due = Some(Instant::now() + whole);
        }
        loop {
            let arrived = Pin::new(&mut self.body).poll_frame(context);
            // What is empty brings the body no further.
            let waiting = match &arrived {
                Poll::Pending => true,
                Poll::Ready(Some(Ok(frame))) => frame.data_ref().is_some_and(Bytes::is_empty),
                Poll::Ready(_) => false,
            };
            if !waiting {
                self.deadline = None;
                if let Poll::Ready(Some(Ok(frame))) = &arrived {
                    let bytes = frame.data_ref().map_or(0, Bytes::len);
                    self.due = self.due.map(|due| due + time_of(bytes));
                }
                return arrived.map_err(Into::into);
            }
            let (idle, due) = (self.idle, self.due);
            let deadline = self.deadline.get_or_insert_with(|| {
                let next = Instant::now() + idle;
                Box::pin(sleep_until(due.map_or(next, |due| next.min(due))))
            });
            if deadline.as_mut().poll(context).is_ready() {
                let all = due.is_some_and(|due| due <= Instant::now());
                let fault = if all { Fault::Slow } else { Fault::Late };
                return Poll::Ready(Some(Err(self.arrival.fail(fault))));
            }
            if arrived.is_pending() {
                return Poll::Pending;
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What these may take to arrive.
fn time_of(bytes: usize) -> Duration {
    Duration::from_micros(bytes as u64 * 1_000_000 / Limits::BODY_BYTES_PER_SECOND)
}

/// A body that is not read, and whoever tries is told why.
struct Unwelcome(Arc<Arrival>);

impl Body for Unwelcome {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(Some(Err(self.0.fail(Fault::Packed))))
    }
}

/// A body that was packed. How long it is nobody can say.
struct Unpacked<B> {
    body: Punctual<B>,
    unpacker: Unpacker,
    /// Arrived, and not unpacked yet.
    packed: Bytes,
    /// Bytes that unpacking takes.
    kept: u64,
    /// Bytes that it may still unpack to.
    room: u64,
    most: u64,
    ended: bool,
    arrival: Arc<Arrival>,
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
            let mut unpacked = this.unpacker.unpack(&mut this.packed);
            if this.packed.is_empty() && unpacked.as_ref().is_ok_and(Vec::is_empty) {
                match ready!(Pin::new(&mut this.body).poll_frame(context)) {
                    // Trailers say nothing here.
                    Some(Ok(frame)) => {
                        this.packed = frame.into_data().unwrap_or_default();
                        continue;
                    }
                    Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                    None => {
                        this.ended = true;
                        unpacked = this.unpacker.finish();
                    }
                }
            }
            let unpacked = unpacked.map_err(|_| Fault::Malformed).and_then(|unpacked| {
                let room = this.room.checked_sub(unpacked.len() as u64);
                this.room = room.ok_or(Fault::TooLarge(this.most))?;
                Ok(unpacked)
            });
            let kept = this.unpacker.keeps().saturating_sub(this.kept);
            this.kept += kept;
            let counted = match unpacked {
                Ok(unpacked) => this.arrival.hold(kept).map(|()| unpacked),
                Err(fault) => Err(this.arrival.fail(fault)),
            };
            match counted {
                Ok(unpacked) if unpacked.is_empty() => {}
                Ok(unpacked) => return Poll::Ready(Some(Ok(Frame::data(unpacked.into())))),
                Err(error) => {
                    this.ended = true;
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }
}

/// A body that is kept, of which every piece is counted.
struct Held {
    body: axum::body::Body,
    arrival: Arc<Arrival>,
}

impl Body for Held {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        let Some(Ok(frame)) = frame else { return Poll::Ready(frame.map(|frame| frame.map_err(Into::into))) };
        let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
        Poll::Ready(Some(self.arrival.hold(bytes).map(|()| frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
