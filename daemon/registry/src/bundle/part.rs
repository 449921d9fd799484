//! What the files of a bundle are called. There are no other names in it.

use std::fmt;
use std::str::FromStr;

use store::Digest;

/// A file of a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// What is in it.
    Contents,
    /// Whose word that is.
    Signature,
    /// A blob or a manifest.
    Blob(Digest),
}

/// The folder of blobs.
const BLOBS: &str = "blobs/";

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Contents => f.write_str("bundle.json"),
            Self::Signature => f.write_str("bundle.json.minisig"),
            Self::Blob(digest) => write!(f, "{BLOBS}sha256-{}", digest.hex()),
        }
    }
}

/// The text is the name of no part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no part of a bundle is called so")]
pub struct UnknownPart;

impl FromStr for Part {
    type Err = UnknownPart;

    /// A part has one name, and another spelling of it is none.
    fn from_str(text: &str) -> Result<Self, UnknownPart> {
        let part = match text {
            "bundle.json" => Self::Contents,
            "bundle.json.minisig" => Self::Signature,
            _ => Self::Blob(text.strip_prefix(BLOBS).and_then(|name| name.parse().ok()).ok_or(UnknownPart)?),
        };
        if part.to_string() == text { Ok(part) } else { Err(UnknownPart) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn a_part_comes_back_as_it_was_written(bytes: Vec<u8>) {
            for part in [Part::Contents, Part::Signature, Part::Blob(Digest::of(&bytes))] {
                proptest::prop_assert_eq!(part.to_string().parse(), Ok(part));
            }
        }

        #[test]
        fn no_other_text_names_one(text in "(blobs)?[/.]{0,3}(bundle.json|sha256[-:][0-9a-fA-F]{62,66}|[./a-z\0]{0,12})(/|\0|[.]minisig)?|.{0,30}") {
            if let Ok(part) = text.parse::<Part>() {
                proptest::prop_assert_eq!(part.to_string(), text);
            }
        }
    }

    #[test]
    fn a_path_names_none() {
        let blob = Part::Blob(Digest::of(b"")).to_string();
        for text in [
            "",
            "/bundle.json",
            "./bundle.json",
            "../bundle.json",
            "blobs/",
            "blobs/../bundle.json",
            "BUNDLE.JSON",
            &blob.replace('-', ":"),
            &blob.replace('/', "//"),
            &blob.replace("blobs/", "blobs/./"),
            &blob.to_uppercase(),
            &format!("./{blob}"),
            &format!("{blob}/"),
        ] {
            assert_eq!(text.parse::<Part>(), Err(UnknownPart), "{text}");
        }
    }
}
