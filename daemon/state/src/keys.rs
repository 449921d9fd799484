//! The rows of keys: written through, and read once. What a key's text looks like and what its policy says is `access`'s.

use protocol::Owner;
use rusqlite::params;

use crate::principals::{self, PrincipalKind};
use crate::{State, StateError};

/// A key, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRow {
    /// Whose what it asks for is. No other has the number, nor ever had it.
    pub owner: Owner,
    /// What it is.
    pub key: NewKeyRow,
    /// When it was last presented, to the minute. Seconds since 1970, as are all times here.
    pub last_used: Option<i64>,
    /// Since when it is no longer a key.
    pub revoked: Option<i64>,
}

/// A key, before it has an owner's number.
#[derive(Clone, PartialEq, Eq)]
pub struct NewKeyRow {
    /// Its public name, which no other has.
    pub id: String,
    /// SHA-256 of its text.
    pub hash: [u8; 32],
    /// Its first and last characters.
    pub shown: String,
    /// What people call it.
    pub name: String,
    /// What it may, and how much.
    pub policy: String,
    /// When it was made.
    pub created: i64,
    /// From when on it is of no use.
    pub expires: Option<i64>,
}

/// Not its hash, which is of no use in a log.
impl std::fmt::Debug for NewKeyRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewKeyRow").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}

impl State {
    /// Keeps a new key, and gives it an owner's number.
    ///
    /// # Errors
    /// What the database says, also of an id or a hash that there is already. Nothing was kept then.
    pub fn add_key(&self, key: &NewKeyRow) -> Result<Owner, StateError> {
        self.write(|transaction| {
            let owner = principals::add(transaction, PrincipalKind::Key, &key.id, key.created)?;
            transaction.execute(
                "INSERT INTO keys (owner, id, hash, shown, name, policy, created, expires) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                params![
                    owner.0.cast_signed(),
                    key.id,
                    key.hash,
                    key.shown,
                    key.name,
                    key.policy,
                    key.created,
                    key.expires
                ],
            )?;
            Ok(owner)
        })
    }

    /// All keys, those that were revoked as well, in the order in which they were made.
    ///
    /// # Errors
    /// What the database says.
    pub fn keys(&self) -> Result<Vec<KeyRow>, StateError> {
        self.read(|transaction| {
            let mut statement = transaction.prepare(
                "SELECT owner, id, hash, shown, name, policy, created, expires, last_used, revoked FROM keys ORDER BY owner",
            )?;
            let rows = statement.query_map([], |row| {
                let key = NewKeyRow {
                    id: row.get(1)?,
                    hash: row.get(2)?,
                    shown: row.get(3)?,
                    name: row.get(4)?,
                    policy: row.get(5)?,
                    created: row.get(6)?,
                    expires: row.get(7)?,
                };
                let owner = Owner(row.get::<_, i64>(0)?.cast_unsigned());
                Ok(KeyRow { owner, key, last_used: row.get(8)?, revoked: row.get(9)? })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Gives a key another text. False if there is none of this owner that was not revoked.
    ///
    /// # Errors
    /// What the database says; the old text stands then.
    pub fn rotate_key(&self, owner: Owner, hash: &[u8; 32], shown: &str) -> Result<bool, StateError> {
        self.write(|transaction| {
            let update = "UPDATE keys SET hash = ?, shown = ? WHERE owner = ? AND revoked IS NULL";
            Ok(transaction.execute(update, params![hash, shown, owner.0.cast_signed()])? == 1)
        })
    }

    /// Ends a key for good. False if there is none of this owner that was not revoked. What was talked about by it is for
    /// [`State::forget_gone`].
    ///
    /// # Errors
    /// What the database says; it is as it was then.
    pub fn revoke_key(&self, owner: Owner, when: i64) -> Result<bool, StateError> {
        self.write(|transaction| {
            let update = "UPDATE keys SET revoked = ? WHERE owner = ? AND revoked IS NULL";
            Ok(transaction.execute(update, params![when, owner.0.cast_signed()])? == 1)
        })
    }
}
