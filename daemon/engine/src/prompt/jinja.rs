//! Prompts by the model's own template, and what it tells of answers.

use protocol::{GenerateError, Message};

use super::{Asked, Prompt, PromptBuilder, refused};
use crate::ggml::{Calls, ChatParser, ChatTemplate, Conversation, Edges, Rendered};
use crate::grammar::{Contents, Form, Part, Thinking, of_arena};
use crate::reply::{Reader, Telling};
use crate::template::Capabilities;

impl PromptBuilder {
    /// A conversation's text, and all of its prompt but the tokens.
    pub(super) fn render_jinja(
        &self,
        template: &ChatTemplate,
        abilities: Capabilities,
        messages: &[Message],
        asked: &Asked<'_>,
    ) -> Result<(String, Prompt), GenerateError> {
        let conversation = Conversation {
            messages,
            tools: asked.tools,
            calls: if asked.tools.is_empty() { Calls::Never } else { Calls::Perhaps },
            parallel: asked.request.tools.parallel,
            think: asked.think,
            effort: asked.effort(),
            schema: asked.schema_behind_thoughts(abilities),
        };
        let rendered = template.render(conversation).map_err(refused)?;
        let form = self.form(template, conversation, &rendered, asked)?;
        let telling = match asked.tools.is_empty() && rendered.thinking.is_none() {
            true => None,
            false => {
                let parser = ChatParser::new(&rendered).map_err(refused)?;
                Some(Telling::new(Reader::Chat(parser), asked.think))
            }
        };
        let preserved =
            rendered.preserved.iter().flat_map(|name| self.model.control_tokens_in(name)).collect();
        let Rendered { prompt, stops, .. } = rendered;
        Ok((prompt, Prompt { stops, preserved, telling, form, ..Prompt::default() }))
    }

    fn form(
        &self,
        template: &ChatTemplate,
        conversation: Conversation<'_>,
        rendered: &Rendered,
        asked: &Asked<'_>,
    ) -> Result<Option<Form>, GenerateError> {
        let begin = rendered.generation_prompt.trim_end();
        let start = rendered.thinking.as_ref().map(|marks| marks.start.as_str());
        let is_begun = start.is_some_and(|start| begin.ends_with(start));
        // Whoever is not to think may be shown an empty thought.
        let is_shown = start.is_some_and(|start| begin.contains(start));
        let callable = asked.callable();
        let contents = Contents {
            tools: &callable,
            parallel: asked.request.tools.parallel,
            thoughts: asked.think || is_shown,
            schema: conversation.schema,
        };
        let grammar = |parser: &str, part| of_arena(parser, part, contents, &self.specials);
        if !conversation.schema.is_empty() {
            let whole = grammar(&rendered.parser, Part::Whole);
            return Ok(Some(self.whole(whole.map_err(|reason| GenerateError::Format { reason })?, rendered)));
        }
        let marks = rendered.thinking.clone().filter(|_| asked.think || is_begun);
        let thinking = marks.map(|marks| Thinking { is_begun, marks });
        let form = asked.form(thinking, rendered.triggers.clone(), |part| match part {
            Part::Calls => grammar(&rendered.parser, part),
            Part::Whole => {
                let must = Conversation { tools: &callable, calls: Calls::Required, ..conversation };
                grammar(&template.render(must)?.parser, part)
            }
        })?;
        Ok(form.map(|form| match form {
            Form { format: None, calls: Some(calls), triggers, .. } if triggers.is_empty() => {
                self.whole(calls, rendered)
            }
            form => form,
        }))
    }

    /// All of an answer's form, which begins with the end of the prompt, and tells what is thought.
    fn whole(&self, grammar: String, rendered: &Rendered) -> Form {
        let begun = self.model.tokenize(&rendered.generation_prompt, Edges::Omit);
        Form { calls: Some(grammar), begun, ..Form::default() }
    }
}
