//! The open file: one connection that writes, and as many that read as there are readers at once. What is in it is its tables'
//! files to say.

use std::fs::{DirBuilder, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use crate::{Clock, StateError, migrations};

/// The box's memory. A clone is cheap, and of the same file.
#[derive(Clone, Debug)]
pub struct State {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    clock: Clock,
    writer: Mutex<Connection>,
    /// Those that nobody reads with just now.
    readers: Mutex<Vec<Connection>>,
}

/// How long another process may be at work on the file.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long readers may keep the log from being emptied.
const WIPE_PATIENCE: Duration = Duration::from_millis(100);
/// Idle readers that are kept open.
const MOST_READERS: usize = 4;

impl State {
    /// Opens `state.db` in a folder, both of which are made if need be, brings it to the format of this version, and forgets
    /// what is too old by the clock. Nobody but the user can read the file.
    ///
    /// # Errors
    /// [`StateError::Newer`] for the file of a later version and [`StateError::Damaged`] for a broken one, which are left
    /// alone; what the disk or the database says.
    pub fn open(folder: &Path, clock: Clock) -> Result<Self, StateError> {
        let path = folder.join("state.db");
        make(folder, &path)?;
        let opened = Self::open_file(path.clone(), clock);
        opened.map_err(|error| match error {
            StateError::Database(source) => match source.sqlite_error_code() {
                Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                    StateError::Damaged { path, source }
                }
                _ => StateError::Open { path, source },
            },
            other => other,
        })
    }

    fn open_file(path: PathBuf, clock: Clock) -> Result<Self, StateError> {
        let mut writer = connect(&path)?;
        writer.pragma_update(None, "journal_mode", "wal")?;
        // Not the last commits are lost in a power cut.
        writer.pragma_update(None, "synchronous", "full")?;
        // What is deleted is overwritten in the file; `delete` sees to the log.
        writer.pragma_update(None, "secure_delete", true)?;
        migrations::run(&mut writer, &path)?;
        let (writer, readers) = (Mutex::new(writer), Mutex::default());
        let state = Self { shared: Arc::new(Shared { path, clock, writer, readers }) };
        state.forget_expired()?;
        state.forget_gone()?;
        Ok(state)
    }

    /// Seconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        self.shared.clock.now()
    }

    /// Writes all of it or nothing.
    pub(crate) fn write<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StateError>,
    ) -> Result<T, StateError> {
        Self::write_with(&mut lock(&self.shared.writer), work)
    }

    /// The same of what may delete; `work` also tells how much it did. The log, too, is emptied of what was deleted then, unless
    /// somebody reads for long just now: then it is with the next deletion, or when the file is closed.
    pub(crate) fn delete<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<(T, usize), StateError>,
    ) -> Result<T, StateError> {
        let mut writer = lock(&self.shared.writer);
        let (written, deleted) = Self::write_with(&mut writer, work)?;
        if deleted > 0 {
            // It is deleted all the same.
            let _emptied = empty_log(&writer);
        }
        Ok(written)
    }

    fn write_with<T>(
        writer: &mut Connection,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StateError>,
    ) -> Result<T, StateError> {
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let written = work(&transaction)?;
        transaction.commit()?;
        Ok(written)
    }

    /// Reads, all of it from one moment, and waits for no writer.
    pub(crate) fn read<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StateError>,
    ) -> Result<T, StateError> {
        self.connected(|reader| work(&reader.transaction()?))
    }

    /// With a connection that nobody else uses just now, and that writes nothing here.
    pub(crate) fn connected<T>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, StateError>,
    ) -> Result<T, StateError> {
        let idle = lock(&self.shared.readers).pop();
        let mut reader = idle.map_or_else(|| connect(&self.shared.path), Ok)?;
        let read = work(&mut reader)?;
        let mut readers = lock(&self.shared.readers);
        if readers.len() < MOST_READERS {
            readers.push(reader);
        }
        Ok(read)
    }
}

fn make(folder: &Path, path: &Path) -> Result<(), StateError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
        builder.mode(0o700);
        // SQLite gives its log the mode of the file.
        options.mode(0o600);
    }
    builder.create(folder).map_err(|source| StateError::Make { path: folder.into(), source })?;
    let made = options.open(path).and_then(|_| platform::durable::sync_folder(folder));
    made.map_err(|source| StateError::Make { path: path.into(), source })
}

fn connect(path: &Path) -> Result<Connection, StateError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    Ok(connection)
}

fn empty_log(writer: &Connection) -> rusqlite::Result<()> {
    writer.busy_timeout(WIPE_PATIENCE)?;
    let emptied = writer.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    writer.busy_timeout(PATIENCE)?;
    emptied
}

/// A thread that panicked rolled its transaction back.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
