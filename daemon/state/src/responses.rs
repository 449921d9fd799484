//! Answers that clients may come back to: kept, found, gone on from, deleted, and forgotten with time. What their bodies say is
//! the API's, who may be which owner is `access`'s.

use protocol::Owner;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use crate::{
    State, StateError,
    expiry::{forget, forget_beyond},
};

/// An answer, to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Its name, which no other has.
    pub id: String,
    /// Whose it is. To anybody else it is not there.
    pub owner: Owner,
    /// The name of the one that it goes on from.
    pub previous: Option<String>,
    /// Seconds since 1970.
    pub created: i64,
    /// It is still being made, and will be settled.
    pub pending: bool,
    /// All that clients are told of it but its output.
    pub body: String,
    /// Its input, then its output.
    pub items: Vec<Item>,
}

/// Something that was said, called or answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Whose word it was.
    pub kind: ItemKind,
    /// Its name. Clients name items of their own, so another may have the same.
    pub id: String,
    /// What it is.
    pub body: String,
}

/// Whose word an item was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemKind {
    /// The client's.
    Input,
    /// The model's.
    Output,
}

/// An answer that was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// All that clients are told of it but its output.
    pub body: String,
    /// It was still being made when this was written: it is, or whatever made it ended before it did.
    pub pending: bool,
    /// Its input, then its output.
    pub items: Vec<Item>,
}

/// All that was said up to the end of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    /// The last answer is still being made, as far as is written.
    pub pending: bool,
    /// Of all answers on the way, the oldest first; of each its input, then its output.
    pub items: Vec<Item>,
}

/// How much is kept. The oldest go first, and none is kept for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Answers that can be asked for.
    pub responses: u64,
    /// Of all that is kept.
    pub bytes: u64,
}

impl Default for Limits {
    /// No more than a small box can bear.
    fn default() -> Self {
        Self { responses: 1000, bytes: 256 << 20 }
    }
}

impl State {
    /// Keeps an answer, and forgets the oldest ones beyond the limits.
    ///
    /// # Errors
    /// [`StateError::PreviousGone`]; what the database says, also of a name that there is already. Nothing was kept then.
    pub fn keep_response(&self, response: &Response, limits: Limits) -> Result<(), StateError> {
        let now = self.now();
        self.delete(|transaction| {
            let previous = match &response.previous {
                Some(previous) => Some(
                    number(transaction, response.owner, previous)?.ok_or(StateError::PreviousGone)?,
                ),
                None => None,
            };
            transaction.execute(
                "INSERT INTO responses (id, owner, previous, created, pending, body, bytes) VALUES (?, ?, ?, ?, ?, ?, ?)",
                params![
                    response.id,
                    response.owner.0.cast_signed(),
                    previous,
                    response.created,
                    response.pending,
                    response.body,
                    size(&response.body, &response.items),
                ],
            )?;
            let kept = transaction.last_insert_rowid();
            add(transaction, kept, &response.items)?;
            Ok(((), forget_beyond(transaction, limits, now, kept)?))
        })
    }

    /// Ends an answer that was pending: what clients are told of it from now on, and what it says. False if it was deleted, or
    /// settled before.
    ///
    /// # Errors
    /// What the database says; it is as it was then.
    pub fn settle_response(
        &self,
        owner: Owner,
        id: &str,
        body: &str,
        output: &[Item],
    ) -> Result<bool, StateError> {
        self.write(|transaction| {
            let Some(number) = number(transaction, owner, id)? else { return Ok(false) };
            let settled = transaction.execute(
                "UPDATE responses SET body = ?1, pending = 0, bytes = bytes - octet_length(body) + ?2
                 WHERE number = ?3 AND pending",
                params![body, size(body, output), number],
            )?;
            if settled == 1 {
                add(transaction, number, output)?;
            }
            Ok(settled == 1)
        })
    }

    /// An answer, unless there is none of this owner's by that name.
    ///
    /// # Errors
    /// What the database says.
    pub fn response(&self, owner: Owner, id: &str) -> Result<Option<Stored>, StateError> {
        self.read_fresh(|transaction| {
            let found = transaction.query_row(
                "SELECT number, body, pending FROM responses WHERE id = ? AND owner = ?",
                params![id, owner.0.cast_signed()],
                |row| Ok((row.get::<_, i64>(0)?, row.get(1)?, row.get(2)?)),
            );
            let Some((number, body, pending)) = found.optional()? else { return Ok(None) };
            let items = items(transaction, number)?;
            Ok(Some(Stored { body, pending, items }))
        })
    }

