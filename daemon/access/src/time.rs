//! What time it is for rules, by a clock that may not have been set: a key that expired must not come back to life when a box
//! without a battery wakes up in 1970.

use std::sync::{Arc, Mutex, PoisonError};

use state::{CLOCK_SET, Clock};

/// Seconds in a day.
pub(crate) const DAY: i64 = 24 * 3600;

/// What time it is: the clock's where it has been set. Where it has not, what was last known, and as much more as has passed
/// by the clock since then.
#[derive(Clone, Debug)]
pub(crate) struct Time {
    clock: Clock,
    known: Arc<Mutex<Known>>,
}

#[derive(Debug)]
struct Known {
    /// The last time that was seen on a clock that was set.
    last: i64,
    /// By how much a clock that is not set is late.
    late: Option<i64>,
}

impl Time {
    /// With the last time that is known from before, or 0.
    pub(crate) fn new(clock: Clock, last: i64) -> Self {
        Self { clock, known: Arc::new(Mutex::new(Known { last, late: None })) }
    }

    /// Seconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        let now = self.clock.now();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if now >= CLOCK_SET {
            *known = Known { last: now, late: None };
            return now;
        }
        let last = known.last;
        let late = *known.late.get_or_insert((last - now).max(0));
        now.saturating_add(late)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    const NOW: i64 = CLOCK_SET + 1000;

    #[test]
    fn a_clock_that_is_not_set_goes_on_from_the_last_time_that_is_known() {
        let clock = Arc::new(AtomicI64::new(0));
        let shared = Arc::clone(&clock);
        let time = Time::new(Clock::of(move || shared.load(Ordering::Relaxed)), NOW);
        let at = |now| {
            clock.store(now, Ordering::Relaxed);
            time.now()
        };

        assert_eq!([at(5), at(15)], [NOW, NOW + 10]);
        // It is believed where it has been set, in both directions.
        assert_eq!([at(NOW + 5000), at(NOW + 100)], [NOW + 5000, NOW + 100]);
        assert_eq!([at(0), at(1)], [NOW + 100, NOW + 101]);
    }

    #[test]
    fn a_box_that_knows_of_no_time_takes_what_the_clock_says() {
        assert_eq!(Time::new(Clock::of(|| 7), 0).now(), 7);
    }
}
