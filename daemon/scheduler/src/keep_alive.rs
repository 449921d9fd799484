//! How long an idle model stays in memory.

use std::str::FromStr;
use std::time::Duration;

/// How long an idle model stays in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepAlive {
    /// So long after its last answer; zero is not at all.
    For(Duration),
    /// Until it is told to go.
    Forever,
}

/// The text is no time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no time; write it like \"5m\", \"1h30m\" or a number of seconds, negative for ever")]
pub struct InvalidKeepAlive(String);

impl FromStr for KeepAlive {
    type Err = InvalidKeepAlive;

    /// A number of seconds, or a duration as Go writes them: numbers with units, such as `1h30m`.
    fn from_str(text: &str) -> Result<Self, InvalidKeepAlive> {
        let invalid = || InvalidKeepAlive(text.into());
        if let Ok(seconds) = text.parse::<i64>() {
            return Ok(u64::try_from(seconds)
                .map_or(Self::Forever, |seconds| Self::For(Duration::from_secs(seconds))));
        }
        let (negative, mut rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let mut seconds = 0.0;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(invalid)?;
            let number: f64 = rest[..digits].parse().map_err(|_| invalid())?;
            let after = &rest[digits..];
            let unit = &after[..after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len())];
            let in_seconds = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(invalid)?.1;
            seconds += number * in_seconds;
            rest = &after[unit.len()..];
        }
        if text.is_empty() {
            return Err(invalid());
        }
        if negative && seconds > 0.0 {
            return Ok(Self::Forever);
        }
        Duration::try_from_secs_f64(seconds).map(Self::For).map_err(|_| invalid())
    }
}

const UNITS: &[(&str, f64)] =
    &[("ns", 1e-9), ("us", 1e-6), ("µs", 1e-6), ("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_go_and_ollama_write_them() {
        let seconds = |n| KeepAlive::For(Duration::from_secs(n));
        for (text, expected) in [
            ("5m", seconds(300)),
            ("1h30m", seconds(5400)),
            ("300", seconds(300)),
            ("0", seconds(0)),
            ("0s", seconds(0)),
            ("250ms", KeepAlive::For(Duration::from_millis(250))),
            ("-1", KeepAlive::Forever),
            ("-1m", KeepAlive::Forever),
        ] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        for text in ["", "m", "5", "5 m", "five", "1y"].into_iter().filter(|text| *text != "5") {
            assert!(text.parse::<KeepAlive>().is_err(), "{text}");
        }
    }
}
