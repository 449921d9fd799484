//! The files of the audit log: `audit-N.jsonl`, each named for its first entry, each entry synced before it counts. How a file
//! is read is `read`'s; what a line says, `entry`'s; whether the whole is what was written, `verify`'s.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use state::{AuditEnds, AuditHash, AuditPosition};

use super::newest::Newest;
use super::read::{Entries, Tail, first_entry};
use super::reserve::Reserve;
use super::{AuditError, Entry, Event, failed};

/// A file that is longer is followed by another.
const MOST_BYTES: u64 = 4 << 20;
/// How many are kept: with what is refused limited, years of a household, or a month of somebody who keeps hammering.
const MOST_FILES: usize = 64;
/// The files, of which the last is written to.
#[derive(Debug)]
pub(super) struct Log {
    folder: PathBuf,
    /// Two who write would each break the other's chain.
    _lock: File,
    reserve: Reserve,
    /// The oldest first.
    files: Vec<Numbered>,
    /// None before the first entry, and where nothing is to be added to what lies there.
    current: Option<Current>,
    ends: AuditEnds,
    most_bytes: u64,
    most_files: usize,
}

#[derive(Clone, Debug)]
struct Numbered {
    first: u64,
    path: PathBuf,
}

#[derive(Debug)]
struct Current {
    file: File,
    /// Up to the end of the last entry that counts.
    bytes: u64,
    /// More may lie behind that, of an entry that could not be written.
    unclean: bool,
}

/// What was noticed on opening.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    /// The last line was not whole, and lies in a file of its own now.
    Torn { bytes: usize, aside: String },
    /// Entries are missing or changed.
    Broken(String),
}

/// A file that goes, and what is removed with it.
pub(super) struct Oldest {
    path: PathBuf,
    pub(super) removed: AuditPosition,
}

impl Log {
    /// Opens what is there and finds where to go on.
    pub(super) fn open(folder: &Path, known: Option<AuditEnds>) -> Result<(Self, Vec<Notice>), AuditError> {
        platform::durable::make_private_folder(folder).map_err(|source| failed("make", folder, source))?;
        let lock = lock(folder)?;
        let mut files = list(folder)?;
        let mut ends = known.unwrap_or_default();
        // What was to be removed when the power went.
        while files.len() > 1 && files[1].first <= ends.removed.seq + 1 {
            let path = files.remove(0).path;
            platform::durable::remove(&path).map_err(|source| failed("remove", &path, source))?;
        }
        let mut notices = Vec::new();
        let mut found = Tail::default();
        while let Some(last) = files.last() {
            let path = last.path.clone();
            found = Tail::read(&path, ends.last).map_err(|source| failed("read", &path, source))?;
            if !found.torn.is_empty() {
                notices.push(put_aside(folder, &path, &found)?);
            }
            if found.last.is_some() || found.damaged {
                break;
            }
            // It was made for an entry that did not come to be.
            files.pop();
            platform::durable::remove(&path).map_err(|source| failed("remove", &path, source))?;
        }
        let mut current = None;
        match (known, found.broken(ends.last)) {
            (Some(_), Some(what)) => {
                notices.push(Notice::Broken(what));
                // The chain goes on from what is known, so that what is missing stays missing, in a file of its own.
                ends.last.seq = ends.last.seq.max(found.last.map_or(0, |last| last.seq));
            }
            _ => {
                ends.last = found.last.unwrap_or(ends.last);
                if let Some(last) = files.last() {
                    let file = OpenOptions::new().read(true).write(true).open(&last.path);
                    let file = file.map_err(|source| failed("open", &last.path, source))?;
                    current = Some(Current { file, bytes: found.bytes, unclean: true });
                }
            }
        }
        let reserve = Reserve::of(folder);
        reserve.take();
        let (most_bytes, most_files) = (MOST_BYTES, MOST_FILES);
        let log = Self {
            folder: folder.into(),
            _lock: lock,
            reserve,
            files,
            current,
            ends,
            most_bytes,
            most_files,
        };
        Ok((log, notices))
    }

    /// Both ends of it.
    pub(super) fn ends(&self) -> AuditEnds {
        self.ends
    }

    /// Adds an entry, and returns once it is on the disk. On an error it is not in the log.
    pub(super) fn append(&mut self, time: &str, event: &Event<'_>) -> Result<(), AuditError> {
        let entry = Entry::after(self.ends.last, time.into(), event);
        if self.current.as_ref().is_none_or(|current| current.bytes >= self.most_bytes) {
            self.current = Some(self.begin(entry.seq)?);
        }
        let path = self.files.last().map(|last| last.path.clone()).unwrap_or_default();
        let current = self.current.as_mut().expect("it was begun above");
        let line = entry.line() + "\n";
        let added = match current.add(line.as_bytes()) {
            Err(error) if error.kind() == io::ErrorKind::StorageFull && self.reserve.give_up() => {
                current.add(line.as_bytes())
            }
            added => added,
        };
        added.map_err(|source| failed("write", &path, source))?;
        self.ends.last = entry.position();
        Ok(())
    }

