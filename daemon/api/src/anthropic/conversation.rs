//! The conversation of a request, from this family's blocks to the vocabulary's messages. Who speaks twice in a row is heard
//! once, as with Anthropic; templates insist on it.

use std::collections::HashMap;

use protocol::{Message, Role, ToolCall};
use serde_json::{Map, Value};

use super::{
    identifiers,
    wire::{
        blocks::{Block, Citations, DocumentSource, ImageSource, TextBlock, ToolChange},
        request::{self, ClearAt, Effort, OutputConfig, Turn},
    },
};
use crate::{
    error::Invalid,
    json::{Harmless, Refused, TextOrList},
    media,
};

/// What was said, and what follows from it.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    pub(super) messages: Vec<Message>,
    /// Of all messages, in their order.
    pub(super) media: Vec<Vec<u8>>,
    /// The last that was said of how hard to work.
    pub(super) effort: Option<Effort>,
    /// The last that was said of each tool: whether the model is told of it.
    pub(super) told_of: HashMap<String, bool>,
    /// The tool of each call.
    called: HashMap<String, String>,
}

/// Claude Code's note to whoever bills it. It is no instruction, and it differs from request to request, so that nothing
/// behind it would be found among what was computed before.
const BILLING_NOTE: &str = "x-anthropic-billing-header:";

impl Conversation {
    /// # Errors
    /// [`Invalid`] for what cannot be told to a model.
    pub(super) fn of(system: Option<TextOrList<TextBlock>>, turns: Vec<Turn>) -> Result<Self, Invalid> {
        match turns.last() {
            None => return Err(refused("messages: at least one message is required")),
            // In Anthropic's words, by which clients know it.
            Some(turn) if turn.role == request::Role::Assistant => {
                return Err(refused(
                    "This model does not support assistant message prefill. The conversation must end with a user message.",
                ));
            }
            Some(_) => {}
        }
        let mut conversation = Self::default();
        if let Some(system) = instructions(system) {
            conversation.messages.push(Message::new(Role::System, system));
        }
        let last_user = turns.iter().rposition(|turn| turn.role == request::Role::User);
        for (at, turn) in turns.into_iter().enumerate() {
            let is_over = last_user.is_some_and(|last| at < last);
            conversation.hear(turn, is_over)?;
        }
        Ok(conversation)
    }

    fn hear(&mut self, turn: Turn, is_over: bool) -> Result<(), Invalid> {
        let Turn { role, content, clear_at, output_config } = turn;
        if role != request::Role::System && (clear_at.is_some() || output_config.is_some()) {
            return Err(refused("messages: clear_at and output_config are for messages of the system"));
        }
        if let Some(OutputConfig { effort, format, task_budget: Refused }) = output_config {
            if format.is_some() {
                return Err(refused("messages: output_config.format is for the whole request"));
            }
            self.effort = effort.or(self.effort);
        }
        let blocks = match content {
            None => Vec::new(),
            Some(TextOrList::Text(text)) => vec![text_block(text)],
            Some(TextOrList::List(blocks)) => blocks,
        };
        if blocks.is_empty() && role != request::Role::System {
            return Err(refused("messages: all messages must have non-empty content"));
        }
        match role {
            request::Role::User => blocks.into_iter().try_for_each(|block| self.hear_user(block)),
            request::Role::Assistant => blocks.into_iter().try_for_each(|block| self.hear_model(block)),
            request::Role::System => {
                let is_cleared = is_over && clear_at == Some(ClearAt::NextUserMessage);
                self.hear_system(blocks, is_cleared)
            }
        }
    }

    fn hear_user(&mut self, block: Block) -> Result<(), Invalid> {
        match block {
            #[rustfmt::skip]
            Block::ToolResult {
                tool_use_id, content, is_error, cache_control: Harmless, toolset_name: Refused,
            } => self.hear_result(&tool_use_id, content, is_error.unwrap_or(false)),
            block => {
                let told = self.told(block)?;
                self.say(Role::User, told);
                Ok(())
            }
        }
    }

