//! Text to tokens and back.

use llama_cpp_sys_2 as sys;
use protocol::GenerateError;

use super::{Model, Token};

/// Whether a tokenizer adds the tokens that stand at the edges of a text (BOS).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edges {
    Add,
    Omit,
}

/// Whether names of special tokens in a text are these tokens.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Special {
    Read,
    Ignore,
}

/// The tokens around two texts that are read together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PairEdges {
    pub(crate) before: Vec<Token>,
    pub(crate) between: Vec<Token>,
    pub(crate) after: Vec<Token>,
}

impl Model {
    fn vocab(&self) -> *const sys::llama_vocab {
        // SAFETY: the model is loaded; its vocabulary lives as long.
        unsafe { sys::llama_model_get_vocab(self.raw()) }
    }

    pub(crate) fn vocab_size(&self) -> i32 {
        // SAFETY: the vocabulary is the model's.
        unsafe { sys::llama_vocab_n_tokens(self.vocab()) }
    }

    /// That all of them are tokens of the model.
    ///
    /// # Errors
    /// [`GenerateError::UnknownToken`] names the first that is none.
    pub(crate) fn check(&self, tokens: &[Token]) -> Result<(), GenerateError> {
        let vocabulary = self.vocab_size();
        match tokens.iter().find(|token| !(0..vocabulary).contains(*token)) {
            Some(token) => Err(GenerateError::UnknownToken { token: *token, vocabulary }),
            None => Ok(()),
        }
    }

    /// The text's tokens. Names of special tokens in it become these tokens, as templates expect.
    pub(crate) fn tokenize(&self, text: &str, edges: Edges) -> Vec<Token> {
        self.tokens(text, edges, Special::Read)
    }

    /// The tokens of what is only text, and no beginning.
    pub(crate) fn tokenize_plain(&self, text: &str) -> Vec<Token> {
        self.tokens(text, Edges::Omit, Special::Ignore)
    }

    fn tokens(&self, text: &str, edges: Edges, special: Special) -> Vec<Token> {
        // One more than bytes for each edge; the second try is for vocabularies that need more.
        let mut tokens = vec![0; text.len() + 2];
        let mut count = self.tokenize_into(text, edges, special, &mut tokens);
        if count < 0 {
            tokens.resize(count.unsigned_abs() as usize, 0);
            count = self.tokenize_into(text, edges, special, &mut tokens);
        }
        tokens.truncate(usize::try_from(count).unwrap_or(0));
        tokens
    }

    fn tokenize_into(&self, text: &str, edges: Edges, special: Special, tokens: &mut [Token]) -> i32 {
        // A frame is at most 16 MiB, so both lengths fit.
        let text_bytes = i32::try_from(text.len()).unwrap_or(i32::MAX);
        let room = i32::try_from(tokens.len()).unwrap_or(i32::MAX);
        // SAFETY: both buffers are as long as said; the vocabulary is the model's.
        unsafe {
            sys::llama_tokenize(
                self.vocab(),
                text.as_ptr().cast(),
                text_bytes,
                tokens.as_mut_ptr(),
                room,
                edges == Edges::Add,
                special == Special::Read,
            )
        }
    }

    /// Appends the token's bytes, which need not be whole characters. Control tokens have none.
    pub(crate) fn append_piece(&self, token: Token, text: &mut Vec<u8>) {
        self.append(token, Special::Ignore, text);
    }

    /// Appends the token's bytes, which are its name where it is a control token.
    pub(crate) fn append_special_piece(&self, token: Token, text: &mut Vec<u8>) {
        self.append(token, Special::Read, text);
    }

    /// Each token's bytes, as [`Model::append_special_piece`] has them.
    ///
    /// # Errors
    /// As of [`Model::check`].
    pub(crate) fn pieces(&self, tokens: &[Token]) -> Result<Vec<Vec<u8>>, GenerateError> {
        self.check(tokens)?;
        let piece = |token: &Token| {
            let mut piece = Vec::new();
            self.append_special_piece(*token, &mut piece);
            piece
        };
        Ok(tokens.iter().map(piece).collect())
    }

