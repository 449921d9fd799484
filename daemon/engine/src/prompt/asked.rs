//! What a request asks of an answer: tools, thoughts, a form.

use protocol::{Format, Generate, GenerateError, Message, Role, Think, Tool, ToolChoice};

use crate::ggml::Trigger;
use crate::grammar::{Form, Part, Thinking};
use crate::template::Capabilities;

/// What a request asks of an answer.
pub(super) struct Asked<'a> {
    pub(super) request: &'a Generate,
    /// What the model is told of.
    pub(super) tools: &'a [Tool],
    pub(super) think: bool,
}

impl<'a> Asked<'a> {
    pub(super) fn of(request: &'a Generate, abilities: Capabilities) -> Self {
        let think = match request.think {
            Think::Unsaid | Think::Able(_) => abilities.thinking,
            Think::Off => false,
            Think::On | Think::Level(_) => true,
        };
        let tools = match request.tools.choice {
            ToolChoice::None => &[],
            _ => &request.tools.offered[..],
        };
        Self { request, tools, think }
    }

    /// There are some, or were.
    pub(super) fn mentions_tools(&self, messages: &[Message]) -> bool {
        let mentions = |message: &Message| message.role == Role::Tool || !message.calls.is_empty();
        !self.tools.is_empty() || messages.iter().any(mentions)
    }

    pub(super) fn effort(&self) -> &'static str {
        match self.request.think {
            Think::Level(level) | Think::Able(level) if self.think => level.as_str(),
            _ => "",
        }
    }

    /// The schema of an answer that a template tells how to begin, since the model may think before.
    pub(super) fn schema_behind_thoughts(&self, abilities: Capabilities) -> &'a str {
        match &self.request.format {
            _ if !abilities.thinking || !self.tools.is_empty() => "",
            Some(Format::Json) => r#"{"type": "object"}"#,
            Some(Format::Schema(schema)) => schema,
            _ => "",
        }
    }

    /// What may be called, of what the model is told of.
    pub(super) fn callable(&self) -> Vec<Tool> {
        let is_callable = |tool: &&Tool| match &self.request.tools.choice {
            ToolChoice::Named(name) => tool.name == *name,
            _ => true,
        };
        self.tools.iter().filter(is_callable).cloned().collect()
    }

    /// The form of the answer, with `calls` to say what calls look like.
    pub(super) fn form(
        &self,
        thinking: Option<Thinking>,
        triggers: Vec<Trigger>,
        calls: impl FnOnce(Part) -> Result<String, String>,
    ) -> Result<Option<Form>, GenerateError> {
        let invalid = |reason| GenerateError::Format { reason };
        let format = self.request.format.clone();
        let must = matches!(self.request.tools.choice, ToolChoice::Required | ToolChoice::Named(_));
        if self.tools.is_empty() {
            return Ok(format.map(|format| Form { format: Some(format), thinking, ..Form::default() }));
        }
        if must {
            let calls = Some(calls(Part::Whole).map_err(invalid)?);
            return Ok(Some(Form { calls, thinking, ..Form::default() }));
        }
        // Where nothing must be called, tools without a grammar are called as the model likes.
        let calls = calls(Part::Calls).ok();
        Ok(match (format, calls) {
            (Some(format), calls) => Some(Form { format: Some(format), calls, thinking, ..Form::default() }),
            (None, Some(calls)) if !triggers.is_empty() => {
                Some(Form { calls: Some(calls), thinking, triggers, ..Form::default() })
            }
            (None, _) => None,
        })
    }
}
