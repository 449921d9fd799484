//! Models whose workers crash: each crash makes the next load wait, and one that keeps crashing is not loaded any more until
//! its owner does something about it. Decides only; the clock is given.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use store::{Digest, ModelName};

/// What is known of models that crashed.
#[derive(Debug, Default)]
pub(crate) struct Health(HashMap<ModelName, Record>);

#[derive(Debug)]
struct Record {
    /// Of the manifest: a model that was made anew is another one.
    digest: Digest,
    crashes: Vec<Instant>,
    /// Of the last one.
    reason: String,
}

/// Whether a model may be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Now.
    Fit,
    /// Not before.
    Rests(Instant),
    /// It crashed too often; the last time for this reason.
    Quarantined(String),
}

/// So many crashes in so much time are too many.
const TOO_MANY: usize = 3;
const WINDOW: Duration = Duration::from_secs(600);

/// After the second crash, the first of which may have been bad luck.
const REST: Duration = Duration::from_secs(1);

impl Health {
    pub(crate) fn crashed(&mut self, name: &ModelName, digest: Digest, reason: String, now: Instant) {
        let fresh = || Record { digest, crashes: Vec::new(), reason: String::new() };
        let record = self.0.entry(name.clone()).or_insert_with(fresh);
        if record.digest != digest {
            *record = fresh();
        }
        record.crashes.retain(|crash| now.duration_since(*crash) < WINDOW);
        record.crashes.push(now);
        record.reason = reason;
    }

    pub(crate) fn verdict(&self, name: &ModelName, digest: Digest, now: Instant) -> Verdict {
        let Some(record) = self.0.get(name).filter(|record| record.digest == digest) else {
            return Verdict::Fit;
        };
        if record.crashes.len() >= TOO_MANY {
            // No time heals this: only its owner knows whether anything has changed.
            return Verdict::Quarantined(record.reason.clone());
        }
        match record.crashes[..] {
            [.., first, last] if now.duration_since(first) < WINDOW && now < last + REST => {
                Verdict::Rests(last + REST)
            }
            _ => Verdict::Fit,
        }
    }

    /// Of all models that crashed.
    pub(crate) fn verdicts(&self, now: Instant) -> impl Iterator<Item = (&ModelName, Verdict)> {
        self.0.iter().map(move |(name, record)| (name, self.verdict(name, record.digest, now)))
    }

    /// Its owner did something about it.
    pub(crate) fn touched(&mut self, name: &ModelName) {
        self.0.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_that_keeps_crashing_is_not_loaded_until_it_is_touched() {
        let (name, digest, start) = ("m".parse().unwrap(), Digest::of(b"one"), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut health = Health::default();
        let crash = |health: &mut Health, at| health.crashed(&name, digest, format!("at {at}"), after(at));

        crash(&mut health, 0);
        assert_eq!(health.verdict(&name, digest, after(0)), Verdict::Fit);
        crash(&mut health, 5);
        assert_eq!(health.verdict(&name, digest, after(5)), Verdict::Rests(after(6)));
        assert_eq!(health.verdict(&name, digest, after(6)), Verdict::Fit);
        crash(&mut health, 7);
        let quarantined = Verdict::Quarantined("at 7".into());
        assert_eq!(health.verdict(&name, digest, after(100_000)), quarantined);
        assert_eq!(health.verdict(&name, Digest::of(b"made anew"), after(8)), Verdict::Fit);

        health.touched(&name);
        assert_eq!(health.verdict(&name, digest, after(8)), Verdict::Fit);
    }

    #[test]
    fn crashes_that_are_far_apart_are_bad_luck() {
        let (name, digest, start) = ("m".parse().unwrap(), Digest::of(b"one"), Instant::now());
        let mut health = Health::default();
        for hour in 0..5 {
            let now = start + Duration::from_secs(3600 * hour);
            health.crashed(&name, digest, "a cosmic ray".into(), now);
            assert_eq!(health.verdict(&name, digest, now), Verdict::Fit);
        }
    }
}
