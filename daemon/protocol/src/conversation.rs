//! What was said in a conversation, and what the model may do in it besides saying something.

use serde::{Deserialize, Serialize};

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: String,
    /// Images and recordings that come with it: so many of those of the request, in order.
    pub media: u32,
    /// What the model thought before it said so.
    pub thinking: String,
    /// What the model called.
    pub calls: Vec<ToolCall>,
    /// Of a tool's result: which tool's.
    pub tool_name: String,
    /// Of a tool's result: which call's.
    pub call_id: String,
}

impl Message {
    /// A message that says something and no more.
    pub fn new(role: Role, content: impl Into<String>) -> Self {
        Self {
            role,
            content: content.into(),
            media: 0,
            thinking: String::new(),
            calls: Vec::new(),
            tool_name: String::new(),
            call_id: String::new(),
        }
    }
}

impl Message {
    /// About what a copy takes.
    pub(crate) fn bytes(&self) -> usize {
        let calls = self
            .calls
            .iter()
            .map(|call| size_of::<ToolCall>() + call.id.len() + call.name.len() + call.arguments.len());
        let texts = [&self.content, &self.thinking, &self.tool_name, &self.call_id].map(String::len);
        size_of::<Self>() + texts.iter().sum::<usize>() + calls.sum::<usize>()
    }
}

/// A call of a tool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// Made up by whoever wrote the call down; its result names it.
    pub id: String,
    /// Of the tool.
    pub name: String,
    /// A JSON object, as text.
    pub arguments: String,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// Instructions that stand above the conversation.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// The result of a tool.
    Tool,
}

impl Role {
    /// The name that chat templates use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
        }
    }
}

/// What the model may call, and whether it must.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tools {
    /// Each under a name of its own.
    pub offered: Vec<Tool>,
    /// Whether one is called.
    pub choice: ToolChoice,
    /// Several calls may stand in one answer.
    pub parallel: bool,
}

impl Tools {
    /// About what a copy takes.
    pub(crate) fn bytes(&self) -> usize {
        let bytes =
            |tool: &Tool| size_of::<Tool>() + tool.name.len() + tool.parameters.len() + tool.definition.len();
        self.offered.iter().map(bytes).sum()
    }
}

/// Something that the model may call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    /// What it is called by.
    pub name: String,
    /// A JSON Schema of its arguments, as text.
    pub parameters: String,
    /// All that the request says of it, as text: `{"type": "function", "function": {...}}`.
    pub definition: String,
}

/// Whether tools are called.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToolChoice {
    /// As the model sees fit.
    #[default]
    Auto,
    /// None is, and the model is told of none.
    None,
    /// At least one is, and nothing else is said.
    Required,
    /// This one is, and nothing else is said.
    Named(String),
}

/// Whether an answer is thought about first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Think {
    /// Where the model can.
    #[default]
    Unsaid,
    /// It is not.
    Off,
    /// It is; a model that cannot refuses.
    On,
    /// It is, as hard as that; a model that cannot refuses.
    Level(ThinkLevel),
    /// Where the model can, as hard as that.
    Able(ThinkLevel),
}

/// How hard an answer is thought about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub enum ThinkLevel {
    Low,
    Medium,
    High,
    Max,
}

impl ThinkLevel {
    /// The name that chat templates use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Max => "max",
        }
    }
}
