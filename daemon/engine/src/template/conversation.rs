//! A conversation as templates read it: all that any of them can show, collated as Ollama does.

use protocol::{Message, Role};
use serde_json::{Map, Value};

/// What a template turns into a prompt.
#[derive(Clone, Debug, Default)]
pub(crate) struct Conversation {
    pub(crate) messages: Vec<Turn>,
    /// Descriptions of tools, as in a request: `{"type": "function", "function": {...}}`.
    pub(crate) tools: Vec<Value>,
    /// What comes after the answer, when a gap is to be filled.
    pub(crate) suffix: String,
    /// The answer may be thought about first.
    pub(crate) think: bool,
    /// How hard: `low`, `medium`, `high`, `max`, or nothing.
    pub(crate) think_level: String,
    /// The request said so itself.
    pub(crate) is_think_set: bool,
}

/// One message.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Turn {
    pub(crate) role: Role,
    pub(crate) content: String,
    /// What the model thought before it answered.
    pub(crate) thinking: String,
    /// What the model asked for.
    pub(crate) tool_calls: Vec<ToolCall>,
    /// Whose result this is.
    pub(crate) tool_name: String,
    /// Which call's result this is.
    pub(crate) tool_call_id: String,
}

/// A call of a tool.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ToolCall {
    pub(crate) id: String,
    pub(crate) index: usize,
    pub(crate) name: String,
    pub(crate) arguments: Map<String, Value>,
}

impl Conversation {
    /// A conversation of nothing but messages.
    pub(crate) fn of(messages: &[Message]) -> Self {
        Self { messages: messages.iter().map(Turn::from).collect(), ..Self::default() }
    }

    /// All that system messages say.
    pub(super) fn system(&self) -> String {
        let said = self.messages.iter().filter(|message| message.role == Role::System);
        said.map(|message| message.content.as_str()).collect::<Vec<_>>().join(PARAGRAPH)
    }

    /// The messages, those of one role that follow each other made one. Results of tools stay apart: each has its call.
    pub(super) fn collated(&self) -> Vec<Turn> {
        let mut collated: Vec<Turn> = Vec::with_capacity(self.messages.len());
        for message in &self.messages {
            match collated.last_mut() {
                Some(last) if last.role == message.role && message.role != Role::Tool => last.join(message),
                _ => collated.push(message.clone()),
            }
        }
        collated
    }
}

impl Turn {
    /// A message that says something and no more.
    pub(crate) fn new(role: Role, content: &str) -> Self {
        Self {
            role,
            content: content.into(),
            thinking: String::new(),
            tool_calls: Vec::new(),
            tool_name: String::new(),
            tool_call_id: String::new(),
        }
    }

    fn join(&mut self, next: &Self) {
        self.content.push_str(PARAGRAPH);
        self.content.push_str(&next.content);
        if !self.thinking.is_empty() && !next.thinking.is_empty() {
            self.thinking.push_str(PARAGRAPH);
        }
        self.thinking.push_str(&next.thinking);
        self.tool_calls.extend_from_slice(&next.tool_calls);
    }
}

impl From<&Message> for Turn {
    fn from(message: &Message) -> Self {
        let calls = message.calls.iter().enumerate().map(|(index, call)| ToolCall {
            id: call.id.clone(),
            index,
            name: call.name.clone(),
            // Whatever a client says was called, the template can only show an object.
            arguments: serde_json::from_str(&call.arguments).unwrap_or_default(),
        });
        Self {
            thinking: message.thinking.clone(),
            tool_calls: calls.collect(),
            tool_name: message.tool_name.clone(),
            tool_call_id: message.call_id.clone(),
            ..Self::new(message.role, &message.content)
        }
    }
}

const PARAGRAPH: &str = "\n\n";