    fn hear_model(&mut self, block: Block) -> Result<(), Invalid> {
        match block {
            Block::Thinking { thinking, signature: Harmless } => {
                join(&mut self.turn_of(Role::Assistant).thinking, &thinking);
            }
            Block::RedactedThinking { data: Harmless } => {}
            #[rustfmt::skip]
            Block::ToolUse {
                id, name, input, cache_control: Harmless, caller: Harmless, toolset_name: Refused,
            } => {
                self.called.insert(id.clone(), name.clone());
                let id = identifiers::theirs(&id).to_owned();
                let call = ToolCall { id, name, arguments: Value::Object(input).to_string() };
                self.turn_of(Role::Assistant).calls.push(call);
            }
            block => {
                let told = self.told(block)?;
                self.say(Role::Assistant, told);
            }
        }
        Ok(())
    }

    /// What the system says before all others stands above the conversation, the rest in the user's turn.
    fn hear_system(&mut self, blocks: Vec<Block>, is_cleared: bool) -> Result<(), Invalid> {
        let mut said = String::new();
        for block in blocks {
            match block {
                Block::Text { text, cache_control: Harmless, citations: Harmless } => join(&mut said, &text),
                Block::ToolAddition { tool: ToolChange::ToolReference { name }, cache_control: Harmless } => {
                    self.told_of.insert(name, true);
                }
                Block::ToolRemoval { tool: ToolChange::ToolReference { name }, cache_control: Harmless } => {
                    self.told_of.insert(name, false);
                }
                _ => return Err(refused("messages: the system speaks in text and of tools")),
            }
        }
        if said.is_empty() || is_cleared {
            return Ok(());
        }
        match self.messages.last_mut() {
            None => self.messages.push(Message::new(Role::System, said)),
            Some(first) if first.role == Role::System => join(&mut first.content, &said),
            Some(_) => self.say(Role::User, Told::text(format!("<system>\n{said}\n</system>"))),
        }
        Ok(())
    }

    fn hear_result(
        &mut self,
        id: &str,
        content: Option<TextOrList<Block>>,
        is_error: bool,
    ) -> Result<(), Invalid> {
        let Some(tool_name) = self.called.get(id).cloned() else {
            // In Anthropic's words.
            return Err(refused(format!(
                "messages: unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each `tool_result` block must have a \
                 corresponding `tool_use` block in the previous message."
            )));
        };
        let Told { mut text, files } = self.told_all(content)?;
        if is_error {
            text = format!("The tool failed: {text}");
        }
        let media = self.keep(files);
        self.messages.push(Message {
            media,
            tool_name,
            call_id: identifiers::theirs(id).to_owned(),
            ..Message::new(Role::Tool, text)
        });
        Ok(())
    }

    fn told_all(&mut self, content: Option<TextOrList<Block>>) -> Result<Told, Invalid> {
        let blocks = match content {
            None => return Ok(Told::default()),
            Some(TextOrList::Text(text)) => return Ok(Told::text(text)),
            Some(TextOrList::List(blocks)) => blocks,
        };
        let mut all = Told::default();
        for block in blocks {
            let Told { text, files } = match block {
                Block::ToolReference { tool_name, cache_control: Harmless } => {
                    let text = format!("The tool {tool_name} can be called now.");
                    self.told_of.insert(tool_name, true);
                    Told::text(text)
                }
                block => self.told(block)?,
            };
            join(&mut all.text, &text);
            all.files.extend(files);
        }
        Ok(all)
    }

    /// What a block says that may stand anywhere.
    fn told(&mut self, block: Block) -> Result<Told, Invalid> {
        match block {
            Block::Text { text, cache_control: Harmless, citations: Harmless } => Ok(Told::text(text)),
            Block::Image { source, cache_control: Harmless, transformations: Harmless } => {
                Ok(Told { files: vec![image(source)?], ..Told::default() })
            }
            Block::Document { source, title, context, citations, cache_control: Harmless } => {
                uncited(citations)?;
                let document = self.document(source)?;
                let mut text = String::new();
                [title, context].into_iter().flatten().for_each(|about| join(&mut text, &about));
                join(&mut text, &document.text);
                Ok(Told { text, ..document })
            }
            Block::SearchResult { content, source, title, citations, cache_control: Harmless } => {
                uncited(citations)?;
                let mut text = format!("{title}\n{source}");
                content.into_iter().for_each(|block| join(&mut text, &block.into_text()));
                Ok(Told::text(text))
            }
            misplaced => {
                Err(refused(format!("messages: a block of type {} cannot stand there", kind(&misplaced))))
            }
        }
    }

