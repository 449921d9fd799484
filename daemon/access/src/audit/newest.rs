//! The audit log read from its end on, a file at a time: for who looks what happened last. It changes nothing, and does not check
//! that entries follow from each other, which is `verify`'s.

use std::fs::File;
use std::io::{self, BufReader, Read as _};
use std::path::{Path, PathBuf};

use super::read::{read_line, seq_of};
use super::{AuditError, Entry, InvalidEntry, failed};

/// Entries, the newest first. A line that is none, or is not what was written, is told as that.
#[derive(Debug)]
pub struct Newest {
    before: u64,
    /// The next one last.
    files: Vec<PathBuf>,
    /// How much of the next file counts.
    bytes: u64,
    /// Lines of the file that is being read, the next one last.
    lines: Vec<Vec<u8>>,
}

impl Newest {
    /// Of these files, the newest last, of which only so many bytes of the newest count.
    pub(super) fn new(before: u64, files: Vec<PathBuf>, bytes: u64) -> Self {
        Self { before, files, bytes, lines: Vec::new() }
    }

    fn read(&mut self) -> Result<Option<Result<Entry, InvalidEntry>>, AuditError> {
        loop {
            if let Some(line) = self.lines.pop() {
                let text = std::str::from_utf8(&line).map_err(|_| InvalidEntry::Unreadable);
                return Ok(Some(text.and_then(Entry::parse)));
            }
            let Some(path) = self.files.pop() else { return Ok(None) };
            let most = std::mem::replace(&mut self.bytes, u64::MAX);
            self.lines = match lines(&path, most, self.before) {
                Ok(lines) => lines,
                // It was removed with age meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
                Err(source) => return Err(failed("read", &path, source)),
            };
        }
    }
}

impl Iterator for Newest {
    type Item = Result<Result<Entry, InvalidEntry>, AuditError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

/// The lines of a file whose entries are before one, in their order. Files are small.
fn lines(path: &Path, most: u64, before: u64) -> io::Result<Vec<Vec<u8>>> {
    let mut reader = BufReader::new(File::open(path)?.take(most));
    let mut lines = Vec::new();
    while let Some(line) = read_line(&mut reader)? {
        if seq_of(&line.bytes).is_some_and(|seq| seq >= before) {
            break;
        }
        lines.push(line.bytes);
    }
    Ok(lines)
}
