//! From a request to the tokens that the model reads: template, tokenizer, and what to leave out when it is too long; and
//! with them, what the answer is to look like.

mod asked;
mod jinja;
mod rendered;
mod requested;

use std::sync::Arc;

use protocol::request::Overflow;
use protocol::{Ability, Generate, GenerateError, Input, Message, Role, Think, Tool};

use self::asked::Asked;
use self::requested::Requested;
use crate::ggml::{self, ChatTemplate, Edges, Marks, Model, Token, Trigger};
use crate::grammar::{Form, Specials, Thinking, of_shape};
use crate::projection::Span;
use crate::reply::{Reader, Shape, Tagged, Telling, thinking_marks};
use crate::template::{Capabilities, Clock, Conversation, GoTemplate};

/// Renders and tokenizes; used by one thread.
pub(crate) struct PromptBuilder {
    model: Arc<Model>,
    template: Template,
    requested: Requested,
    specials: Arc<Specials>,
    context_tokens: usize,
    /// What stands for an image or a recording, if the model takes any.
    marker: Option<String>,
}

/// What makes a conversation a text.
enum Template {
    /// The Modelfile's, and what it shows of answers.
    Go(Box<GoTemplate>, Examples),
    /// The model's own.
    Jinja(ChatTemplate, Capabilities),
    /// There is none: the text as it is.
    Plain,
}

/// What a template shows of answers by what it makes of earlier ones.
struct Examples {
    calls: Option<Shape>,
    thinking: Option<Marks>,
}

