//! A limit on bytes a second that all downloads share.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

/// Hands out time: each piece moves the moment at which the next may come.
#[derive(Debug)]
pub(crate) struct Pace {
    bytes_per_second: Option<u64>,
    next: Mutex<Instant>,
}

impl Pace {
    pub(crate) fn new(bytes_per_second: Option<u64>) -> Self {
        Self { bytes_per_second: bytes_per_second.filter(|rate| *rate > 0), next: Mutex::new(Instant::now()) }
    }

    /// Returns once this many bytes are due.
    pub(crate) async fn wait(&self, bytes: usize) {
        if let Some(rate) = self.bytes_per_second {
            let due = due(&mut *self.next.lock().await, Instant::now(), bytes as f64 / rate as f64);
            sleep_until(due).await;
        }
    }
}

/// When the next piece may come; the one after it, `seconds` later.
fn due(next: &mut Instant, now: Instant, seconds: f64) -> Instant {
    let due = (*next).max(now);
    *next = due + Duration::from_secs_f64(seconds);
    due
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_come_no_faster_than_allowed_and_time_that_was_not_used_is_not_saved_up() {
        let start = Instant::now();
        let mut next = start;
        assert_eq!(due(&mut next, start, 0.5), start);
        assert_eq!(due(&mut next, start, 0.5), start + Duration::from_millis(500));
        let later = start + Duration::from_secs(60);
        assert_eq!(due(&mut next, later, 0.5), later);
        assert_eq!(due(&mut next, later, 0.5), later + Duration::from_millis(500));
    }
}
