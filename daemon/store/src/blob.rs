//! Blobs: bytes that are called by their SHA-256, hashed before they get that name.

use std::io::{Read, Write};

use platform::durable::Staged;

use crate::digest::Hasher;
use crate::error::io;
use crate::{Digest, Store, StoreError};

/// What came of adding a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// It is there now.
    New,
    /// It was there already; nothing was read.
    Existing,
}

/// A blob that is arriving. Dropping it keeps nothing.
#[derive(Debug)]
pub struct IncomingBlob {
    store: Store,
    expected: Option<Digest>,
    staged: Staged,
    hasher: Hasher,
    bytes: u64,
}

impl Store {
    /// Whether the blob is there.
    pub fn has_blob(&self, digest: &Digest) -> bool {
        self.blob_path(digest).is_file()
    }

    /// Adds a blob from a reader.
    ///
    /// # Errors
    /// [`StoreError::DigestMismatch`] if it is not what it was said to be; nothing is kept.
    pub fn add_blob(&self, digest: &Digest, mut reader: impl Read) -> Result<Added, StoreError> {
        if self.has_blob(digest) {
            return Ok(Added::Existing);
        }
        let mut incoming = self.begin_blob(digest)?;
        let mut buffer = vec![0; 1 << 20];
        loop {
            let count = reader.read(&mut buffer).map_err(io("read", &self.blob_path(digest)))?;
            if count == 0 {
                break;
            }
            incoming.write(&buffer[..count])?;
        }
        incoming.finish()?;
        Ok(Added::New)
    }

    /// Begins a blob whose bytes come piece by piece.
    ///
    /// # Errors
    /// [`StoreError::Io`] if the store cannot be written.
    pub fn begin_blob(&self, digest: &Digest) -> Result<IncomingBlob, StoreError> {
        self.begin(Some(*digest))
    }

    /// Adds small bytes of our own.
    pub(crate) fn put(&self, bytes: &[u8]) -> Result<(Digest, u64), StoreError> {
        let mut incoming = self.begin(None)?;
        incoming.write(bytes)?;
        Ok((incoming.finish()?, bytes.len() as u64))
    }

    fn begin(&self, expected: Option<Digest>) -> Result<IncomingBlob, StoreError> {
        let staged = Staged::create(&self.blobs()).map_err(io("write to", &self.blobs()))?;
        Ok(IncomingBlob { store: self.clone(), expected, staged, hasher: Hasher::default(), bytes: 0 })
    }
}

impl IncomingBlob {
    /// More bytes.
    ///
    /// # Errors
    /// [`StoreError::Io`], as when the disk is full.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.staged.write_all(bytes).map_err(io("write", self.staged.path()))?;
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Checks what arrived and gives it its name. Durable once this returns.
    ///
    /// # Errors
    /// [`StoreError::DigestMismatch`]; nothing is kept.
    pub fn finish(self) -> Result<Digest, StoreError> {
        let found = self.hasher.finish();
        if let Some(expected) = self.expected.filter(|expected| *expected != found) {
            return Err(StoreError::DigestMismatch { expected, found });
        }
        let path = self.store.blob_path(&found);
        if !path.is_file() {
            self.staged.keep(&path).map_err(io("write", &path))?;
        }
        Ok(found)
    }
}
