//! What was to be done at this start, done before anything is opened: a backup is put in place, or all goes that makes the box the
//! one that it is. Each step can be done again, and what is to be done stays written down until all of it is; so whoever starts
//! after a power cut goes on where it was, and nobody serves with half of it.

use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use state::{Clock, State, StateError};
use store::{Manifest, ModelName, Store, StoreError};

use crate::folder::LOCK;
use crate::next::Next;
use crate::take::NAMES;
use crate::{BackupError, Folder, Models};

/// Why the box cannot become what it was to be. It goes on at the next start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlaceError {
    /// A daemon serves.
    #[error("another hob is at work in {path}: stop that one first", path = path.display())]
    InUse {
        /// Where.
        path: PathBuf,
    },
    /// Written by a later version, or by hand.
    #[error("{path} does not say what is to be done; update hob, or remove it to have nothing done", path = path.display())]
    Unknown {
        /// The file.
        path: PathBuf,
    },
    /// What was laid aside cannot be made to go on from what is here.
    #[error(
        "the state of the backup cannot be opened: {0}; remove next.json beside state.db to keep the box as it is"
    )]
    State(#[from] StateError),
    /// The models cannot be removed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// How far it is cannot be written down.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// The disk refuses.
    #[error("cannot {action} {path}: {source}", path = path.display())]
    Io {
        /// What was to be done.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// What was done, until [`forget`](Self::forget).
#[derive(Debug)]
pub enum Placed {
    /// A backup is in place.
    Restored(Restored),
    /// The box is new.
    New(Models),
}

/// The backup that is in place, but for its models.
pub struct Restored {
    folder: Folder,
}

impl fmt::Debug for Restored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Restored")
    }
}

/// Does what is to be done in a folder that nothing of is open, with its models at `models`. Blocks on the disk.
///
/// # Errors
/// [`PlaceError`]; nothing is to be opened then, as it may be half of one box and half of another.
pub fn place(folder: &Folder, models: &Path, clock: &Clock) -> Result<Option<Placed>, PlaceError> {
    let Some(next) = Next::read(folder)? else {
        // Of what was begun and came to nothing; or is just being begun, by a daemon that serves.
        let leftovers = [folder.taking(), folder.making()];
        if leftovers.iter().any(|path| path.exists()) {
            let _lock = folder.lock()?;
            leftovers.iter().try_for_each(|path| remove(path))?;
        }
        return Ok(None);
    };
    let _lock = folder.lock()?;
    match next {
        Next::Restore => {
            carry_over(folder, clock)?;
            Next::Placing.write(folder)?;
            put_in_place(folder)?;
        }
        Next::Placing => put_in_place(folder)?,
        Next::Reset { models: Models::Remove } => {
            Store::erase(models)?;
            make_new(folder, Models::Remove)?;
        }
        Next::Reset { models: Models::Keep } => make_new(folder, Models::Keep)?,
        Next::Restored | Next::New { .. } => {}
    }
    Ok(match next {
        Next::Restore | Next::Placing | Next::Restored => {
            Some(Placed::Restored(Restored { folder: folder.clone() }))
        }
        Next::Reset { models } | Next::New { models } => Some(Placed::New(models)),
    })
}

/// What is this box's own goes on: its audit log, and the numbers of its owners.
fn carry_over(folder: &Folder, clock: &Clock) -> Result<(), PlaceError> {
    let staged = State::open(folder.staged().path(), clock.clone())?;
    if !folder.state().exists() {
        return Ok(());
    }
    match State::open(folder.path(), clock.clone()) {
        Ok(here) => Ok(staged.follow(&here)?),
        // It may be what the backup is put in place for.
        Err(error) => {
            tracing::warn!(%error, "the state that was here cannot be read, and is replaced");
            Ok(())
        }
    }
}

