//! Sizes, counts and times in people's words. Pure; the clock is an argument.

use std::time::Duration;

/// Decimal units, three digits at most: `986 MB`, `4.7 GB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 4] =
        [(1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "KB")];
    for (unit, name) in UNITS {
        if bytes >= unit {
            let whole = bytes / unit;
            let tenth = (bytes % unit) * 10 / unit;
            return match (whole, tenth) {
                (10.., _) | (_, 0) => format!("{whole} {name}"),
                (whole, tenth) => format!("{whole}.{tenth} {name}"),
            };
        }
    }
    format!("{bytes} B")
}

/// How many parameters: `134.52M`, `7.6B`.
pub(crate) fn parameters(count: u64) -> String {
    let count = count as f64;
    match count {
        1e9.. => format!("{:.1}B", count / 1e9),
        1e6.. => format!("{:.2}M", count / 1e6),
        1e3.. => format!("{:.0}K", count / 1e3),
        _ => format!("{count:.0}"),
    }
}

/// `3 weeks ago`.
pub(crate) fn ago(elapsed: Duration) -> String {
    match elapsed.as_secs() {
        0 => "Less than a second ago".to_owned(),
        seconds => format!("{} ago", span(seconds)),
    }
}

/// `4 minutes from now`, `Forever` beyond twenty years, `Stopping...` when it is over.
pub(crate) fn until(seconds: i64) -> String {
    const TWENTY_YEARS: i64 = 20 * 365 * 24 * 3600;
    match u64::try_from(seconds) {
        Ok(_) if seconds > TWENTY_YEARS => "Forever".to_owned(),
        Ok(0) => "Less than a second from now".to_owned(),
        Ok(seconds) => format!("{} from now", span(seconds)),
        Err(_) => "Stopping...".to_owned(),
    }
}

fn span(seconds: u64) -> String {
    let minutes = seconds / 60;
    let hours = (seconds + 1800) / 3600;
    let days = hours / 24;
    match (seconds, minutes, hours) {
        (1, ..) => "1 second".to_owned(),
        (2..60, ..) => format!("{seconds} seconds"),
        (_, 1, _) => "About a minute".to_owned(),
        (_, 2..60, _) => format!("{minutes} minutes"),
        (_, _, 1) => "About an hour".to_owned(),
        (_, _, 2..48) => format!("{hours} hours"),
        _ if days < 14 => format!("{days} days"),
        _ if days < 60 => format!("{} weeks", days / 7),
        _ if days < 730 => format!("{} months", days / 30),
        _ => format!("{} years", days / 365),
    }
}

/// A duration of the API, in nanoseconds, in Go's form: `1.234s`, `12.5ms`, `1m2.5s`.
pub(crate) fn duration(nanoseconds: u64) -> String {
    let short = |value: f64| {
        let text = format!("{value:.6}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    let value = nanoseconds as f64;
    match nanoseconds {
        0 => "0s".to_owned(),
        1..1_000 => format!("{nanoseconds}ns"),
        1_000..1_000_000 => format!("{}µs", short(value / 1e3)),
        1_000_000..1_000_000_000 => format!("{}ms", short(value / 1e6)),
        1_000_000_000..60_000_000_000 => format!("{}s", short(value / 1e9)),
        _ => {
            let minutes = nanoseconds / 60_000_000_000;
            let rest = short((nanoseconds % 60_000_000_000) as f64 / 1e9);
            match minutes / 60 {
                0 => format!("{minutes}m{rest}s"),
                hours => format!("{hours}h{}m{rest}s", minutes % 60),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_decimal_and_short() {
        assert_eq!(size(12), "12 B");
        assert_eq!(size(986_000_000), "986 MB");
        assert_eq!(size(4_700_000_000), "4.7 GB");
    }

    #[test]
    fn times_are_rounded_to_what_people_say() {
        assert_eq!(ago(Duration::from_secs(21 * 86_400)), "3 weeks ago");
        assert_eq!(ago(Duration::from_secs(61)), "About a minute ago");
        assert_eq!(until(299), "4 minutes from now");
        assert_eq!(until(-1), "Stopping...");
        assert_eq!(until(i64::MAX), "Forever");
    }

    #[test]
    fn durations_are_written_as_go_does() {
        assert_eq!(duration(1_234_000_000), "1.234s");
        assert_eq!(duration(62_500_000_000), "1m2.5s");
        assert_eq!(duration(12_500_000), "12.5ms");
    }
}
