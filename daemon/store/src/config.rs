//! The config blob: what a model is, without opening its weights.

use gguf::Header;
use serde::{Deserialize, Serialize};

/// Ollama's config blob. Fields it has that are not here are ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelConfig {
    /// `gguf`.
    pub model_format: String,
    /// The architecture, such as `llama`.
    pub model_family: String,
    /// As a list.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub model_families: Vec<String>,
    /// How many parameters, such as `134.52M`.
    pub model_type: String,
    /// The quantisation, such as `Q4_1`.
    pub file_type: String,
    /// The program of Ollama's that renders its prompts; kept for Ollama, and not used here.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub renderer: String,
    /// The program of Ollama's that reads its answers; likewise.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub parser: String,
    /// The least version of Ollama that runs it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub requires: String,
    /// Tokens that the model was trained to look back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_length: Option<u64>,
    /// Width of an embedding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embedding_length: Option<u64>,
    /// `amd64`, whatever the machine: registries want one.
    pub architecture: String,
    /// `linux`, likewise.
    pub os: String,
}

impl ModelConfig {
    pub(crate) fn of(header: &Header) -> Self {
        let family = header.architecture().to_owned();
        Self {
            model_format: "gguf".into(),
            model_families: vec![family.clone()],
            model_family: family,
            model_type: parameter_size(header.parameter_count()),
            file_type: header.quantization().into(),
            context_length: header.context_length(),
            embedding_length: header.embedding_length(),
            architecture: "amd64".into(),
            os: "linux".into(),
            ..Self::default()
        }
    }
}

/// In Ollama's words: `1.2B`, `134.52M`, `12.30K`.
fn parameter_size(count: u64) -> String {
    let float = count as f64;
    match count {
        1_000_000_000.. => format!("{:.1}B", float / 1e9),
        1_000_000.. => format!("{:.2}M", float / 1e6),
        1_000.. => format!("{:.2}K", float / 1e3),
        _ => count.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_counted_in_ollamas_words() {
        assert_eq!(parameter_size(134_515_008), "134.52M");
        assert_eq!(parameter_size(1_235_814_432), "1.2B");
    }
}
