//! Blobs: bytes that are called by their SHA-256, hashed before they get that name. Whoever is about to name one in a
//! manifest holds it until then, so that nobody removes it meanwhile.

use std::collections::HashMap;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use platform::durable::{self, Staged};

use crate::digest::Hasher;
use crate::error::io;
use crate::{Digest, Store, StoreError, lock};

/// A blob in the store that nobody removes while this lives.
#[derive(Debug)]
pub struct HeldBlob {
    digest: Digest,
    bytes: u64,
    path: PathBuf,
    /// Closing it lets go.
    file: File,
}

impl HeldBlob {
    /// Its name.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Its length.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Its bytes, from the first one on.
    ///
    /// # Errors
    /// If the system has no descriptor left.
    pub fn reader(&self) -> std::io::Result<File> {
        // A clone of the descriptor would share its position.
        File::open(&self.path)
    }

    pub(crate) fn open(digest: Digest, path: PathBuf) -> std::io::Result<Self> {
        let file = File::open(&path)?;
        file.lock_shared()?;
        let bytes = file.metadata()?.len();
        Ok(Self { digest, bytes, path, file })
    }
}

/// A blob that is arriving. Dropping it keeps nothing.
#[derive(Debug)]
pub struct IncomingBlob {
    store: Store,
    expected: Option<Digest>,
    staged: Staged,
    hasher: Hasher,
    /// Bytes that may come before the room on the disk is looked at again.
    unchecked: u64,
}

/// How many bytes may come between two looks at the room: what the floor may be missed by.
const CHECKED_EVERY: u64 = 64 << 20;

impl Store {
    /// Whether the blob is there.
    pub fn has_blob(&self, digest: &Digest) -> bool {
        self.blob_path(digest).is_file()
    }

    /// Holds the blob, if it is there.
    ///
    /// # Errors
    /// [`StoreError::Io`] if it cannot be opened or locked.
    pub fn hold(&self, digest: &Digest) -> Result<Option<HeldBlob>, StoreError> {
        let path = self.blob_path(digest);
        let held = match HeldBlob::open(*digest, path.clone()) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            other => other.map_err(io("open", &path))?,
        };
        let still_there = lock::has_name(&held.file, &path)?;
        Ok(Some(held).filter(|_| still_there))
    }

    /// Holds the blob, if it is there and as long as it should be. One that is must not be replaced, as somebody may hold it;
    /// one that is not is better replaced.
    pub(crate) fn hold_whole(&self, digest: &Digest, bytes: u64) -> Result<Option<HeldBlob>, StoreError> {
        Ok(self.hold(digest)?.filter(|held| held.bytes == bytes))
    }

    /// Keeps a blob for a manifest that somebody is about to ask for, for an hour at most. `false` if it is not there.
    ///
    /// # Errors
    /// As [`Store::hold`].
    pub fn expect_manifest(&self, digest: &Digest) -> Result<bool, StoreError> {
        let held = self.hold(digest)?;
        let found = held.is_some();
        self.awaiting.add(held);
        Ok(found)
    }

    /// Begins a blob whose bytes come piece by piece.
    ///
    /// # Errors
    /// [`StoreError::Io`] if the store cannot be written.
    pub fn begin_blob(&self, digest: &Digest) -> Result<IncomingBlob, StoreError> {
        self.begin(Some(*digest))
    }

    /// Begins a blob that gets its name from what arrives.
    ///
    /// # Errors
    /// As [`Store::begin_blob`].
    pub fn begin_unnamed_blob(&self) -> Result<IncomingBlob, StoreError> {
        self.begin(None)
    }

    /// Adds a file by sharing its blocks: it is read once, for its digest, and not copied. `None` where the filesystem
    /// cannot do that. Blocks on the disk.
    ///
    /// # Errors
    /// [`StoreError::Io`] if the file cannot be read.
    pub fn share(&self, source: &Path) -> Result<Option<HeldBlob>, StoreError> {
        match Staged::clone_of(source, &self.blobs()) {
            Ok(staged) => WrittenBlob { store: self.clone(), staged }.finish().map(Some),
            Err(error) => {
                tracing::debug!(%error, "a file's blocks cannot be shared");
                Ok(None)
            }
        }
    }

    /// Adds small bytes of our own.
    pub(crate) fn put(&self, bytes: &[u8]) -> Result<HeldBlob, StoreError> {
        let mut incoming = self.begin(None)?;
        incoming.push(bytes)?;
        incoming.finish()
    }

    /// Removes a blob that no manifest names, unless somebody holds it; its bytes. The caller has the store's lock.
    pub(crate) fn remove_blob(&self, digest: &Digest) -> Result<Option<u64>, StoreError> {
        let path = self.blob_path(digest);
        let file = match File::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            other => other.map_err(io("open", &path))?,
        };
        let bytes = file.metadata().map_err(io("read", &path))?.len();
        if !lock::is_free(&file, &path)? {
            return Ok(None);
        }
        durable::remove(&path).map_err(io("remove", &path))?;
        Ok(Some(bytes))
    }

    /// Gives a file whose bytes hash to `digest` its name.
    fn name(&self, staged: Staged, digest: Digest) -> Result<HeldBlob, StoreError> {
        // What takes long comes before the turn.
        staged.file().sync_all().map_err(io("sync", staged.path()))?;
        let _turn = self.lock()?;
        let bytes = staged.file().metadata().map_err(io("read", staged.path()))?.len();
        if let Some(held) = self.hold_whole(&digest, bytes)? {
            return Ok(held);
        }
        let path = self.blob_path(&digest);
        let _written = staged.keep(&path).map_err(io("write", &path))?;
        HeldBlob::open(digest, path.clone()).map_err(io("open", &path))
    }

    fn begin(&self, expected: Option<Digest>) -> Result<IncomingBlob, StoreError> {
        let staged = Staged::create(&self.blobs()).map_err(io("write to", &self.blobs()))?;
        Ok(IncomingBlob {
            store: self.clone(),
            expected,
            staged,
            hasher: Hasher::default(),
            unchecked: CHECKED_EVERY,
        })
    }
}

