//! Packed bodies of requests (`Content-Encoding`), unpacked piece by piece, so that a small body that unpacks to a large one
//! takes no more memory than its reader wants. Ours, since tower-http's layer for this would bring zstd in C.

use std::io::{self, Write};

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

impl Unpacker {
    pub(crate) fn of(packing: Packing) -> Self {
        match packing {
            Packing::Gzip => Self::Gzip(Box::new(MultiGzDecoder::new(Vec::new()))),
            Packing::Deflate => Self::Deflate(Box::new(ZlibDecoder::new(Vec::new()))),
            Packing::Zstd => Self::Zstd(Box::default()),
        }
    }

    /// Takes some of what arrived, and returns what that makes: a megabyte at most, and perhaps nothing yet.
    pub(crate) fn unpack(&mut self, packed: &mut Bytes) -> io::Result<Vec<u8>> {
        match self {
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
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Frame,
    Block,
    Checksum,
}

/// Larger ones are not to be used over HTTP (RFC 9659).
const MAX_WINDOW_BYTES: u64 = 8 << 20;
const BLOCK_HEADER_BYTES: usize = 3;
const CHECKSUM_BYTES: usize = 4;

impl Default for Zstd {
    fn default() -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(MAX_WINDOW_BYTES);
        Self { decoder, waiting: BytesMut::new(), expected: Expected::Frame }
    }
}

impl Zstd {
    fn unpack(&mut self, packed: &mut Bytes) -> io::Result<Vec<u8>> {
        loop {
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
            let unpacked = self.take(&part)?;
            if !unpacked.is_empty() {
                return Ok(unpacked);
            }
        }
    }

    fn take(&mut self, part: &[u8]) -> io::Result<Vec<u8>> {
        match self.expected {
            Expected::Frame => {
                self.decoder.reset(part).map_err(|error| malformed(error.to_string()))?;
                self.expected = Expected::Block;
                Ok(Vec::new())
            }
            Expected::Block => {
                self.decoder.decode_from_to(part, &mut []).map_err(|error| malformed(error.to_string()))?;
                if part[0] & 1 == 1 {
                    self.expected =
                        if self.decoder.is_finished() { Expected::Frame } else { Expected::Checksum };
                }
                self.collect()
            }
            Expected::Checksum => {
                self.decoder.decode_from_to(part, &mut []).map_err(|error| malformed(error.to_string()))?;
                self.expected = Expected::Frame;
                self.collect()
            }
        }
    }

    /// What no later block refers to.
    fn collect(&mut self) -> io::Result<Vec<u8>> {
        let mut unpacked = Vec::with_capacity(self.decoder.can_collect());
        self.decoder.collect_to_writer(&mut unpacked)?;
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
            while !part.is_empty() {
                let unpacked = unpacker.unpack(&mut part)?;
                assert!(unpacked.len() <= 2 << 20, "{} bytes at once", unpacked.len());
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
