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
        let Some(rate) = self.bytes_per_second else { return };
        let due = {
            let mut next = self.next.lock().await;
            let due = (*next).max(Instant::now());
            *next = due + Duration::from_secs_f64(bytes as f64 / rate as f64);
            due
        };
        sleep_until(due).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn bytes_come_no_faster_than_allowed() {
        let pace = Pace::new(Some(1000));
        let start = Instant::now();

        for _ in 0..11 {
            pace.wait(500).await;
        }

        assert_eq!(start.elapsed().as_secs(), 5);
    }
}
