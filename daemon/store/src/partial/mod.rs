//! Blobs that are being downloaded, in Ollama's own layout, so that either program goes on where the other stopped:
//! `sha256-HEX-partial` is as long as the blob, `sha256-HEX-partial-N` says how far part N is. Where the bytes come from
//! is not known here.

mod progress;
mod record;
mod writer;

pub use progress::Follower;
pub use writer::PartWriter;

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use platform::{disk, durable};

use self::progress::Progress;
use self::record::Record;
use crate::blob::HeldBlob;
use crate::error::io;
use crate::{Digest, ModelName, Store, StoreError, lock};

/// A part of a blob, and how much of it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its number, from 0.
    pub number: usize,
    /// Where it begins in the blob.
    pub offset: u64,
    /// Its bytes.
    pub size: u64,
    /// Those of them that are there, from its beginning.
    pub completed: u64,
}

/// One download that was begun.
#[derive(Clone, Debug)]
pub struct ListedPartial {
    /// Of the blob that it is to be.
    pub digest: Digest,
    /// Bytes that it will have.
    pub bytes: u64,
    /// Bytes that are there.
    pub completed_bytes: u64,
    /// The model it was begun for, as far as that was noted.
    pub model: Option<String>,
    /// Where it comes from, in the words of whoever brings it, if they noted that.
    pub source: Option<String>,
    /// When something last arrived.
    pub modified: SystemTime,
}

/// A download under way; no other process works on it meanwhile. Dropping it keeps what is there.
#[derive(Debug)]
pub struct Partial {
    store: Store,
    digest: Digest,
    bytes: u64,
    file: Arc<File>,
    progress: Arc<Progress>,
}

/// Many small parts let the hash follow closely; many files are a burden.
const MOST_PARTS: u64 = 64;
const SMALLEST_PART: u64 = 16 << 20;

/// A part is on the disk, and said to be, at least this often.
const SYNCED_EVERY: u64 = 64 << 20;

/// That it is written is on record more often.
const NOTED_EVERY: u64 = 1 << 20;

impl Store {
    /// Begins a download, or goes on with one, taking the room for all of it.
    ///
    /// # Errors
    /// [`StoreError::DiskFull`] if it cannot fit; [`StoreError::Busy`] if another process is at it.
    pub fn begin_partial(
        &self,
        digest: &Digest,
        bytes: u64,
        model: &ModelName,
    ) -> Result<Partial, StoreError> {
        let path = self.partial_path(digest);
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let file = opened.map_err(io("open", &path))?;
        // One that has another name by now is finished, and not ours to write to.
        if !lock::is_free(&file, &path)? || !lock::has_name(&file, &path)? {
            return Err(StoreError::Busy(*digest));
        }
        let metadata = file.metadata().map_err(io("read", &path))?;
        let length = metadata.len();
        let begun = self.saved_parts(digest)?.filter(|parts| length == bytes && covers(parts, bytes));
        let reserved = self
            .check_room(bytes.saturating_sub(disk::taken_bytes(&metadata)))
            .and_then(|()| disk::reserve(&file, bytes).map_err(|error| self.no_room(bytes, error, &path)));
        if let Err(error) = reserved {
            if length == 0 {
                // Nothing was there before, so nothing is to be kept.
                let _leftover = fs::remove_file(&path);
            }
            return Err(error);
        }
        let parts = match begun {
            Some(parts) => {
                // What a process before us has written may still be on its way to the disk.
                file.sync_data().map_err(io("sync", &path))?;
                parts
            }
            None => self.new_parts(digest, bytes)?,
        };
        durable::write(&self.note_path(digest), model.to_string().as_bytes())
            .map_err(io("write", &self.note_path(digest)))?;
        let progress = Arc::new(Progress::of(parts));
        Ok(Partial { store: self.clone(), digest: *digest, bytes, file: Arc::new(file), progress })
    }

    /// Forgets what is on record of a download, and begins anew. All parts are on record from the beginning, since Ollama
    /// adds up what it finds; should that be lost, nothing else is.
    fn new_parts(&self, digest: &Digest, bytes: u64) -> Result<Vec<Part>, StoreError> {
        self.remove_parts(digest)?;
        let parts = divided(bytes);
        for part in &parts {
            let path = self.part_path(digest, part.number);
            fs::write(&path, Record::bytes(part, 0)).map_err(io("write", &path))?;
        }
        Ok(parts)
    }

