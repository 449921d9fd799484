//! What a client may ask of a loaded model besides text: vectors of texts, and how well documents answer a query.

use serde::{Deserialize, Serialize};

use crate::{Overflow, Owner};

/// What a worker does with its model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Purpose {
    /// It goes on with texts.
    #[default]
    Generate,
    /// It makes vectors of them, or scores.
    Embed,
}

/// Texts to be turned into vectors, each by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Embed {
    /// Who asks.
    pub owner: Owner,
    /// What is read.
    pub inputs: Inputs,
    /// What to do with one that does not fit the context. If it is cut, it loses its end, but not the token that marks it.
    pub overflow: Overflow,
}

/// What is read, one by one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Inputs {
    /// Texts; the model's tokenizer adds what stands at their edges.
    Texts(Vec<String>),
    /// Tokens, as they are.
    Tokens(Vec<Vec<i32>>),
    /// Each document together with the query. Where that is cut, it is the document that is.
    Pairs {
        /// What is asked.
        query: String,
        /// What may answer it.
        documents: Vec<String>,
    },
}

/// What became of an [`Embed`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Embedded {
    /// One for each input, in their order, as the model gives it: of no certain length. For pairs, what its classifier says.
    pub vectors: Vec<Vec<f32>>,
    /// Tokens that were read.
    pub prompt_tokens: u32,
}

/// Inputs that are asked for at once.
const MOST_AT_ONCE: usize = 128;

/// Bytes of them, which leaves room in a frame for whatever stands around them.
const BYTES_AT_ONCE: usize = 1 << 20;

/// The widest vectors, of which as many as are asked for at once fit into a frame.
pub const WIDEST_VECTOR: usize = 1 << 14;

impl Inputs {
    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Self::Texts(texts) => texts.len(),
            Self::Tokens(inputs) => inputs.len(),
            Self::Pairs { documents, .. } => documents.len(),
        }
    }

    /// Whether there is nothing to read.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same in pieces that fit into a frame, question and answer, if each input does.
    pub fn into_pieces(self) -> Vec<Self> {
        match self {
            Self::Texts(texts) => pieces(texts, String::len).map(Self::Texts).collect(),
            Self::Tokens(inputs) => pieces(inputs, |tokens| 5 * tokens.len()).map(Self::Tokens).collect(),
            Self::Pairs { query, documents } => pieces(documents, String::len)
                .map(|documents| Self::Pairs { query: query.clone(), documents })
                .collect(),
        }
    }
}

fn pieces<T>(inputs: Vec<T>, bytes: impl Fn(&T) -> usize) -> impl Iterator<Item = Vec<T>> {
    let mut inputs = inputs.into_iter().peekable();
    std::iter::from_fn(move || {
        let first = inputs.next()?;
        let mut taken = bytes(&first);
        let mut piece = vec![first];
        while let Some(next) = inputs.next_if(|next| {
            taken += bytes(next);
            taken <= BYTES_AT_ONCE && piece.len() < MOST_AT_ONCE
        }) {
            piece.push(next);
        }
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{MAX_FRAME_BYTES, encode};
    use crate::{FromWorker, RequestId};

    #[test]
    fn many_inputs_go_in_pieces_and_none_is_lost() {
        let texts: Vec<String> = (0..300).map(|number| number.to_string().repeat(20_000)).collect();

        let pieces = Inputs::Texts(texts.clone()).into_pieces();

        assert!(pieces.len() > 3 && pieces.iter().all(|piece| piece.len() <= MOST_AT_ONCE));
        let joined = pieces.into_iter().flat_map(|piece| match piece {
            Inputs::Texts(texts) => texts,
            other => panic!("{other:?}"),
        });
        assert!(joined.eq(texts));
        let documents = vec!["d".to_owned(); MOST_AT_ONCE + 1];
        let pairs = Inputs::Pairs { query: "q".into(), documents }.into_pieces();
        assert_eq!(pairs[1], Inputs::Pairs { query: "q".into(), documents: vec!["d".into()] });
        assert!(Inputs::Tokens(Vec::new()).into_pieces().is_empty());
    }

    #[test]
    fn the_widest_vectors_of_a_piece_fit_into_a_frame() {
        let vectors = vec![vec![f32::MAX; WIDEST_VECTOR]; MOST_AT_ONCE];
        let embedded = Embedded { vectors, prompt_tokens: u32::MAX };
        let frame = encode(&FromWorker::Embedded(RequestId(u64::MAX), embedded)).unwrap();
        assert!(frame.len() <= MAX_FRAME_BYTES);
    }
}
