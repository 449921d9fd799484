//! What each limit lets pass, and until when it does not.

use std::num::{NonZeroU32, NonZeroU64};

use super::*;

/// Noon of 2026-11-26.
const NOW: i64 = 1_795_694_400;
const NOON: i64 = DAY / 2;

fn per_minute(most: u32) -> Limits {
    Limits { requests_per_minute: NonZeroU32::new(most), ..Limits::default() }
}

fn seconds(exceeded: Result<(), Exceeded>) -> Option<(Limit, u64)> {
    exceeded.err().map(|exceeded| (exceeded.limit, exceeded.retry_after.as_secs()))
}

#[test]
fn there_are_so_many_requests_in_a_minute_and_the_next_when_the_first_is_old_enough() {
    let (mut meter, limits) = (Meter::new(), per_minute(3));
    let mut at = |now| seconds(meter.admit(&limits, NOW + now));

    assert_eq!([at(0), at(10), at(10)], [None; 3]);
    assert_eq!(at(10), Some((Limit::RequestsPerMinute(3), 50)));
    assert_eq!(at(59), Some((Limit::RequestsPerMinute(3), 1)));
    assert_eq!(at(60), None);
    assert_eq!(at(60), Some((Limit::RequestsPerMinute(3), 10)));
    assert_eq!([at(70), at(70)], [None; 2]);
}

#[test]
fn so_many_run_at_once_and_the_next_when_one_has_ended() {
    let limits = Limits { concurrent: NonZeroU32::new(2), ..Limits::default() };
    let mut meter = Meter::new();

    assert!(meter.admit(&limits, NOW).is_ok() && meter.admit(&limits, NOW).is_ok());
    assert_eq!(seconds(meter.admit(&limits, NOW)), Some((Limit::Concurrent(2), 1)));
    meter.release();
    assert!(meter.admit(&limits, NOW).is_ok());
}

#[test]
fn what_is_refused_is_not_counted() {
    let limits = Limits { concurrent: NonZeroU32::new(1), ..per_minute(2) };
    let mut meter = Meter::new();

    meter.admit(&limits, NOW).unwrap();
    for _ in 0..10 {
        assert!(matches!(meter.admit(&limits, NOW), Err(Exceeded { limit: Limit::Concurrent(1), .. })));
    }
    meter.release();
    meter.admit(&limits, NOW).unwrap();
}

#[test]
fn tokens_are_limited_by_day_until_midnight_and_by_month_until_its_end() {
    let limits = Limits {
        tokens_per_day: NonZeroU64::new(100),
        tokens_per_month: NonZeroU64::new(250),
        ..Limits::default()
    };
    let (mut meter, today) = (Meter::new(), NOW.div_euclid(DAY));

    meter.count(today, 99);
    assert!(meter.admit(&limits, NOW).is_ok());
    // It ran when the last of them were used.
    meter.count(today, 30);
    assert_eq!(seconds(meter.admit(&limits, NOW)), Some((Limit::TokensPerDay(100), NOON as u64)));
    assert_eq!(seconds(meter.admit(&limits, NOW + NOON - 1)), Some((Limit::TokensPerDay(100), 1)));
    assert!(meter.admit(&limits, NOW + NOON).is_ok());

    meter.count(today + 1, 121);
    // 26 November: four days and a half.
    let rest = (4 * DAY + NOON) as u64;
    assert_eq!(seconds(meter.admit(&limits, NOW)), Some((Limit::TokensPerMonth(250), rest)));
    assert!(meter.admit(&limits, NOW + 4 * DAY).is_err());
    assert!(meter.admit(&limits, NOW + 4 * DAY + NOON).is_ok());
}

#[test]
fn a_clock_that_is_set_back_locks_nobody_out_and_gives_no_minute_twice() {
    let (mut meter, limits) = (Meter::new(), per_minute(2));
    let mut at = |now: i64| seconds(meter.admit(&limits, now));

    assert_eq!([at(NOW), at(NOW + 30)], [None; 2]);
    // A year back, and what was counted is as old as it was.
    let then = NOW - 365 * DAY - 17;
    assert_eq!(at(then), Some((Limit::RequestsPerMinute(2), 30)));
    assert_eq!(
        [at(then + 29).is_some(), at(then + 30).is_some(), at(then + 30).is_some()],
        [true, false, true]
    );
    assert_eq!(at(then + 60), None);
    // Ahead: a minute is forgotten, and no more.
    assert_eq!([at(NOW), at(NOW)], [None; 2]);
    assert_eq!(at(NOW), Some((Limit::RequestsPerMinute(2), 60)));
}

