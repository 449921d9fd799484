//! How many came in the last second. Pure: times come in as arguments.

use std::time::Duration;

/// Counts of the last moments.
#[derive(Clone, Debug, Default)]
pub(super) struct Pace {
    /// The one that is going on, and those of the second before it, each in a place of its own.
    parts: [u64; PARTS + 1],
    /// The number of the part that was counted in last.
    latest: u64,
}

/// Of a second, in each of which is counted by itself.
const PARTS: usize = 4;
const PART_MILLIS: u128 = 1000 / PARTS as u128;

impl Pace {
    /// So many came at a time, which is not before that of any other.
    pub(super) fn add(&mut self, now: Duration, count: u64) {
        let part = self.turn(now);
        let counted = &mut self.parts[place(part)];
        *counted = counted.saturating_add(count);
    }

    /// How many came in the second before the part that is going on.
    pub(super) fn rate(&mut self, now: Duration) -> f64 {
        let part = self.turn(now);
        let whole = self.parts.iter().sum::<u64>() - self.parts[place(part)];
        whole as f64
    }

    /// Forgets what is over a second old; the number of the part that is going on.
    fn turn(&mut self, now: Duration) -> u64 {
        let part = u64::try_from(now.as_millis() / PART_MILLIS).unwrap_or(u64::MAX).max(self.latest);
        let over = (part - self.latest).min(self.parts.len() as u64);
        for back in 0..over {
            self.parts[place(part - back)] = 0;
        }
        self.latest = part;
        part
    }
}

fn place(part: u64) -> usize {
    (part % (PARTS as u64 + 1)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_counted_and_what_was_before_it_is_not() {
        let at = Duration::from_millis;
        let mut pace = Pace::default();
        for millis in (1000..3000).step_by(10) {
            pace.add(at(millis), 1);
        }

        assert_eq!(pace.rate(at(3000)), 100.0);
        assert_eq!(pace.rate(at(3260)), 75.0);
        assert_eq!(pace.rate(at(3999)), 25.0);
        assert_eq!(pace.rate(at(4000)), 0.0);
        pace.add(at(100_000), 7);
        assert_eq!(pace.rate(at(100_000)), 0.0, "the part that is going on is told once it is whole");
        assert_eq!(pace.rate(at(100_250)), 7.0);
        assert_eq!(pace.rate(at(101_249)), 7.0);
        assert_eq!(pace.rate(at(101_250)), 0.0);
    }
}
