//! Images and recordings as they come from outside: what they are, and whether they are worth decoding. Pure Rust up to the
//! pixels, so that no decoder in C ever sees a file.

use std::io::Cursor;

use image::{DynamicImage, ImageDecoder, ImageReader, Limits};

/// A file that was read.
#[derive(PartialEq, Eq)]
pub(crate) enum Decoded {
    /// Three bytes a pixel, row by row.
    Image { width: u32, height: u32, rgb: Vec<u8> },
    /// WAV, MP3 or FLAC, as it came.
    Recording(Vec<u8>),
}

const MAX_BYTES: usize = 20 << 20;
const MAX_SIDE: u32 = 16_384;
const MAX_PIXELS: u64 = 64_000_000;
const MIN_SIDE: u32 = 2;
/// One side is at most so many times the other.
const MAX_ASPECT: u32 = 200;

/// Reads a file.
///
/// # Errors
/// What is wrong with it, in words for who sent it.
pub(crate) fn decode(bytes: &[u8]) -> Result<Decoded, String> {
    if bytes.len() > MAX_BYTES {
        return Err(format!("the file has {} bytes, {MAX_BYTES} at most are read", bytes.len()));
    }
    if is_recording(bytes) {
        return Ok(Decoded::Recording(bytes.to_vec()));
    }
    image(bytes)
}

fn is_recording(bytes: &[u8]) -> bool {
    let wav = bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WAVE");
    let mp3 = bytes.starts_with(b"ID3") || matches!(bytes, [0xFF, second, ..] if second & 0xE6 == 0xE2);
    wav || mp3 || bytes.starts_with(b"fLaC")
}

fn image(bytes: &[u8]) -> Result<Decoded, String> {
    let unread = |error: &dyn std::fmt::Display| format!("the image cannot be read: {error}");
    let reader =
        ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|error| unread(&error))?;
    if reader.format().is_none() {
        return Err(
            "the file is neither an image (PNG, JPEG, WebP, GIF, BMP) nor a recording (WAV, MP3, FLAC)"
                .into(),
        );
    }
    let mut decoder = reader.into_decoder().map_err(|error| unread(&error))?;
    // Before a pixel of it is decoded.
    let (width, height) = decoder.dimensions();
    check(width, height)?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_PIXELS * 8);
    decoder.set_limits(limits).map_err(|error| unread(&error))?;
    let orientation = decoder.orientation().map_err(|error| unread(&error))?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(|error| unread(&error))?;
    image.apply_orientation(orientation);
    let rgb = image.into_rgb8();
    Ok(Decoded::Image { width: rgb.width(), height: rgb.height(), rgb: rgb.into_raw() })
}

fn check(width: u32, height: u32) -> Result<(), String> {
    let (short, long) = (width.min(height), width.max(height));
    let size = format!("the image is {width}x{height}");
    if short < MIN_SIDE {
        return Err(format!("{size}, a side has {MIN_SIDE} pixels at least"));
    }
    if long > MAX_SIDE || u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(format!("{size}, at most {MAX_SIDE} pixels a side and {MAX_PIXELS} in all are read"));
    }
    if long / short > MAX_ASPECT {
        return Err(format!("{size}, one side is at most {MAX_ASPECT} times the other"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use image::{ImageFormat, RgbImage};

    use super::*;

    fn file(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        RgbImage::from_pixel(width, height, image::Rgb([9, 8, 7])).write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    fn refusal(bytes: &[u8]) -> String {
        decode(bytes).err().expect("it is refused")
    }

    #[test]
    fn images_are_read_to_their_pixels() {
        for format in [ImageFormat::Png, ImageFormat::Bmp, ImageFormat::Gif] {
            let Ok(Decoded::Image { width: 3, height: 2, rgb }) = decode(&file(3, 2, format)) else {
                panic!()
            };
            assert_eq!(rgb, [9, 8, 7].repeat(6));
        }
        assert!(matches!(decode(&file(20, 10, ImageFormat::Jpeg)), Ok(Decoded::Image { width: 20, .. })));
        assert!(decode(b"RIFF\0\0\0\0WAVEfmt ").is_ok_and(|file| matches!(file, Decoded::Recording(_))));
    }

    #[test]
    fn what_is_too_small_too_large_or_broken_is_refused_in_words() {
        assert!(refusal(&file(1, 1, ImageFormat::Png)).contains("1x1"));
        // Its header claims what its few bytes cannot hold.
        let mut claims = file(8, 8, ImageFormat::Png);
        claims[16..20].copy_from_slice(&30_000_u32.to_be_bytes());
        claims[20..24].copy_from_slice(&30_000_u32.to_be_bytes());
        let crc = crc32(&claims[12..29]);
        claims[29..33].copy_from_slice(&crc.to_be_bytes());
        assert!(refusal(&claims).contains("30000x30000"), "{}", refusal(&claims));
        assert!(refusal(&file(1000, 2, ImageFormat::Png)).contains("200 times"));
        let whole = file(64, 64, ImageFormat::Png);
        assert!(refusal(&whole[..whole.len() / 2]).contains("cannot be read"));
        assert!(refusal(b"").contains("neither"));
        assert!(refusal(b"<svg></svg>").contains("neither"));
        assert!(refusal(&vec![0; MAX_BYTES + 1]).contains("bytes"));
    }

    /// PNG's own, bit by bit.
    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0, |crc, byte| {
            (0..8).fold(
                crc ^ u32::from(*byte),
                |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 },
            )
        })
    }
}