    fn append(&self, token: Token, special: Special, text: &mut Vec<u8>) {
        let mut piece = [0_u8; 64];
        let length = self.piece_into(token, special, &mut piece);
        if let Ok(length) = usize::try_from(length) {
            text.extend_from_slice(&piece[..length]);
            return;
        }
        let mut longer = vec![0; length.unsigned_abs() as usize];
        let length = self.piece_into(token, special, &mut longer);
        text.extend_from_slice(&longer[..usize::try_from(length).unwrap_or(0)]);
    }

    fn piece_into(&self, token: Token, special: Special, piece: &mut [u8]) -> i32 {
        // SAFETY: the buffer is as long as said; an unknown token is an exception that is caught there, but tokens
        // come from the sampler or were checked.
        unsafe {
            sys::llama_token_to_piece(
                self.vocab(),
                token,
                piece.as_mut_ptr().cast(),
                piece.len() as i32,
                0,
                special == Special::Read,
            )
        }
    }

    /// The control tokens whose names stand in a text.
    pub(crate) fn control_tokens_in(&self, text: &str) -> Vec<Token> {
        let mut tokens = self.tokenize(text, Edges::Omit);
        tokens.retain(|token| self.is_control(*token));
        tokens
    }

    /// The token that [`Edges::Add`] puts first.
    pub(crate) fn bos(&self) -> Token {
        // SAFETY: the vocabulary is the model's.
        unsafe { sys::llama_vocab_bos(self.vocab()) }
    }

    /// The token that ends a text.
    pub(crate) fn eos(&self) -> Token {
        // SAFETY: the vocabulary is the model's.
        unsafe { sys::llama_vocab_eos(self.vocab()) }
    }

    /// The token that parts texts, if there is one.
    pub(crate) fn separator(&self) -> Option<Token> {
        // SAFETY: the vocabulary is the model's.
        let token = unsafe { sys::llama_vocab_sep(self.vocab()) };
        (token >= 0).then_some(token)
    }

    /// Those that the model was trained with.
    pub(crate) fn pair_edges(&self) -> PairEdges {
        // SAFETY: the vocabulary is the model's.
        let [bos, eos, separator] = unsafe {
            [
                sys::llama_vocab_get_add_bos(self.vocab()),
                sys::llama_vocab_get_add_eos(self.vocab()),
                sys::llama_vocab_get_add_sep(self.vocab()),
            ]
        };
        let known = |token: Token| (token >= 0).then_some(token);
        let eos = known(self.eos()).filter(|_| eos);
        let separator = self.separator().filter(|_| separator);
        PairEdges {
            before: known(self.bos()).filter(|_| bos).into_iter().collect(),
            between: eos.into_iter().chain(separator).collect(),
            after: eos.or(separator).into_iter().collect(),
        }
    }

    /// All that end the model's turn.
    pub(crate) fn ends(&self) -> Vec<Token> {
        (0..self.vocab_size()).filter(|token| self.is_end(*token)).collect()
    }

    fn is_control(&self, token: Token) -> bool {
        // SAFETY: the vocabulary is the model's, and the token one of it.
        unsafe { sys::llama_vocab_is_control(self.vocab(), token) }
    }

    /// The tokens that stand for no text, by name.
    pub(crate) fn control_tokens(&self) -> Vec<(String, Token)> {
        let name = |token: Token| {
            let mut name = Vec::new();
            self.append_special_piece(token, &mut name);
            (String::from_utf8_lossy(&name).into_owned(), token)
        };
        (0..self.vocab_size())
            .filter(|token| self.is_control(*token))
            .map(name)
            .filter(|(name, _)| !name.is_empty())
            .collect()
    }

    /// The tokens that stand before the beginning of a text with a gap, before its end, and before what fills the gap.
    /// `None` for a model that was not taught to.
    pub(crate) fn infill_tokens(&self) -> Option<[Token; 3]> {
        // SAFETY: the vocabulary is the model's.
        let tokens = unsafe {
            [
                sys::llama_vocab_fim_pre(self.vocab()),
                sys::llama_vocab_fim_suf(self.vocab()),
                sys::llama_vocab_fim_mid(self.vocab()),
            ]
        };
        tokens.iter().all(|token| *token >= 0).then_some(tokens)
    }

    /// The token ends the model's turn.
    pub(crate) fn is_end(&self, token: Token) -> bool {
        // SAFETY: the vocabulary is the model's; the call checks the token.
        unsafe { sys::llama_vocab_is_eog(self.vocab(), token) }
    }
}
