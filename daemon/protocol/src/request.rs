//! What a client may ask of a loaded model, in no family's dialect.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Message, Options, Priority, Think, Tools};

/// One generation: what to read, and how to go on from there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Generate {
    /// Who asks.
    pub owner: Owner,
    /// Whether it goes before others that wait.
    pub priority: Priority,
    /// What the model reads.
    pub input: Input,
    /// How it samples and when it stops; complete and in range.
    pub options: Options,
    /// What to do with a prompt that does not fit the context.
    pub overflow: Overflow,
    /// What the answer is bound to.
    pub format: Option<Format>,
    /// A Go template in place of the model's and its Modelfile's.
    pub template: Option<String>,
    /// What the model may call.
    pub tools: Tools,
    /// Whether the answer is thought about first.
    pub think: Think,
    /// Images and recordings, in the order of the messages that they come with. They go ahead of the request, in frames of
    /// their own.
    #[serde(skip)]
    pub media: Media,
    /// How strongly the model's adapters are laid over it; each in full, if nothing is said.
    pub adapters: Option<Vec<AdapterScale>>,
    /// Log-probabilities to be told with each token of the answer: the chosen one's, and those of so many others.
    pub top_logprobs: Option<u32>,
    /// The same with each token of the prompt but its first, which is then computed anew.
    pub prompt_logprobs: Option<u32>,
}

impl Generate {
    /// Nobody's, of a free answer; what does not fit is left out.
    pub fn new(input: Input, options: Options) -> Self {
        Self {
            owner: Owner::default(),
            priority: Priority::default(),
            input,
            options,
            overflow: Overflow::Truncate,
            format: None,
            template: None,
            tools: Tools::default(),
            think: Think::default(),
            media: Media::default(),
            adapters: None,
            top_logprobs: None,
            prompt_logprobs: None,
        }
    }
}

impl Generate {
    /// Bytes of all that may be long, but for the files: about what a copy takes.
    pub fn bytes(&self) -> usize {
        let format = match &self.format {
            None | Some(Format::Json) => 0,
            Some(Format::Schema(text) | Format::Regex(text) | Format::Lark(text)) => text.len(),
        };
        let stop: usize = self.options.stop.iter().map(|text| size_of::<String>() + text.len()).sum();
        let bias = size_of_val(&*self.options.logit_bias);
        let template = self.template.as_ref().map_or(0, String::len);
        self.input.bytes() + self.tools.bytes() + format + stop + bias + template
    }
}

/// Files as they were sent: images and recordings. A clone is cheap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Media(pub Arc<Vec<Vec<u8>>>);

/// One of a model's adapters in a request.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdapterScale {
    /// Which of the model's, from 0, in the order of its Modelfile.
    pub adapter: u32,
    /// 1 is in full, 0 not at all.
    pub scale: f32,
}

/// The form that an answer is bound to, as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Format {
    /// A JSON object.
    Json,
    /// What a JSON Schema allows; its text.
    Schema(String),
    /// What a regular expression matches.
    Regex(String),
    /// What a grammar in Lark's notation describes.
    Lark(String),
}

/// Who asks, as far as a worker must know: requests of one owner share what was computed for them, and owners share the
/// worker fairly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Owner(pub u64);

/// What the model reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Input {
    /// A conversation, rendered by the model's own chat template.
    Chat(Vec<Message>),
    /// Text that is tokenized as it stands, special tokens included.
    Raw(String),
    /// Tokens that are read as they are.
    Tokens(Vec<i32>),
    /// A gap to be filled between two texts.
    Infill {
        /// What comes before the gap.
        prefix: String,
        /// What comes after it.
        suffix: String,
        /// Instructions, for templates that have a place for them.
        system: Option<String>,
    },
    /// One prompt, rendered as a user's turn after the tokens of an earlier answer (Ollama's `context`).
    Continue {
        /// Tokens of the conversation so far.
        context: Vec<i32>,
        /// System and user messages of this turn.
        turn: Vec<Message>,
    },
}

impl Input {
    fn bytes(&self) -> usize {
        let messages = |messages: &[Message]| messages.iter().map(Message::bytes).sum::<usize>();
        match self {
            Self::Chat(said) => messages(said),
            Self::Raw(text) => text.len(),
            Self::Tokens(tokens) => size_of_val(&**tokens),
            Self::Infill { prefix, suffix, system } => {
                prefix.len() + suffix.len() + system.as_ref().map_or(0, String::len)
            }
            Self::Continue { context, turn } => size_of_val(&**context) + messages(turn),
        }
    }
}

/// What to do with a prompt that does not fit the context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Overflow {
    /// Drop the oldest messages that are not system messages; if the rest is still too long, cut out its middle.
    Truncate,
    /// Answer [`crate::GenerateError::PromptTooLong`].
    Refuse,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Role, Tool, ToolCall};

    #[test]
    fn what_a_copy_takes_is_told_of_all_that_may_be_long() {
        let text = || "x".repeat(1000);
        let call = ToolCall { id: text(), name: text(), arguments: text() };
        let message = Message {
            thinking: text(),
            calls: vec![call],
            tool_name: text(),
            call_id: text(),
            ..Message::new(Role::User, text())
        };
        let tool = Tool { name: text(), parameters: text(), definition: text() };
        let bytes = |input| Generate::new(input, Options::default()).bytes();
        let about = |bytes: usize, expected: usize| (expected..expected + 500).contains(&bytes);

        assert!(about(bytes(Input::Chat(vec![message.clone()])), 7000));
        assert!(about(bytes(Input::Raw(text())), 1000));
        assert!(about(bytes(Input::Tokens(vec![1; 250])), 1000));
        let infill = Input::Infill { prefix: text(), suffix: text(), system: Some(text()) };
        assert!(about(bytes(infill), 3000));
        assert!(about(bytes(Input::Continue { context: vec![1; 250], turn: vec![message] }), 8000));
        let rest = Generate {
            format: Some(Format::Schema(text())),
            template: Some(text()),
            tools: Tools { offered: vec![tool], ..Tools::default() },
            ..Generate::new(
                Input::Raw(String::new()),
                Options { stop: vec![text()], logit_bias: vec![(1, 1.0); 125], ..Options::default() },
            )
        };
        assert!(about(rest.bytes(), 7000));
    }
}
