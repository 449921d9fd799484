//! Packed bodies of requests (`Content-Encoding`), unpacked piece by piece, so that a small body that unpacks to a large one
//! takes no more memory than its reader wants. Ours, since tower-http's layer for this would bring zstd in C.

use std::io::{self, Read as _, Write as _};

use bytes::{Buf, Bytes, BytesMut};
use flate2::write::{MultiGzDecoder, ZlibDecoder};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use ruzstd::decoding::FrameDecoder;

/// How a body is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    Gzip,
    Deflate,
    Zstd,
}

/// What can be unpacked, as `Accept-Encoding` says it.
pub(crate) const ACCEPTED: &str = "gzip, deflate, zstd";

/// How a body is packed that cannot be unpacked here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unknown(pub(crate) String);

impl Packing {
    /// How a request says that its body is packed; packed twice is not known here, and no client is known to do it.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Option<Self>, Unknown> {
        let mut said =
            headers.get_all(CONTENT_ENCODING).iter().map(|value| value.to_str().unwrap_or("?").trim());
        let Some(name) = said.next() else { return Ok(None) };
        if said.next().is_some() {
            return Err(Unknown(format!("{name} twice")));
        }
        match name.to_ascii_lowercase().as_str() {
            "identity" | "" => Ok(None),
            "gzip" | "x-gzip" => Ok(Some(Self::Gzip)),
            "deflate" => Ok(Some(Self::Deflate)),
            "zstd" => Ok(Some(Self::Zstd)),
            _ => Err(Unknown(name.into())),
        }
    }
}

/// Unpacks one body.
pub(crate) enum Unpacker {
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
    Deflate(Box<ZlibDecoder<Vec<u8>>>),
    Zstd(Box<Zstd>),
}

/// Bytes that are unpacked in one go. Deflate makes a thousand bytes of one at most.
const BITE: usize = 1 << 10;
/// Bytes that deflate looks back at, with what waits on either side of it.
const DEFLATE_BYTES: u64 = 96 << 10;

impl Unpacker {
    pub(crate) fn of(packing: Packing) -> Self {
        match packing {
            Packing::Gzip => Self::Gzip(Box::new(MultiGzDecoder::new(Vec::new()))),
            Packing::Deflate => Self::Deflate(Box::new(ZlibDecoder::new(Vec::new()))),
            Packing::Zstd => Self::Zstd(Box::default()),
        }
    }

    /// Takes some of what arrived, and returns what that makes, little more than a megabyte at most. It made nothing once all
    /// was taken.
    pub(crate) fn unpack(&mut self, packed: &mut Bytes) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip(_) | Self::Deflate(_) if packed.is_empty() => Ok(Vec::new()),
            Self::Gzip(decoder) => {
                let taken = decoder.write(&packed[..packed.len().min(BITE)])?;
                packed.advance(progress(taken)?);
                Ok(std::mem::take(decoder.get_mut()))
            }
            Self::Deflate(decoder) => {
                let taken = decoder.write(&packed[..packed.len().min(BITE)])?;
                packed.advance(progress(taken)?);
                Ok(std::mem::take(decoder.get_mut()))
            }
            Self::Zstd(decoder) => decoder.unpack(packed),
        }
    }

    /// Bytes that it keeps for itself.
    pub(crate) fn keeps(&self) -> u64 {
        match self {
            Self::Gzip(_) | Self::Deflate(_) => DEFLATE_BYTES,
            Self::Zstd(decoder) => decoder.window,
        }
    }

    /// What is left when all has arrived; an error if that was cut short.
    pub(crate) fn finish(&mut self) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip(decoder) => {
                decoder.try_finish()?;
                Ok(std::mem::take(decoder.get_mut()))
            }
            Self::Deflate(decoder) => {
                decoder.try_finish()?;
                Ok(std::mem::take(decoder.get_mut()))
            }
            Self::Zstd(decoder) => decoder.finish(),
        }
    }
}

/// A decoder that takes nothing will take nothing of the rest: something follows the end.
fn progress(taken: usize) -> io::Result<usize> {
    if taken == 0 { Err(malformed("something follows the end of the packed body")) } else { Ok(taken) }
}

