//! From a request to the tokens that the model reads: template, tokenizer, and what to leave out when it is too long.

use std::sync::Arc;

use protocol::request::Overflow;
use protocol::{Generate, GenerateError, Input, Message, Role};

use crate::ggml::{ChatTemplate, Edges, Model, Rendered, Token};
use crate::template::{Capabilities, Clock, Conversation, GoTemplate};

/// Renders and tokenizes; used by one thread.
pub(crate) struct PromptBuilder {
    model: Arc<Model>,
    template: Template,
    context_tokens: usize,
}

/// What makes a conversation a text.
enum Template {
    /// The Modelfile's.
    Go(GoTemplate),
    /// The model's own.
    Jinja(ChatTemplate),
    /// There is none: the text as it is.
    Plain,
}

/// What a model reads for one request.
#[derive(Debug)]
pub(crate) struct Prompt {
    pub(crate) tokens: Vec<Token>,
    /// Strings of the template that end an answer.
    pub(crate) stops: Vec<String>,
}

impl PromptBuilder {
    /// The Modelfile's template wins over the model's own, unless that one can do more.
    ///
    /// # Errors
    /// What the parser of the model's own template said, where it is needed.
    pub(crate) fn new(
        model: Arc<Model>,
        context_tokens: u32,
        modelfile: Option<GoTemplate>,
    ) -> Result<Self, String> {
        let own = model.has_chat_template().then(|| ChatTemplate::of_model(Arc::clone(&model)));
        let template = match (modelfile, own) {
            (Some(go), Some(Ok(jinja))) if can_more(jinja.capabilities(), go.capabilities()) => {
                Template::Jinja(jinja)
            }
            (Some(go), _) => Template::Go(go),
            (None, Some(jinja)) => Template::Jinja(jinja?),
            (None, None) => Template::Plain,
        };
        Ok(Self { model, template, context_tokens: context_tokens as usize })
    }

    /// The request's prompt; at least one token, and at least one less than the context.
    pub(crate) fn build(&self, request: &Generate) -> Result<Prompt, GenerateError> {
        let prompt = match &request.input {
            Input::Raw(text) => Prompt { tokens: self.model.tokenize(text, Edges::Add), stops: Vec::new() },
            Input::Chat(messages) => self.conversation(messages, request)?,
            Input::Continue { context, turn } => self.continuation(context, turn)?,
        };
        if prompt.tokens.is_empty() {
            return Err(GenerateError::EmptyPrompt);
        }
        if prompt.tokens.len() < self.context_tokens {
            return Ok(prompt);
        }
        match request.overflow {
            Overflow::Refuse => Err(self.too_long(prompt.tokens.len())),
            Overflow::Truncate => Ok(self.without_middle(prompt, request)),
        }
    }

    /// Drops as few of the oldest messages as it takes; system messages and the last message stay.
    fn conversation(&self, messages: &[Message], request: &Generate) -> Result<Prompt, GenerateError> {
        let whole = self.rendered(messages)?;
        if whole.tokens.len() < self.context_tokens || request.overflow == Overflow::Refuse {
            return Ok(whole);
        }
        let droppable =
            messages.iter().filter(|message| message.role != Role::System).count().saturating_sub(1);
        // A dropped message makes the prompt shorter, so the least number is found by halving.
        let (mut too_few, mut enough) = (0, droppable);
        while too_few + 1 < enough {
            let middle = usize::midpoint(too_few, enough);
            // A template may insist on a user's turn first; then more must go.
            let fits = self
                .rendered(&without_oldest(messages, middle))
                .is_ok_and(|prompt| prompt.tokens.len() <= self.target(request));
            if fits { enough = middle } else { too_few = middle }
        }
        self.rendered(&without_oldest(messages, enough))
    }

