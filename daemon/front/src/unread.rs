//! What of a request nobody has read when its answer is there: as when somebody is refused. In HTTP/2 a stream that is answered
//! before it has ended is broken off, and common clients then show that in place of the answer, so a small rest is read and
//! forgotten first. HTTP/1.1 has its own way.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use tokio::time::timeout;

/// Bytes of a rest that are read. Who sends more may see it broken off.
const FORGOTTEN_BYTES: usize = 64 << 10;
/// How long its end is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// A request's body, which comes back if it is dropped early.
pub(crate) struct Body {
    /// `None` once it has gone back.
    incoming: Option<Incoming>,
    rest: Rest,
}

/// Where what was not read comes back to. A clone is the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rest(Arc<Mutex<Option<Incoming>>>);

impl Body {
    pub(crate) fn new(incoming: Incoming, rest: &Rest) -> Self {
        Self { incoming: Some(incoming), rest: rest.clone() }
    }
}

impl Rest {
    /// Reads it, if it is small and comes soon. One that does not is kept until this is dropped.
    pub(crate) async fn forget(&self) {
        let unread = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut unread) = unread {
            let _large_or_late =
                timeout(PATIENCE, Limited::new(&mut unread, FORGOTTEN_BYTES).collect()).await;
            self.put(unread);
        }
    }

    fn put(&self, unread: Incoming) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(unread);
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if let Some(unread) = self.incoming.take().filter(|incoming| !incoming.is_end_stream()) {
            self.rest.put(unread);
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut self.incoming {
            Some(incoming) => Pin::new(incoming).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map(Incoming::size_hint).unwrap_or_default()
    }
}
