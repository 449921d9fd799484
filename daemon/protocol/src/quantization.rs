//! What weights can be packed to, by Ollama's names.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How weights are to be packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Quantization {
    /// 32 bits a weight.
    F32,
    /// 16 bits a weight.
    F16,
    /// 16 bits a weight, with the range of 32.
    Bf16,
    /// 8.5 bits a weight.
    Q8_0,
    /// Some 4.6 bits a weight.
    Q4Ks,
    /// Some 4.9 bits a weight.
    Q4Km,
}

/// The text names none that we pack to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unsupported quantization type {0} - supported types are F32, F16, BF16, Q4_K_S, Q4_K_M, Q8_0")]
pub struct InvalidQuantization(pub String);

const NAMES: [(Quantization, &str); 6] = [
    (Quantization::F32, "F32"),
    (Quantization::F16, "F16"),
    (Quantization::Bf16, "BF16"),
    (Quantization::Q8_0, "Q8_0"),
    (Quantization::Q4Ks, "Q4_K_S"),
    (Quantization::Q4Km, "Q4_K_M"),
];

impl Quantization {
    /// Whether weights of this name still have what packing takes from them.
    pub fn is_source(file_type: &str) -> bool {
        ["F32", "F16", "BF16"].contains(&file_type)
    }
}

impl FromStr for Quantization {
    type Err = InvalidQuantization;

    /// In any case; `Q4_K` is `Q4_K_M`.
    fn from_str(text: &str) -> Result<Self, InvalidQuantization> {
        let upper = text.to_uppercase();
        let wanted = if upper == "Q4_K" { "Q4_K_M" } else { &upper };
        let found = NAMES.iter().find(|(_, name)| *name == wanted).map(|(quantization, _)| *quantization);
        found.ok_or_else(|| InvalidQuantization(text.to_owned()))
    }
}

impl fmt::Display for Quantization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.iter().find(|(quantization, _)| quantization == self).map_or("", |(_, name)| name);
        f.write_str(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_and_others_are_refused() {
        for (quantization, name) in NAMES {
            assert_eq!(name.to_lowercase().parse(), Ok(quantization));
            assert_eq!(quantization.to_string(), name);
        }
        assert_eq!("q4_k".parse(), Ok(Quantization::Q4Km));
        assert!("Q2_K".parse::<Quantization>().is_err());
    }
}
