//! How much somebody has asked and been answered, and whether there may be more. Times come in as arguments; what is kept over
//! a restart is `usage`'s to write.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::time::Duration;

use jiff::civil::Date;

use crate::policy::Limits;
use crate::time::DAY;

/// Tokens of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// That were read.
    pub prompt_tokens: u64,
    /// That were answered.
    pub completion_tokens: u64,
}

impl Usage {
    /// All of them.
    pub fn total(self) -> u64 {
        self.prompt_tokens.saturating_add(self.completion_tokens)
    }
}

/// Which limit it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Requests in sixty seconds.
    RequestsPerMinute(u32),
    /// Requests at once.
    Concurrent(u32),
    /// Tokens in a day.
    TokensPerDay(u64),
    /// Tokens in a month.
    TokensPerMonth(u64),
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RequestsPerMinute(most) => write!(f, "{most} requests a minute"),
            Self::Concurrent(most) => write!(f, "{most} requests at once"),
            Self::TokensPerDay(most) => write!(f, "{most} tokens a day"),
            Self::TokensPerMonth(most) => write!(f, "{most} tokens a month"),
        }
    }
}

/// There was too much already. The request was not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this key is limited to {limit}; try again in {} s", retry_after.as_secs())]
pub struct Exceeded {
    /// What it is limited to.
    pub limit: Limit,
    /// When there may be more. Whole seconds, at least one.
    pub retry_after: Duration,
}

/// How it stands with the limits, for the headers that tell a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Requests in a minute.
    pub requests: Option<Left>,
    /// Tokens in a day or a month, of which there are fewer left.
    pub tokens: Option<Left>,
}

/// What is left of something limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// How many there may be.
    pub limit: u64,
    /// How many there may still be.
    pub remaining: u64,
    /// When all of them may be again.
    pub reset: Duration,
}

/// What somebody used, as far as it matters for the limits.
#[derive(Debug)]
pub(crate) struct Meter {
    minute: Minute,
    running: u32,
    days: Days,
}

impl Meter {
    pub(crate) fn new() -> Self {
        Self { minute: Minute::new(), running: 0, days: Days::default() }
    }

    /// Lets one more request in, or says why not.
    ///
    /// Tokens are known only when an answer ends. So what runs when the last of them are used is finished, and nothing new begins.
    pub(crate) fn admit(&mut self, limits: &Limits, now: i64) -> Result<(), Exceeded> {
        let refuse = |limit, seconds: i64| {
            let retry_after = Duration::from_secs(seconds.max(1).cast_unsigned());
            Err(Exceeded { limit, retry_after })
        };
        for (limit, allowance) in self.days.allowances(limits, now) {
            if allowance.spent >= allowance.most {
                return refuse(limit, allowance.ends_in);
            }
        }
        if let Some(most) = limits.requests_per_minute {
            let seconds = self.minute.wait(most.get(), now);
            if seconds > 0 {
                return refuse(Limit::RequestsPerMinute(most.get()), seconds);
            }
        }
        if let Some(most) = limits.concurrent.filter(|most| self.running >= most.get()) {
            return refuse(Limit::Concurrent(most.get()), 1);
        }
        self.minute.add(now);
        self.running += 1;
        Ok(())
    }

    /// One of those that were let in has ended.
    pub(crate) fn release(&mut self) {
        self.running = self.running.saturating_sub(1);
    }

    /// So many tokens were used on this day.
    pub(crate) fn count(&mut self, day: i64, tokens: u64) {
        self.days.add(day, tokens);
    }

    pub(crate) fn standing(&mut self, limits: &Limits, now: i64) -> Standing {
        let requests = limits.requests_per_minute.map(|most| self.minute.left(most.get(), now));
        let tokens = self.days.allowances(limits, now).map(|(_, allowance)| allowance.left());
        Standing { requests, tokens: tokens.min_by_key(|left| left.remaining) }
    }
}

/// Requests of the last sixty seconds, by seconds: never more than so many within any sixty of the clock's.
///
/// If the clock is set back, what was counted keeps its age, so nobody waits longer than a minute, and nothing is forgotten. If
/// it jumps ahead, a minute is forgotten at most.
#[derive(Debug)]
struct Minute {
    /// The second `now` is in place `now` modulo 60.
    counts: [u32; 60],
    now: i64,
}

impl Minute {
    fn new() -> Self {
        Self { counts: [0; 60], now: 0 }
    }

    fn add(&mut self, now: i64) {
        self.advance(now);
        self.counts[place(now)] += 1;
    }

