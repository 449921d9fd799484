//! The members one after another, in an uncompressed tar archive. Only ordinary files are read from it, one header and one file at a
//! time; GNU's and pax's long names, links and holes are refused. No name in it leads anywhere.

use std::io::{self, ErrorKind, Read, Take, Write};

use tar::{EntryType, Header};

use crate::BackupError;
use crate::contents::shown;

/// What headers, and the fill after files, are made of.
const BLOCK: u64 = 512;
/// What may come after the end: tar fills its last record.
const MOST_TAIL: u64 = 1 << 20;

/// An archive that is read.
pub(crate) struct Archive<R> {
    input: R,
}

impl<R: Read> Archive<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { input }
    }

    /// The next member, which has to be this one, of so many bytes at most; with how many it has.
    pub(crate) fn next(&mut self, name: &str, most: u64) -> Result<(u64, Take<&mut R>), BackupError> {
        let Some((found, bytes)) = self.header()? else { return Err(BackupError::Missing(name.into())) };
        if found != name {
            return Err(BackupError::Strange { name: shown(&found), what: "where something else should be" });
        }
        if bytes > most {
            return Err(BackupError::TooLong { name: found, bytes, most });
        }
        Ok((bytes, self.input.by_ref().take(bytes)))
    }

    /// What fills the last block of a member that was read to its end.
    pub(crate) fn fill(&mut self, bytes: u64) -> Result<(), BackupError> {
        let mut fill = [0; BLOCK as usize];
        let fill = &mut fill[..usize::try_from(bytes.next_multiple_of(BLOCK) - bytes).unwrap_or(0)];
        self.input.read_exact(fill).map_err(BackupError::reading)?;
        match fill.iter().all(|byte| *byte == 0) {
            true => Ok(()),
            false => Err(BackupError::Damaged("there is something between two files")),
        }
    }

    /// The end, which has to be next. It is read to its own, as what is sealed is whole only then.
    pub(crate) fn end(mut self) -> Result<(), BackupError> {
        if let Some((name, _)) = self.header()? {
            return Err(BackupError::Strange { name: shown(&name), what: "which it does not say of itself" });
        }
        let (mut buffer, mut total) = ([0; 8192], 0);
        loop {
            let count = match self.input.read(&mut buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                other => other.map_err(BackupError::reading)?,
            };
            total += count as u64;
            if total > MOST_TAIL || buffer[..count].iter().any(|byte| *byte != 0) {
                return Err(BackupError::Damaged("there is something after its end"));
            }
            if count == 0 {
                return Ok(());
            }
        }
    }

    /// The next header: a name and a length, or nothing at the end.
    fn header(&mut self) -> Result<Option<(String, u64)>, BackupError> {
        let mut header = Header::new_old();
        self.input.read_exact(header.as_mut_bytes()).map_err(BackupError::reading)?;
        if header.as_bytes().iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let mut summed = header.clone();
        summed.set_cksum();
        if header.cksum().ok() != summed.cksum().ok() {
            return Err(BackupError::Damaged("where a file should begin, there is none"));
        }
        let name = String::from_utf8_lossy(&header.path_bytes()).into_owned();
        if header.entry_type() != EntryType::Regular {
            return Err(BackupError::Strange { name: shown(&name), what: "which is no ordinary file" });
        }
        let bytes = header.entry_size().ok().filter(|bytes| i64::try_from(*bytes).is_ok());
        let bytes = bytes.ok_or(BackupError::Damaged("a file's length is none"))?;
        Ok(Some((name, bytes)))
    }
}

/// An archive that is written.
pub(crate) struct ArchiveWriter<W> {
    output: W,
}

impl<W: Write> ArchiveWriter<W> {
    pub(crate) fn new(output: W) -> Self {
        Self { output }
    }

    /// The next member, of so many bytes, which must be all that `from` has.
    pub(crate) fn add(&mut self, name: &str, bytes: u64, mut from: impl Read) -> io::Result<()> {
        let mut header = Header::new_gnu();
        header.set_path(name)?;
        header.set_mode(0o600);
        header.set_size(bytes);
        header.set_cksum();
        self.output.write_all(header.as_bytes())?;
        let written = io::copy(&mut from, &mut self.output)?;
        if written != bytes {
            let message = format!("{name} has {written} bytes in place of {bytes}");
            return Err(io::Error::new(ErrorKind::InvalidData, message));
        }
        let fill = usize::try_from(bytes.next_multiple_of(BLOCK) - bytes).unwrap_or(0);
        self.output.write_all(&[0; BLOCK as usize][..fill])
    }

    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.output.write_all(&[0; 2 * BLOCK as usize])?;
        self.output.flush()?;
        Ok(self.output)
    }
}
