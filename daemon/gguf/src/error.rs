//! Why a file is no model that can be used.

use std::io;

/// Why a file is no model that can be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GgufError {
    /// The file does not begin with `GGUF`.
    #[error("supplied file was not in GGUF format")]
    NotGguf,
    /// A version that ggml does not read either.
    #[error("GGUF version {0} is not supported, 2 and 3 are")]
    Version(u32),
    /// The file ends within its header.
    #[error("the GGUF file ends within its header; it was cut short")]
    Truncated,
    /// A tensor reaches past the end of the file.
    #[error("the GGUF file is {file_bytes} bytes, but tensor {name} ends at {end}; it was cut short")]
    TensorOutside {
        /// The tensor.
        name: String,
        /// Where it ends.
        end: u128,
        /// Where the file does.
        file_bytes: u64,
    },
    /// A count or length past its cap, or a value that makes no sense.
    #[error("the GGUF header is malformed: {what} is {value}")]
    Malformed {
        /// What was read.
        what: &'static str,
        /// Its value.
        value: String,
    },
    /// The file could not be read.
    #[error("the GGUF file cannot be read")]
    Io(#[source] io::Error),
}

impl From<io::Error> for GgufError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Truncated,
            _ => Self::Io(error),
        }
    }
}

pub(crate) fn malformed(what: &'static str, value: impl ToString) -> GgufError {
    GgufError::Malformed { what, value: value.to_string() }
}