#[test]
fn each_day_s_allowance_is_given_once_however_the_clock_jumps() {
    let limits = Limits { tokens_per_day: NonZeroU64::new(100), ..Limits::default() };
    let (mut meter, today) = (Meter::new(), NOW.div_euclid(DAY));
    meter.count(today - 1, 60);
    meter.count(today, 100);

    // Set back by a day: the rest of that day's, and no longer until a midnight than any other day.
    assert!(meter.admit(&limits, NOW - DAY).is_ok());
    meter.count(today - 1, 40);
    assert_eq!(seconds(meter.admit(&limits, NOW - DAY)), Some((Limit::TokensPerDay(100), NOON as u64)));
    assert_eq!(seconds(meter.admit(&limits, NOW)), Some((Limit::TokensPerDay(100), NOON as u64)));
}

#[test]
fn the_day_that_it_is_is_not_forgotten_for_days_that_a_wrong_clock_told() {
    let limits = Limits { tokens_per_day: NonZeroU64::new(100), ..Limits::default() };
    let (mut meter, today) = (Meter::new(), NOW.div_euclid(DAY));
    for ahead in 1..=200 {
        meter.count(today + 4000 + ahead, 5);
    }

    meter.count(today, 100);

    assert!(meter.admit(&limits, NOW).is_err());
    assert!(meter.days.tokens.len() <= MOST_DAYS as usize);
}

#[test]
fn it_is_told_how_much_is_left() {
    let limits = Limits {
        tokens_per_day: NonZeroU64::new(100),
        tokens_per_month: NonZeroU64::new(120),
        ..per_minute(5)
    };
    let (mut meter, today) = (Meter::new(), NOW.div_euclid(DAY));
    let left = |limit, remaining, reset: i64| {
        Some(Left { limit, remaining, reset: Duration::from_secs(reset.cast_unsigned()) })
    };

    assert_eq!(meter.standing(&Limits::default(), NOW), Standing::default());
    assert_eq!(meter.standing(&limits, NOW).requests, left(5, 5, 0));
    meter.admit(&limits, NOW).unwrap();
    meter.admit(&limits, NOW + 5).unwrap();
    meter.count(today, 30);
    let standing = meter.standing(&limits, NOW + 10);
    assert_eq!(standing.requests, left(5, 3, 55));
    assert_eq!(standing.tokens, left(100, 70, NOON - 10));
    // The month's are fewer.
    meter.count(today - 1, 60);
    assert_eq!(meter.standing(&limits, NOW).tokens, left(120, 30, 4 * DAY + NOON));
    meter.count(today, 1000);
    assert_eq!(meter.standing(&limits, NOW).tokens.unwrap().remaining, 0);
}

#[test]
fn months_are_those_of_the_calendar() {
    let day = |year, month, day| days_since_1970(Date::constant(year, month, day));

    assert_eq!(month(day(2028, 2, 10)), day(2028, 2, 1)..day(2028, 3, 1));
    assert_eq!(month(day(2026, 12, 31)), day(2026, 12, 1)..day(2027, 1, 1));
    assert_eq!(month(0), 0..31);
    assert_eq!(
        (date(0), date(day(2026, 11, 26))),
        (Date::constant(1970, 1, 1), Date::constant(2026, 11, 26))
    );
    // Whatever a clock says.
    assert!(!month(i64::MAX / DAY).is_empty() && !month(i64::MIN / DAY).is_empty());
}

proptest::proptest! {
    /// By a plain list of when requests were let in.
    #[test]
    fn no_sixty_seconds_have_more_than_the_limit_and_the_next_is_let_in_when_it_was_said(
        most in 1_u32..6,
        pauses in proptest::collection::vec(0_i64..40, 1..60),
    ) {
        let (mut meter, limits) = (Meter::new(), per_minute(most));
        let (mut now, mut admitted, mut again) = (NOW, Vec::new(), None);
        for pause in pauses {
            now += pause;
            let recent = admitted.iter().filter(|then| now - **then < 60).count();
            match meter.admit(&limits, now) {
                Ok(()) => {
                    proptest::prop_assert!(recent < most as usize);
                    proptest::prop_assert!(again.is_none_or(|again| now >= again));
                    admitted.push(now);
                    again = None;
                }
                Err(exceeded) => {
                    proptest::prop_assert_eq!(recent, most as usize);
                    again = Some(now + exceeded.retry_after.as_secs().cast_signed());
                    proptest::prop_assert_eq!(again, admitted.iter().rev().nth(most as usize - 1).map(|then| then + 60));
                }
            }
        }
    }
}
