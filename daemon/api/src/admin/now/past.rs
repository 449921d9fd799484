//! What went on in the last day, a row a minute, in memory: what was done meanwhile is counted where it is done, so that a row
//! costs one look.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use scheduler::Totals;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::look::{tenths, written};
use super::told::{History, Row};
use crate::Api;

/// The rows of a day. A clone is the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Past(Arc<Mutex<VecDeque<Minute>>>);

#[derive(Clone, Debug)]
struct Minute {
    /// Its end.
    at: SystemTime,
    answer_rate: f64,
    prompt_rate: f64,
    requests: u64,
    first_token_p50: Option<Duration>,
    first_token_p95: Option<Duration>,
    memory_bytes: u64,
    temperature: Option<f64>,
    power: Option<f64>,
}

const STEP: Duration = Duration::from_secs(60);

/// Those of a day.
const ROWS: usize = 24 * 60;

impl Api {
    /// Keeps what goes on, until nobody new is served.
    pub async fn keep_history(&self) {
        let mut minutes = interval_at(Instant::now() + STEP, STEP);
        // A machine that slept has no rows of that time.
        minutes.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (stopping, mut last) = (self.health.stopping(), Instant::now());
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                now = minutes.tick() => {
                    self.keep_minute(now - last).await;
                    last = now;
                }
            }
        }
    }

    /// Keeps what was done in this time.
    async fn keep_minute(&self, over: Duration) {
        let machine = self.gauges.read(self).await.machine;
        let totals = self.scheduler.take_totals();
        let minute = Minute {
            memory_bytes: self.scheduler.memory().used_bytes(),
            temperature: machine.temperature,
            power: machine.power,
            ..Minute::of(&totals, over, SystemTime::now())
        };
        self.past.keep(minute);
    }
}

impl Past {
    pub(super) fn told(&self) -> History {
        History { step: STEP.as_secs(), rows: self.rows().iter().map(Minute::told).collect() }
    }

    fn keep(&self, minute: Minute) {
        let mut rows = self.rows();
        if rows.len() >= ROWS {
            rows.pop_front();
        }
        rows.push_back(minute);
    }

    fn rows(&self) -> MutexGuard<'_, VecDeque<Minute>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Minute {
    fn of(totals: &Totals, over: Duration, at: SystemTime) -> Self {
        let seconds = over.as_secs_f64().max(1.0);
        Self {
            at,
            answer_rate: totals.answer_tokens as f64 / seconds,
            prompt_rate: totals.prompt_tokens as f64 / seconds,
            requests: totals.requests,
            first_token_p50: totals.first_tokens.quantile(0.5),
            first_token_p95: totals.first_tokens.quantile(0.95),
            memory_bytes: 0,
            temperature: None,
            power: None,
        }
    }

    fn told(&self) -> Row {
        let millis = |time: Duration| (time.as_secs_f64() * 1000.0).round();
        Row {
            at: written(self.at),
            answer_rate: tenths(self.answer_rate),
            prompt_rate: tenths(self.prompt_rate),
            requests: self.requests,
            first_token_ms_p50: self.first_token_p50.map(millis),
            first_token_ms_p95: self.first_token_p95.map(millis),
            memory: self.memory_bytes,
            temperature: self.temperature.map(tenths),
            power: self.power.map(tenths),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_kept_and_no_more() {
        let past = Past::default();
        for minute in 0..ROWS as u64 + 30 {
            let totals = Totals { requests: minute, ..Totals::default() };
            past.keep(Minute::of(&totals, STEP, SystemTime::UNIX_EPOCH + STEP * minute as u32));
        }

        let told = past.told();

        assert_eq!((told.step, told.rows.len()), (60, ROWS));
        let numbers: Vec<u64> = told.rows.iter().map(|row| row.requests).collect();
        assert_eq!((numbers[0], numbers[ROWS - 1]), (30, ROWS as u64 + 29));
        assert_eq!(told.rows[0].at, "1970-01-01T00:30:00Z");
    }

    #[test]
    fn a_row_has_rates_over_its_own_time() {
        let totals = Totals { answer_tokens: 900, prompt_tokens: 30, ..Totals::default() };
        let row = Minute::of(&totals, Duration::from_secs(90), SystemTime::UNIX_EPOCH).told();
        assert_eq!((row.answer_rate, row.prompt_rate, row.first_token_ms_p50), (10.0, 0.3, None));
    }
}
