//! How values are written: sizes, times, numbers in a range, lists. What each setting means is not known here.

use std::time::Duration;

use anyhow::Context as _;
use scheduler::KeepAlive;

/// A time-out that is "never" is a day.
pub(super) const LONGEST_PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// Bytes, as in `8GiB`, `500MB` or `4096`.
pub(super) fn size(name: &str, text: &str) -> anyhow::Result<u64> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit = match unit.trim() {
        "" | "B" => 1,
        "KB" => 1000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => 0,
    };
    let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    bytes
        .filter(|_| unit > 0)
        .with_context(|| format!("setting {name}: \"{text}\" is no size; write it like 8GiB or 500MB"))
}

/// A time after which something is given up; 0 and negative ones are never.
pub(super) fn patience(name: &str, text: &str) -> anyhow::Result<Duration> {
    Ok(match time(name, text)? {
        KeepAlive::For(Duration::ZERO) | KeepAlive::Forever => LONGEST_PATIENCE,
        KeepAlive::For(time) => time.min(LONGEST_PATIENCE),
    })
}

/// A time that must end: from a second to a day.
pub(super) fn deadline(name: &str, given: Option<&str>, default: Duration) -> anyhow::Result<Duration> {
    let Some(text) = given else { return Ok(default) };
    match time(name, text)? {
        KeepAlive::For(time) if (Duration::from_secs(1)..=LONGEST_PATIENCE).contains(&time) => Ok(time),
        _ => anyhow::bail!("setting {name} is {text}, it must be from 1s to 24h"),
    }
}

pub(super) fn time(name: &str, text: &str) -> anyhow::Result<KeepAlive> {
    text.parse().with_context(|| format!("setting {name}"))
}

pub(super) fn ranged(
    name: &str,
    given: Option<u32>,
    default: u32,
    low: u32,
    high: u32,
) -> anyhow::Result<u32> {
    let value = given.unwrap_or(default);
    anyhow::ensure!(
        (low..=high).contains(&value),
        "setting {name} is {value}, it must be from {low} to {high}"
    );
    Ok(value)
}

/// What stands between commas.
pub(super) fn list(text: Option<&str>) -> Vec<String> {
    text.unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(Into::into)
        .collect()
}
