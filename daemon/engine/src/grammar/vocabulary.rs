//! A model's vocabulary as llguidance wants to see it: a trie of the bytes of its tokens.

use std::sync::Arc;

use llguidance::toktrie::{TokEnv, TokRxInfo, TokTrie, TokenId, TokenizerEnv};

use crate::ggml::{Model, Token};

pub(super) struct Vocabulary {
    model: Arc<Model>,
    trie: TokTrie,
}

impl Vocabulary {
    pub(super) fn of(model: Arc<Model>) -> Self {
        let size = u32::try_from(model.vocab_size()).unwrap_or(0);
        let words: Vec<Vec<u8>> = (0..size.cast_signed()).map(|token| word(&model, token)).collect();
        let end = Some(model.eos()).filter(|token| *token >= 0).or_else(|| model.ends().first().copied());
        let info = TokRxInfo::new(size, end.unwrap_or(0).cast_unsigned());
        Self { trie: TokTrie::from(&info, &words), model }
    }

    pub(super) fn into_env(self) -> TokEnv {
        Arc::new(self)
    }
}

/// A token's bytes; one that stands for no text is marked as such, so that no text can ask for it.
fn word(model: &Model, token: Token) -> Vec<u8> {
    let mut bytes = Vec::new();
    model.append_piece(token, &mut bytes);
    if bytes.is_empty() || model.is_end(token) {
        bytes = vec![TokTrie::SPECIAL_TOKEN_MARKER];
        bytes.extend_from_slice(format!("[{token}]").as_bytes());
    }
    bytes
}

impl TokenizerEnv for Vocabulary {
    fn tok_trie(&self) -> &TokTrie {
        &self.trie
    }

    fn tokenize_bytes(&self, bytes: &[u8]) -> Vec<TokenId> {
        self.trie.tokenize_with_greedy_fallback(bytes, |text| {
            let tokens: Vec<TokenId> =
                self.model.tokenize_plain(text).into_iter().map(Token::cast_unsigned).collect();
            // Some tokenizers put a space before a text, which is no beginning here.
            if self.trie.decode(&tokens) == text.as_bytes() {
                tokens
            } else {
                self.trie.greedy_tokenize(text.as_bytes())
            }
        })
    }
}
