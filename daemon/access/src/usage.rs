//! What is used, by whom, on which day: counted in memory, where it is held against the limits, and written now and then.

use std::collections::BTreeMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::civil::Date;
use protocol::Owner;
use state::{LastUse, State, StateError, UsageRow};

use crate::policy::Limits;
use crate::quota::{self, Exceeded, Meter, Standing, Usage};
use crate::time::{DAY, Time};

/// What somebody used on a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayUsage {
    /// Who.
    pub owner: Owner,
    /// What they are called: a key's id, a person's name, `local`.
    pub label: String,
    /// When, by UTC.
    pub day: Date,
    /// Requests that were let in.
    pub requests: u64,
    /// Tokens.
    pub tokens: Usage,
}

/// Everybody who uses anything.
#[derive(Debug)]
pub(crate) struct Accounts {
    time: Time,
    all: Mutex<BTreeMap<Owner, Arc<Account>>>,
    /// What was used before this start, until somebody opens an account for it.
    before: Mutex<BTreeMap<Owner, Vec<UsageRow>>>,
    /// Held by whoever writes, so that whoever reads afterwards sees all of it.
    writing: Mutex<()>,
}

impl Accounts {
    pub(crate) fn open(state: &State, time: &Time) -> Result<Self, StateError> {
        let mut before = BTreeMap::<_, Vec<_>>::new();
        for row in state.recent_usage(quota::MOST_DAYS)? {
            before.entry(row.owner).or_default().push(row);
        }
        Ok(Self {
            time: time.clone(),
            all: Mutex::default(),
            before: Mutex::new(before),
            writing: Mutex::default(),
        })
    }

    /// The one of an owner; the same each time, with the limits of the first.
    pub(crate) fn of(&self, owner: Owner, limits: Limits) -> Arc<Account> {
        let mut all = lock(&self.all);
        let account = all.entry(owner).or_insert_with(|| {
            let mut meter = Meter::new();
            for row in lock(&self.before).remove(&owner).unwrap_or_default() {
                let tokens = row.prompt_tokens.saturating_add(row.completion_tokens);
                meter.count(row.day, tokens);
            }
            let book = Mutex::new(Book { meter, unwritten: BTreeMap::new() });
            Arc::new(Account { owner, limits, time: self.time.clone(), book })
        });
        Arc::clone(account)
    }

    /// Writes what is not yet written, and when keys were last used. What cannot be written now is, the next time.
    pub(crate) fn flush(&self, state: &State, last: &[LastUse]) -> Result<(), StateError> {
        let _writing = lock(&self.writing);
        let accounts: Vec<_> = lock(&self.all).values().map(Arc::clone).collect();
        let used: Vec<_> = accounts.iter().flat_map(|account| account.take()).collect();
        if used.is_empty() && last.is_empty() {
            return Ok(());
        }
        let written = state.add_usage(&used, last);
        if written.is_err() {
            let all = lock(&self.all);
            for row in &used {
                if let Some(account) = all.get(&row.owner) {
                    account.give_back(row);
                }
            }
        }
        written
    }
}

/// Whose requests and tokens are counted together.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) owner: Owner,
    limits: Limits,
    time: Time,
    book: Mutex<Book>,
}

#[derive(Debug)]
struct Book {
    meter: Meter,
    /// By day.
    unwritten: BTreeMap<i64, UsageRow>,
}

impl Account {
    pub(crate) fn admit(self: &Arc<Self>) -> Result<Permit, Exceeded> {
        let now = self.time.now();
        let mut book = lock(&self.book);
        book.meter.admit(&self.limits, now)?;
        let day = now.div_euclid(DAY);
        book.of(self.owner, day).requests += 1;
        Ok(Permit(Some(Arc::clone(self))))
    }

    pub(crate) fn count(&self, usage: Usage) {
        let day = self.time.now().div_euclid(DAY);
        let mut book = lock(&self.book);
        book.meter.count(day, usage.total());
        let row = book.of(self.owner, day);
        row.prompt_tokens = row.prompt_tokens.saturating_add(usage.prompt_tokens);
        row.completion_tokens = row.completion_tokens.saturating_add(usage.completion_tokens);
    }

    pub(crate) fn standing(&self) -> Option<Standing> {
        let now = self.time.now();
        let standing = lock(&self.book).meter.standing(&self.limits, now);
        (standing != Standing::default()).then_some(standing)
    }

    #[cfg(test)]
    pub(crate) fn unwritten(&self) -> Usage {
        let book = lock(&self.book);
        book.unwritten.values().fold(Usage::default(), |sum, row| Usage {
            prompt_tokens: sum.prompt_tokens + row.prompt_tokens,
            completion_tokens: sum.completion_tokens + row.completion_tokens,
        })
    }

    fn take(&self) -> Vec<UsageRow> {
        mem::take(&mut lock(&self.book).unwritten).into_values().collect()
    }

    fn give_back(&self, row: &UsageRow) {
        let mut book = lock(&self.book);
        let known = book.of(row.owner, row.day);
        known.requests += row.requests;
        known.prompt_tokens = known.prompt_tokens.saturating_add(row.prompt_tokens);
        known.completion_tokens = known.completion_tokens.saturating_add(row.completion_tokens);
    }
}

impl Book {
    fn of(&mut self, owner: Owner, day: i64) -> &mut UsageRow {
        let nothing = UsageRow { owner, day, requests: 0, prompt_tokens: 0, completion_tokens: 0 };
        self.unwritten.entry(day).or_insert(nothing)
    }
}

/// A request that was let in. It is one of those that run until this is dropped.
#[derive(Debug)]
#[must_use = "dropped, it no longer counts as running"]
pub struct Permit(Option<Arc<Account>>);

impl Permit {
    /// Of somebody who is not counted.
    pub(crate) fn uncounted() -> Self {
        Self(None)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(account) = &self.0 {
            lock(&account.book).meter.release();
        }
    }
}

/// Nothing panics while it holds one of these but where memory ends.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