    /// All downloads that were begun, those of other processes too.
    ///
    /// # Errors
    /// [`StoreError::Io`] if the folder cannot be listed.
    pub fn partials(&self) -> Result<Vec<ListedPartial>, StoreError> {
        let mut found = Vec::new();
        for entry in fs::read_dir(self.blobs()).map_err(io("list", &self.blobs()))? {
            let entry = entry.map_err(io("list", &self.blobs()))?;
            let name = entry.file_name();
            let digest = name.to_str().and_then(|name| name.strip_suffix("-partial")?.parse::<Digest>().ok());
            let (Some(digest), Ok(metadata)) = (digest, entry.metadata()) else { continue };
            let parts = self.saved_parts(&digest)?.unwrap_or_default();
            let note = fs::read_to_string(self.note_path(&digest)).ok();
            let mut noted = note.iter().flat_map(|note| note.lines()).map(str::to_owned);
            found.push(ListedPartial {
                digest,
                bytes: metadata.len(),
                completed_bytes: parts.iter().map(|part| part.completed).sum(),
                model: noted.next(),
                source: noted.next(),
                modified: metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH),
            });
        }
        found.sort_by_key(|partial| partial.digest);
        Ok(found)
    }

    /// Forgets a download that was begun; returns the bytes of disk that it had taken.
    ///
    /// # Errors
    /// [`StoreError::Busy`] if a process is at it.
    pub fn remove_partial(&self, digest: &Digest) -> Result<u64, StoreError> {
        let path = self.partial_path(digest);
        let file = match File::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(StoreError::UnknownBlob(*digest));
            }
            other => other.map_err(io("open", &path))?,
        };
        if !lock::is_free(&file, &path)? || !lock::has_name(&file, &path)? {
            return Err(StoreError::Busy(*digest));
        }
        let bytes = disk::taken_bytes(&file.metadata().map_err(io("read", &path))?);
        self.remove_parts(digest)?;
        durable::remove(&path).map_err(io("remove", &path))?;
        Ok(bytes)
    }

    /// What is on record, up to the first part that is not. Records that cannot be read now are not taken for lost.
    fn saved_parts(&self, digest: &Digest) -> Result<Option<Vec<Part>>, StoreError> {
        let mut parts = Vec::new();
        // As many as Ollama makes of the largest file, and far fewer than a folder holds.
        for number in 0..4096 {
            let path = self.part_path(digest, number);
            let record = match fs::read(&path) {
                Err(error) if error.kind() == ErrorKind::NotFound => break,
                other => other.map_err(io("read", &path))?,
            };
            let Ok(record) = serde_json::from_slice::<Record>(&record) else { break };
            parts.push(record.part());
        }
        Ok(Some(parts).filter(|parts| !parts.is_empty()))
    }

    fn remove_parts(&self, digest: &Digest) -> Result<(), StoreError> {
        let parts = (0..4096).map(|number| self.part_path(digest, number)).take_while(|path| path.exists());
        for path in parts.chain([self.note_path(digest)]) {
            durable::remove(&path).map_err(io("remove", &path))?;
        }
        Ok(())
    }
}

impl Partial {
    /// The blob that it is to be.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Notes where it comes from as well, in one line, for whoever goes on with it.
    ///
    /// # Errors
    /// [`StoreError::Io`] if it cannot be noted.
    pub fn note_source(&self, model: &ModelName, source: &str) -> Result<(), StoreError> {
        let path = self.store.note_path(&self.digest);
        durable::write(&path, format!("{model}\n{source}").as_bytes()).map_err(io("write", &path))
    }

    /// Bytes that the blob has.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How far each part is.
    pub fn parts(&self) -> Vec<Part> {
        self.progress.state().parts.clone()
    }

    /// Bytes that are there.
    pub fn completed_bytes(&self) -> u64 {
        self.progress.state().parts.iter().map(|part| part.completed).sum()
    }

    /// Writes one part from where it is. There must be one writer a part.
    ///
    /// # Errors
    /// [`StoreError::Io`] if what is on record of it cannot be opened.
    pub fn writer(&self, number: usize) -> Result<PartWriter, StoreError> {
        let path = self.store.part_path(&self.digest, number);
        let record = OpenOptions::new().write(true).open(&path).map_err(io("open", &path))?;
        let completed = self.progress.state().parts[number].completed;
        Ok(PartWriter {
            store: self.store.clone(),
            digest: self.digest,
            file: Arc::clone(&self.file),
            record,
            progress: Arc::clone(&self.progress),
            number,
            noted: completed,
            synced: completed,
        })
    }