    /// Begins a file for the entry of this number.
    fn begin(&mut self, first: u64) -> Result<Current, AuditError> {
        self.reserve.take();
        let path = self.folder.join(format!("{PREFIX}{first:010}{SUFFIX}"));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let opened = options.open(&path).and_then(|file| {
            platform::durable::sync_folder(&self.folder)?;
            Ok(file)
        });
        let file = opened.map_err(|source| failed("begin", &path, source))?;
        if self.files.last().is_none_or(|last| last.first != first) {
            self.files.push(Numbered { first, path });
        }
        Ok(Current { file, bytes: 0, unclean: true })
    }

    /// The file that is one too many, if one is.
    pub(super) fn beyond_limit(&self) -> Option<Oldest> {
        let (oldest, next) = (self.files.first()?, self.files.get(1)?);
        if self.files.len() <= self.most_files {
            return None;
        }
        let first = first_entry(&next.path);
        // If it cannot be told, the check will say that what follows is bound to something else: which is so.
        let hash = first.map_or(AuditHash::default(), |entry| entry.previous());
        Some(Oldest { path: oldest.path.clone(), removed: AuditPosition { seq: next.first - 1, hash } })
    }

    /// Counts it as removed, which is to be kept before it is.
    pub(super) fn forget(&mut self, oldest: &Oldest) {
        self.ends.removed = oldest.removed;
        self.files.retain(|file| file.path != oldest.path);
    }

    /// Removes it.
    pub(super) fn remove(&self, oldest: &Oldest) -> Result<(), AuditError> {
        platform::durable::remove(&oldest.path).map_err(|source| failed("remove", &oldest.path, source))
    }

    #[cfg(test)]
    pub(super) fn limit_for_test(&mut self, most_bytes: u64, most_files: usize) {
        (self.most_bytes, self.most_files) = (most_bytes, most_files);
    }

    #[cfg(test)]
    pub(super) fn write_to_for_test(&mut self, file: File) {
        self.current.as_mut().unwrap().file = file;
    }

    /// The lines after an entry, up to the last that counts now, and where both ends are now.
    pub(super) fn entries(&self, after: u64) -> Result<Entries, AuditError> {
        let skipped =
            self.files.iter().skip(1).take_while(|next| next.first <= after.saturating_add(1)).count();
        let mut files: Vec<PathBuf> = self.files.iter().skip(skipped).map(|file| file.path.clone()).collect();
        let bytes = self.current.as_ref().map_or(u64::MAX, |current| current.bytes);
        files.reverse();
        Ok(Entries::new(after, files, bytes, self.ends))
    }

    /// The entries before one, the newest first, from the last on that counts now.
    pub(super) fn newest(&self, before: Option<u64>) -> Newest {
        let before = before.unwrap_or(u64::MAX);
        let files = self.files.iter().take_while(|file| file.first < before);
        let files: Vec<PathBuf> = files.map(|file| file.path.clone()).collect();
        let whole = files.len() < self.files.len();
        let bytes = self.current.as_ref().filter(|_| !whole).map_or(u64::MAX, |current| current.bytes);
        Newest::new(before, files, bytes)
    }
}

impl Current {
    fn add(&mut self, line: &[u8]) -> io::Result<()> {
        if self.unclean {
            self.file.set_len(self.bytes)?;
        }
        self.unclean = true;
        self.file.seek(SeekFrom::Start(self.bytes))?;
        self.file.write_all(line)?;
        self.file.sync_data()?;
        self.unclean = false;
        self.bytes += line.len() as u64;
        Ok(())
    }
}

/// Puts what was not written whole into a file of its own.
fn put_aside(folder: &Path, path: &Path, tail: &Tail) -> Result<Notice, AuditError> {
    let aside = format!("torn-after-{:010}.part", tail.last.map_or(0, |last| last.seq));
    let put = || {
        let file = OpenOptions::new().write(true).open(path)?;
        platform::durable::write_private(&folder.join(&aside), &tail.torn)?;
        file.set_len(tail.bytes)?;
        file.sync_all()
    };
    put().map_err(|source| failed("mend", path, source))?;
    Ok(Notice::Torn { bytes: tail.torn_bytes, aside })
}

fn list(folder: &Path) -> Result<Vec<Numbered>, AuditError> {
    let listed = fs::read_dir(folder).and_then(|entries| {
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<PathBuf>>>()
    });
    let paths = listed.map_err(|source| failed("list", folder, source))?;
    let mut files: Vec<Numbered> = paths
        .into_iter()
        .filter_map(|path| {
            let number = path.file_name()?.to_str()?.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
            Some(Numbered { first: number.parse().ok()?, path })
        })
        .collect();
    files.sort_by_key(|file| file.first);
    Ok(files)
}

const PREFIX: &str = "audit-";
const SUFFIX: &str = ".jsonl";

/// Ends with its process, however that ends.
fn lock(folder: &Path) -> Result<File, AuditError> {
    let path = folder.join(".lock");
    let opened = OpenOptions::new().create(true).append(true).open(&path);
    let file = opened.map_err(|source| failed("lock", &path, source))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(AuditError::InUse { path: folder.into() }),
        Err(TryLockError::Error(source)) => Err(failed("lock", &path, source)),
    }
}
