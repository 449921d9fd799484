//! How often passwords may be tried: by account and by where they are tried from, with pauses that grow. A try is counted before
//! it is made, so that many at once are as many. Forgotten with the process, which nobody who tries can end.
//!
//! The long pause is the network's that tries, so that a stranger keeps out themselves. The account's own is short, and is there
//! for many networks at once: all of them together have two tries a minute at one account, 2 880 a day, each of them a hundred.
//! Of eight random small letters that finds one in a hundred in two thousand years. It would find a password from a list of the
//! commonest, to which no pause is an answer that does not keep the owner out as well; it stands in the audit log meanwhile.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Duration;

use crate::lock;

/// Failures that cost nothing: people mistype.
const FREE: u32 = 5;
/// After the next, and twice as long after each that follows.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// A hundred tries a day.
const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);
/// Of an account, whoever tries it.
const LONGEST_OF_ACCOUNT: Duration = Duration::from_secs(30);
/// After which without a try a failure is forgotten.
const MEMORY: Duration = Duration::from_secs(24 * 3600);
/// More are not remembered.
const MOST_COUNTS: usize = 4096;

/// What tries are counted by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Counted {
    /// An account that there may be or not, by its name in small letters.
    Account(String),
    /// A network, as [`crate::network::of`] tells it.
    Network(IpAddr),
    /// An address from which this account is signed in. It is not counted with the account or its network, so that strangers
    /// cannot keep people out of their own.
    Known(IpAddr, String),
    /// A session in which the password is typed again.
    Session(String),
}

/// Counts failures.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    counts: Mutex<HashMap<Counted, Count>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    failures: u32,
    last: Duration,
    paused_until: Duration,
}

/// A try, which counts as failed unless it is said to be otherwise.
#[must_use]
#[derive(Debug)]
pub(crate) struct Try<'a> {
    throttle: &'a Throttle,
    by: Vec<Counted>,
}

impl Throttle {
    /// Begins a try, or says how long it is too early for it. `now` is by a clock that does not jump.
    pub(crate) fn begin(&self, by: Vec<Counted>, now: Duration) -> Result<Try<'_>, Duration> {
        let mut counts = lock(&self.counts);
        let paused =
            by.iter().filter_map(|counted| counts.get(counted)).map(|count| count.paused_until).max();
        if let Some(early) = paused.and_then(|until| until.checked_sub(now)).filter(|early| !early.is_zero())
        {
            return Err(early);
        }
        for counted in &by {
            make_room(&mut counts, counted, now);
            let count = counts.entry(counted.clone()).or_default();
            if now.saturating_sub(count.last) >= MEMORY {
                count.failures = 0;
            }
            count.failures = count.failures.saturating_add(1);
            *count = Count { last: now, paused_until: now + counted.pause(count.failures), ..*count };
        }
        Ok(Try { throttle: self, by })
    }

    /// Forgets what failed at an account, as with another password: who tried the old one keeps nobody from the new one.
    pub(crate) fn forget(&self, name: &str) {
        let of_account = |counted: &Counted| match counted {
            Counted::Account(account) | Counted::Known(_, account) => account == name,
            Counted::Network(_) | Counted::Session(_) => false,
        };
        lock(&self.counts).retain(|counted, _| !of_account(counted));
    }
}

impl Counted {
    fn pause(&self, failures: u32) -> Duration {
        let longest = if let Self::Account(_) = self { LONGEST_OF_ACCOUNT } else { LONGEST_PAUSE };
        pause(failures).min(longest)
    }
}

impl Try<'_> {
    /// It was the password.
    pub(crate) fn succeeded(self) {
        let mut counts = lock(&self.throttle.counts);
        for counted in &self.by {
            counts.remove(counted);
        }
    }

    /// It was not made.
    pub(crate) fn withdrawn(self) {
        let mut counts = lock(&self.throttle.counts);
        for counted in &self.by {
            if let Some(count) = counts.get_mut(counted) {
                count.failures = count.failures.saturating_sub(1);
                count.paused_until = count.last;
            }
        }
    }
}

