//! How fast something comes, over the last seconds. Pure.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Over so long.
const WINDOW: Duration = Duration::from_secs(5);

/// How much was there when.
#[derive(Debug, Default)]
pub(super) struct Rate(VecDeque<(Instant, u64)>);

impl Rate {
    /// Notes how much is there, and says how many bytes a second came lately.
    pub(super) fn note(&mut self, now: Instant, completed: u64) -> u64 {
        // It was begun anew.
        if self.0.back().is_some_and(|(_, before)| *before > completed) {
            self.0.clear();
        }
        self.0.push_back((now, completed));
        // One from before the window is kept, so that the window is full.
        while self.0.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= WINDOW) {
            self.0.pop_front();
        }
        let Some((since, before)) = self.0.front() else { return 0 };
        let milliseconds = now.duration_since(*since).as_millis();
        let rate = u128::from(completed - before) * 1000 / milliseconds.max(1);
        u64::try_from(rate).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_of_the_last_seconds_and_of_nothing_when_nothing_comes() {
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        let mut rate = Rate::default();

        assert_eq!(rate.note(at(0), 7000), 0, "what was there before did not come now");
        assert_eq!(rate.note(at(1), 8000), 1000);
        assert_eq!(rate.note(at(2), 8500), 750);
        for second in 3..8 {
            rate.note(at(second), 8500);
        }
        assert_eq!(rate.note(at(8), 8500), 0);
        assert_eq!(rate.note(at(9), 100), 0, "it was begun anew");
        assert_eq!(rate.note(at(10), 300), 200);
    }
}
