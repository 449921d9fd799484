//! `keep_alive` in JSON: seconds as a number, or a duration in Go's words; negative is forever.

use std::time::Duration;

use scheduler::KeepAlive;
use serde_json::Value;

use crate::error::Invalid;

/// Reads the field.
pub(crate) fn parse(value: &Value) -> Result<KeepAlive, Invalid> {
    let seconds = match value {
        Value::Number(number) => number.as_f64().unwrap_or(f64::INFINITY),
        Value::String(text) => go_seconds(text).map_err(|message| Invalid::of("keep_alive", message))?,
        other => return Err(Invalid::of("keep_alive", format!("Unsupported type: '{other}'"))),
    };
    if seconds < 0.0 {
        return Ok(KeepAlive::Forever);
    }
    // Longer than a Duration holds is forever, too.
    Ok(Duration::try_from_secs_f64(seconds).map_or(KeepAlive::Forever, KeepAlive::For))
}

/// Go's `time.ParseDuration`, with its error texts.
fn go_seconds(text: &str) -> Result<f64, String> {
    let invalid = || format!("time: invalid duration {text:?}");
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(0.0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let (number, after) =
            rest.split_at(rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len()));
        let number: f64 = number.parse().map_err(|_| invalid())?;
        let (unit, after) =
            after.split_at(after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len()));
        seconds += number
            * match unit {
                "ns" => 1e-9,
                "us" | "µs" | "μs" => 1e-6,
                "ms" => 1e-3,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                "" => return Err(format!("time: missing unit in duration {text:?}")),
                _ => return Err(format!("time: unknown unit {unit:?} in duration {text:?}")),
            };
        rest = after;
    }
    Ok(sign * seconds)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn seconds(value: Value) -> Option<f64> {
        match parse(&value).unwrap() {
            KeepAlive::For(time) => Some(time.as_secs_f64()),
            KeepAlive::Forever => None,
        }
    }

    #[test]
    fn numbers_are_seconds_and_texts_are_gos() {
        assert_eq!(seconds(json!(300)), Some(300.0));
        assert_eq!(seconds(json!("0")), Some(0.0));
        assert_eq!(seconds(json!("1h30m1.5s")), Some(5401.5));
    }

    #[test]
    fn negative_is_forever() {
        assert_eq!(seconds(json!(-1)), None);
        assert_eq!(seconds(json!("-1m")), None);
    }

    #[test]
    fn a_text_without_a_unit_is_refused_in_gos_words() {
        let refused = |value: Value| parse(&value).map(|_| ()).unwrap_err().message;

        assert_eq!(refused(json!("300")), "time: missing unit in duration \"300\"");
        assert_eq!(refused(json!("soon")), "time: invalid duration \"soon\"");
        assert_eq!(refused(json!("5y")), "time: unknown unit \"y\" in duration \"5y\"");
        assert_eq!(refused(json!(true)), "Unsupported type: 'true'");
    }
}
