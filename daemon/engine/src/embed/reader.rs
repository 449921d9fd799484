//! From inputs to the tokens that the model reads, each as a whole or cut to what fits.

use std::sync::Arc;

use protocol::{GenerateError, Input, Inputs, Overflow, Rendered};

use crate::ggml::{Edges, Model, PairEdges, Token};

/// Makes tokens of inputs.
pub(super) struct Reader {
    model: Arc<Model>,
    context_tokens: usize,
    pair: Pair,
}

/// What a query and a document are set into.
struct Pair {
    /// Before the query, between the two, and after the document.
    edges: PairEdges,
    document_first: bool,
}

impl Reader {
    /// `template` is the model's own for a query and a document.
    pub(super) fn new(model: Arc<Model>, context_tokens: usize, template: Option<&str>) -> Self {
        let of_template = template.and_then(split).map(|([before, between, after], document_first)| {
            let edges = PairEdges {
                before: model.tokenize(before, Edges::Omit),
                between: model.tokenize(between, Edges::Omit),
                after: model.tokenize(after, Edges::Omit),
            };
            Pair { edges, document_first }
        });
        let pair = of_template.unwrap_or_else(|| Pair { edges: model.pair_edges(), document_first: false });
        Self { model, context_tokens, pair }
    }

    /// The tokens of each; none is empty, nor longer than the context.
    pub(super) fn read(&self, inputs: Inputs, overflow: Overflow) -> Result<Vec<Vec<Token>>, GenerateError> {
        match inputs {
            Inputs::Texts(texts) => texts.iter().map(|text| self.text(text, overflow)).collect(),
            Inputs::Tokens(inputs) => {
                inputs.into_iter().map(|tokens| self.tokens(tokens, overflow)).collect()
            }
            Inputs::Pairs { query, documents } => {
                let query = self.model.tokenize_plain(&query);
                documents.iter().map(|document| self.pair(&query, document, overflow)).collect()
            }
        }
    }

    /// A text or tokens as they are, however long.
    pub(super) fn render(&self, input: Input) -> Result<Rendered, GenerateError> {
        match input {
            Input::Raw(text) => {
                let tokens = self.model.tokenize(&text, Edges::Add);
                Ok(Rendered { text, tokens, media: 0 })
            }
            Input::Tokens(tokens) => {
                let text = String::from_utf8_lossy(&self.model.pieces(&tokens)?.concat()).into_owned();
                Ok(Rendered { text, tokens, media: 0 })
            }
            Input::Chat(_) | Input::Infill { .. } | Input::Continue { .. } => {
                let reason = "this worker was started to make vectors, for which there is no template".into();
                Err(GenerateError::Engine { reason })
            }
        }
    }

    pub(super) fn detokenize(&self, tokens: &[Token]) -> Result<Vec<Vec<u8>>, GenerateError> {
        self.model.pieces(tokens)
    }

    fn text(&self, text: &str, overflow: Overflow) -> Result<Vec<Token>, GenerateError> {
        self.cut(self.model.tokenize(text, Edges::Add), overflow)
    }

    fn tokens(&self, tokens: Vec<Token>, overflow: Overflow) -> Result<Vec<Token>, GenerateError> {
        self.model.check(&tokens)?;
        self.cut(tokens, overflow)
    }

    /// Cuts the end off, but for the token that marks the end.
    fn cut(&self, mut tokens: Vec<Token>, overflow: Overflow) -> Result<Vec<Token>, GenerateError> {
        let last = *tokens.last().ok_or(GenerateError::EmptyPrompt)?;
        if tokens.len() <= self.context_tokens {
            return Ok(tokens);
        }
        if overflow == Overflow::Refuse {
            return Err(GenerateError::InputTooLong);
        }
        let marks = last == self.model.eos() || Some(last) == self.model.separator();
        tokens.truncate(self.context_tokens - usize::from(marks));
        tokens.extend(marks.then_some(last));
        Ok(tokens)
    }

    /// Only the document is cut, as the query is the same for all.
    fn pair(&self, query: &[Token], document: &str, overflow: Overflow) -> Result<Vec<Token>, GenerateError> {
        let Pair { edges, document_first } = &self.pair;
        let mut document = self.model.tokenize_plain(document);
        let around = edges.before.len() + query.len() + edges.between.len() + edges.after.len();
        let room = self.context_tokens.saturating_sub(around);
        if document.len() > room {
            if overflow == Overflow::Refuse || room == 0 {
                return Err(GenerateError::InputTooLong);
            }
            document.truncate(room);
        }
        let [first, second] = if *document_first { [&document[..], query] } else { [query, &document[..]] };
        let tokens = [&edges.before, first, &edges.between, second, &edges.after].concat();
        if tokens.is_empty() { Err(GenerateError::EmptyPrompt) } else { Ok(tokens) }
    }
}

const QUERY: &str = "{query}";
const DOCUMENT: &str = "{document}";

/// What stands around the query and the document, and whether the document comes first; `None` if one of them is missing.
fn split(template: &str) -> Option<([&str; 3], bool)> {
    let (query, document) = (template.find(QUERY)?, template.find(DOCUMENT)?);
    let [(first, first_name), (second, second_name)] = match query < document {
        true => [(query, QUERY), (document, DOCUMENT)],
        false => [(document, DOCUMENT), (query, QUERY)],
    };
    let between = &template[first + first_name.len()..second];
    Some(([&template[..first], between, &template[second + second_name.len()..]], document < query))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_split_around_what_is_put_into_it() {
        assert_eq!(split("Q: {query} D: {document}!"), Some((["Q: ", " D: ", "!"], false)));
        assert_eq!(split("{document}{query}"), Some((["", "", ""], true)));
        assert_eq!(split("only {query}"), None);
    }
}
