//! What may be read several at a time, in this family: texts, or the numbers of tokens.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, SeqAccess, Visitor},
};
use utoipa::ToSchema;

/// A text, texts, the tokens of one, or those of several.
#[derive(Clone, Debug, PartialEq, ToSchema)]
#[serde(untagged)]
pub(crate) enum Prompts {
    Text(String),
    Texts(Vec<String>),
    Tokens(Vec<i32>),
    TokenLists(Vec<Vec<i32>>),
}

impl<'de> Deserialize<'de> for Prompts {
    /// By hand: an untagged enum would keep all numbers as JSON values first, each of them many times its size.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PromptsVisitor)
    }
}

struct PromptsVisitor;

impl<'de> Visitor<'de> for PromptsVisitor {
    type Value = Prompts;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a text, a list of texts, a list of tokens or a list of such lists")
    }

    fn visit_str<E>(self, text: &str) -> Result<Prompts, E> {
        Ok(Prompts::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Prompts, A::Error> {
        let mut read = match list.next_element()? {
            None => return Ok(Prompts::Texts(Vec::new())),
            Some(Entry::Text(text)) => Prompts::Texts(vec![text]),
            Some(Entry::Token(token)) => Prompts::Tokens(vec![token]),
            Some(Entry::Tokens(tokens)) => Prompts::TokenLists(vec![tokens]),
        };
        while let Some(entry) = list.next_element()? {
            match (&mut read, entry) {
                (Prompts::Texts(texts), Entry::Text(text)) => texts.push(text),
                (Prompts::Tokens(tokens), Entry::Token(token)) => tokens.push(token),
                (Prompts::TokenLists(lists), Entry::Tokens(tokens)) => lists.push(tokens),
                _ => return Err(A::Error::custom("all entries of the list must be of one kind")),
            }
        }
        Ok(read)
    }
}

/// An entry of a list.
enum Entry {
    Text(String),
    Token(i32),
    Tokens(Vec<i32>),
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EntryVisitor)
    }
}

struct EntryVisitor;

impl<'de> Visitor<'de> for EntryVisitor {
    type Value = Entry;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a text, a token or a list of tokens")
    }

    fn visit_str<E>(self, text: &str) -> Result<Entry, E> {
        Ok(Entry::Text(text.to_owned()))
    }

    fn visit_u64<E: Error>(self, token: u64) -> Result<Entry, E> {
        i32::try_from(token).map(Entry::Token).map_err(|_| E::custom(format!("{token} is no token")))
    }

    fn visit_i64<E: Error>(self, token: i64) -> Result<Entry, E> {
        i32::try_from(token).map(Entry::Token).map_err(|_| E::custom(format!("{token} is no token")))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Entry, A::Error> {
        let mut tokens = Vec::new();
        while let Some(token) = list.next_element()? {
            tokens.push(token);
        }
        Ok(Entry::Tokens(tokens))
    }
}
