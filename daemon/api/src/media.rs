//! Images and recordings in a request's JSON, in every family. What they hold is the worker's to find out.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use crate::error::Invalid;

/// `images`: files in base64, as Ollama's clients send them.
pub(crate) fn files(field: &str, files: Vec<Value>) -> Result<Vec<Vec<u8>>, Invalid> {
    let file = |file: Value| match file {
        Value::String(text) => from_base64(field, &text),
        _ => Err(Invalid::of(field, format!("{field} must be a list of files in base64"))),
    };
    files.into_iter().map(file).collect()
}

/// An image, as a data URI.
pub(crate) fn image(url: &str) -> Result<Vec<u8>, Invalid> {
    let invalid = || Invalid::of("messages", "invalid image input");
    if url.starts_with("http://") || url.starts_with("https://") {
        let why = "image URLs are not currently supported, please use base64 encoded data instead";
        return Err(Invalid::of("messages", why));
    }
    let data = url.strip_prefix("data:").ok_or_else(invalid)?;
    let (kind, text) = data.split_once(";base64,").ok_or_else(invalid)?;
    match kind {
        "image/jpeg" | "image/jpg" | "image/png" | "image/webp" | "image/gif" | "image/bmp" | "" => {
            from_base64("messages", text)
        }
        _ => Err(invalid()),
    }
}

/// A file in base64, which stands in this field.
pub(crate) fn from_base64(field: &str, text: &str) -> Result<Vec<u8>, Invalid> {
    STANDARD.decode(text).map_err(|error| {
        let at = match error {
            base64::DecodeError::InvalidByte(at, _) | base64::DecodeError::InvalidLastSymbol(at, _) => at,
            base64::DecodeError::InvalidLength(_) | base64::DecodeError::InvalidPadding => text.len(),
        };
        Invalid::of(field, format!("illegal base64 data at input byte {at}"))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn images_are_data_and_never_fetched() {
        let of = |url| image(url).map_err(|error| error.message);
        assert_eq!(of("data:image/png;base64,aGk=").unwrap(), b"hi");
        assert_eq!(of("data:;base64,aGk=").unwrap(), b"hi");
        assert!(of("http://169.254.169.254/").unwrap_err().starts_with("image URLs are not"));
        for wrong in ["", "file:///etc/passwd", "data:text/html;base64,aGk=", "data:image/png,x"] {
            assert_eq!(of(wrong).unwrap_err(), "invalid image input");
        }
        assert_eq!(of("data:;base64,a?").unwrap_err(), "illegal base64 data at input byte 1");
    }

    #[test]
    fn files_are_base64() {
        assert_eq!(files("images", vec![json!("aGk=")]).unwrap(), [b"hi"]);
        assert!(files("images", vec![json!(1)]).is_err());
    }
}
