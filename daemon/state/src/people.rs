//! People who may sign in, and the browsers that are. What a password is worth, what a role may, and when a session ends, is
//! `access`'s to know.

use protocol::Owner;
use rusqlite::{Row, Transaction, params};

use crate::principals::{self, PrincipalKind};
use crate::{State, StateError, expiry};

/// Somebody who may sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonRow {
    /// Whose answers are theirs.
    pub owner: Owner,
    /// What they sign in with. No two differ in case alone.
    pub name: String,
    /// What their password is checked against.
    pub password_hash: String,
    /// What they are here.
    pub role: String,
    /// Seconds since 1970.
    pub created: i64,
    /// Seconds since 1970.
    pub password_changed: i64,
    /// Seconds since 1970, to the minute, if they were ever signed in.
    pub seen: Option<i64>,
}

/// Somebody who is to be able to sign in.
#[derive(Clone, Copy, Debug)]
pub struct NewPerson<'a> {
    /// What they sign in with.
    pub name: &'a str,
    /// What their password is checked against.
    pub password_hash: &'a str,
    /// What they are here.
    pub role: &'a str,
}

/// A browser that is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// What it is called where it is listed.
    pub id: String,
    /// SHA-256 of what the browser has.
    pub hash: [u8; 32],
    /// Whose it is.
    pub owner: Owner,
    /// Seconds since 1970.
    pub created: i64,
    /// Seconds since 1970, to the minute.
    pub seen: i64,
    /// Where it was signed in from.
    pub address: Option<String>,
    /// What the browser said it is.
    pub agent: String,
}

impl State {
    /// Makes the first person, with an owner of their own, and their first session; `None` if there is somebody already, and
    /// nothing was done then.
    ///
    /// # Errors
    /// What the database says; nothing was done then.
    pub fn claim(
        &self,
        new: &NewPerson<'_>,
        session: impl FnOnce(Owner) -> Option<SessionRow>,
    ) -> Result<Option<PersonRow>, StateError> {
        let now = self.now();
        self.write(|transaction| {
            if transaction.query_row("SELECT EXISTS (SELECT 1 FROM people)", [], |row| row.get(0))? {
                return Ok(None);
            }
            let person = add(transaction, new, now)?;
            if let Some(session) = session(person.owner) {
                add_session(transaction, &session)?;
            }
            Ok(Some(person))
        })
    }

    /// Makes another person, with an owner of their own; `None` if there is somebody by this name, and nothing was done then.
    ///
    /// # Errors
    /// What the database says; nothing was done then.
    pub fn add_person(&self, new: &NewPerson<'_>) -> Result<Option<PersonRow>, StateError> {
        let now = self.now();
        self.write(|transaction| {
            let named = "SELECT EXISTS (SELECT 1 FROM people WHERE name = ?)";
            match transaction.query_row(named, [new.name], |row| row.get(0))? {
                true => Ok(None),
                false => add(transaction, new, now).map(Some),
            }
        })
    }

    /// Removes somebody, with their sessions and the answers that were kept for them. What they used stays, for the lists of that;
    /// what they talked about is for [`State::forget_gone`]. False if there is no such person.
    ///
    /// # Errors
    /// What the database says; nothing was done then.
    pub fn remove_person(&self, owner: Owner) -> Result<bool, StateError> {
        self.delete(|transaction| {
            let forgotten = expiry::forget_of(transaction, owner)?;
            let removed =
                transaction.execute("DELETE FROM people WHERE owner = ?", [owner.0.cast_signed()])?;
            Ok((removed == 1, removed + forgotten))
        })
    }

    /// All people, in the order in which they came.
    ///
    /// # Errors
    /// What the database says.
    pub fn people(&self) -> Result<Vec<PersonRow>, StateError> {
        self.read(|transaction| {
            let mut statement = transaction.prepare(
                "SELECT owner, name, password_hash, role, created, password_changed, seen FROM people ORDER BY owner",
            )?;
            Ok(statement.query_map([], person)?.collect::<Result<_, _>>()?)
        })
    }

    /// Gives somebody another password, and ends their sessions but for one at most. False if there is no such person.
    ///
    /// # Errors
    /// What the database says; nothing was done then.
    pub fn set_password(
        &self,
        owner: Owner,
        password_hash: &str,
        session_kept: Option<&str>,
    ) -> Result<bool, StateError> {
        let now = self.now();
        self.delete(|transaction| {
            let changed = transaction.execute(
                "UPDATE people SET password_hash = ?, password_changed = ? WHERE owner = ?",
                params![password_hash, now, owner.0.cast_signed()],
            )?;
            let ended = transaction.execute(
                "DELETE FROM sessions WHERE owner = ? AND id IS NOT ?",
                params![owner.0.cast_signed(), session_kept],
            )?;
            // The old hash is overwritten, too.
            Ok((changed == 1, changed + ended))
        })
    }

