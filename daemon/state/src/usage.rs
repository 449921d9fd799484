//! What was asked and answered, by owner and day. What is allowed is `access`'s.

use protocol::Owner;
use rusqlite::{Connection, Row, params};

use crate::{State, StateError};

/// What an owner used on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsageRow {
    /// Whose.
    pub owner: Owner,
    /// Days since 1970, by UTC.
    pub day: i64,
    /// Requests that were let in.
    pub requests: u64,
    /// Tokens that were read.
    pub prompt_tokens: u64,
    /// Tokens that were answered.
    pub completion_tokens: u64,
}

/// When a key was last used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastUse {
    /// Whose key it is.
    pub owner: Owner,
    /// Seconds since 1970.
    pub when: i64,
}

impl State {
    /// Adds to what is known, all or nothing.
    ///
    /// # Errors
    /// What the database says; nothing was added then.
    pub fn add_usage(&self, used: &[UsageRow], last: &[LastUse]) -> Result<(), StateError> {
        self.write(|transaction| {
            let mut add = transaction.prepare(
                "INSERT INTO usage (owner, day, requests, prompt_tokens, completion_tokens) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (owner, day) DO UPDATE SET requests = min(requests, ?6) + excluded.requests,
                     prompt_tokens = min(prompt_tokens, ?6) + excluded.prompt_tokens,
                     completion_tokens = min(completion_tokens, ?6) + excluded.completion_tokens",
            )?;
            for row in used {
                let counts = [row.requests, row.prompt_tokens, row.completion_tokens].map(count);
                add.execute(params![row.owner.0.cast_signed(), row.day, counts[0], counts[1], counts[2], MOST])?;
            }
            let mut touch = transaction.prepare("UPDATE keys SET last_used = ? WHERE owner = ?")?;
            for LastUse { owner, when } in last {
                touch.execute(params![when, owner.0.cast_signed()])?;
            }
            Ok(())
        })
    }

    /// What was used from one day on, to another, both included; by day, then by owner.
    ///
    /// # Errors
    /// What the database says.
    pub fn usage(&self, from: i64, to: i64) -> Result<Vec<UsageRow>, StateError> {
        let query = "SELECT owner, day, requests, prompt_tokens, completion_tokens FROM usage
                     WHERE day BETWEEN ? AND ? ORDER BY day, owner";
        self.read(|transaction| rows(transaction, query, params![from, to]))
    }

    /// What each owner used on the last `days` days on which they used anything.
    ///
    /// # Errors
    /// What the database says.
    pub fn recent_usage(&self, days: u32) -> Result<Vec<UsageRow>, StateError> {
        let query = "SELECT owner, day, requests, prompt_tokens, completion_tokens FROM (
                         SELECT *, row_number() OVER (PARTITION BY owner ORDER BY day DESC) AS place FROM usage)
                     WHERE place <= ? ORDER BY day, owner";
        self.read(|transaction| rows(transaction, query, params![days]))
    }

    /// What logs and lists call owners by: a key's id, a person's name.
    ///
    /// # Errors
    /// What the database says.
    pub fn labels(&self) -> Result<Vec<(Owner, String)>, StateError> {
        self.read(|transaction| {
            let mut statement =
                transaction.prepare("SELECT number, label FROM principals ORDER BY number")?;
            let labels = statement
                .query_map([], |row| Ok((Owner(row.get::<_, i64>(0)?.cast_unsigned()), row.get(1)?)))?;
            Ok(labels.collect::<Result<_, _>>()?)
        })
    }
}

fn rows(
    connection: &Connection,
    query: &str,
    with: impl rusqlite::Params,
) -> Result<Vec<UsageRow>, StateError> {
    let mut statement = connection.prepare(query)?;
    let rows = statement.query_map(with, |row| {
        let count = |at| Ok::<_, rusqlite::Error>(Row::get::<_, i64>(row, at)?.cast_unsigned());
        Ok(UsageRow {
            owner: Owner(count(0)?),
            day: row.get(1)?,
            requests: count(2)?,
            prompt_tokens: count(3)?,
            completion_tokens: count(4)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX).min(MOST)
}

/// More than anybody uses in a day; two of them are a number still.
const MOST: i64 = i64::MAX / 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Clock;

    #[test]
    fn figures_that_are_no_figures_keep_nobody_from_being_counted() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(folder.path(), Clock::of(|| 1_795_000_000)).unwrap();
        let used = |tokens| UsageRow {
            owner: Owner(0),
            day: 1,
            requests: 1,
            prompt_tokens: tokens,
            completion_tokens: tokens,
        };

        for tokens in [u64::MAX, u64::MAX, 5] {
            state.add_usage(&[used(tokens)], &[]).unwrap();
        }

        assert_eq!(state.usage(1, 1).unwrap()[0].requests, 3);
    }
}
