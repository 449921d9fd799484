//! Which bytes of a blob are wanted: `Range` as far as it is taken here, which is one range of bytes.
//!
//! <https://www.rfc-editor.org/rfc/rfc9110#name-range-requests>

use std::ops::Range;

use http::{
    HeaderMap,
    header::{IF_RANGE, RANGE},
};

/// What of a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    All,
    Part(Range<u64>),
    /// There are no such bytes.
    Beyond,
}

impl Wanted {
    /// Of a blob of this length, which goes by `etag`.
    pub(super) fn of(headers: &HeaderMap, length: u64, etag: &str) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        // A blob is its name, so any other was said of another one: then all of this one is wanted.
        if headers.contains_key(IF_RANGE) && text(IF_RANGE) != Some(etag) {
            return Self::All;
        }
        match text(RANGE) {
            Some(range) if headers.get_all(RANGE).iter().count() == 1 => parse(range, length),
            _ => Self::All,
        }
    }
}

/// What makes no sense, or is more than one range, is as if it were not there, as the standard lets it be.
fn parse(text: &str, length: u64) -> Wanted {
    let Some((first, last)) = text.strip_prefix("bytes=").and_then(|range| range.trim().split_once('-'))
    else {
        return Wanted::All;
    };
    let number = |text: &str| -> Option<u64> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // As many as no file has are as good as the largest number.
        digits.then(|| text.parse().unwrap_or(u64::MAX))
    };
    let range = match (number(first), number(last)) {
        (Some(first), Some(last)) if first > last => return Wanted::All,
        (Some(first), Some(last)) => first..last.saturating_add(1).min(length),
        (Some(first), None) if last.is_empty() => first..length,
        (None, Some(count)) if first.is_empty() => length.saturating_sub(count)..length,
        _ => return Wanted::All,
    };
    if range.is_empty() { Wanted::Beyond } else { Wanted::Part(range) }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn one_range_of_bytes_is_taken_and_what_lies_beyond_the_end_is_told() {
        for (text, wanted) in [
            ("bytes=0-9", Wanted::Part(0..10)),
            ("bytes=90-", Wanted::Part(90..100)),
            ("bytes=-10", Wanted::Part(90..100)),
            ("bytes=-1000", Wanted::Part(0..100)),
            ("bytes=99-99", Wanted::Part(99..100)),
            ("bytes=50-100000000000000000000000", Wanted::Part(50..100)),
            ("bytes=100-", Wanted::Beyond),
            ("bytes=100-200", Wanted::Beyond),
            ("bytes=-0", Wanted::Beyond),
            ("bytes=9-0", Wanted::All),
            ("bytes=0-1,4-5", Wanted::All),
            ("bytes=", Wanted::All),
            ("bytes=-", Wanted::All),
            ("bytes=+1-2", Wanted::All),
            ("items=0-9", Wanted::All),
        ] {
            assert_eq!(parse(text, 100), wanted, "{text}");
        }
        assert_eq!(parse("bytes=0-0", 0), Wanted::Beyond);
    }

    #[test]
    fn a_range_of_another_blob_is_none_of_this_one() {
        let mut headers = HeaderMap::new();
        headers.insert(RANGE, HeaderValue::from_static("bytes=0-9"));
        headers.insert(IF_RANGE, HeaderValue::from_static("\"sha256:a\""));
        assert_eq!(Wanted::of(&headers, 100, "\"sha256:a\""), Wanted::Part(0..10));
        assert_eq!(Wanted::of(&headers, 100, "\"sha256:b\""), Wanted::All);
        headers.remove(IF_RANGE);
        headers.append(RANGE, HeaderValue::from_static("bytes=5-9"));
        assert_eq!(Wanted::of(&headers, 100, ""), Wanted::All);
    }
}