    /// All that was said up to the end of an answer, that of deleted ones on the way too; nothing if there is no answer of this
    /// owner's by that name.
    ///
    /// # Errors
    /// What the database says.
    pub fn conversation(&self, owner: Owner, id: &str) -> Result<Option<Conversation>, StateError> {
        self.read_fresh(|transaction| {
            let found = transaction.query_row(
                "SELECT number, pending FROM responses WHERE id = ? AND owner = ?",
                params![id, owner.0.cast_signed()],
                |row| Ok((row.get::<_, i64>(0)?, row.get(1)?)),
            );
            let Some((number, pending)) = found.optional()? else { return Ok(None) };
            let mut statement = transaction.prepare(
                "WITH RECURSIVE turns (number, previous) AS (
                     SELECT number, previous FROM responses WHERE number = ?
                     UNION ALL
                     SELECT responses.number, responses.previous FROM responses JOIN turns ON responses.number = turns.previous
                 )
                 SELECT items.kind, items.id, items.body FROM turns JOIN items ON items.response = turns.number
                 ORDER BY turns.number, items.kind, items.position",
            )?;
            let items = statement.query_map([number], item)?.collect::<Result<_, _>>()?;
            Ok(Some(Conversation { pending, items }))
        })
    }

    /// What the newest item of this owner's by that name is.
    ///
    /// # Errors
    /// What the database says.
    pub fn item(&self, owner: Owner, id: &str) -> Result<Option<String>, StateError> {
        self.read_fresh(|transaction| {
            let found = transaction.query_row(
                "SELECT items.body FROM items JOIN responses ON responses.number = items.response
                 WHERE items.id = ? AND responses.owner = ? ORDER BY items.number DESC LIMIT 1",
                params![id, owner.0.cast_signed()],
                |row| row.get(0),
            );
            Ok(found.optional()?)
        })
    }

    /// Deletes an answer. What another one goes on from stays a part of that one, until that is deleted, too. False if there is
    /// none of this owner's by that name.
    ///
    /// # Errors
    /// What the database says; it is still there then.
    pub fn delete_response(&self, owner: Owner, id: &str) -> Result<bool, StateError> {
        self.delete(|transaction| {
            let found = number(transaction, owner, id)?;
            found.map(|number| forget(transaction, number)).transpose()?;
            Ok((found.is_some(), usize::from(found.is_some())))
        })
    }

    /// Reads what is not too old.
    fn read_fresh<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StateError>,
    ) -> Result<T, StateError> {
        if self.has_expired()? {
            self.forget_expired()?;
        }
        self.read(work)
    }
}

fn number(connection: &Connection, owner: Owner, id: &str) -> Result<Option<i64>, StateError> {
    let found = connection.query_row(
        "SELECT number FROM responses WHERE id = ? AND owner = ?",
        params![id, owner.0.cast_signed()],
        |row| row.get(0),
    );
    Ok(found.optional()?)
}

fn items(connection: &Connection, response: i64) -> Result<Vec<Item>, StateError> {
    let mut statement =
        connection.prepare("SELECT kind, id, body FROM items WHERE response = ? ORDER BY kind, position")?;
    let items = statement.query_map([response], item)?.collect::<Result<_, _>>()?;
    Ok(items)
}

fn item(row: &Row<'_>) -> rusqlite::Result<Item> {
    let kind = if row.get::<_, i64>(0)? == 0 { ItemKind::Input } else { ItemKind::Output };
    Ok(Item { kind, id: row.get(1)?, body: row.get(2)? })
}

fn add(transaction: &Transaction<'_>, response: i64, items: &[Item]) -> Result<(), StateError> {
    let mut statement = transaction
        .prepare("INSERT INTO items (response, kind, position, id, body) VALUES (?, ?, ?, ?, ?)")?;
    for (position, item) in (0_i64..).zip(items) {
        let kind = match item.kind {
            ItemKind::Input => 0,
            ItemKind::Output => 1,
        };
        statement.execute(params![response, kind, position, item.id, item.body])?;
    }
    Ok(())
}

/// What an answer takes, about: each item has a name and a place besides.
fn size(body: &str, items: &[Item]) -> i64 {
    const BESIDES: usize = 128;
    let bytes = items.iter().map(|item| item.body.len() + BESIDES).sum::<usize>() + body.len();
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
