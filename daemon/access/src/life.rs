//! For how long what somebody presented is good: asked again where it matters, as a request may stay open for longer.

use std::sync::Arc;

use state::Clock;
use tokio_util::sync::CancellationToken;

use crate::sessions::Live;
use crate::time::Time;

/// What somebody presented is over: it was revoked, rotated or ended since, or its time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key or the session of this request has ended meanwhile; nothing was done")]
pub struct Over;

/// How long somebody's key or session lasts.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    /// Cancelled when it is over.
    pub(crate) end: CancellationToken,
    pub(crate) age: Age,
}

/// By what it ends of itself, before anybody notices.
#[derive(Clone, Debug)]
pub(crate) enum Age {
    Key { expires: Option<i64>, time: Time },
    Session { live: Arc<Live>, clock: Clock },
}

impl Life {
    pub(crate) fn is_over(&self) -> bool {
        self.end.is_cancelled()
            || match &self.age {
                Age::Key { expires: Some(expires), time } => *expires <= time.now(),
                Age::Key { expires: None, .. } => false,
                Age::Session { live, clock } => live.is_over_by(clock),
            }
    }
}
