//! How far a download is, as its writers and its hash share it.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::Part;
use crate::Digest;
use crate::digest::Hasher;

/// Hashes a download while it arrives.
#[derive(Debug)]
pub struct Follower {
    pub(super) file: Arc<File>,
    pub(super) progress: Arc<Progress>,
    pub(super) bytes: u64,
    /// What it follows: what is written after the download was begun anew is not for it.
    pub(super) round: u64,
}

/// Hashed at once: little enough to be near when it was just written.
const BUFFER_BYTES: usize = 256 << 10;

impl Follower {
    /// Blocks until all is there; `None` if the download was given up, or begun anew.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn digest(self) -> std::io::Result<Option<Digest>> {
        let mut hasher = Hasher::default();
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut position = 0;
        while position < self.bytes {
            let Some(end) = self.progress.wait_beyond(position, self.round) else { return Ok(None) };
            let count = usize::try_from(end - position).map_or(buffer.len(), |left| left.min(buffer.len()));
            self.file.read_exact_at(&mut buffer[..count], position)?;
            hasher.update(&buffer[..count]);
            position += count as u64;
        }
        Ok(Some(hasher.finish()))
    }
}

/// What these bytes of a file hash to.
pub(super) fn hash(file: &File, bytes: Range<u64>) -> std::io::Result<Digest> {
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; 1 << 20];
    let mut position = bytes.start;
    while position < bytes.end {
        let count = usize::try_from(bytes.end - position).map_or(buffer.len(), |left| left.min(buffer.len()));
        file.read_exact_at(&mut buffer[..count], position)?;
        hasher.update(&buffer[..count]);
        position += count as u64;
    }
    Ok(hasher.finish())
}

#[derive(Debug)]
pub(super) struct Progress {
    state: Mutex<State>,
    pub(super) changed: Condvar,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) parts: Vec<Part>,
    /// Nothing more will come.
    pub(super) stopped: bool,
    /// How often it was begun anew.
    pub(super) round: u64,
}

impl Progress {
    pub(super) fn of(parts: Vec<Part>) -> Self {
        Self { state: Mutex::new(State { parts, stopped: false, round: 0 }), changed: Condvar::new() }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until more than the first `position` bytes of this round are there without a gap; returns how many are.
    fn wait_beyond(&self, position: u64, round: u64) -> Option<u64> {
        let mut state = self.state();
        loop {
            let end = gapless(&state.parts);
            if state.round != round {
                return None;
            }
            if end > position {
                return Some(end);
            }
            if state.stopped {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Bytes from the beginning that are there without a gap.
fn gapless(parts: &[Part]) -> u64 {
    let mut end = 0;
    for part in parts {
        end += part.completed;
        if part.completed < part.size {
            break;
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_follows_only_what_is_there_without_a_gap() {
        let part = |number, offset, size, completed| Part { number, offset, size, completed };

        assert_eq!(gapless(&[part(0, 0, 4, 4), part(1, 4, 4, 2), part(2, 8, 4, 4)]), 6);
        assert_eq!(gapless(&[part(0, 0, 4, 0), part(1, 4, 4, 4)]), 0);
        assert_eq!(gapless(&[]), 0);
    }
}
