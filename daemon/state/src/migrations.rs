//! From each format of the file to the next. What is in the tables is their files' to say.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use crate::StateError;

/// Step `n` makes format `n + 1` of format `n`. A step that was released is never changed.
const STEPS: &[&str] = &[
    include_str!("migrations/1.sql"),
    include_str!("migrations/2.sql"),
    include_str!("migrations/3.sql"),
    include_str!("migrations/4.sql"),
    include_str!("migrations/5.sql"),
];

/// Brings the file to the latest format, step by step, each as a whole or not at all.
pub(crate) fn run(connection: &mut Connection, path: &Path) -> Result<(), StateError> {
    run_steps(connection, path, STEPS)
}

/// How many formats there are.
pub(crate) fn formats() -> usize {
    STEPS.len()
}

/// What a file of a format has, table by table.
pub(crate) fn schema_of(format: u32) -> Result<Vec<[Option<String>; 4]>, StateError> {
    let mut file = Connection::open_in_memory()?;
    run_steps(&mut file, Path::new("state.db"), &STEPS[..format as usize])?;
    Ok(crate::snapshot::schema(&file)?)
}

fn run_steps(connection: &mut Connection, path: &Path, steps: &[&str]) -> Result<(), StateError> {
    loop {
        // Under the lock, as another process may be at it, too.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let found: u32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if found as usize > steps.len() {
            return Err(StateError::Newer { path: path.into(), found, known: steps.len() });
        }
        let Some(step) = steps.get(found as usize) else { return Ok(()) };
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", found + 1)?;
        transaction.commit()?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTES: &str = "CREATE TABLE notes (text TEXT NOT NULL) STRICT;";
    const DATES: &str = "ALTER TABLE notes ADD COLUMN at INTEGER NOT NULL DEFAULT 0;";

    fn version(connection: &Connection) -> u32 {
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
    }

    #[test]
    fn an_older_file_is_brought_on_with_what_is_in_it() {
        let mut file = Connection::open_in_memory().unwrap();
        run_steps(&mut file, Path::new("state.db"), &[NOTES]).unwrap();
        file.execute("INSERT INTO notes VALUES ('kept')", []).unwrap();

        run_steps(&mut file, Path::new("state.db"), &[NOTES, DATES]).unwrap();

        assert_eq!(version(&file), 2);
        let kept: (String, i64) =
            file.query_row("SELECT text, at FROM notes", [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        assert_eq!(kept, ("kept".into(), 0));
    }

    #[test]
    fn a_step_that_fails_leaves_the_file_as_it_was() {
        let mut file = Connection::open_in_memory().unwrap();
        let broken = "CREATE TABLE half (a); SELECT nonsense;";

        assert!(run_steps(&mut file, Path::new("state.db"), &[NOTES, broken]).is_err());

        assert_eq!(version(&file), 1);
        assert!(file.prepare("SELECT * FROM half").is_err() && file.prepare("SELECT * FROM notes").is_ok());
    }

    #[test]
    fn a_newer_file_is_refused_and_left_alone() {
        let mut file = Connection::open_in_memory().unwrap();
        run_steps(&mut file, Path::new("state.db"), &[NOTES, DATES]).unwrap();

        let refused = run_steps(&mut file, Path::new("/here/state.db"), &[NOTES]).unwrap_err();

        assert!(matches!(&refused, StateError::Newer { found: 2, known: 1, .. }), "{refused:?}");
        assert!(
            refused.to_string().starts_with("/here/state.db was written by a later version"),
            "{refused}"
        );
        assert_eq!(version(&file), 2);
    }
}
