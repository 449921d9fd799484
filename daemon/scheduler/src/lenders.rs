//! Other boxes that compute a part of a model, as `hob` knows them: what is asked of them, and what is lent by each.

use std::fmt;
use std::future::poll_fn;
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::task::Poll;

use tokio_util::sync::CancellationToken;

/// Boxes that lend themselves. Whom they trust, and how they are reached, is theirs to know.
pub trait Lenders: fmt::Debug + Send + Sync {
    /// Those that would now, and how much.
    fn offers(&self) -> Later<'_, Vec<Offer>>;

    /// So many bytes of one of them.
    ///
    /// # Errors
    /// Why it lends none, in words for whoever wanted the model.
    fn borrow<'a>(&'a self, lender: &'a str, bytes: u64) -> Later<'a, Result<Borrowed, String>>;
}

/// What comes once somebody else has answered.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a box would lend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// What it is called here.
    pub lender: String,
    /// Bytes of its memory.
    pub bytes: u64,
}

/// What a box lends, until this is dropped.
#[derive(Debug)]
pub struct Borrowed {
    /// To its worker.
    pub stream: UnixStream,
    /// Cancelled when the box is gone, before the stream ends.
    pub lost: CancellationToken,
}

/// What of a model is on which other box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The box, as it is called here.
    pub lender: String,
    /// What makes the logits counts as one.
    pub layers: u32,
    /// What it takes there.
    pub bytes: u64,
}

/// Boxes that have a part of a model that is here.
#[derive(Debug, Default)]
pub(crate) struct Lost(Vec<(String, CancellationToken)>);

impl Lost {
    pub(crate) fn watch(&mut self, lender: &str, lost: CancellationToken) {
        self.0.push((lender.to_owned(), lost));
    }

    /// Comes when one of them is gone. A worker that computes nothing at the moment would not notice.
    pub(crate) async fn any(&self) {
        let mut gone: Vec<_> = self.0.iter().map(|(_, lost)| Box::pin(lost.cancelled())).collect();
        poll_fn(|context| match gone.iter_mut().any(|gone| gone.as_mut().poll(context).is_ready()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
    }

    /// One that is gone, and with it the model.
    pub(crate) fn one(&self) -> Option<String> {
        self.0.iter().find(|(_, lost)| lost.is_cancelled()).map(|(lender, _)| lender.clone())
    }
}
