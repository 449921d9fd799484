//! A bundle in one file, or passing by in a pipe: an uncompressed tar archive. Only ordinary files with the names of parts are
//! read from it, one header and one file at a time; GNU's and pax's long names, links and holes are refused as what they are.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek as _, SeekFrom, Write};

use tar::{EntryType, Header};

use super::contents::shown;
use super::{BundleError, Contents, Opened, Part, Source};

/// What headers, and the fill after files, are made of.
const BLOCK: u64 = 512;

/// What may come after the end: tar fills its last record.
const MAX_TAIL: u64 = 1 << 20;

/// An archive that is read.
pub struct Archive {
    input: Input,
    /// The header that was read last, if its file was not asked for yet.
    next: Option<Part>,
    /// Bytes of that file, or of the one before, that were not read yet.
    left: u64,
    fill: u64,
    ended: bool,
}

enum Input {
    File(File),
    Stream(Box<dyn Read + Send>),
}

impl Archive {
    /// A file, of which what is not asked for is not read.
    pub fn of_file(file: File) -> Self {
        Self::of(Input::File(file))
    }

    /// What comes from a pipe.
    pub fn of_stream(stream: impl Read + Send + 'static) -> Self {
        Self::of(Input::Stream(Box::new(stream)))
    }

    fn of(input: Input) -> Self {
        Self { input, next: None, left: 0, fill: 0, ended: false }
    }

    /// What comes next, if anything does.
    fn look(&mut self) -> Result<Option<Part>, BundleError> {
        if self.next.is_none() && !self.ended {
            self.skip()?;
            let mut header = Header::new_old();
            self.input.fill(header.as_mut_bytes())?;
            if header.as_bytes().iter().all(|byte| *byte == 0) {
                self.ended = true;
                return Ok(None);
            }
            let (part, bytes) = entry(&header)?;
            self.next = Some(part);
            (self.left, self.fill) = (bytes, bytes.next_multiple_of(BLOCK) - bytes);
        }
        Ok(self.next)
    }

    /// Goes to the next header.
    fn skip(&mut self) -> Result<(), BundleError> {
        match &mut self.input {
            Input::File(file) => {
                let left = i64::try_from(self.left).map_err(|_| BundleError::Truncated)?;
                file.seek(SeekFrom::Current(left))?;
            }
            Input::Stream(stream) => {
                let skipped = io::copy(&mut stream.take(self.left), &mut io::sink())?;
                if skipped < self.left {
                    return Err(BundleError::Truncated);
                }
            }
        }
        let mut fill = [0; BLOCK as usize];
        let fill = &mut fill[..usize::try_from(self.fill).unwrap_or(0)];
        self.input.fill(fill)?;
        (self.left, self.fill) = (0, 0);
        if fill.iter().any(|byte| *byte != 0) {
            return Err(BundleError::Damaged("there is something between two files"));
        }
        Ok(())
    }
}

/// What a header says, if it is a part's.
fn entry(header: &Header) -> Result<(Part, u64), BundleError> {
    let mut summed = header.clone();
    summed.set_cksum();
    if header.cksum().ok() != summed.cksum().ok() {
        return Err(BundleError::Damaged("where a file should begin, there is none"));
    }
    let name = header.path_bytes();
    let strange = |what| BundleError::Strange { name: shown(&String::from_utf8_lossy(&name)), what };
    let what = match header.entry_type() {
        EntryType::Regular => None,
        EntryType::Symlink => Some("a symbolic link"),
        EntryType::Link => Some("a hard link"),
        EntryType::Directory => Some("a folder"),
        EntryType::GNUSparse => Some("a file with holes"),
        EntryType::GNULongName | EntryType::GNULongLink => Some("a long name"),
        EntryType::XHeader | EntryType::XGlobalHeader => Some("a pax header"),
        EntryType::Fifo | EntryType::Char | EntryType::Block => Some("no file, but a device or a pipe"),
        _ => Some("nothing that is known"),
    };
    if let Some(what) = what {
        return Err(strange(what));
    }
    let part = std::str::from_utf8(&name).ok().and_then(|name| name.parse().ok());
    let part = part.ok_or_else(|| strange("which is no part of one"))?;
    let bytes = header.entry_size().map_err(|_| BundleError::Damaged("a file's length is none"))?;
    if bytes > i64::MAX as u64 {
        return Err(BundleError::Damaged("a file's length is none"));
    }
    Ok((part, bytes))
}