/// What a model reads for one request.
#[derive(Default)]
pub(crate) struct Prompt {
    pub(crate) tokens: Vec<Token>,
    /// What they were made of, where that was one text.
    pub(crate) text: Option<String>,
    /// Files stand in the text, so there are no tokens yet: the projector splits it.
    pub(crate) has_files: bool,
    pub(crate) spans: Vec<Span>,
    /// Strings of the template that end an answer.
    pub(crate) stops: Vec<String>,
    /// Control tokens that are part of what the model says.
    pub(crate) preserved: Vec<Token>,
    /// Tells the answer's parts apart, if it has any.
    pub(crate) telling: Option<Telling>,
    pub(crate) form: Option<Form>,
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
        specials: Arc<Specials>,
    ) -> Result<Self, String> {
        let own = model.has_chat_template().then(|| ChatTemplate::of_model(Arc::clone(&model)));
        let own = own.map(|own| own.map(|jinja| (jinja.capabilities(), jinja)));
        let template = match (modelfile, own) {
            (Some(go), Some(Ok((abilities, jinja)))) if can_more(abilities, go.capabilities()) => {
                Template::Jinja(jinja, abilities)
            }
            (Some(go), _) => {
                let examples = Examples::of(&go);
                Template::Go(Box::new(go), examples)
            }
            (None, Some(jinja)) => jinja.map(|(abilities, jinja)| Template::Jinja(jinja, abilities))?,
            (None, None) => Template::Plain,
        };
        let requested = Requested::default();
        let context_tokens = context_tokens as usize;
        Ok(Self { model, template, requested, specials, context_tokens, marker: None })
    }

    /// For a model that takes images or recordings, with what stands for one.
    pub(crate) fn with_marker(self, marker: Option<String>) -> Self {
        Self { marker, ..self }
    }

    /// The request's prompt; at least one token, and at least one less than the context.
    pub(crate) fn build(&mut self, request: &Generate) -> Result<Prompt, GenerateError> {
        let prompt = self.uncut(request)?;
        if prompt.has_files {
            // How long it is shows when its files are there.
            return Ok(prompt);
        }
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

    /// The request's prompt by the template that it wants, however long.
    fn uncut(&mut self, request: &Generate) -> Result<Prompt, GenerateError> {
        let Some(source) = &request.template else { return self.by_template(request) };
        let asked = self.requested.take(source)?;
        let own = std::mem::replace(&mut self.template, asked);
        let prompt = self.by_template(request);
        let asked = std::mem::replace(&mut self.template, own);
        self.requested.give_back(source, asked);
        prompt
    }

    fn by_template(&self, request: &Generate) -> Result<Prompt, GenerateError> {
        self.check(request)?;
        let brings_media = !request.media.0.is_empty();
        Ok(match &request.input {
            Input::Raw(text) if brings_media => {
                let text = self.markers(request.media.0.len()) + text;
                Prompt { text: Some(text), has_files: true, ..self.free(Vec::new(), request) }
            }
            Input::Chat(messages) if brings_media => {
                let messages: Vec<Message> = messages.iter().map(|message| self.marked(message)).collect();
                Prompt { has_files: true, ..self.render_messages(&messages, request)? }
            }
            Input::Raw(text) => {
                let tokens = self.model.tokenize(text, Edges::Add);
                Prompt { text: Some(text.clone()), ..self.free(tokens, request) }
            }
            Input::Tokens(tokens) => self.free(tokens.clone(), request),
            Input::Infill { prefix, suffix, system } => {
                self.infill(prefix, suffix, system.as_deref(), request)?
            }
            Input::Chat(messages) => self.conversation(messages, request)?,
            Input::Continue { context, turn } => self.continuation(context, turn, request)?,
        })
    }

    fn check(&self, request: &Generate) -> Result<(), GenerateError> {
        let thinks = matches!(request.think, Think::On | Think::Level(_));
        if thinks && !self.template.capabilities().thinking {
            return Err(GenerateError::Unable(Ability::Thinking));
        }
        let media = !request.media.0.is_empty();
        if media && self.marker.is_none() {
            return Err(GenerateError::Unable(Ability::Vision));
        }
        let biased: Vec<Token> = request.options.logit_bias.iter().map(|(token, _)| *token).collect();
        self.model.check(&biased)?;
        match &request.input {
            Input::Infill { .. } | Input::Continue { .. } | Input::Tokens(_) if media => {
                let reason =
                    "it can go with messages or a prompt, and not with a suffix, a context or tokens".into();
                Err(GenerateError::Media { reason })
            }
            Input::Tokens(tokens) | Input::Continue { context: tokens, .. } => self.model.check(tokens),
            _ => Ok(()),
        }
    }

    fn markers(&self, count: usize) -> String {
        self.marker.as_deref().unwrap_or_default().repeat(count)
    }

    /// A message whose files stand before its text.
    fn marked(&self, message: &Message) -> Message {
        Message { content: self.markers(message.media as usize) + &message.content, ..message.clone() }
    }

    /// A prompt whose answer has no parts.
    fn free(&self, tokens: Vec<Token>, request: &Generate) -> Prompt {
        let form = request.format.clone().map(|format| Form { format: Some(format), ..Form::default() });
        Prompt { tokens, form, ..Prompt::default() }
    }

    fn infill(
        &self,
        prefix: &str,
        suffix: &str,
        system: Option<&str>,
        request: &Generate,
    ) -> Result<Prompt, GenerateError> {
        if let Template::Go(template, _) = &self.template
            && template.capabilities().insert
        {
            let system = system.map(|system| Message::new(Role::System, system));
            let messages: Vec<Message> =
                system.into_iter().chain([Message::new(Role::User, prefix)]).collect();
            let conversation = Conversation { suffix: suffix.into(), ..Conversation::of(&messages) };
            let text = render_go(template, &conversation)?;
            let tokens = self.model.tokenize(&text, Edges::Add);
            return Ok(Prompt { text: Some(text), ..self.free(tokens, request) });
        }
        let [before, after, between] =
            self.model.infill_tokens().ok_or(GenerateError::Unable(Ability::Insert))?;
        let mut tokens = self.model.tokenize("", Edges::Add);
        tokens.push(before);
        tokens.extend(self.model.tokenize_plain(prefix));
        tokens.push(after);
        tokens.extend(self.model.tokenize_plain(suffix));
        tokens.push(between);
        Ok(self.free(tokens, request))
    }

    /// Drops as few of the oldest messages as it takes; system messages and the last message stay.
    fn conversation(&self, messages: &[Message], request: &Generate) -> Result<Prompt, GenerateError> {
        let whole = self.rendered(messages, request)?;
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
                .rendered(&without_oldest(messages, middle), request)
                .is_ok_and(|prompt| prompt.tokens.len() <= self.target(request));
            if fits { enough = middle } else { too_few = middle }
        }
        self.rendered(&without_oldest(messages, enough), request)
    }

    fn continuation(
        &self,
        context: &[Token],
        turn: &[Message],
        request: &Generate,
    ) -> Result<Prompt, GenerateError> {
        let prompt = self.render_messages(turn, request)?;
        let mut tokens = context.to_vec();
        tokens.extend(self.model.tokenize(prompt.text.as_deref().unwrap_or_default(), Edges::Omit));
        Ok(Prompt { tokens, text: None, ..prompt })
    }

    fn rendered(&self, messages: &[Message], request: &Generate) -> Result<Prompt, GenerateError> {
        let prompt = self.render_messages(messages, request)?;
        let mut tokens = self.model.tokenize(prompt.text.as_deref().unwrap_or_default(), Edges::Add);
        // Some templates write the token that the tokenizer adds.
        if tokens.starts_with(&[self.model.bos(); 2]) {
            tokens.remove(0);
        }
        Ok(Prompt { tokens, ..prompt })
    }

    /// A conversation's prompt, all but the tokens.
    fn render_messages(&self, messages: &[Message], request: &Generate) -> Result<Prompt, GenerateError> {
        let asked = Asked::of(request, self.template.capabilities());
        let (text, prompt) = self.render_asked(messages, &asked)?;
        Ok(Prompt { text: Some(text), ..prompt })
    }

    fn render_asked(
        &self,
        messages: &[Message],
        asked: &Asked<'_>,
    ) -> Result<(String, Prompt), GenerateError> {
        match &self.template {
            Template::Go(template, examples) => self.render_go(template, examples, messages, asked),
            Template::Jinja(template, abilities) if abilities.tools || !asked.mentions_tools(messages) => {
                self.render_jinja(template, *abilities, messages, asked)
            }
            Template::Jinja(template, _) => {
                let shape = Shape::common();
                let messages = shape.in_words(messages, asked.tools);
                let asked_in_words = ggml::Conversation {
                    think: asked.think,
                    effort: asked.effort(),
                    ..ggml::Conversation::of(&messages)
                };
                let rendered = template.render(asked_in_words).map_err(refused)?;
                let marks = rendered.thinking.clone();
                let prompt = self.tagged(Some(&shape), marks, &rendered.prompt, asked)?;
                Ok((rendered.prompt, Prompt { stops: rendered.stops, ..prompt }))
            }
            Template::Plain => {
                let shape = Shape::common();
                let told = shape.in_words(messages, asked.tools);
                let contents: Vec<&str> = told.iter().map(|message| message.content.as_str()).collect();
                let text = contents.join("\n\n");
                let prompt = self.tagged(Some(&shape), None, &text, asked)?;
                Ok((text, prompt))
            }
        }
    }

    fn render_go(
        &self,
        template: &GoTemplate,
        examples: &Examples,
        messages: &[Message],
        asked: &Asked<'_>,
    ) -> Result<(String, Prompt), GenerateError> {
        let common = Shape::common();
        let in_words = asked.mentions_tools(messages) && !template.capabilities().tools;
        let shape = if in_words { Some(&common) } else { examples.calls.as_ref() };
        let told = if in_words { common.in_words(messages, asked.tools) } else { messages.to_vec() };
        let definition = |tool: &Tool| serde_json::from_str(&tool.definition).unwrap_or_default();
        let conversation = Conversation {
            tools: if in_words { Vec::new() } else { asked.tools.iter().map(definition).collect() },
            think: asked.think,
            think_level: asked.effort().into(),
            is_think_set: asked.request.think != Think::Unsaid || asked.think,
            ..Conversation::of(&told)
        };
        let text = render_go(template, &conversation)?;
        let prompt = self.tagged(shape, examples.thinking.clone(), &text, asked)?;
        Ok((text, prompt))
    }

    /// What the answer looks like by the marks in its text.
    fn tagged(
        &self,
        shape: Option<&Shape>,
        marks: Option<Marks>,
        prompt: &str,
        asked: &Asked<'_>,
    ) -> Result<Prompt, GenerateError> {
        let is_begun = marks.as_ref().is_some_and(|marks| prompt.trim_end().ends_with(&marks.start));
        let thinking =
            marks.clone().filter(|_| asked.think || is_begun).map(|marks| Thinking { marks, is_begun });
        let calls = (!asked.tools.is_empty()).then(|| shape.map_or("{", Shape::mark).to_owned());
        let grammar = shape
            .map(|shape| of_shape(shape, &asked.callable(), asked.request.tools.parallel, &self.specials));
        let trigger = calls.clone().filter(|mark| mark != "{").map(Trigger::Word);
        let form = asked.form(thinking, trigger.into_iter().collect(), |_| {
            grammar.unwrap_or_else(|| Err("the template does not tell what a call looks like".into()))
        })?;
        let telling = (marks.is_some() || calls.is_some()).then(|| {
            let tools = asked.tools.iter().map(|tool| tool.name.clone()).collect();
            let reader = Tagged { thinking: marks, thinks_from_the_start: is_begun, call: calls, tools };
            Telling::new(Reader::Tagged(reader), asked.think)
        });
        Ok(Prompt { form, telling, ..Prompt::default() })
    }

    /// Keeps the first `num_keep` tokens and as many of the last as fit beside an answer.
    fn without_middle(&self, prompt: Prompt, request: &Generate) -> Prompt {
        let target = self.target(request);
        let kept = (request.options.num_keep as usize).min(target / 2);
        let excess = prompt.tokens.len() - target;
        let mut tokens = prompt.tokens;
        tokens.drain(kept..kept + excess);
        // The text has it yet.
        Prompt { tokens, text: None, ..prompt }
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

impl Template {
    fn capabilities(&self) -> Capabilities {
        match self {
            Self::Go(template, _) => template.capabilities(),
            Self::Jinja(_, abilities) => *abilities,
            Self::Plain => Capabilities::default(),
        }
    }
}

impl Examples {
    /// Found by trying, where the template has a place for it.
    fn of(template: &GoTemplate) -> Self {
        let render = |conversation: &Conversation| render_go(template, conversation).ok();
        let abilities = template.capabilities();
        Self {
            calls: abilities.tools.then(|| Shape::by_trying(render)).flatten(),
            thinking: abilities.thinking.then(|| thinking_marks(render)).flatten(),
        }
    }
}

fn render_go(template: &GoTemplate, conversation: &Conversation) -> Result<String, GenerateError> {
    template.render(conversation, Clock::start()).map_err(|error| refused(error.to_string()))
}

fn refused(reason: String) -> GenerateError {
    GenerateError::Template { reason }
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
        let tools = Capabilities { tools: true, thinking: false, insert: false };
        let thinking = Capabilities { tools: false, thinking: true, insert: false };

        assert!(can_more(tools, plain) && can_more(tools, thinking));
        assert!(!can_more(plain, plain) && !can_more(plain, tools) && !can_more(tools, tools));
    }

    #[test]
    fn the_oldest_messages_go_first_and_the_system_message_stays() {
        let said = |role, content: &str| Message::new(role, content);
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
