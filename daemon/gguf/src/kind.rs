//! What a model was made for, as far as its header tells.

use crate::{Header, Value};

/// What a model was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelKind {
    /// To go on with a text.
    Generator,
    /// To make a vector of a text.
    Embedder,
    /// To tell how well a text answers another.
    Reranker,
}

/// How the vectors of a text's tokens become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// Their average.
    Mean,
    /// That of the first token.
    First,
    /// That of the last token.
    Last,
    /// A classifier reads them, and gives scores instead.
    Rank,
}

impl Header {
    /// What the model was made for.
    pub fn kind(&self) -> ModelKind {
        let says_how = self.get(&self.own_key("pooling_type")).is_some();
        match self.pooling() {
            Pooling::Rank => ModelKind::Reranker,
            _ if says_how || !self.is_causal() => ModelKind::Embedder,
            _ => ModelKind::Generator,
        }
    }

    /// How it pools; if the header says nothing that is known, by what suits its attention.
    pub fn pooling(&self) -> Pooling {
        // llama.cpp's `llama_pooling_type`.
        match self.of_architecture("pooling_type") {
            Some(1) => Pooling::Mean,
            Some(2) => Pooling::First,
            Some(3) => Pooling::Last,
            Some(4) => Pooling::Rank,
            // Only the last token has seen all others.
            _ if self.is_causal() => Pooling::Last,
            _ => Pooling::Mean,
        }
    }

    /// Whether a token sees only those before it.
    pub fn is_causal(&self) -> bool {
        self.get(&self.own_key("attention.causal")) != Some(&Value::Bool(false))
    }

    fn own_key(&self, key: &str) -> String {
        format!("{}.{key}", self.architecture())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(keys: &[(&str, Value)]) -> Header {
        let own = keys.iter().map(|(key, value)| (format!("bert.{key}"), value.clone()));
        let metadata = own.chain([("general.architecture".into(), Value::Text("bert".into()))]).collect();
        Header { version: 3, metadata, tensors: Vec::new(), alignment: 32, spans: Vec::new(), data: 0 }
    }

    #[test]
    fn what_a_model_is_for_is_told_by_how_it_pools_and_looks() {
        let pools = |by| ("pooling_type", Value::Unsigned(by));
        let blind = || ("attention.causal", Value::Bool(false));
        let of = |keys: &[(&str, Value)]| (header(keys).kind(), header(keys).pooling());

        assert_eq!(of(&[]), (ModelKind::Generator, Pooling::Last));
        assert_eq!(of(&[blind()]), (ModelKind::Embedder, Pooling::Mean));
        assert_eq!(of(&[blind(), pools(2)]), (ModelKind::Embedder, Pooling::First));
        assert_eq!(of(&[pools(3)]), (ModelKind::Embedder, Pooling::Last));
        assert_eq!(of(&[pools(4)]), (ModelKind::Reranker, Pooling::Rank));
        assert_eq!(
            of(&[blind(), pools(9)]),
            (ModelKind::Embedder, Pooling::Mean),
            "a number of another time"
        );
    }
}
