//! Those for whom paired boxes ask, each with an owner's number. How many there may be is `access`'s to know.

use protocol::Owner;
use rusqlite::params;

use crate::principals::{self, PrincipalKind};
use crate::{State, StateError};

impl State {
    /// All for whom a box asks, by the owner of its key, with what it calls them, the oldest first.
    ///
    /// # Errors
    /// What the database says.
    pub fn behalves(&self, account: Owner) -> Result<Vec<(Owner, String)>, StateError> {
        let prefix = prefix(account);
        self.read(|transaction| {
            // What begins alike is together in the index. After a slash comes a zero.
            let mut statement = transaction.prepare(
                "SELECT number, label FROM principals WHERE kind = 'peer' AND label >= ?1 AND label < ?2 ORDER BY number",
            )?;
            let end = format!("{}0", prefix.trim_end_matches('/'));
            let rows = statement.query_map(params![prefix, end], |row| {
                let label: String = row.get(1)?;
                let name = label.strip_prefix(&prefix).unwrap_or_default().to_owned();
                Ok((Owner(row.get::<_, i64>(0)?.cast_unsigned()), name))
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// One more, with a number that nobody had before. In place of another, if one is named, who is nobody then.
    ///
    /// # Errors
    /// What the database says; nothing was done then.
    pub fn add_behalf(
        &self,
        account: Owner,
        name: &str,
        in_place_of: Option<Owner>,
    ) -> Result<Owner, StateError> {
        let (now, label) = (self.now(), prefix(account) + name);
        self.write(|transaction| {
            if let Some(gone) = in_place_of {
                let delete = "DELETE FROM principals WHERE number = ? AND kind = 'peer'";
                transaction.execute(delete, [gone.0.cast_signed()])?;
            }
            principals::add(transaction, PrincipalKind::Behalf, &label, now)
        })
    }
}

fn prefix(account: Owner) -> String {
    format!("{}/", account.0)
}
