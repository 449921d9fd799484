//! What time it is, as far as a box knows: its clock may be wrong until a network has set it. What is done by it is
//! everybody's own to know.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The beginning of 2025. A clock that says less has not been set.
pub const CLOCK_SET: i64 = 1_735_689_600;

/// Where the time comes from.
#[derive(Clone)]
pub struct Clock {
    now: Arc<dyn Fn() -> i64 + Send + Sync>,
    elapsed: Arc<dyn Fn() -> Duration + Send + Sync>,
}

impl Clock {
    /// The system's.
    pub fn system() -> Self {
        let start = Instant::now();
        let now = || {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
        };
        Self::with_elapsed(now, move || start.elapsed())
    }

    /// One that says seconds since 1970, and is never set.
    pub fn of(now: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        let now = Arc::new(now);
        let elapsed = Arc::clone(&now);
        Self { now, elapsed: Arc::new(move || Duration::from_secs(elapsed().try_into().unwrap_or_default())) }
    }

    /// One that says seconds since 1970, and apart from that how long it has been running, whatever it was set to meanwhile.
    pub fn with_elapsed(
        now: impl Fn() -> i64 + Send + Sync + 'static,
        elapsed: impl Fn() -> Duration + Send + Sync + 'static,
    ) -> Self {
        Self { now: Arc::new(now), elapsed: Arc::new(elapsed) }
    }

    /// Seconds since 1970. Less than [`CLOCK_SET`] where nobody has set it.
    pub fn now(&self) -> i64 {
        (self.now)()
    }

    /// How long it has been running. It never goes back, and does not jump when the clock is set.
    pub fn elapsed(&self) -> Duration {
        (self.elapsed)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
