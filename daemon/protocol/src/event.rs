//! What a worker says about a running request, in order: any number of pieces, then one end.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::GenerateError;

/// One step of an answer. [`Event::Done`] or [`Event::Failed`] comes last, once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// More of the answer.
    Said(Said),
    /// The answer is complete.
    Done(Done),
    /// The request failed; what was sent before stands.
    Failed(GenerateError),
}

/// A part of an answer: what was added to it since the last.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Said {
    /// What the prompt took, told once, with the first token or before it.
    pub read: Option<PromptRead>,
    /// Whole characters only, and never part of a stop string.
    pub text: String,
    /// What the model thought; before any text, as a rule.
    pub thinking: String,
    /// What the model called, after any text, as a rule.
    pub calls: Vec<CallPart>,
    /// How likely the prompt's tokens were, from the second on, where that was asked for; before anything else.
    pub prompt_logprobs: Vec<TokenLogprob>,
    /// How likely the tokens were of which all this was made, where that was asked for.
    pub logprobs: Vec<TokenLogprob>,
}

impl Said {
    /// Nothing was added.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Puts what was said next behind this.
    pub fn append(&mut self, next: Self) {
        self.read = self.read.or(next.read);
        self.text += &next.text;
        self.thinking += &next.thinking;
        self.calls.extend(next.calls);
        self.logprobs.extend(next.logprobs);
        self.prompt_logprobs.extend(next.prompt_logprobs);
    }
}

impl<T: Into<String>> From<T> for Said {
    fn from(text: T) -> Self {
        Self { text: text.into(), ..Self::default() }
    }
}

/// What a prompt took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromptRead {
    /// Cached ones included.
    pub prompt_tokens: u32,
    /// Of these, taken from the prefix cache.
    pub cached_tokens: u32,
}

/// How much of a prompt was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromptProgress {
    /// All of it.
    pub tokens: u32,
    /// Of these, read by now, those of the cache included.
    pub read: u32,
}

/// A call of a tool, or more of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallPart {
    /// Which of the answer's calls, from 0.
    pub index: u32,
    /// Its id and the tool's name, with its first part.
    pub begun: Option<CallName>,
    /// More of its arguments, which are JSON once all parts of them are there.
    pub arguments: String,
}

/// What a call is known by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallName {
    /// `call_` and eight letters or digits, unless the model has its own way.
    pub id: String,
    /// Of the tool.
    pub name: String,
}

/// How likely a token was, and what might have been in its place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TokenLogprob {
    /// The token that was chosen.
    pub chosen: Logprob,
    /// The likeliest ones, the likeliest first.
    pub top: Vec<Logprob>,
}

/// A token and the natural logarithm of its probability, before anything was done to it by sampling.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Logprob {
    /// Of the model's vocabulary.
    pub token: i32,
    /// Its text, which need not be whole characters.
    pub bytes: Vec<u8>,
    /// 0 or less.
    pub logprob: f32,
}

/// How a request ended, and what it took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Done {
    /// Why it ended.
    pub reason: FinishReason,
    /// Tokens of the prompt, cached ones included.
    pub prompt_tokens: u32,
    /// Of these, taken from the prefix cache.
    pub cached_tokens: u32,
    /// Tokens that were sampled, the end token not counted.
    pub generated_tokens: u32,
    /// Of these, sampled while the model thought, as far as its answer tells: a token more or less where thoughts end.
    pub thinking_tokens: u32,
    /// Which of [`crate::Options::stop`] ended the answer; `None` if the model ended its turn, as it does by what its template
    /// ends turns with.
    pub stop: Option<String>,
    /// From admission to the last prompt token.
    pub prompt_time: Duration,
    /// From then to the end.
    pub generate_time: Duration,
    /// Prompt and answer as tokens, for Ollama's `context`.
    pub context: Vec<i32>,
}

/// Why a generation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FinishReason {
    /// The model ended its turn, or a stop string came.
    Stop,
    /// `num_predict` or the context was used up.
    Length,
}
