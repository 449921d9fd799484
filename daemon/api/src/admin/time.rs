//! Times as this API writes them, and what time it is for it: by the clock by which `access` judges keys.

use access::Access;
use jiff::Timestamp;

/// Now.
pub(super) fn now(access: &Access) -> Timestamp {
    at(access.now())
}

/// Seconds since 1970, as RFC 3339 has them.
pub(super) fn written(seconds: i64) -> String {
    at(seconds).to_string()
}

/// A clock may say what is no time.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH)
}
