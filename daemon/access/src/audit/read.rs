//! What lies in a file of the audit log: its lines, for whoever asks, and how it ends, for whoever is to add to it. It changes
//! nothing.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use state::{AuditEnds, AuditPosition};

use super::{AuditError, Entry, failed};

/// A line that is longer is none of ours.
const MOST_LINE: u64 = 16 << 10;
/// Of a line that was not written whole.
const MOST_ASIDE: usize = 64 << 10;

/// The lines of entries, up to the one that was the last when they were asked for.
#[derive(Debug)]
pub struct Entries {
    after: u64,
    /// The next one last.
    files: Vec<PathBuf>,
    /// How much of the last file counts.
    last_bytes: u64,
    open: Option<(PathBuf, BufReader<io::Take<File>>)>,
    ends: AuditEnds,
}

impl Entries {
    /// Of these files, the last of them first, of which only so many bytes of the last count.
    pub(super) fn new(after: u64, files: Vec<PathBuf>, last_bytes: u64, ends: AuditEnds) -> Self {
        Self { after, files, last_bytes, open: None, ends }
    }

    /// Where the log began and ended then, for [`super::verify`].
    pub fn ends(&self) -> AuditEnds {
        self.ends
    }

    fn read(&mut self) -> Result<Option<String>, AuditError> {
        loop {
            let Some((path, reader)) = &mut self.open else {
                let Some(path) = self.files.pop() else { return Ok(None) };
                let most = if self.files.is_empty() { self.last_bytes } else { u64::MAX };
                match File::open(&path) {
                    Ok(file) => self.open = Some((path, BufReader::new(file.take(most)))),
                    // It was removed with age meanwhile, or by somebody, which a check tells from the numbers.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(source) => return Err(failed("read", &path, source)),
                }
                continue;
            };
            let line = read_line(reader).map_err(|source| failed("read", path, source))?;
            match line {
                Some(line) if seq_of(&line.bytes).is_none_or(|seq| seq > self.after) => {
                    return Ok(Some(String::from_utf8_lossy(&line.bytes).into_owned()));
                }
                Some(_) => {}
                None => self.open = None,
            }
        }
    }
}

impl Iterator for Entries {
    type Item = Result<String, AuditError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

/// How a file ends.
#[derive(Debug, Default)]
pub(super) struct Tail {
    /// Up to the end of its last whole line.
    pub(super) bytes: u64,
    /// Its last entry.
    pub(super) last: Option<AuditPosition>,
    /// What follows that without being an entry.
    pub(super) torn: Vec<u8>,
    pub(super) torn_bytes: usize,
    /// Lines that are no entries lie before others.
    pub(super) damaged: bool,
    /// What is known to be the last entry is in it, and all after it follows from it.
    follows: bool,
}

impl Tail {
    pub(super) fn read(path: &Path, known: AuditPosition) -> io::Result<Self> {
        let mut reader = BufReader::new(File::open(path)?);
        let mut tail = Self::default();
        let mut before: Option<AuditPosition> = None;
        while let Some(line) = read_line(&mut reader)? {
            let entry = std::str::from_utf8(&line.bytes).ok().and_then(|text| Entry::parse(text).ok());
            let Some(entry) = entry.filter(|_| line.ended) else {
                tail.torn_bytes += line.length;
                let end = line.ended.then_some(&b'\n');
                let room = MOST_ASIDE.saturating_sub(tail.torn.len());
                tail.torn.extend(line.bytes.iter().chain(end).take(room));
                continue;
            };
            let position = entry.position();
            tail.follows = position == known
                || entry.previous() == known.hash && entry.seq == known.seq + 1
                || tail.follows && before.is_some_and(|before| entry.previous() == before.hash);
            before = Some(position);
            tail.last = before;
            tail.damaged |= tail.torn_bytes > 0;
            tail.bytes += (tail.torn_bytes + line.length) as u64;
            (tail.torn, tail.torn_bytes) = (Vec::new(), 0);
        }
        Ok(tail)
    }

    /// What is wrong with it, when this is known to be the last entry.
    pub(super) fn broken(&self, known: AuditPosition) -> Option<String> {
        let found = self.last.map_or(0, |last| last.seq);
        if found < known.seq {
            return Some(format!("entries {} to {} are missing", found + 1, known.seq));
        }
        let whole = self.follows || known.seq == 0 && self.last.is_none();
        (!whole || self.damaged).then(|| format!("entries up to {found} do not follow from {}", known.seq))
    }
}

/// The entry that a file begins with.
pub(super) fn first_entry(path: &Path) -> Option<Entry> {
    let line = read_line(&mut BufReader::new(File::open(path).ok()?)).ok()??;
    Entry::parse(std::str::from_utf8(&line.bytes).ok()?).ok()
}

pub(super) struct Line {
    /// Without its end, and no more than a line may have.
    pub(super) bytes: Vec<u8>,
    ended: bool,
    length: usize,
}

/// Reads a line, however long somebody made it.
pub(super) fn read_line(reader: &mut impl io::BufRead) -> io::Result<Option<Line>> {
    let mut line = Line { bytes: Vec::new(), ended: false, length: 0 };
    line.length = reader.by_ref().take(MOST_LINE).read_until(b'\n', &mut line.bytes)?;
    line.ended = line.bytes.last() == Some(&b'\n');
    if line.ended {
        line.bytes.pop();
    }
    Ok((line.length > 0).then_some(line))
}

/// The number of an entry, without reading the rest of it.
pub(super) fn seq_of(line: &[u8]) -> Option<u64> {
    let digits = line.strip_prefix(b"{\"seq\":")?;
    let end = digits.iter().position(|byte| *byte == b',')?;
    std::str::from_utf8(&digits[..end]).ok()?.parse().ok()
}
