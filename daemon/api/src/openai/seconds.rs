//! Points in time as this family tells them: whole seconds since 1970.

use std::time::{SystemTime, UNIX_EPOCH};

pub(super) fn of(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

pub(super) fn now() -> i64 {
    of(SystemTime::now())
}
