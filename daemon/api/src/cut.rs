//! What ends an answer before its end: its caller is not welcome any more, or the daemon waited for it as long as it does.

use std::pin::Pin;
use std::task::{Context, Poll};

use protocol::GenerateError;
use tokio_util::sync::CancellationToken;

use crate::Api;

/// Comes, if it comes, with why. Once it came it is not to be asked again.
pub(crate) struct Cut(Pin<Box<dyn Future<Output = GenerateError> + Send>>);

impl Cut {
    /// For what is done on behalf of this caller.
    pub(crate) fn of(api: &Api) -> Self {
        let (caller, stopping): (_, CancellationToken) = (api.caller.clone(), api.stopping.clone());
        Self(Box::pin(async move {
            tokio::select! {
                () = caller.ended() => GenerateError::Revoked,
                () = stopping.cancelled() => GenerateError::Stopping,
            }
        }))
    }

    /// For what only tells its caller what goes on, without an end of its own: nobody who stops the daemon waits for that.
    pub(crate) fn of_onlooker(api: &Api) -> Self {
        let (caller, stopping) = (api.caller.clone(), api.health.stopping());
        Self(Box::pin(async move {
            tokio::select! {
                () = caller.ended() => GenerateError::Revoked,
                () = stopping.cancelled() => GenerateError::Stopping,
            }
        }))
    }

    /// The same, but for one more thing that ends it, and why that does.
    pub(crate) fn or(self, stop: CancellationToken, why: GenerateError) -> Self {
        Self(Box::pin(async move {
            tokio::select! {
                first = self => first,
                () = stop.cancelled_owned() => why,
            }
        }))
    }

    /// For what nothing ends.
    pub(crate) fn never() -> Self {
        Self(Box::pin(std::future::pending()))
    }
}

impl Future for Cut {
    type Output = GenerateError;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<GenerateError> {
        self.0.as_mut().poll(context)
    }
}
