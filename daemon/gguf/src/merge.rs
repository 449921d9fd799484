//! The files of a split model, written as the one file that it was.

use std::io::{self, Read, Seek, SeekFrom, Write};

use crate::error::malformed;
use crate::{GgufError, Header, Split};

/// Writes the files of a split model, in any order, as one. What it writes is as long as they are together, or shorter.
///
/// # Errors
/// [`GgufError::Malformed`] unless they are all files of one model; [`GgufError::Io`] if one cannot be read, or the
/// output not written.
pub fn merge<F: Read + Seek>(files: Vec<(Header, F)>, out: &mut impl Write) -> Result<(), GgufError> {
    let mut files = files;
    if !Split::is_complete(files.iter().map(|(header, _)| header)) {
        return Err(malformed("a split model", "not complete: all of its files are needed, each once"));
    }
    files.sort_by_key(|(header, _)| header.split().map(|split| split.number));
    let alignment = files[0].0.alignment;
    let mut written = Counted { out, position: 0 };
    head(&mut files, &mut written)?;
    let mut offset = 0;
    for (header, _) in &files {
        for tensor in &header.tensors {
            text(&mut written, &tensor.name)?;
            written.put(&u32::try_from(tensor.dimensions.len()).unwrap_or(u32::MAX).to_le_bytes())?;
            for size in &tensor.dimensions {
                written.put(&size.to_le_bytes())?;
            }
            written.put(&tensor.kind.id.to_le_bytes())?;
            written.put(&u64::to_le_bytes(offset))?;
            offset = (offset + tensor.bytes).next_multiple_of(alignment);
        }
    }
    written.pad(alignment)?;
    for (header, file) in &mut files {
        for tensor in &header.tensors {
            copy(file, header.data + tensor.offset, tensor.bytes, &mut written)?;
            written.pad(alignment)?;
        }
    }
    Ok(())
}

/// Everything before the table of tensors: what the first file says, but that it is one of several.
fn head<F: Read + Seek>(files: &mut [(Header, F)], out: &mut Counted<impl Write>) -> Result<(), GgufError> {
    let tensors: usize = files.iter().map(|(header, _)| header.tensors.len()).sum();
    let (first, file) = &mut files[0];
    let kept = first.metadata.iter().zip(&first.spans).filter(|((key, _), _)| !key.starts_with("split."));
    let kept: Vec<_> = kept.map(|(_, span)| span.clone()).collect();
    out.put(b"GGUF")?;
    out.put(&first.version.to_le_bytes())?;
    out.put(&(tensors as u64).to_le_bytes())?;
    out.put(&(kept.len() as u64).to_le_bytes())?;
    for span in kept {
        copy(file, span.start, span.end - span.start, out)?;
    }
    Ok(())
}

fn text(out: &mut Counted<impl Write>, text: &str) -> Result<(), GgufError> {
    out.put(&(text.len() as u64).to_le_bytes())?;
    out.put(text.as_bytes())
}

fn copy<F: Read + Seek>(
    file: &mut F,
    from: u64,
    bytes: u64,
    out: &mut Counted<impl Write>,
) -> Result<(), GgufError> {
    file.seek(SeekFrom::Start(from))?;
    let copied = io::copy(&mut file.take(bytes), &mut out.out)?;
    out.position += copied;
    if copied == bytes { Ok(()) } else { Err(GgufError::Truncated) }
}

/// Knows where it is.
struct Counted<'a, W> {
    out: &'a mut W,
    position: u64,
}

impl<W: Write> Counted<'_, W> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), GgufError> {
        self.out.write_all(bytes)?;
        self.position += bytes.len() as u64;
        Ok(())
    }

    fn pad(&mut self, alignment: u64) -> Result<(), GgufError> {
        let gap = self.position.next_multiple_of(alignment) - self.position;
        self.put(&vec![0; usize::try_from(gap).unwrap_or(0)])
    }
}
