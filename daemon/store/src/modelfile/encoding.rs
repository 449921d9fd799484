//! The encodings of a Modelfile: UTF-8, unless a byte-order mark says otherwise.

use std::borrow::Cow;

/// The text, without its mark.
pub(super) fn decoded(bytes: &[u8]) -> Cow<'_, str> {
    match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest),
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes).into(),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes).into(),
        _ => String::from_utf8_lossy(bytes),
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let (pairs, half) = bytes.as_chunks::<2>();
    let units = pairs.iter().map(|pair| unit(*pair));
    let text = char::decode_utf16(units).map(|char| char.unwrap_or(char::REPLACEMENT_CHARACTER));
    text.chain(half.iter().map(|_| char::REPLACEMENT_CHARACTER)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_says_how_the_rest_is_read() {
        assert_eq!(decoded(b"FROM x"), "FROM x");
        assert_eq!(decoded("\u{feff}FROM ü".as_bytes()), "FROM ü");
        for order in [u16::to_le_bytes, u16::to_be_bytes] {
            let bytes: Vec<u8> = "\u{feff}FROM ü😀".encode_utf16().flat_map(order).collect();
            assert_eq!(decoded(&bytes), "FROM ü😀");
        }
    }

    #[test]
    fn what_is_no_text_is_replaced() {
        assert_eq!(decoded(b"a\xffb"), "a\u{fffd}b");
        assert_eq!(decoded(b"\xff\xfea\0\0\xd8b\0c"), "a\u{fffd}b\u{fffd}");
        assert_eq!(decoded(b"\xff\xfe"), "");
    }
}