    /// Seconds until there may be one more.
    fn wait(&mut self, most: u32, now: i64) -> i64 {
        self.advance(now);
        let mut counted = self.counted();
        // The oldest goes first.
        (0..60)
            .find(|wait| {
                if *wait > 0 {
                    counted -= u64::from(self.counts[place(now + wait)]);
                }
                counted < u64::from(most)
            })
            .unwrap_or(60)
    }

    fn left(&mut self, most: u32, now: i64) -> Left {
        self.advance(now);
        let newest = (0..60).find(|age| self.counts[place(now - age)] > 0);
        let reset = newest.map_or(0, |age| 60 - age.cast_unsigned());
        let limit = u64::from(most);
        Left { limit, remaining: limit.saturating_sub(self.counted()), reset: Duration::from_secs(reset) }
    }

    fn counted(&self) -> u64 {
        self.counts.iter().copied().map(u64::from).sum()
    }

    fn advance(&mut self, now: i64) {
        let passed = now.saturating_sub(self.now);
        if passed < 0 {
            self.counts.rotate_left(place(passed.saturating_neg()));
        }
        for second in 0..passed.min(60) {
            self.counts[place(now - second)] = 0;
        }
        self.now = now;
    }
}

/// Of a second among sixty.
fn place(second: i64) -> usize {
    usize::try_from(second.rem_euclid(60)).unwrap_or(0)
}

/// Tokens by calendar day. Each day's allowance is given once, however the clock jumps: where it is set back to a day of which
/// something was used, the rest of that day's is left, and nobody waits longer than until the next midnight by the clock.
#[derive(Debug, Default)]
struct Days {
    tokens: BTreeMap<i64, u64>,
    /// The days of the month that was last asked for.
    month: Range<i64>,
}

/// Days that are remembered: those of a month, and as many besides.
pub(crate) const MOST_DAYS: u32 = 64;

/// So many tokens in a span of time.
struct Allowance {
    most: u64,
    spent: u64,
    ends_in: i64,
}

impl Allowance {
    fn left(&self) -> Left {
        Left {
            limit: self.most,
            remaining: self.most.saturating_sub(self.spent),
            reset: Duration::from_secs(self.ends_in.max(0).cast_unsigned()),
        }
    }
}

impl Days {
    fn add(&mut self, day: i64, tokens: u64) {
        let known = self.tokens.entry(day).or_default();
        *known = known.saturating_add(tokens);
        if self.tokens.len() > MOST_DAYS as usize {
            // The one that is farthest from this one, whether the clock was wrong then or is now.
            let ends = [self.tokens.first_key_value(), self.tokens.last_key_value()];
            let farthest =
                ends.into_iter().flatten().map(|(known, _)| *known).max_by_key(|known| known.abs_diff(day));
            farthest.and_then(|farthest| self.tokens.remove(&farthest));
        }
    }

    /// The longer one first: it is of no use to come back tomorrow if the month's are used up.
    fn allowances(&mut self, limits: &Limits, now: i64) -> impl Iterator<Item = (Limit, Allowance)> {
        let day = now.div_euclid(DAY);
        let of_month = limits.tokens_per_month.map(|most| {
            if !self.month.contains(&day) {
                self.month = month(day);
            }
            let spent = self.tokens.range(self.month.clone()).map(|(_, tokens)| *tokens);
            let spent = spent.fold(0, u64::saturating_add);
            let ends_in = self.month.end * DAY - now;
            (Limit::TokensPerMonth(most.get()), Allowance { most: most.get(), spent, ends_in })
        });
        let of_day = limits.tokens_per_day.map(|most| {
            let spent = self.tokens.get(&day).copied().unwrap_or_default();
            let ends_in = (day + 1) * DAY - now;
            (Limit::TokensPerDay(most.get()), Allowance { most: most.get(), spent, ends_in })
        });
        of_month.into_iter().chain(of_day)
    }
}

/// The days of the calendar month of a day.
fn month(day: i64) -> Range<i64> {
    let date = date(day);
    let first = day - i64::from(date.day()) + 1;
    first..first + i64::from(date.days_in_month())
}

/// Which date it is, so many days after 1970 began.
pub(crate) fn date(day: i64) -> Date {
    let seconds = day.saturating_mul(DAY);
    let end = if day < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
    let time = jiff::Timestamp::from_second(seconds).unwrap_or(end);
    jiff::tz::TimeZone::UTC.to_datetime(time).date()
}

/// The other way round.
pub(crate) fn days_since_1970(date: Date) -> i64 {
    let midnight = jiff::tz::TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).map(jiff::Timestamp::as_second);
    midnight.unwrap_or_default().div_euclid(DAY)
}

#[cfg(test)]
mod tests;
