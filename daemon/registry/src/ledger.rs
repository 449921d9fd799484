//! Which bytes of a download came from whom, so that who sent wrong ones can be told from who did not.

use std::collections::BTreeSet;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use identity::pairing::BoxName;
use store::{Digest, HeldBlob, Partial};

use crate::suppliers::Supplier;

/// What came from paired boxes.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    stretches: Mutex<Vec<Stretch>>,
    names: Mutex<BTreeSet<BoxName>>,
}

/// Bytes that came from one.
#[derive(Clone, Debug)]
struct Stretch {
    from: Arc<Supplier>,
    bytes: Range<u64>,
}

/// What the bytes hash to that somebody sent.
#[derive(Debug)]
pub(crate) struct Evidence(Vec<(Stretch, Digest)>);

impl Ledger {
    pub(crate) fn note(&self, from: &Arc<Supplier>, bytes: Range<u64>) {
        if !bytes.is_empty() {
            let stretch = Stretch { from: Arc::clone(from), bytes };
            self.stretches.lock().unwrap_or_else(PoisonError::into_inner).push(stretch);
        }
    }

    /// Something comes from it.
    pub(crate) fn names(&self, name: &BoxName) {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if !names.contains(name) {
            names.insert(name.clone());
        }
    }

    /// From whom something came, by name.
    pub(crate) fn all_names(&self) -> Vec<BoxName> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Nothing that they sent is used.
    pub(crate) fn forget(&self) {
        self.stretches.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.names.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Whether anything did.
    pub(crate) fn is_empty(&self) -> bool {
        self.stretches.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// What each sent, as it lies there now; the ledger is empty then. Blocks on the disk.
    pub(crate) fn seize(&self, partial: &Partial) -> io::Result<Evidence> {
        let stretches = std::mem::take(&mut *self.stretches.lock().unwrap_or_else(PoisonError::into_inner));
        let hashed = stretches.into_iter().map(|stretch| {
            let digest = partial.digest_of(stretch.bytes.clone())?;
            Ok((stretch, digest))
        });
        hashed.collect::<io::Result<_>>().map(Evidence)
    }
}

impl Evidence {
    /// Those who sent something else than there is in the blob as it should be. Blocks on the disk.
    pub(crate) fn against(&self, blob: &HeldBlob) -> io::Result<Vec<Arc<Supplier>>> {
        let mut found: Vec<Arc<Supplier>> = Vec::new();
        for (Stretch { from, bytes }, sent) in &self.0 {
            let mut reader = blob.reader()?;
            reader.seek(SeekFrom::Start(bytes.start))?;
            let (right, _) = Digest::of_reader(reader.take(bytes.end - bytes.start))?;
            if right != *sent && !found.iter().any(|known| Arc::ptr_eq(known, from)) {
                found.push(Arc::clone(from));
            }
        }
        Ok(found)
    }
}
