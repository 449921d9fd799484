//! `/admin/api/logs`: the last lines of the log, as they are kept in memory, and those that come.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use futures_util::{Stream, stream};
use http::{
    HeaderMap,
    header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE},
};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::{
    errors::Refusal,
    events::{self, Event, Pace},
    time,
    typed::Asked,
};
use crate::{
    Api,
    error::Invalid,
    log::{Log, LogLevel, LogLine},
};

/// What is asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// Lines that matter as much, or more.
    level: Option<String>,
    /// What they say, or who says it, in whatever case.
    text: Option<String>,
    limit: Option<usize>,
}

/// The same of lines that come.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Followed {
    level: Option<String>,
    text: Option<String>,
    /// The number of a line: those after it. If it is not said, those that come.
    after: Option<u64>,
}

#[derive(Serialize)]
pub(super) struct Lines {
    lines: Vec<Line>,
}

#[derive(Serialize)]
pub(super) struct Line {
    n: u64,
    at: String,
    level: &'static str,
    target: String,
    message: String,
}

/// Told where it is not said how many.
const LINES: usize = 500;

/// Lines that are taken at once for whoever follows.
const LINES_AT_ONCE: usize = 256;

/// `GET /admin/api/logs?level=info&text=&limit=500`: the last of them, the oldest first.
pub(super) async fn last(api: Api, Asked(wanted): Asked<Wanted>) -> Result<Json<Lines>, Refusal> {
    let filter = Filter::of(wanted.level.as_deref(), wanted.text.as_deref())?;
    let lines = api.log.last(wanted.limit.unwrap_or(LINES), |line| filter.admits(line));
    Ok(Json(Lines { lines: lines.iter().map(|line| Line::of(line)).collect() }))
}

/// So many at most, the oldest first, without a word that is not for all.
pub(super) fn last_without(api: &Api, most: usize, secret: Option<&str>) -> Vec<Line> {
    let without = |line: &LogLine| {
        let told = Line::of(line);
        match secret {
            Some(secret) => Line { message: told.message.replace(secret, "…"), ..told },
            None => told,
        }
    };
    api.log.last(most, |_| true).iter().map(|line| without(line)).collect()
}

/// `GET /admin/api/logs/text`: all of them, to be kept.
pub(super) async fn text(api: Api) -> Response {
    let lines = api.log.last(usize::MAX, |_| true);
    let text: String = lines.iter().map(|line| written(line)).collect();
    let headers = [
        (CONTENT_TYPE, "text/plain; charset=utf-8"),
        (CONTENT_DISPOSITION, "attachment; filename=\"hob-log.txt\""),
        (CACHE_CONTROL, "no-store"),
    ];
    (headers, text).into_response()
}

/// `GET /admin/api/logs/events?after=N`: an event `line` for each.
pub(super) async fn follow(
    api: Api,
    headers: HeaderMap,
    Asked(followed): Asked<Followed>,
) -> Result<Response, Refusal> {
    let filter = Filter::of(followed.level.as_deref(), followed.text.as_deref())?;
    let last = api.log.follow();
    let end = *last.borrow();
    let after = events::last_seen(&headers).or(followed.after).unwrap_or(end);
    // The daemon has begun anew since whoever asks saw that line.
    let after = if after > end { 0 } else { after };
    let lines = Following {
        log: api.log.clone(),
        last,
        after,
        filter,
        pace: Pace::default(),
        taken: VecDeque::new(),
    };
    Ok(events::response(&api, lines.events()))
}

/// Lines as they come, for one who reads as fast as they like.
struct Following {
    log: Log,
    last: watch::Receiver<u64>,
    after: u64,
    filter: Filter,
    /// What telling a line logs is told as well, so that it must not go on by itself.
    pace: Pace,
    taken: VecDeque<Arc<LogLine>>,
}

impl Following {
    fn events(self) -> impl Stream<Item = Event> + Send {
        stream::unfold(self, async |mut following| {
            let line = following.next().await?;
            Some((Event::of("line", &Line::of(&line)).numbered(line.number), following))
        })
    }

    async fn next(&mut self) -> Option<Arc<LogLine>> {
        loop {
            if let Some(line) = self.taken.pop_front() {
                return Some(line);
            }
            // What was added until here is in what is taken now.
            self.last.borrow_and_update();
            let lines = self.log.after(self.after, LINES_AT_ONCE);
            match lines.last() {
                Some(last) => {
                    self.pace.wait().await;
                    self.after = last.number;
                    self.taken.extend(lines.into_iter().filter(|line| self.filter.admits(line)));
                }
                None => self.last.changed().await.ok()?,
            }
        }
    }
}

/// Which lines are told.
struct Filter {
    level: LogLevel,
    text: String,
}

impl Filter {
    fn of(level: Option<&str>, text: Option<&str>) -> Result<Self, Invalid> {
        let level = level.filter(|level| !level.is_empty()).map(str::parse);
        let level = level
            .transpose()
            .map_err(|error: crate::log::UnknownLevel| Invalid::of("level", error.to_string()));
        Ok(Self { level: level?.unwrap_or(LogLevel::Trace), text: text.unwrap_or_default().to_lowercase() })
    }

    fn admits(&self, line: &LogLine) -> bool {
        let says = |text: &str| text.to_lowercase().contains(&self.text);
        line.level <= self.level && (self.text.is_empty() || says(&line.message) || says(&line.target))
    }
}

impl Line {
    fn of(line: &LogLine) -> Self {
        Self {
            n: line.number,
            at: time::written(line.time),
            level: line.level.name(),
            target: line.target.clone(),
            message: line.message.clone(),
        }
    }
}

fn written(line: &LogLine) -> String {
    format!("{} {:5} {}: {}\n", time::written(line.time), line.level.name(), line.target, line.message)
}