impl Source for Archive {
    fn open(&mut self, part: Part) -> Result<Option<Opened<'_>>, BundleError> {
        if self.look()? != Some(part) {
            return Ok(None);
        }
        self.next = None;
        Ok(Some(Opened { bytes: self.left, reader: Box::new(Rest(self)) }))
    }

    fn upcoming(&mut self) -> Result<Option<Part>, BundleError> {
        self.look()
    }

    fn end(&mut self) -> Result<(), BundleError> {
        if let Some(part) = self.look()? {
            return Err(BundleError::Strange { name: part.to_string(), what: "once too often" });
        }
        // To its end, so that whoever writes to a pipe has somebody who reads.
        let (mut buffer, mut total) = ([0; 8192], 0);
        loop {
            let count = match self.input.read(&mut buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                other => other?,
            };
            total += count as u64;
            if total > MAX_TAIL || buffer[..count].iter().any(|byte| *byte != 0) {
                return Err(BundleError::Damaged("there is something after its end"));
            }
            if count == 0 {
                return Ok(());
            }
        }
    }
}

/// What was not read yet of the present file.
struct Rest<'a>(&'a mut Archive);

impl Read for Rest<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.0.left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let count = self.0.input.read(&mut buffer[..most])?;
        if count == 0 && most > 0 {
            return Err(io::Error::new(ErrorKind::UnexpectedEof, BundleError::Truncated));
        }
        self.0.left -= count as u64;
        Ok(count)
    }
}

impl Input {
    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), BundleError> {
        self.read_exact(buffer).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => BundleError::Truncated,
            _ => error.into(),
        })
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read(buffer),
            Self::Stream(stream) => stream.read(buffer),
        }
    }
}

/// An archive that is written.
#[derive(Debug)]
pub struct ArchiveWriter<W> {
    output: W,
}

impl<W: Write> ArchiveWriter<W> {
    /// Begins one.
    pub fn new(output: W) -> Self {
        Self { output }
    }

    /// The next part, of so many bytes, which must be all that `from` has.
    ///
    /// # Errors
    /// If reading or writing fails, or the number of bytes is another.
    pub fn add(&mut self, part: Part, bytes: u64, mut from: impl Read) -> io::Result<()> {
        let mut header = Header::new_gnu();
        header.set_path(part.to_string())?;
        header.set_mode(0o644);
        header.set_size(bytes);
        header.set_cksum();
        self.output.write_all(header.as_bytes())?;
        let written = io::copy(&mut from, &mut self.output)?;
        if written != bytes {
            let message = format!("{part} has {written} bytes in place of {bytes}");
            return Err(io::Error::new(ErrorKind::InvalidData, message));
        }
        let fill = usize::try_from(bytes.next_multiple_of(BLOCK) - bytes).unwrap_or(0);
        self.output.write_all(&[0; BLOCK as usize][..fill])
    }

    /// Ends it.
    ///
    /// # Errors
    /// If writing fails.
    pub fn finish(mut self) -> io::Result<W> {
        self.output.write_all(&[0; 2 * BLOCK as usize])?;
        self.output.flush()?;
        Ok(self.output)
    }
}

/// How long an archive of these contents is, with a signature of so many bytes.
pub fn archive_bytes(contents: &Contents, signature: Option<u64>) -> u64 {
    let blobs = contents.manifests().iter().chain(contents.blobs()).map(|entry| entry.bytes);
    let files = blobs.chain([contents.bytes().len() as u64]).chain(signature);
    files.map(|bytes| BLOCK + bytes.next_multiple_of(BLOCK)).sum::<u64>() + 2 * BLOCK
}
