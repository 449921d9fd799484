//! How long many things took, in a few hundred bytes however many there were. Pure.

use std::time::Duration;

/// Counts of delays by how long they were: each step is a fifth longer than the one before.
#[derive(Clone, Debug)]
pub struct Delays {
    counts: [u32; STEPS],
}

const STEPS: usize = 96;
/// From one power of two to the next.
const STEPS_OF_AN_OCTAVE: f64 = 4.0;

impl Default for Delays {
    fn default() -> Self {
        Self { counts: [0; STEPS] }
    }
}

impl Delays {
    pub(super) fn add(&mut self, delay: Duration) {
        let millis = (delay.as_secs_f64() * 1000.0).max(1.0);
        let step = (millis.log2() * STEPS_OF_AN_OCTAVE) as usize;
        let count = &mut self.counts[step.min(STEPS - 1)];
        *count = count.saturating_add(1);
    }

    /// So long that this part of them, from 0 to 1, took no longer, give or take a tenth; nothing, if there was none.
    pub fn quantile(&self, part: f64) -> Option<Duration> {
        let all: u64 = self.counts.iter().copied().map(u64::from).sum();
        let wanted = (all as f64 * part).ceil().max(1.0) as u64;
        let mut so_far = 0;
        let step = self.counts.iter().position(|count| {
            so_far += u64::from(*count);
            so_far >= wanted
        })?;
        let millis = ((step as f64 + 0.5) / STEPS_OF_AN_OCTAVE).exp2();
        Some(Duration::from_secs_f64(millis / 1000.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_right_by_a_tenth_from_a_millisecond_to_hours() {
        for scale in [1, 50, 3000, 60_000] {
            let mut delays = Delays::default();
            (1..=100).for_each(|times| delays.add(Duration::from_millis(times * scale)));
            for (part, expected) in [(0.5, 50 * scale), (0.95, 95 * scale), (1.0, 100 * scale)] {
                let told = delays.quantile(part).unwrap().as_secs_f64() * 1000.0;
                let off = (told - expected as f64).abs() / expected as f64;
                assert!(off < 0.1, "{part} of {scale}: {told} in place of {expected}");
            }
        }
    }

    #[test]
    fn of_nothing_nothing_is_told_and_what_is_too_long_is_long() {
        assert_eq!(Delays::default().quantile(0.5), None);
        let mut delays = Delays::default();
        delays.add(Duration::ZERO);
        assert!(delays.quantile(0.5).unwrap() < Duration::from_millis(2));
        delays.add(Duration::from_secs(1 << 40));
        assert!(delays.quantile(1.0).unwrap() > Duration::from_secs(3600));
    }
}