impl IncomingBlob {
    /// More bytes.
    ///
    /// # Errors
    /// [`StoreError::DiskFull`]; [`StoreError::Io`] if they cannot be written.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let count = bytes.len() as u64;
        if count > self.unchecked {
            self.store.check_room(CHECKED_EVERY.max(count))?;
            self.unchecked = CHECKED_EVERY;
        }
        self.unchecked = self.unchecked.saturating_sub(count);
        self.staged.write_all(bytes).map_err(io("write", self.staged.path()))?;
        self.hasher.update(bytes);
        Ok(())
    }

    /// Checks what arrived and gives it its name. Durable once this returns.
    ///
    /// # Errors
    /// [`StoreError::DigestMismatch`]; nothing is kept.
    pub fn finish(self) -> Result<HeldBlob, StoreError> {
        let found = self.hasher.finish();
        if let Some(expected) = self.expected.filter(|expected| *expected != found) {
            return Err(StoreError::DigestMismatch { expected, found });
        }
        self.store.name(self.staged, found)
    }
}

impl Write for IncomingBlob {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let count = self.staged.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.staged.flush()
    }
}

/// A blob that somebody else writes, into an open file. Dropping it keeps nothing.
#[derive(Debug)]
pub struct WrittenBlob {
    store: Store,
    staged: Staged,
}

impl Store {
    /// Begins a blob of some `expected_bytes` that is written by somebody else.
    ///
    /// # Errors
    /// [`StoreError::DiskFull`] if there is no room for it; [`StoreError::Io`] if the store cannot be written.
    pub fn begin_written(&self, expected_bytes: u64) -> Result<WrittenBlob, StoreError> {
        self.check_room(expected_bytes)?;
        let staged = Staged::create(&self.blobs()).map_err(io("write to", &self.blobs()))?;
        Ok(WrittenBlob { store: self.clone(), staged })
    }
}

impl WrittenBlob {
    /// The file to write.
    ///
    /// # Errors
    /// If the system has no descriptor left.
    pub fn file(&self) -> Result<File, StoreError> {
        self.staged.file().try_clone().map_err(io("open", self.staged.path()))
    }

    /// Hashes what was written and gives it its name. Blocks on the disk.
    ///
    /// # Errors
    /// [`StoreError::Io`]; nothing is kept then.
    pub fn finish(self) -> Result<HeldBlob, StoreError> {
        let written = File::open(self.staged.path()).map_err(io("open", self.staged.path()))?;
        let (found, _) = Digest::of_reader(written).map_err(io("read", self.staged.path()))?;
        self.store.name(self.staged, found)
    }
}

/// Blobs that were uploaded or asked after, and that no manifest names yet.
#[derive(Debug, Default)]
pub(crate) struct AwaitingManifest(Mutex<HashMap<Digest, (HeldBlob, Instant)>>);

/// How long a client may take from its first upload to its manifest.
const AWAITED_FOR: Duration = Duration::from_secs(3600);

/// Each costs a descriptor.
const MOST_AWAITING: usize = 256;

impl AwaitingManifest {
    pub(crate) fn add(&self, held: Option<HeldBlob>) {
        let mut blobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        blobs.retain(|_, (_, since)| since.elapsed() < AWAITED_FOR);
        if let Some(held) = held {
            if blobs.len() >= MOST_AWAITING {
                let oldest = blobs.iter().min_by_key(|(_, (_, since))| *since).map(|(digest, _)| *digest);
                oldest.map(|digest| blobs.remove(&digest));
            }
            blobs.insert(held.digest, (held, Instant::now()));
        }
    }

    pub(crate) fn named(&self, digest: &Digest) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(digest);
    }
}