    fn document(&mut self, source: DocumentSource) -> Result<Told, Invalid> {
        match source {
            DocumentSource::Text { data, media_type: Harmless } => Ok(Told::text(data)),
            DocumentSource::Content { content } => self.told_all(Some(content)),
            DocumentSource::Base64 { data: Harmless, media_type: Harmless } => {
                Err(refused("messages: PDF cannot be read here; send the document's text, or images of it"))
            }
            DocumentSource::Url { url: Harmless } => {
                Err(refused("messages: documents are not fetched from URLs; send the text"))
            }
            DocumentSource::File { file_id: Harmless } => {
                Err(refused("messages: no files are kept here; send the document's text"))
            }
        }
    }

    fn say(&mut self, role: Role, Told { text, files }: Told) {
        let media = self.keep(files);
        let turn = self.turn_of(role);
        join(&mut turn.content, &text);
        turn.media += media;
    }

    /// The turn of whoever speaks, begun if need be.
    fn turn_of(&mut self, role: Role) -> &mut Message {
        if self.messages.last().is_none_or(|last| last.role != role) {
            self.messages.push(Message::new(role, ""));
        }
        let last = self.messages.len() - 1;
        &mut self.messages[last]
    }

    /// How many they are.
    fn keep(&mut self, files: Vec<Vec<u8>>) -> u32 {
        let count = u32::try_from(files.len()).unwrap_or(u32::MAX);
        self.media.extend(files);
        count
    }
}

/// What a block says.
#[derive(Default)]
struct Told {
    text: String,
    files: Vec<Vec<u8>>,
}

impl Told {
    fn text(text: String) -> Self {
        Self { text, files: Vec::new() }
    }
}

fn text_block(text: String) -> Block {
    Block::Text { text, cache_control: Harmless, citations: Harmless }
}

fn instructions(system: Option<TextOrList<TextBlock>>) -> Option<String> {
    let mut said = String::new();
    match system? {
        TextOrList::Text(text) => said = text,
        TextOrList::List(blocks) => {
            let texts = blocks.into_iter().map(TextBlock::into_text);
            texts.filter(|text| !text.starts_with(BILLING_NOTE)).for_each(|text| join(&mut said, &text));
        }
    }
    Some(said).filter(|said| !said.is_empty())
}

/// Blocks stand on lines of their own.
fn join(text: &mut String, more: &str) {
    if !text.is_empty() && !more.is_empty() {
        text.push('\n');
    }
    text.push_str(more);
}

fn image(source: ImageSource) -> Result<Vec<u8>, Invalid> {
    match source {
        ImageSource::Base64 { data, media_type: Harmless } => media::from_base64("messages", &data),
        ImageSource::Url { url: Harmless } => {
            Err(refused("messages: images are not fetched from URLs; send them in base64"))
        }
        ImageSource::File { file_id: Harmless } => {
            Err(refused("messages: no files are kept here; send images in base64"))
        }
    }
}

fn uncited(citations: Option<Citations>) -> Result<(), Invalid> {
    match citations {
        Some(Citations { enabled: Some(true) }) => {
            Err(refused("messages: citations.enabled: local models cannot say where they have things from"))
        }
        _ => Ok(()),
    }
}

fn kind(block: &Block) -> &'static str {
    match block {
        Block::Text { .. } => "text",
        Block::Image { .. } => "image",
        Block::Document { .. } => "document",
        Block::SearchResult { .. } => "search_result",
        Block::Thinking { .. } => "thinking",
        Block::RedactedThinking { .. } => "redacted_thinking",
        Block::ToolUse { .. } => "tool_use",
        Block::ToolResult { .. } => "tool_result",
        Block::ToolReference { .. } => "tool_reference",
        Block::ToolAddition { .. } => "tool_addition",
        Block::ToolRemoval { .. } => "tool_removal",
    }
}

fn refused(why: impl Into<String>) -> Invalid {
    Invalid::of("messages", why)
}

/// What is to be told to a model as JSON, where a tool has examples.
pub(super) fn as_text(examples: Vec<Map<String, Value>>) -> String {
    let lines = examples.into_iter().map(|example| Value::Object(example).to_string());
    lines.collect::<Vec<_>>().join("\n")
}