fn pause(failures: u32) -> Duration {
    match failures.checked_sub(FREE + 1) {
        Some(more) => FIRST_PAUSE.saturating_mul(1 << more.min(16)).min(LONGEST_PAUSE),
        None => Duration::ZERO,
    }
}

/// Forgets what is old, or else what has failed least: whoever is being tried hardest is remembered.
fn make_room(counts: &mut HashMap<Counted, Count>, for_this: &Counted, now: Duration) {
    if counts.len() < MOST_COUNTS || counts.contains_key(for_this) {
        return;
    }
    counts.retain(|_, count| now.saturating_sub(count.last) < MEMORY);
    if counts.len() >= MOST_COUNTS {
        let least = counts.iter().min_by_key(|(_, count)| (count.failures, count.last));
        if let Some(least) = least.map(|(counted, _)| counted.clone()) {
            counts.remove(&least);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    fn account(name: &str) -> Vec<Counted> {
        vec![Counted::Account(name.into())]
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn tries_of_a_day(by: &Counted) -> u64 {
        let throttle = Throttle::default();
        let (mut now, mut tries) = (at(1000), 0);
        let day = now + at(24 * 3600);

        while now < day {
            match throttle.begin(vec![by.clone()], now) {
                Ok(_failed) => tries += 1,
                Err(early) => now += early,
            }
        }

        tries
    }

    #[test]
    fn a_network_has_a_hundred_tries_a_day_and_all_at_an_account_two_a_minute() {
        let network = tries_of_a_day(&Counted::Network([192, 168, 1, 7].into()));
        assert!((90..=115).contains(&network), "{network}");
        let account = tries_of_a_day(&Counted::Account("anna".into()));
        assert!((2_000..=2_900).contains(&account), "{account}");
    }

    #[test]
    fn many_at_once_are_as_many() {
        let throttle = Throttle::default();
        let tried = AtomicUsize::new(0);

        thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        if throttle.begin(account("anna"), at(1000)).is_ok() {
                            tried.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });

        assert_eq!(tried.into_inner(), FREE as usize + 1);
    }

    #[test]
    fn who_got_it_right_begins_anew_and_a_try_that_was_not_made_counts_for_nothing() {
        let throttle = Throttle::default();
        let both = || vec![Counted::Account("anna".into()), Counted::Network([192, 168, 1, 7].into())];

        for _ in 0..100 {
            throttle.begin(both(), at(1000)).unwrap().withdrawn();
        }
        for _ in 0..FREE {
            let _failed = throttle.begin(both(), at(1000)).unwrap();
        }
        throttle.begin(both(), at(1000)).unwrap().succeeded();
        for _ in 0..=FREE {
            let _failed = throttle.begin(both(), at(1000)).unwrap();
        }

        assert_eq!(throttle.begin(both(), at(1000)).unwrap_err(), at(1));
        // From elsewhere, and of another, it is as early.
        assert!(throttle.begin(account("anna"), at(1000)).is_err());
        assert!(throttle.begin(vec![Counted::Network([192, 168, 1, 7].into())], at(1000)).is_err());
        assert!(throttle.begin(account("bert"), at(1000)).is_ok());
    }

    #[test]
    fn a_crowd_fills_no_memory_and_makes_nobody_forgotten_who_is_tried_hard() {
        let throttle = Throttle::default();
        for _ in 0..=FREE {
            let _failed = throttle.begin(account("anna"), at(1000)).unwrap();
        }

        for number in 0..3 * MOST_COUNTS {
            let _failed = throttle.begin(account(&number.to_string()), at(1000)).unwrap();
        }

        assert!(lock(&throttle.counts).len() <= MOST_COUNTS);
        assert!(throttle.begin(account("anna"), at(1000)).is_err());
    }
}
