//! `GET /admin/api/usage`: what was used, by day and by whom.

use access::{DayUsage, Usage};
use axum::{Json, extract::Query};
use jiff::{ToSpan, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};

use super::{errors::Refusal, time};
use crate::{Api, error::Invalid};

/// Which days, by UTC, both included. The last thirty, if nothing is said.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Days {
    from: Option<String>,
    to: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Used {
    from: String,
    to: String,
    usage: Vec<Day>,
}

#[derive(Serialize)]
struct Day {
    day: String,
    /// A key's id, a person's name, or what else came without either.
    who: String,
    requests: u64,
    prompt_tokens: u64,
    completion_tokens: u64,
}

/// Days, where nothing is said.
const RECENT: i32 = 30;

/// `GET /admin/api/usage?from=2026-11-01&to=2026-11-30`.
pub(super) async fn used(api: Api, Query(days): Query<Days>) -> Result<Json<Used>, Refusal> {
    let today = TimeZone::UTC.to_datetime(time::now(&api.access)).date();
    let to = days.to.as_deref().map(|text| date("to", text)).transpose()?.unwrap_or(today);
    let first = || to.saturating_sub((RECENT - 1).days());
    let from = days.from.as_deref().map(|text| date("from", text)).transpose()?.unwrap_or_else(first);
    let used = api.on_access(move |access, _| access.usage(from, to)).await?;
    Ok(Json(Used {
        from: from.to_string(),
        to: to.to_string(),
        usage: used.into_iter().map(Day::from).collect(),
    }))
}

fn date(field: &str, text: &str) -> Result<Date, Invalid> {
    text.parse()
        .map_err(|_| Invalid::of(field, format!("{field} is {text:?}; it must be a day as 2026-11-26")))
}

impl From<DayUsage> for Day {
    fn from(used: DayUsage) -> Self {
        let DayUsage { owner: _, label, day, requests, tokens } = used;
        let Usage { prompt_tokens, completion_tokens } = tokens;
        let who = if label.is_empty() { "local".to_owned() } else { label };
        Self { day: day.to_string(), who, requests, prompt_tokens, completion_tokens }
    }
}