fn malformed(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// Zstandard, given one block at a time: the decoder itself would unpack all that it is given.
pub(crate) struct Zstd {
    decoder: FrameDecoder,
    /// Arrived, and not yet a whole block.
    waiting: BytesMut,
    expected: Expected,
    /// Bytes that the widest frame so far looks back at.
    window: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Frame,
    Block,
    Checksum,
}

/// Larger ones are not to be used over HTTP (RFC 9659).
const MAX_WINDOW_BYTES: u64 = 8 << 20;
/// Bytes that are handed out at once: at its end a frame has all of its window left.
const COLLECTED_BYTES: usize = 128 << 10;
const BLOCK_HEADER_BYTES: usize = 3;
const CHECKSUM_BYTES: usize = 4;

impl Default for Zstd {
    fn default() -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(MAX_WINDOW_BYTES);
        Self { decoder, waiting: BytesMut::new(), expected: Expected::Frame, window: 0 }
    }
}

impl Zstd {
    fn unpack(&mut self, packed: &mut Bytes) -> io::Result<Vec<u8>> {
        loop {
            let unpacked = self.collect()?;
            if !unpacked.is_empty() {
                return Ok(unpacked);
            }
            let whole = match self.expected {
                Expected::Frame => frame_header_bytes(&self.waiting),
                Expected::Block => block_bytes(&self.waiting)?,
                Expected::Checksum => CHECKSUM_BYTES,
            };
            if self.waiting.len() < whole {
                let lacking = packed.len().min(whole - self.waiting.len());
                if lacking == 0 {
                    return Ok(Vec::new());
                }
                self.waiting.extend_from_slice(&packed.split_to(lacking));
                continue;
            }
            let part = self.waiting.split_to(whole);
            self.take(&part)?;
        }
    }

    fn take(&mut self, part: &[u8]) -> io::Result<()> {
        match self.expected {
            Expected::Frame => {
                self.decoder.reset(part).map_err(|error| malformed(error.to_string()))?;
                self.expected = Expected::Block;
                self.window = self.window.max(window_bytes(part));
            }
            Expected::Block => {
                self.decoder.decode_from_to(part, &mut []).map_err(|error| malformed(error.to_string()))?;
                if part[0] & 1 == 1 {
                    self.expected =
                        if self.decoder.is_finished() { Expected::Frame } else { Expected::Checksum };
                }
            }
            Expected::Checksum => {
                self.decoder.decode_from_to(part, &mut []).map_err(|error| malformed(error.to_string()))?;
                self.expected = Expected::Frame;
            }
        }
        Ok(())
    }

    /// Some of what no later block refers to.
    fn collect(&mut self) -> io::Result<Vec<u8>> {
        let mut unpacked = vec![0; self.decoder.can_collect().min(COLLECTED_BYTES)];
        let length = self.decoder.read(&mut unpacked)?;
        unpacked.truncate(length);
        Ok(unpacked)
    }