    /// Keeps a session.
    ///
    /// # Errors
    /// What the database says; it was not kept then.
    pub fn keep_session(&self, session: &SessionRow) -> Result<(), StateError> {
        self.write(|transaction| add_session(transaction, session))
    }

    /// All sessions, the oldest first.
    ///
    /// # Errors
    /// What the database says.
    pub fn sessions(&self) -> Result<Vec<SessionRow>, StateError> {
        self.read(|transaction| {
            let mut statement = transaction.prepare(
                "SELECT id, hash, owner, created, seen, address, agent FROM sessions ORDER BY rowid",
            )?;
            Ok(statement.query_map([], session)?.collect::<Result<_, _>>()?)
        })
    }

    /// Writes when sessions, and whose they are, were last seen.
    ///
    /// # Errors
    /// What the database says; none was written then.
    pub fn sessions_seen<'a>(
        &self,
        seen: impl IntoIterator<Item = (&'a str, i64)>,
    ) -> Result<(), StateError> {
        self.write(|transaction| {
            let mut statement = transaction.prepare("UPDATE sessions SET seen = ? WHERE id = ?")?;
            let mut person = transaction.prepare(
                "UPDATE people SET seen = ? WHERE owner = (SELECT owner FROM sessions WHERE id = ?)",
            )?;
            for (id, seen) in seen {
                statement.execute(params![seen, id])?;
                person.execute(params![seen, id])?;
            }
            Ok(())
        })
    }

    /// Ends sessions.
    ///
    /// # Errors
    /// What the database says; none was ended then.
    pub fn end_sessions<'a>(&self, ids: impl IntoIterator<Item = &'a str>) -> Result<(), StateError> {
        self.delete(|transaction| {
            let mut statement = transaction.prepare("DELETE FROM sessions WHERE id = ?")?;
            let mut ended = 0;
            for id in ids {
                ended += statement.execute([id])?;
            }
            Ok(((), ended))
        })
    }
}

fn person(row: &Row<'_>) -> rusqlite::Result<PersonRow> {
    Ok(PersonRow {
        owner: Owner(row.get::<_, i64>(0)?.cast_unsigned()),
        name: row.get(1)?,
        password_hash: row.get(2)?,
        role: row.get(3)?,
        created: row.get(4)?,
        password_changed: row.get(5)?,
        seen: row.get(6)?,
    })
}

fn session(row: &Row<'_>) -> rusqlite::Result<SessionRow> {
    Ok(SessionRow {
        id: row.get(0)?,
        hash: row.get(1)?,
        owner: Owner(row.get::<_, i64>(2)?.cast_unsigned()),
        created: row.get(3)?,
        seen: row.get(4)?,
        address: row.get(5)?,
        agent: row.get(6)?,
    })
}

fn add(transaction: &Transaction<'_>, new: &NewPerson<'_>, now: i64) -> Result<PersonRow, StateError> {
    let person = PersonRow {
        owner: principals::add(transaction, PrincipalKind::Person, new.name, now)?,
        name: new.name.into(),
        password_hash: new.password_hash.into(),
        role: new.role.into(),
        created: now,
        password_changed: now,
        seen: None,
    };
    transaction.execute(
        "INSERT INTO people (owner, name, password_hash, role, created, password_changed) VALUES (?, ?, ?, ?, ?, ?)",
        params![person.owner.0.cast_signed(), person.name, person.password_hash, person.role, now, now],
    )?;
    Ok(person)
}

fn add_session(transaction: &Transaction<'_>, session: &SessionRow) -> Result<(), StateError> {
    transaction.execute(
        "INSERT INTO sessions (id, hash, owner, created, seen, address, agent) VALUES (?, ?, ?, ?, ?, ?, ?)",
        params![
            session.id,
            session.hash,
            session.owner.0.cast_signed(),
            session.created,
            session.seen,
            session.address,
            session.agent
        ],
    )?;
    let seen = "UPDATE people SET seen = ? WHERE owner = ?";
    transaction.execute(seen, params![session.seen, session.owner.0.cast_signed()])?;
    Ok(())
}
