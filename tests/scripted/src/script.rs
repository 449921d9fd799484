//! What a prompt asks the scripted worker to do: a JSON object as the last message, or as the prompt itself.

use std::time::Duration;

use protocol::{Generate, Input};
use serde::Deserialize;

/// How an answer comes.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Script {
    /// How many; as many as `says` has, if it says something, else 16.
    tokens: Option<u32>,
    /// What is said, a few letters a token, and from the beginning again if there are more tokens; else each is a word.
    says: String,
    /// Between two of them.
    every_us: u64,
    /// Before the first.
    first_ms: u64,
    /// Each is the moment at which it was said, as `[NANOSECONDS]`.
    pub(crate) stamped: bool,
}

/// Tokens of an answer of which nothing is said.
const USUAL: u32 = 16;

/// Of what is said, in one token.
const LETTERS: usize = 4;

impl Script {
    /// That of a request; of one that has none, the default, as many tokens as it asks for at most.
    pub(crate) fn of(work: &Generate) -> Self {
        let text = match &work.input {
            Input::Chat(messages) => messages.last().map(|message| message.content.as_str()),
            Input::Raw(text) => Some(text.as_str()),
            _ => None,
        };
        let script = text.and_then(|text| serde_json::from_str(text).ok());
        script.unwrap_or_else(|| {
            let tokens = work.options.num_predict.map_or(USUAL, |most| most.min(USUAL));
            Self { tokens: Some(tokens), ..Self::default() }
        })
    }

    /// How many tokens it has.
    pub(crate) fn tokens(&self) -> u32 {
        let said = u32::try_from(self.pieces()).ok().filter(|pieces| *pieces > 0);
        self.tokens.or(said).unwrap_or(USUAL)
    }

    /// The token of that number.
    pub(crate) fn token(&self, number: u32) -> String {
        if self.says.is_empty() {
            return " word".into();
        }
        let first = number as usize % self.pieces() * LETTERS;
        self.says.chars().skip(first).take(LETTERS).collect()
    }

    fn pieces(&self) -> usize {
        self.says.chars().count().div_ceil(LETTERS)
    }

    pub(crate) fn every(&self) -> Duration {
        Duration::from_micros(self.every_us)
    }

    pub(crate) fn first(&self) -> Duration {
        Duration::from_millis(self.first_ms)
    }
}
