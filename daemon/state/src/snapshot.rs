//! The file as a whole: a copy of it for somewhere else, and one that comes from there.

use std::fs::OpenOptions;
use std::path::Path;

use rusqlite::{Connection, OpenFlags, Transaction, params};

use crate::{Clock, State, StateError, migrations};

impl State {
    /// Writes all that is kept at this moment into a file that nobody else can read, replacing what is there; but for who is signed
    /// in, and where the audit log is, which are of this box alone. Nobody waits for it. Blocks on the disk.
    ///
    /// # Errors
    /// What the disk or the database says; what was written of the file is of no use then.
    pub fn snapshot(&self, path: &Path) -> Result<(), StateError> {
        let made = |source| StateError::Make { path: path.into(), source };
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(made)?;
        // What was deleted does not go along: the copy has only what is there.
        self.connected(|reader| Ok(reader.execute("VACUUM INTO ?", [path.to_string_lossy()])?))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let copy = Connection::open_with_flags(path, flags)?;
        copy.pragma_update(None, "secure_delete", true)?;
        copy.execute_batch("BEGIN; DELETE FROM sessions; DELETE FROM audit; COMMIT; VACUUM;")?;
        drop(copy);
        file.sync_all().map_err(made)
    }

    /// Opens a `state.db` that came from elsewhere, as [`State::open`] does, if it is whole and there is nothing in it but what a
    /// box keeps: no table and no program of somebody else's.
    ///
    /// # Errors
    /// As [`State::open`]; [`StateError::Foreign`].
    pub fn open_foreign(folder: &Path, clock: Clock) -> Result<Self, StateError> {
        let path = folder.join("state.db");
        let foreign = |what: &str| StateError::Foreign { path: path.clone(), what: what.into() };
        let no_database = |source| StateError::Damaged { path: path.clone(), source };
        // Before anything in it is run, as the steps to a later format could set off what lies there.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let file = Connection::open_with_flags(&path, flags)?;
        file.pragma_update(None, "trusted_schema", false)?;
        let found: u32 =
            file.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(no_database)?;
        if found as usize <= migrations::formats()
            && schema(&file).map_err(no_database)? != migrations::schema_of(found)?
        {
            return Err(foreign("its tables are not those of a box"));
        }
        let whole: String =
            file.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(no_database)?;
        if whole != "ok" {
            return Err(foreign("it is not whole"));
        }
        drop(file);
        Self::open(folder, clock)
    }

    /// Takes over from the state that was here what is of this box and not of what it keeps: where its audit log is, and which
    /// numbers its owners had, so that none is given twice.
    ///
    /// # Errors
    /// What the database says.
    pub fn follow(&self, before: &Self) -> Result<(), StateError> {
        let (ends, given) = (before.audit_ends()?, before.read(last_owner)?);
        if let Some(ends) = ends {
            self.keep_audit_ends(&ends)?;
        }
        self.write(|transaction| {
            if last_owner(transaction)? < given {
                transaction.execute("DELETE FROM sqlite_sequence WHERE name = 'principals'", [])?;
                let insert = "INSERT INTO sqlite_sequence (name, seq) VALUES ('principals', ?)";
                transaction.execute(insert, params![given])?;
            }
            Ok(())
        })
    }
}

/// The last number that was given to an owner.
fn last_owner(transaction: &Transaction<'_>) -> Result<i64, StateError> {
    let select = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'principals'";
    Ok(transaction.query_row(select, [], |row| row.get(0))?)
}

/// All that a file has been told to have, in the words in which it was told.
pub(crate) fn schema(file: &Connection) -> rusqlite::Result<Vec<[Option<String>; 4]>> {
    let mut listed =
        file.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name")?;
    let rows = listed.query_map([], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?]))?;
    rows.collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;
    use crate::StateError;

    fn clock() -> Clock {
        Clock::of(|| 0)
    }

    fn copied() -> (TempDir, TempDir) {
        let (here, there) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        State::open(here.path(), clock()).unwrap().snapshot(&there.path().join("state.db")).unwrap();
        (here, there)
    }

    #[test]
    fn a_copy_is_a_state_of_its_own_that_nobody_else_can_read() {
        let (here, there) = copied();
        assert!(State::open_foreign(there.path(), clock()).unwrap().people().unwrap().is_empty());
        assert_eq!(
            fs::read_dir(here.path())
                .unwrap()
                .filter(|file| file.as_ref().unwrap().path().extension().unwrap() == "db")
                .count(),
            1
        );
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(there.path().join("state.db")).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn who_is_signed_in_is_in_no_copy() {
        let folder = TempDir::new().unwrap();
        let state = State::open(folder.path(), clock()).unwrap();
        state
            .write(|transaction| {
                transaction.execute_batch(
                    "INSERT INTO principals (number, kind, label, created) VALUES (7, 'person', 'a', 0);
                 INSERT INTO people (owner, name, password_hash, created, password_changed) VALUES (7, 'a', 'hash', 0, 0);
                 INSERT INTO sessions VALUES ('one', zeroblob(32), 7, 0, 0, NULL, 'agent of mine');",
                )?;
                Ok(())
            })
            .unwrap();

        let copy = TempDir::new().unwrap();
        state.snapshot(&copy.path().join("state.db")).unwrap();

        let copied = State::open_foreign(copy.path(), clock()).unwrap();
        assert_eq!((copied.people().unwrap().len(), copied.sessions().unwrap().len()), (1, 0));
        let bytes = fs::read(copy.path().join("state.db")).unwrap();
        assert!(!bytes.windows(13).any(|window| window == b"agent of mine"));
        assert_eq!(state.sessions().unwrap().len(), 1);
    }

    #[test]
    fn a_file_from_elsewhere_has_the_tables_of_a_box_and_no_others() {
        for (statement, means) in [
            ("PRAGMA user_version = 999", "a later version"),
            ("PRAGMA user_version = 1", "an earlier one with the tables of this"),
            ("CREATE TRIGGER a AFTER INSERT ON keys BEGIN DELETE FROM people; END", "a program"),
            ("CREATE VIEW a AS SELECT 1", "a view"),
            ("CREATE TABLE more (a)", "a table of somebody's"),
            ("DROP TABLE usage", "a table less"),
        ] {
            let (_here, there) = copied();
            let file = Connection::open(there.path().join("state.db")).unwrap();
            file.execute_batch(statement).unwrap();
            drop(file);
            let refused = State::open_foreign(there.path(), clock()).unwrap_err();
            let told = matches!(refused, StateError::Foreign { .. } | StateError::Newer { .. });
            assert!(told, "{means}: {refused}");
        }
        let (_here, there) = copied();
        let path = there.path().join("state.db");
        let mut bytes = fs::read(&path).unwrap();
        let end = bytes.len();
        bytes[4096..end].fill(0x5a);
        fs::write(&path, &bytes).unwrap();
        assert!(State::open_foreign(there.path(), clock()).is_err());
        fs::write(&path, b"no database").unwrap();
        let refused = State::open_foreign(there.path(), clock()).unwrap_err();
        assert!(matches!(refused, StateError::Damaged { .. }), "{refused}");
    }

    #[test]
    fn an_earlier_format_from_elsewhere_is_brought_on() {
        let folder = TempDir::new().unwrap();
        let file = Connection::open(folder.path().join("state.db")).unwrap();
        file.execute_batch(include_str!("migrations/1.sql")).unwrap();
        file.pragma_update(None, "user_version", 1).unwrap();
        drop(file);

        assert!(State::open_foreign(folder.path(), clock()).unwrap().keys().unwrap().is_empty());
    }
}
