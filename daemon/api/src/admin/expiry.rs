//! When a key is to expire, as it is asked for: at a time, or so long from now. Pure.

use std::time::Duration;

use jiff::Timestamp;

use crate::error::Invalid;

/// Seconds of what a length of time may be told in.
const UNITS: [(char, u64); 5] =
    [('m', 60), ('h', 3600), ('d', 86_400), ('w', 7 * 86_400), ('y', 365 * 86_400)];

/// Seconds since 1970 of `2026-12-31T00:00:00Z`, or of `30d` from now.
pub(super) fn parse(text: &str, now: Timestamp) -> Result<i64, Invalid> {
    let invalid = || {
        let message = format!(
            "expires is {text:?}; it must be a time as 2026-12-31T00:00:00Z, or a length of time as 12h, 30d or 1y"
        );
        Invalid::of("expires", message)
    };
    let at = match length(text) {
        Some(length) => now.checked_add(length).map_err(|_| invalid())?,
        None => text.parse::<Timestamp>().map_err(|_| invalid())?,
    };
    match at > now {
        true => Ok(at.as_second()),
        false => Err(Invalid::of("expires", format!("expires is {text:?}, which is over already"))),
    }
}

fn length(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let (_, seconds) = UNITS.into_iter().find(|(name, _)| unit.starts_with(*name))?;
    number.parse::<u64>().ok()?.checked_mul(seconds).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_expires_at_a_time_or_so_long_from_now_and_never_in_the_past() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        assert_eq!(parse("2h", now).unwrap(), 1_007_200);
        assert_eq!(parse("30d", now).unwrap(), 1_000_000 + 30 * 86_400);
        assert_eq!(parse("1970-01-20T00:00:00Z", now).unwrap(), 19 * 86_400);
        for wrong in [
            "",
            "d",
            "30",
            "-1d",
            "0d",
            "1970-01-02T00:00:00Z",
            "soon",
            "99999999999999999999y",
            "9999999999y",
            "3ü",
        ] {
            assert_eq!(parse(wrong, now).unwrap_err().field.as_deref(), Some("expires"), "{wrong}");
        }
    }
}