    fn finish(&mut self) -> io::Result<Vec<u8>> {
        match self.expected == Expected::Frame && self.waiting.is_empty() {
            true => Ok(Vec::new()),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// How long a frame's header is, as far as its beginning tells.
fn frame_header_bytes(begun: &[u8]) -> usize {
    const MAGIC_BYTES: usize = 4;
    let Some(descriptor) = begun.get(MAGIC_BYTES) else { return MAGIC_BYTES + 1 };
    let one_segment = descriptor & 0x20 != 0;
    let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let content = match descriptor >> 6 {
        0 => usize::from(one_segment),
        flag => 1 << flag,
    };
    MAGIC_BYTES + 1 + usize::from(!one_segment) + dictionary + content
}

/// How far back a frame looks, as its header says; one of a single segment at all of it.
fn window_bytes(header: &[u8]) -> u64 {
    const SINGLE_SEGMENT: u8 = 1 << 5;
    let (Some(descriptor), Some(window)) = (header.get(4), header.get(5)) else { return 0 };
    if descriptor & SINGLE_SEGMENT != 0 {
        return MAX_WINDOW_BYTES;
    }
    let base = 1 << (10 + u64::from(window >> 3));
    base + base / 8 * u64::from(window & 7)
}

/// How long a block is with its header, as far as that is there.
fn block_bytes(begun: &[u8]) -> io::Result<usize> {
    let [first, second, third, ..] = *begun else { return Ok(BLOCK_HEADER_BYTES) };
    let header = u32::from_le_bytes([first, second, third, 0]);
    let size = (header >> 3) as usize;
    match (header >> 1) & 3 {
        // One byte that is said so many times.
        1 => Ok(BLOCK_HEADER_BYTES + 1),
        0 | 2 if size <= 128 << 10 => Ok(BLOCK_HEADER_BYTES + size),
        _ => Err(malformed("a block is of no known kind, or too long")),
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    fn unpack(packing: Packing, packed: &[u8], piece: usize) -> io::Result<Vec<u8>> {
        let mut unpacker = Unpacker::of(packing);
        let mut all = Vec::new();
        for part in packed.chunks(piece) {
            let mut part = Bytes::copy_from_slice(part);
            loop {
                let unpacked = unpacker.unpack(&mut part)?;
                assert!(unpacked.len() <= 1100 << 10, "{} bytes at once", unpacked.len());
                if unpacked.is_empty() && part.is_empty() {
                    break;
                }
                all.extend(unpacked);
            }
        }
        all.extend(unpacker.finish()?);
        Ok(all)
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn deflate(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        compress_to_vec(bytes, CompressionLevel::Fastest)
    }

    #[test]
    fn what_was_packed_comes_out_whatever_pieces_it_arrives_in() {
        let text: Vec<u8> = (0..700_000_u32).flat_map(|n| (n / 3 % 1009).to_le_bytes()).collect();
        for (packing, packed) in
            [(Packing::Gzip, gzip(&text)), (Packing::Deflate, deflate(&text)), (Packing::Zstd, zstd(&text))]
        {
            for piece in [7, 16 << 10, usize::MAX] {
                assert!(unpack(packing, &packed, piece).unwrap() == text, "{packing:?} by {piece}");
            }
            assert!(unpack(packing, &packed[..packed.len() - 1], 1000).is_err(), "{packing:?} cut");
            assert!(unpack(packing, b"{\"model\": \"plain\"}", 1000).is_err(), "{packing:?} not packed");
        }
        assert!(unpack(Packing::Zstd, &[zstd(b"a"), zstd(b"b")].concat(), 3).unwrap() == b"ab");
    }

    #[test]
    fn a_bomb_goes_off_a_little_at_a_time() {
        let zeros = vec![0; 64 << 20];
        for (packing, packed) in [(Packing::Gzip, gzip(&zeros)), (Packing::Zstd, zstd(&zeros))] {
            assert!(packed.len() < 1 << 20, "{packing:?} {}", packed.len());
            assert_eq!(unpack(packing, &packed, 16 << 10).unwrap().len(), zeros.len());
        }
    }

    #[test]
    fn a_wide_window_comes_out_a_little_at_a_time() {
        // 8 MiB, filled by blocks of one byte that stands for 128 KiB of it.
        let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 13 << 3];
        for at in 0..96 {
            let header = (128_u32 << 10) << 3 | 1 << 1 | u32::from(at == 95);
            frame.extend(&header.to_le_bytes()[..3]);
            frame.push(at);
        }
        let unpacked = unpack(Packing::Zstd, &frame, 1000).unwrap();
        assert_eq!(unpacked.len(), 96 * (128 << 10));
        assert!(unpacked.chunks(128 << 10).zip(0..).all(|(block, at)| block.iter().all(|byte| *byte == at)));
        assert_eq!(window_bytes(&frame), 8 << 20);
    }

    #[test]
    fn a_window_that_takes_much_memory_is_refused() {
        // A frame's header alone: a window of 128 MB.
        let header = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 17 << 3];
        assert!(unpack(Packing::Zstd, &header, 100).is_err());
    }

    #[test]
    fn packing_goes_by_its_names() {
        let of = |name: &str| Packing::of(&HeaderMap::from_iter([(CONTENT_ENCODING, name.parse().unwrap())]));
        assert_eq!(of("zstd"), Ok(Some(Packing::Zstd)));
        assert_eq!(of("GZIP"), Ok(Some(Packing::Gzip)));
        assert_eq!(of("identity"), Ok(None));
        assert_eq!(of("br"), Err(Unknown("br".into())));
        assert_eq!(of("gzip, zstd"), Err(Unknown("gzip, zstd".into())));
        assert_eq!(Packing::of(&HeaderMap::new()), Ok(None));
    }
}