    fn continuation(&self, context: &[Token], turn: &[Message]) -> Result<Prompt, GenerateError> {
        let known = 0..self.model.vocab_size();
        if let Some(stranger) = context.iter().find(|token| !known.contains(token)) {
            return Err(GenerateError::Engine {
                reason: format!("the context holds {stranger}, no token of this model"),
            });
        }
        let rendered = self.render(turn)?;
        let mut tokens = context.to_vec();
        tokens.extend(self.model.tokenize(&rendered.prompt, Edges::Omit));
        Ok(Prompt { tokens, stops: rendered.stops })
    }

    fn rendered(&self, messages: &[Message]) -> Result<Prompt, GenerateError> {
        let rendered = self.render(messages)?;
        let mut tokens = self.model.tokenize(&rendered.prompt, Edges::Add);
        // Some templates write the token that the tokenizer adds.
        if tokens.starts_with(&[self.model.bos(); 2]) {
            tokens.remove(0);
        }
        Ok(Prompt { tokens, stops: rendered.stops })
    }

    fn render(&self, messages: &[Message]) -> Result<Rendered, GenerateError> {
        match &self.template {
            Template::Go(template) => {
                let prompt = template.render(&Conversation::of(messages), Clock::start());
                let prompt = prompt.map_err(|error| GenerateError::Template { reason: error.to_string() })?;
                Ok(Rendered { prompt, stops: Vec::new() })
            }
            Template::Jinja(template) => {
                template.render(messages).map_err(|reason| GenerateError::Template { reason })
            }
            Template::Plain => {
                let contents: Vec<&str> = messages.iter().map(|message| message.content.as_str()).collect();
                Ok(Rendered { prompt: contents.join("\n\n"), stops: Vec::new() })
            }
        }
    }

    /// Keeps the first `num_keep` tokens and as many of the last as fit beside an answer.
    fn without_middle(&self, prompt: Prompt, request: &Generate) -> Prompt {
        let target = self.target(request);
        let kept = (request.options.num_keep as usize).min(target / 2);
        let excess = prompt.tokens.len() - target;
        let mut tokens = prompt.tokens;
        tokens.drain(kept..kept + excess);
        Prompt { tokens, ..prompt }
    }

    /// Tokens of prompt to aim at when some must go anyway: leaves the answer what it asked for, up to a quarter.
    fn target(&self, request: &Generate) -> usize {
        let quarter = (self.context_tokens / 4).max(1);
        let answer = request.options.num_predict.map_or(quarter, |limit| (limit as usize).clamp(1, quarter));
        self.context_tokens - answer
    }

    fn too_long(&self, prompt_tokens: usize) -> GenerateError {
        let count = |tokens: usize| u32::try_from(tokens).unwrap_or(u32::MAX);
        GenerateError::PromptTooLong {
            prompt_tokens: count(prompt_tokens),
            context_tokens: count(self.context_tokens.saturating_sub(1)),
        }
    }
}

fn can_more(one: Capabilities, other: Capabilities) -> bool {
    (one.tools && !other.tools) || (one.thinking && !other.thinking)
}

fn without_oldest(messages: &[Message], dropped: usize) -> Vec<Message> {
    let mut left = dropped;
    let keep = |message: &&Message| {
        let stays = message.role == Role::System || left == 0;
        if !stays {
            left -= 1;
        }
        stays
    };
    messages.iter().filter(keep).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_models_own_template_wins_only_by_what_it_can_do_more() {
        let plain = Capabilities::default();
        let tools = Capabilities { tools: true, thinking: false };
        let thinking = Capabilities { tools: false, thinking: true };

        assert!(can_more(tools, plain) && can_more(tools, thinking));
        assert!(!can_more(plain, plain) && !can_more(plain, tools) && !can_more(tools, tools));
    }

    #[test]
    fn the_oldest_messages_go_first_and_the_system_message_stays() {
        let said = |role, content: &str| Message { role, content: content.into() };
        let messages = [
            said(Role::System, "rules"),
            said(Role::User, "one"),
            said(Role::Assistant, "two"),
            said(Role::User, "three"),
        ];

        let left = without_oldest(&messages, 2);

        assert_eq!(left, [said(Role::System, "rules"), said(Role::User, "three")]);
    }
}
