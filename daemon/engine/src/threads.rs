//! How many threads compute. All of them meet some hundred times a step, so one that has no core holds up all others: a
//! worker that shares the machine is many times faster with fewer threads. Workers beside each other come to share the
//! cores by halves this way, and give way to whatever else runs.

use std::time::{Duration, Instant};

/// What processors did so far; the system's accounts, which are not read here.
#[derive(Clone, Copy, Debug, Default)]
pub struct CpuTime {
    /// Threads of this process ran, all of them together.
    pub ran: Duration,
    /// They could have run, and had no core.
    pub waited: Duration,
    /// Cores, all together, had nothing to do. Counted in hundredths of a second.
    pub unused: Duration,
}

/// Tells what processors did so far; `None` where the system does not say.
pub type Accounts = fn() -> Option<CpuTime>;

/// The number of threads, as the machine's load lets it be.
#[derive(Debug)]
pub(crate) struct Threads {
    most: u32,
    now: u32,
    accounts: Accounts,
    window: Option<Window>,
}

/// The time that is looked at.
#[derive(Clone, Copy, Debug)]
struct Window {
    begun: Instant,
    looked: Instant,
    /// At its beginning.
    time: CpuTime,
}

/// Fewer threads are soon known to be better, as steps take long then.
const SOON: Duration = Duration::from_millis(40);

/// What is unused is counted in hundredths of a second.
const LATER: Duration = Duration::from_millis(400);

/// Of the time they want, what threads get on a machine that is theirs.
const GOOD_SHARE: f64 = 0.85;

impl Threads {
    pub(crate) fn new(most: u32, accounts: Accounts) -> Self {
        Self { most, now: most, accounts, window: None }
    }

    /// Nothing was computed for a while, so what is measured begins anew.
    pub(crate) fn wake(&mut self) {
        self.window = if self.most > 1 { self.begin() } else { None };
    }

    /// To be asked after each step; a number if it is to change.
    pub(crate) fn review(&mut self) -> Option<u32> {
        let window = self.window.as_mut()?;
        if window.looked.elapsed() < SOON {
            return None;
        }
        window.looked = Instant::now();
        let (before, elapsed) = (window.time, window.begun.elapsed());
        let latest = self.begin()?;
        let ran = latest.time.ran.saturating_sub(before.ran).as_secs_f64();
        let waited = latest.time.waited.saturating_sub(before.waited).as_secs_f64();
        let share = if ran > 0.0 { ran / (ran + waited) } else { 1.0 };
        let unused = if elapsed < LATER {
            0.0
        } else {
            self.window = Some(latest);
            latest.time.unused.saturating_sub(before.unused).as_secs_f64() / elapsed.as_secs_f64()
        };
        let next = next(self.now, self.most, share, unused);
        if next == self.now {
            return None;
        }
        (self.now, self.window) = (next, Some(latest));
        Some(next)
    }

    fn begin(&self) -> Option<Window> {
        let now = Instant::now();
        Some(Window { begun: now, looked: now, time: (self.accounts)()? })
    }
}

/// How many threads, where `now` of them got this `share` of the time they wanted and so many cores were `unused`.
fn next(now: u32, most: u32, share: f64, unused: f64) -> u32 {
    if share < GOOD_SHARE {
        let served = (f64::from(now) * share).floor() as u32;
        return served.min(now - 1).max(1);
    }
    // Most of a core is as good as one.
    (now + (unused + 0.3).floor() as u32).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_give_way_and_come_back() {
        assert_eq!(next(2, 2, 0.99, 0.0), 2, "alone");
        assert_eq!(next(2, 2, 0.5, 0.0), 1, "beside a compiler");
        assert_eq!(next(1, 2, 0.95, 0.1), 1, "beside another worker");
        assert_eq!(next(1, 2, 0.99, 0.9), 2, "alone again");
        assert_eq!(next(1, 2, 0.6, 0.0), 1, "never less than one");
        assert_eq!(next(8, 8, 0.5, 0.0), 4, "two workers halve the cores");
        assert_eq!(next(4, 8, 1.0, 4.0), 8);
    }
}
