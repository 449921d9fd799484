//! The vocabulary: lists that are read as far as there are tokens, and tokens that are named by number.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::check::TOKENS;
use crate::error::malformed;
use crate::header::number;
use crate::{GgufError, Header, Value};

const SCORES: &str = "tokenizer.ggml.scores";
const TOKEN_TYPES: &str = "tokenizer.ggml.token_type";

/// Tokens that a file can ask to be put around a prompt: how it asks, and which it names. The typing error is ggml's.
const ADDED: [(&str, &str); 3] = [
    ("tokenizer.ggml.add_bos_token", "tokenizer.ggml.bos_token_id"),
    ("tokenizer.ggml.add_eos_token", "tokenizer.ggml.eos_token_id"),
    ("tokenizer.ggml.add_sep_token", "tokenizer.ggml.seperator_token_id"),
];

pub(crate) fn check(header: &Header) -> Result<(), GgufError> {
    let tokens = list(header, TOKENS);
    let count = tokens.map(<[_]>::len);
    for (key, what) in [(SCORES, "the number of scores"), (TOKEN_TYPES, "the number of token types")] {
        match list(header, key).map(<[_]>::len) {
            Some(length) if Some(length) != count => return Err(malformed(what, length)),
            _ => {}
        }
    }
    distinct(tokens.unwrap_or_default())?;
    ids(header)?;
    match tokens {
        Some(tokens) => added(header, tokens.len() as u64),
        None => Ok(()),
    }
}

/// How many tokens two vocabularies may differ by at their ends, which are padded for speed; llama.cpp's number.
const MOST_PADDING: usize = 128;

impl Header {
    /// Whether what one model says the other can read token by token, as one that drafts for the other must.
    pub fn shares_vocabulary(&self, other: &Self) -> bool {
        let [one, two] = [self, other].map(|header| list(header, TOKENS).unwrap_or_default());
        let edges = ["tokenizer.ggml.model", "tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id"];
        edges.iter().all(|key| self.get(key) == other.get(key))
            && !one.is_empty()
            && one.len().abs_diff(two.len()) <= MOST_PADDING
            && one.iter().zip(two).all(|(token, other)| token == other)
    }
}

fn list<'a>(header: &'a Header, key: &str) -> Option<&'a [Value]> {
    match header.get(key)? {
        Value::Array(items) => Some(items),
        _ => None,
    }
}

/// llama.cpp asserts that no two tokens are the same, when it has cut them at the first zero and named the empty ones.
fn distinct(tokens: &[Value]) -> Result<(), GgufError> {
    let mut known = HashSet::with_capacity(tokens.len());
    for (index, token) in tokens.iter().enumerate() {
        let Value::Text(text) = token else { continue };
        // What was no UTF-8 may be the same here though it is not there.
        if text.contains(char::REPLACEMENT_CHARACTER) {
            continue;
        }
        let seen = match text.split('\0').next() {
            None | Some("") => Cow::Owned(format!("[EMPTY_{index}]")),
            Some(text) => Cow::Borrowed(text),
        };
        if !known.insert(seen) {
            return Err(malformed("a token that is there twice", format!("{text:?}")));
        }
    }
    Ok(())
}

/// Numbers past the vocabulary are let through: files have 4294967295 for none, or the number of tokens for a padding
/// that was never added, and llama.cpp takes neither for a token.
fn ids(header: &Header) -> Result<(), GgufError> {
    let named = |key: &str| key.starts_with("tokenizer.ggml.") && key.ends_with("_token_id");
    let wrong = header
        .metadata
        .iter()
        .find(|(key, value)| named(key) && !matches!(value, Value::Unsigned(_) | Value::Signed(_)));
    match wrong {
        Some((key, _)) => Err(malformed("the number of a token", format!("no integer for {key}"))),
        None => Ok(()),
    }
}

/// What is to be added must be there, which llama.cpp asserts at the first prompt.
fn added(header: &Header, tokens: u64) -> Result<(), GgufError> {
    for (asked, named) in ADDED {
        if header.get(asked) != Some(&Value::Bool(true)) {
            continue;
        }
        let given = header.get(named).and_then(number);
        let inside = |id: &u64| *id < tokens;
        if given.filter(inside).or_else(|| default_id(header, named).filter(inside)).is_none() {
            return Err(malformed("a token to be added", format!("not in the vocabulary, by {named}")));
        }
    }
    Ok(())
}

/// What llama.cpp takes where the file names no token of the vocabulary.
fn default_id(header: &Header, named: &str) -> Option<u64> {
    let (bos, eos, separator) = match header.text("tokenizer.ggml.model")? {
        "llama" | "plamo2" => (Some(1), Some(2), None),
        "gpt2" | "hybriddna" | "whitespace" => (Some(11), Some(11), None),
        "bert" => (Some(101), None, Some(102)),
        "t5" => (None, Some(1), None),
        _ => (None, None, None),
    };
    match named {
        "tokenizer.ggml.bos_token_id" => bos,
        "tokenizer.ggml.eos_token_id" => eos,
        _ => separator,
    }
}