/// What was laid aside takes the place of what is here. What is not laid aside any more is in place already.
fn put_in_place(folder: &Folder) -> Result<(), PlaceError> {
    let staged = folder.staged();
    if staged.state().exists() {
        // Else it would be taken for what was written to the new one last.
        for beside in folder.beside_state() {
            remove(&beside)?;
        }
    }
    let log = |folder: &Folder| folder.beside_state()[0].clone();
    // The log after the state, which it would else be removed with.
    let places: [&dyn Fn(&Folder) -> PathBuf; 5] =
        [&Folder::state, &log, &Folder::settings, &Folder::peers, &Folder::identity];
    for place in places {
        let (from, to) = (place(&staged), place(folder));
        if !from.exists() {
            continue;
        }
        remove(&to)?;
        platform::durable::put(&from, &to).map_err(|source| PlaceError::Io {
            action: "put in place",
            path: to,
            source,
        })?;
    }
    // What was computed for owners of the box as it was.
    remove(&folder.cache())?;
    Ok(Next::Restored.write(folder)?)
}

/// All goes but the models and the lock that is held.
fn make_new(folder: &Folder, models: Models) -> Result<(), PlaceError> {
    let [log, index] = folder.beside_state();
    let all = [
        // Before the state, so that none of it is left that could be read without it.
        folder.identity(),
        folder.peers(),
        folder.aliases(),
        folder.cache(),
        folder.history(),
        log,
        index,
        folder.state(),
        folder.taking(),
        folder.making(),
        folder.settings(),
    ];
    for path in &all {
        remove(path)?;
    }
    empty_but_lock(&folder.audit())?;
    Ok(Next::New { models }.write(folder)?)
}

fn empty_but_lock(audit: &Path) -> Result<(), PlaceError> {
    let failed = |source| PlaceError::Io { action: "list", path: audit.into(), source };
    for entry in fs::read_dir(audit).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_name() != LOCK {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> Result<(), PlaceError> {
    let failed = |source| PlaceError::Io { action: "remove", path: path.into(), source };
    platform::durable::remove_all(path).map_err(failed)
}

impl Placed {
    /// It need not be told again. To be called once it is on the record.
    ///
    /// # Errors
    /// What the disk says; it is told again at the next start then.
    pub fn forget(self, folder: &Folder) -> Result<(), BackupError> {
        let taking = folder.taking();
        platform::durable::remove_all(&taking).map_err(BackupError::io("remove", taking))?;
        Next::forget(folder)
    }
}

impl Restored {
    /// Makes the models of the backup again of what is here of them. A name that a model has here stays that model's; one that lacks
    /// something is not made. Those that are.
    pub fn make_models(&self, store: &Store) -> Vec<ModelName> {
        let named = match self.manifests() {
            Ok(named) => named,
            Err(error) => {
                tracing::warn!(%error, "the models of the backup cannot be read");
                return Vec::new();
            }
        };
        named.into_iter().filter_map(|(name, manifest)| make(store, name, manifest)).collect()
    }

    fn manifests(&self) -> io::Result<Vec<(ModelName, Manifest)>> {
        let folder = self.folder.staged().manifests();
        let names = match fs::read(folder.join(NAMES)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            names => names?,
        };
        let names: Vec<(u32, String)> = serde_json::from_slice(&names)?;
        let read = |(number, name): (u32, String)| {
            let name = name.parse().map_err(io::Error::other)?;
            let text = fs::read(folder.join(format!("{number}.json")))?;
            Ok((name, Manifest::parse(text).map_err(io::Error::other)?))
        };
        names.into_iter().map(read).collect()
    }
}

fn make(store: &Store, name: ModelName, manifest: Manifest) -> Option<ModelName> {
    if !matches!(store.manifest(&name), Err(StoreError::UnknownModel(_))) {
        return None;
    }
    match store.accept(&name, manifest) {
        Ok(()) => Some(name),
        Err(error) => {
            tracing::warn!(%error, "{name} of the backup is not here; pull it, or import it");
            None
        }
    }
}