    /// Forgets what is there, as for a server that sends nothing but the whole. No writer may be left. Followers made before
    /// end, unless they are done.
    pub fn start_over(&self) {
        let mut state = self.progress.state();
        state.parts.iter_mut().for_each(|part| part.completed = 0);
        state.round += 1;
        self.progress.changed.notify_all();
    }

    /// Reads along with what arrives and hashes it. Blocks until all is there, or until [`Follower`]'s partial is gone
    /// or begun anew.
    pub fn follower(&self) -> Follower {
        let (file, progress) = (Arc::clone(&self.file), Arc::clone(&self.progress));
        let round = progress.state().round;
        Follower { file, progress, bytes: self.bytes, round }
    }

    /// What these of its bytes, which are there, hash to. Blocks on the disk.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn digest_of(&self, bytes: Range<u64>) -> std::io::Result<Digest> {
        progress::hash(&self.file, bytes)
    }

    /// Forgets the download and what there is of it.
    ///
    /// # Errors
    /// [`StoreError::Io`] if a file cannot be removed.
    pub fn discard(self) -> Result<(), StoreError> {
        let path = self.store.partial_path(&self.digest);
        self.store.remove_parts(&self.digest)?;
        durable::remove(&path).map_err(io("remove", &path))
    }

    /// Makes it the blob that it was to be. `found` is what it hashed to.
    ///
    /// # Errors
    /// [`StoreError::DigestMismatch`]; nothing is kept then.
    pub fn finish(self, found: Digest) -> Result<HeldBlob, StoreError> {
        let (digest, from) = (self.digest, self.store.partial_path(&self.digest));
        if found != digest {
            self.discard()?;
            return Err(StoreError::DigestMismatch { expected: digest, found });
        }
        // What takes long comes before the turn.
        self.file.sync_all().map_err(io("sync", &from))?;
        let _turn = self.store.lock()?;
        // It may have come another way meanwhile.
        if let Some(held) = self.store.hold_whole(&digest, self.bytes)? {
            self.discard()?;
            return Ok(held);
        }
        let path = self.store.blob_path(&digest);
        durable::rename(&self.file, &from, &path).map_err(io("write", &path))?;
        self.store.remove_parts(&digest)?;
        // Ours alone until here, shared from here on.
        self.file.lock_shared().map_err(io("lock", &path))?;
        HeldBlob::open(digest, path.clone()).map_err(io("open", &path))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        self.progress.state().stopped = true;
        self.progress.changed.notify_all();
    }
}

/// Whether these parts, in order, are all of a blob of this length, and none claims more than it has.
fn covers(parts: &[Part], bytes: u64) -> bool {
    let mut end = 0_u64;
    for (number, part) in parts.iter().enumerate() {
        if part.number != number || part.offset != end || part.completed > part.size {
            return false;
        }
        match end.checked_add(part.size) {
            Some(sum) => end = sum,
            None => return false,
        }
    }
    end == bytes
}

fn divided(bytes: u64) -> Vec<Part> {
    let size = bytes.div_ceil(MOST_PARTS).max(SMALLEST_PART);
    let count = bytes.div_ceil(size);
    let part = |number: u64| Part {
        number: usize::try_from(number).unwrap_or(0),
        offset: number * size,
        size: size.min(bytes - number * size),
        completed: 0,
    };
    (0..count).map(part).collect()
}

impl Store {
    pub(crate) fn partial_path(&self, digest: &Digest) -> PathBuf {
        self.blobs().join(format!("sha256-{}-partial", digest.hex()))
    }

    fn part_path(&self, digest: &Digest, number: usize) -> PathBuf {
        self.blobs().join(format!("sha256-{}-partial-{number}", digest.hex()))
    }

    /// Which model it is for, and where it comes from if that was said. Hidden, as Ollama reads all that begins like a part.
    fn note_path(&self, digest: &Digest) -> PathBuf {
        self.blobs().join(format!(".partial-{}", digest.hex()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_all_of_the_blob_and_nothing_else() {
        for bytes in [0, 1, SMALLEST_PART, SMALLEST_PART + 1, 5_000_000_000, 40_000_000_000_000] {
            let parts = divided(bytes);
            assert!(covers(&parts, bytes) && parts.len() as u64 <= MOST_PARTS, "{bytes}");
            assert!(!covers(&parts, bytes + 1));
        }
        let mut lying = divided(100);
        lying[0].completed = 101;
        assert!(!covers(&lying, 100));
    }
}
