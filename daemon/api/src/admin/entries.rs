//! `/admin/api/audit/entries` and `/audit/events`: the audit log as people read it, the newest first, and as it grows. Whoever wants
//! to check that it is whole takes the lines themselves (`audit`).

use std::collections::VecDeque;

use access::audit::{AuditError, Entry, Outcome};
use axum::{Json, response::Response};
use futures_util::{Stream, stream};
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::{
    errors::Refusal,
    events::{self, Event, Pace},
    typed::Asked,
};
use crate::{
    Api,
    error::{Error, Invalid},
};

/// What is asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// How many of them at most.
    last: Option<usize>,
    /// The number of an entry: those before it.
    before: Option<u64>,
    action: Option<String>,
    who: Option<String>,
    outcome: Option<String>,
    text: Option<String>,
}

/// The same of entries that come.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Followed {
    /// The number of an entry: those after it. If it is not said, those that come.
    after: Option<u64>,
    action: Option<String>,
    who: Option<String>,
    outcome: Option<String>,
    text: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Found {
    entries: Vec<Told>,
    /// Lines that were met and are not what was written; `hob audit verify` tells more.
    #[serde(skip_serializing_if = "is_none")]
    damaged: usize,
    /// Where to go on, by `before`. There may be more behind it also if these are few.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

#[derive(Serialize)]
struct Told {
    seq: u64,
    time: String,
    who: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    action: String,
    target: String,
    outcome: String,
}

/// Told where it is not said how many, and where too many are wanted.
const LAST: usize = 200;
const MOST: usize = 1000;

/// Lines that are read for one answer, however few of them are wanted.
const LINES_READ: usize = 20_000;

/// Entries that are taken at once for whoever follows.
const ENTRIES_AT_ONCE: usize = 256;

/// `GET /admin/api/audit/entries?last=200&before=SEQ&action=&who=&outcome=&text=`.
pub(super) async fn newest(api: Api, Asked(wanted): Asked<Wanted>) -> Result<Json<Found>, Refusal> {
    let Wanted { last, before, action, who, outcome, text } = wanted;
    let filter = Filter::of(action, who, outcome, text)?;
    let last = last.unwrap_or(LAST).clamp(1, MOST);
    let found = api.on_access(move |access, _| found(access, before, last, &filter)).await?;
    Ok(Json(found))
}

fn found(
    access: &access::Access,
    before: Option<u64>,
    last: usize,
    filter: &Filter,
) -> Result<Found, AuditError> {
    let mut found = Found { entries: Vec::new(), damaged: 0, next: None };
    let mut oldest = None;
    for (read, entry) in access.newest_audit_entries(before).enumerate() {
        // Where there is more to read there may be more to find.
        if read == LINES_READ || found.entries.len() == last {
            found.next = oldest;
            break;
        }
        match entry? {
            Ok(entry) => {
                oldest = Some(entry.seq);
                found.entries.extend(filter.admits(&entry).then(|| Told::of(entry)));
            }
            Err(_) => found.damaged += 1,
        }
    }
    Ok(found)
}

/// `GET /admin/api/audit/events`: an event `entry` for each.
pub(super) async fn follow(
    api: Api,
    headers: HeaderMap,
    Asked(followed): Asked<Followed>,
) -> Result<Response, Refusal> {
    let Followed { after, action, who, outcome, text } = followed;
    let filter = Filter::of(action, who, outcome, text)?;
    let last = api.access.follow_audit();
    let end = *last.borrow();
    let after = events::last_seen(&headers).or(after).unwrap_or(end).min(end);
    let taken = VecDeque::new();
    let following = Following { api: api.clone(), last, after, filter, pace: Pace::default(), taken };
    Ok(events::response(&api, following.events()))
}

/// Entries as they come, for one who reads as fast as they like.
struct Following {
    api: Api,
    last: watch::Receiver<u64>,
    after: u64,
    filter: Filter,
    pace: Pace,
    taken: VecDeque<Entry>,
}

impl Following {
    fn events(self) -> impl Stream<Item = Event> + Send {
        stream::unfold(self, async |mut following| {
            let entry = following.next().await?;
            let number = entry.seq;
            Some((Event::of("entry", &Told::of(entry)).numbered(number), following))
        })
    }

    async fn next(&mut self) -> Option<Entry> {
        loop {
            if let Some(entry) = self.taken.pop_front() {
                return Some(entry);
            }
            let last = *self.last.borrow_and_update();
            if last <= self.after {
                self.last.changed().await.ok()?;
                continue;
            }
            self.pace.wait().await;
            match self.take(last).await {
                Ok(entries) => self.taken = entries,
                Err(error) => {
                    tracing::warn!(%error, "whoever follows the audit log is told no more");
                    return None;
                }
            }
        }
    }

    /// The next of those that are wanted, up to one that is there by now.
    async fn take(&mut self, last: u64) -> Result<VecDeque<Entry>, Error> {
        let after = self.after;
        let lines = self.api.on_access(move |access, _| {
            access.audit_entries(after)?.take(ENTRIES_AT_ONCE).collect::<Result<Vec<_>, AuditError>>()
        });
        let lines = lines.await?;
        let mut entries: VecDeque<_> = lines.iter().filter_map(|line| Entry::parse(line).ok()).collect();
        // What is missing up to there will not come any more.
        let read = entries.back().map(|entry| entry.seq);
        self.after =
            read.filter(|_| lines.len() == ENTRIES_AT_ONCE).unwrap_or_else(|| last.max(read.unwrap_or(0)));
        entries.retain(|entry| self.filter.admits(entry));
        Ok(entries)
    }
}

/// Which entries are told.
struct Filter {
    action: Option<String>,
    who: Option<String>,
    outcome: Option<Outcome>,
    text: Option<String>,
}

impl Filter {
    fn of(
        action: Option<String>,
        who: Option<String>,
        outcome: Option<String>,
        text: Option<String>,
    ) -> Result<Self, Invalid> {
        let said = |text: Option<String>| text.filter(|text| !text.is_empty());
        let outcome = said(outcome).map(|outcome| {
            let all = [Outcome::Done, Outcome::Refused, Outcome::Failed];
            let unknown = || Invalid::of("outcome", "outcome is done, refused or failed");
            all.into_iter().find(|known| known.name() == outcome).ok_or_else(unknown)
        });
        let text = said(text).map(|text| text.to_lowercase());
        Ok(Self { action: said(action), who: said(who), outcome: outcome.transpose()?, text })
    }

    fn admits(&self, entry: &Entry) -> bool {
        let is = |wanted: &Option<String>, has: &dyn Fn(&str) -> bool| wanted.as_deref().is_none_or(has);
        let action = entry.action.name();
        is(&self.action, &|wanted| begins(&action, wanted, '.'))
            && is(&self.who, &|wanted| begins(&entry.who, wanted, ':'))
            && self.outcome.is_none_or(|wanted| wanted == entry.outcome)
            && is(&self.text, &|wanted| {
                let from = entry.from.map(|from| from.to_string()).unwrap_or_default();
                [entry.who.as_str(), &action, &entry.target, &from]
                    .iter()
                    .any(|text| text.to_lowercase().contains(wanted))
            })
    }
}

/// Whether it is this, or of this kind: `key.make` is of `key`, `person:anna` of `person`.
fn begins(text: &str, with: &str, parted: char) -> bool {
    text.strip_prefix(with).is_some_and(|rest| rest.is_empty() || rest.starts_with(parted))
}

impl Told {
    fn of(entry: Entry) -> Self {
        Self {
            seq: entry.seq,
            action: entry.action.name(),
            outcome: entry.outcome.name(),
            from: entry.from.map(|from| from.to_string()),
            time: entry.time,
            who: entry.who,
            target: entry.target,
        }
    }
}

/// As serde calls it.
fn is_none(count: &usize) -> bool {
    *count == 0
}
