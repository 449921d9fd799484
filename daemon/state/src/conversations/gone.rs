//! Conversations that are deleted many at a time: all of an owner's, and those of owners who are gone. In parts, so that the log
//! does not grow by as much as there is, on a disk that may be full, and so that others write in between.

use rusqlite::{Params, params};

use super::Conversations;
use crate::{State, StateError};

/// Deleted at once.
const PART_BYTES: i64 = 64 << 20;

impl Conversations {
    /// Deletes all that are there.
    ///
    /// # Errors
    /// What the database says; some may still be there then.
    pub fn delete_all(&self) -> Result<(), StateError> {
        let own = "SELECT number, text_bytes + image_bytes FROM conversations WHERE owner = ?";
        delete(&self.state, own, params![self.owner.0.cast_signed()]).map(drop)
    }
}

impl State {
    /// Deletes what was talked about by people who were removed and by keys that were revoked, which nobody can read any more. Done
    /// when the state is opened as well, for what a power cut kept from being done.
    ///
    /// # Errors
    /// What the database says; some may still be there then.
    pub fn forget_gone(&self) -> Result<(), StateError> {
        let gone = "SELECT number, text_bytes + image_bytes FROM conversations WHERE owner NOT IN (
             SELECT number FROM principals WHERE kind = 'local' UNION ALL SELECT owner FROM people
             UNION ALL SELECT owner FROM keys WHERE revoked IS NULL)";
        // A page that has not heard of it may have kept a message meanwhile, but begins nothing new.
        while delete(self, gone, [])? > 0 {}
        Ok(())
    }
}

/// Deletes the conversations that a query finds, with their sizes; how many.
fn delete(state: &State, query: &str, with: impl Params) -> Result<usize, StateError> {
    let found = state.read(|transaction| {
        let mut statement = transaction.prepare(query)?;
        let rows = statement.query_map(with, |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
        Ok(rows.collect::<Result<Vec<_>, _>>()?)
    })?;
    let mut left = found.as_slice();
    while !left.is_empty() {
        let (part, after) = left.split_at(part(left));
        state.delete(|transaction| {
            let mut statement = transaction.prepare("DELETE FROM conversations WHERE number = ?")?;
            for (number, _) in part {
                statement.execute([number])?;
            }
            Ok(((), part.len()))
        })?;
        left = after;
    }
    Ok(found.len())
}

/// How many of these, of which there is one at least, are deleted at once.
fn part(found: &[(i64, i64)]) -> usize {
    let mut bytes = 0;
    let fit = found.iter().take_while(|(_, size)| {
        bytes += size;
        bytes <= PART_BYTES
    });
    fit.count().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_so_long_or_one_conversation() {
        let sized = |sizes: &[i64]| part(&sizes.iter().map(|size| (1, *size)).collect::<Vec<_>>());
        assert_eq!(sized(&[PART_BYTES - 2, 1, 1, 1]), 3);
        assert_eq!(sized(&[PART_BYTES + 1, 1]), 1);
        assert_eq!(sized(&[1]), 1);
    }
}
