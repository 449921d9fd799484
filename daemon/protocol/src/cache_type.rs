//! In what numbers the KV cache keeps K and V, by the names of llama.cpp and Ollama.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// In what one half of the KV cache is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CacheType {
    /// 16 bits a number.
    #[default]
    F16,
    /// 8.5 bits a number.
    Q8_0,
    /// 4.5 bits a number.
    Q4_0,
}

/// In what K and V are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CacheTypes {
    /// What is looked for.
    pub k: CacheType,
    /// What is found there.
    pub v: CacheType,
}

/// The text names none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no type of the KV cache; there are f16, q8_0 and q4_0")]
pub struct InvalidCacheType(String);

/// Numbers that are packed together.
pub const CACHE_BLOCK: u64 = 32;

const NAMES: [(CacheType, &str); 3] =
    [(CacheType::F16, "f16"), (CacheType::Q8_0, "q8_0"), (CacheType::Q4_0, "q4_0")];

impl CacheType {
    /// Bytes of [`CACHE_BLOCK`] numbers: each, and a scale of 16 bits where they are packed.
    pub fn block_bytes(self) -> u64 {
        match self {
            Self::F16 => CACHE_BLOCK * 2,
            Self::Q8_0 => CACHE_BLOCK + 2,
            Self::Q4_0 => CACHE_BLOCK / 2 + 2,
        }
    }
}

impl FromStr for CacheType {
    type Err = InvalidCacheType;

    fn from_str(text: &str) -> Result<Self, InvalidCacheType> {
        let found = NAMES.iter().find(|(_, name)| name.eq_ignore_ascii_case(text));
        found.map(|(kind, _)| *kind).ok_or_else(|| InvalidCacheType(text.to_owned()))
    }
}

impl fmt::Display for CacheType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAMES.iter().find(|(kind, _)| kind == self).map_or("", |(_, name)| name))
    }
}
