//! What is forgotten, and when: with age, beyond the limits, and when it is asked for. In the order in which it came, as a clock
//! may have been wrong meanwhile.

use protocol::Owner;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::clock::CLOCK_SET;
use crate::{Limits, State, StateError};

/// How long an answer is kept: as long as OpenAI keeps them.
const LIFETIME_SECONDS: i64 = 30 * 24 * 3600;

impl State {
    /// Forgets what is too old.
    pub(crate) fn forget_expired(&self) -> Result<(), StateError> {
        let now = self.now();
        self.delete(|transaction| Ok(((), forget_expired(transaction, now, None)?)))
    }

    /// Whether anything is too old, but not yet forgotten.
    pub(crate) fn has_expired(&self) -> Result<bool, StateError> {
        let now = self.now();
        self.read(|transaction| {
            let Some(last) = last_expired(transaction, now)? else { return Ok(false) };
            let named = "SELECT EXISTS (SELECT 1 FROM responses WHERE id IS NOT NULL AND number <= ?)";
            Ok(transaction.query_row(named, [last], |row| row.get(0))?)
        })
    }
}

/// Forgets what is too old, and then the oldest beyond the limits, but not this one; how many.
pub(crate) fn forget_beyond(
    transaction: &Transaction<'_>,
    limits: Limits,
    now: i64,
    kept: i64,
) -> Result<usize, StateError> {
    let bytes = i64::try_from(limits.bytes).unwrap_or(i64::MAX);
    let responses = i64::try_from(limits.responses).unwrap_or(i64::MAX);
    let mut forgotten = forget_expired(transaction, now, Some(kept))?;
    loop {
        let beyond = transaction.query_row(
            "SELECT (SELECT count(id) FROM responses) > ?1 OR (SELECT sum(bytes) FROM responses) > ?2",
            params![responses, bytes],
            |row| row.get::<_, bool>(0),
        )?;
        let oldest = transaction.query_row(
            "SELECT number FROM responses WHERE id IS NOT NULL AND number <> ? ORDER BY number LIMIT 1",
            [kept],
            |row| row.get::<_, i64>(0),
        );
        match oldest.optional()? {
            Some(oldest) if beyond => forget(transaction, oldest)?,
            _ => return Ok(forgotten),
        }
        forgotten += 1;
    }
}

/// Forgets all that was kept for an owner; how much.
pub(crate) fn forget_of(transaction: &Transaction<'_>, owner: Owner) -> Result<usize, StateError> {
    let mut statement =
        transaction.prepare("SELECT number FROM responses WHERE owner = ? AND id IS NOT NULL")?;
    let numbers = statement.query_map([owner.0.cast_signed()], |row| row.get(0))?;
    let numbers = numbers.collect::<Result<Vec<i64>, _>>()?;
    numbers.iter().try_for_each(|number| forget(transaction, *number))?;
    Ok(numbers.len())
}

fn forget_expired(transaction: &Transaction<'_>, now: i64, kept: Option<i64>) -> Result<usize, StateError> {
    let Some(last) = last_expired(transaction, now)? else { return Ok(0) };
    let mut statement = transaction
        .prepare("SELECT number FROM responses WHERE id IS NOT NULL AND number <= ? ORDER BY number")?;
    let expired = statement.query_map([last], |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()?;
    let expired = expired.into_iter().filter(|number| Some(*number) != kept);
    let mut forgotten = 0;
    for number in expired {
        forget(transaction, number)?;
        forgotten += 1;
    }
    Ok(forgotten)
}

/// The last answer that is too old, as are all before it. None by a clock that has not been set or that was set back behind the
/// newest answer. An answer from before the clock was set, or from a time that is still to come, is as old as those around it.
fn last_expired(connection: &Connection, now: i64) -> Result<Option<i64>, StateError> {
    let newest =
        connection.query_row("SELECT created FROM responses ORDER BY number DESC LIMIT 1", [], |row| {
            row.get::<_, i64>(0)
        });
    if now < CLOCK_SET || newest.optional()?.is_none_or(|newest| now < newest) {
        return Ok(None);
    }
    let last = connection.query_row(
        "SELECT max(number) FROM responses WHERE created >= ?1 AND created < ?2 AND number < coalesce(
             (SELECT min(number) FROM responses WHERE id IS NOT NULL AND created BETWEEN ?2 AND ?3), 9223372036854775807)",
        params![CLOCK_SET, now.saturating_sub(LIFETIME_SECONDS), now],
        |row| row.get(0),
    )?;
    Ok(last)
}

/// Takes an answer's name from it, and removes what nobody goes on from any more.
pub(crate) fn forget(transaction: &Transaction<'_>, number: i64) -> Result<(), StateError> {
    transaction.execute(
        "UPDATE responses SET id = NULL, bytes = bytes - octet_length(body), body = '' WHERE number = ?",
        [number],
    )?;
    let mut next = Some(number);
    while let Some(number) = next {
        let removed = transaction.query_row(
            "DELETE FROM responses
             WHERE number = ?1 AND id IS NULL AND NOT EXISTS (SELECT 1 FROM responses WHERE previous = ?1)
             RETURNING previous",
            [number],
            |row| row.get::<_, Option<i64>>(0),
        );
        next = removed.optional()?.flatten();
    }
    Ok(())
}
