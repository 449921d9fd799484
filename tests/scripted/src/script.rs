//! What a prompt asks the scripted worker to do: a JSON object as the last message, or as the prompt itself.

use std::time::Duration;

use protocol::{Generate, Input};
use serde::Deserialize;

/// How an answer comes.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Script {
    /// How many.
    pub(crate) tokens: u32,
    /// Between two of them.
    every_us: u64,
    /// Before the first.
    first_ms: u64,
    /// Each is the moment at which it was said, as `[NANOSECONDS]`.
    pub(crate) stamped: bool,
}

impl Default for Script {
    fn default() -> Self {
        Self { tokens: 16, every_us: 0, first_ms: 0, stamped: false }
    }
}

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
            let default = Self::default();
            let tokens = work.options.num_predict.map_or(default.tokens, |most| most.min(default.tokens));
            Self { tokens, ..default }
        })
    }

    pub(crate) fn every(&self) -> Duration {
        Duration::from_micros(self.every_us)
    }

    pub(crate) fn first(&self) -> Duration {
        Duration::from_millis(self.first_ms)
    }
}
