//! The JSON of conversations, and every check of what comes in. How a model is asked, and what it called, goes back as it came.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use state::conversations::{self, Conversation, Image, Listed, Message, NewConversation, NewMessage};

use super::super::time;
use crate::{
    error::{Error, Invalid},
    identifier, json, media,
};

/// Letters of a conversation's name: so many that no page makes the same twice.
const ID: std::ops::RangeInclusive<usize> = 16..=40;
/// Letters of a message's.
const MESSAGE_ID: std::ops::RangeInclusive<usize> = 1..=64;
/// Characters.
const MOST_TITLE: usize = 200;
const MOST_MODEL: usize = 600;
/// Bytes of all settings.
const MOST_SETTINGS: usize = 256 << 10;
/// Images that browsers show, none of which can hold a script.
const KINDS: [&str; 5] = ["image/png", "image/jpeg", "image/webp", "image/gif", "image/bmp"];
/// With one message.
const MOST_IMAGES: usize = 16;

/// A conversation that is to be begun.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct New {
    id: Option<String>,
    #[serde(default)]
    title: String,
    #[serde(default)]
    model: String,
    #[serde(default)]
    settings: Settings,
}

/// How a model is asked.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    options: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    think: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_alive: Option<Value>,
}

impl New {
    pub(super) fn checked(self) -> Result<NewConversation, Invalid> {
        let Self { id, title, model, settings } = self;
        let id = match id {
            Some(id) => checked_id("id", id, &ID)?,
            None => identifier::fresh("con_"),
        };
        Ok(NewConversation {
            id,
            title: checked_title(title)?,
            model: checked_model(model)?,
            settings: settings.checked()?,
        })
    }
}

impl Settings {
    fn checked(self) -> Result<String, Invalid> {
        if !matches!(self.think, None | Some(Value::Bool(_) | Value::String(_))) {
            return Err(Invalid::of("settings.think", "think must be true, false or a word"));
        }
        if !matches!(self.keep_alive, None | Some(Value::Number(_) | Value::String(_))) {
            return Err(Invalid::of("settings.keep_alive", "keep_alive must be a number or a text as 5m"));
        }
        let text = String::from_utf8_lossy(&json::encode(&self)).into_owned();
        match text.len() <= MOST_SETTINGS {
            true => Ok(text),
            false => {
                let message = format!("settings may take {} KiB at most", MOST_SETTINGS >> 10);
                Err(Invalid::of("settings", message))
            }
        }
    }
}

/// What of a conversation is to be otherwise.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    title: Option<String>,
    model: Option<String>,
    settings: Option<Settings>,
    /// `null` is none.
    #[serde(default, deserialize_with = "said")]
    leaf: Option<Option<String>>,
}

impl Change {
    pub(super) fn checked(self) -> Result<conversations::Change, Invalid> {
        let Self { title, model, settings, leaf } = self;
        Ok(conversations::Change {
            title: title.map(checked_title).transpose()?,
            model: model.map(checked_model).transpose()?,
            settings: settings.map(Settings::checked).transpose()?,
            leaf,
        })
    }
}

/// Tells what is `null` from what is not there.
fn said<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// A message, to be kept.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Said {
    parent: Option<String>,
    role: Role,
    #[serde(default)]
    content: String,
    thinking: Option<String>,
    tool_calls: Option<Vec<Value>>,
    #[serde(default)]
    images: Vec<String>,
    model: Option<String>,
    state: Option<Progress>,
    error: Option<String>,
    ended: Option<Ended>,
    figures: Option<Figures>,
    side: Option<u8>,
    #[serde(default)]
    leaf: bool,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Role {
    User,
    Assistant,
    Tool,
    System,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
            Self::System => "system",
        }
    }
}

/// How far an answer has come, as the page says that makes it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Progress {
    Whole,
    Stopped,
    Failed,
    Answering,
}

/// What a whole answer ended by, if not by itself.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Ended {
    Length,
}

/// How fast it was.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Figures {
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens_per_second: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_token_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_ms: Option<f64>,
}

/// What of a message is kept as one text.
#[derive(Serialize, Deserialize)]
struct Rest {
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<Vec<Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<Progress>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<Ended>,
    #[serde(skip_serializing_if = "Option::is_none")]
    figures: Option<Figures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    side: Option<u8>,
}

impl Said {
    pub(super) fn checked(self, id: String) -> Result<NewMessage, Invalid> {
        #[rustfmt::skip]
        let Self {
            parent, role, content, thinking, tool_calls, images, model, state, error, ended, figures, side, leaf,
        } = self;
        if side.is_some_and(|side| side > 1) {
            return Err(Invalid::of("side", "side must be 0 or 1"));
        }
        if images.len() > MOST_IMAGES {
            let message = format!("a message may have {MOST_IMAGES} images at most");
            return Err(Invalid::of("images", message));
        }
        if tool_calls.iter().flatten().any(|call| !is_call(call)) {
            let message =
                "tool_calls must be objects as {\"function\": {\"name\": \"…\", \"arguments\": {}}} each";
            return Err(Invalid::of("tool_calls", message));
        }
        let model = model.map(checked_model).transpose()?;
        let rest = Rest { thinking, tool_calls, model, state, error, ended, figures, side };
        Ok(NewMessage {
            id: checked_id("message", id, &MESSAGE_ID)?,
            parent,
            role: role.name().into(),
            content,
            body: String::from_utf8_lossy(&json::encode(&rest)).into_owned(),
            images: images.iter().map(|url| image(url)).collect::<Result<_, _>>()?,
            is_leaf: leaf,
        })
    }
}

/// Some conversations.
#[derive(Serialize)]
pub(super) struct Page {
    conversations: Vec<Row>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Serialize)]
struct Row {
    id: String,
    title: String,
    model: String,
    created: String,
    updated: String,
    revision: u64,
    messages: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<String>,
}

impl From<conversations::Page> for Page {
    fn from(page: conversations::Page) -> Self {
        let row = |Listed { conversation, found }| {
            let Conversation { id, title, model, settings: _, leaf: _, created, updated, revision, messages } =
                conversation;
            let (created, updated) = (time::written(created), time::written(updated));
            Row { id, title, model, created, updated, revision, messages, found }
        };
        Self {
            conversations: page.conversations.into_iter().map(row).collect(),
            next: page.next.map(|place| place.to_string()),
        }
    }
}

/// A conversation without its messages.
#[derive(Serialize)]
pub(super) struct Head<'a> {
    id: &'a str,
    title: &'a str,
    model: &'a str,
    settings: Settings,
    leaf: Option<&'a str>,
    created: String,
    updated: String,
    revision: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<u64>,
}

impl<'a> Head<'a> {
    pub(super) fn of(conversation: &'a Conversation) -> Result<Self, Error> {
        Ok(Self {
            id: &conversation.id,
            title: &conversation.title,
            model: &conversation.model,
            settings: serde_json::from_str(&conversation.settings).map_err(Error::Kept)?,
            leaf: conversation.leaf.as_deref(),
            created: time::written(conversation.created),
            updated: time::written(conversation.updated),
            revision: conversation.revision,
            messages: Some(conversation.messages),
        })
    }

    /// The same, where the messages themselves come.
    pub(super) fn without_count(self) -> Self {
        Self { messages: None, ..self }
    }
}

/// A message, as it is told.
#[derive(Serialize)]
pub(super) struct Told {
    id: String,
    parent: Option<String>,
    role: String,
    content: String,
    #[serde(flatten)]
    rest: Rest,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<String>,
    created: String,
}

impl Told {
    pub(super) fn of(message: Message, images: &[Image]) -> Result<Self, Error> {
        let Message { id, parent, role, content, body, created, images: _ } = message;
        let rest = serde_json::from_str(&body).map_err(Error::Kept)?;
        let images = images.iter().map(url).collect();
        Ok(Self { id, parent, role, content, rest, images, created: time::written(created) })
    }
}

fn url(image: &Image) -> String {
    let mut url = format!("data:{};base64,", image.kind);
    STANDARD.encode_string(&image.bytes, &mut url);
    url
}

fn image(url: &str) -> Result<Image, Invalid> {
    let invalid = || {
        let message =
            "images must be data:image/png;base64,… each, of the kinds png, jpeg, webp, gif and bmp";
        Invalid::of("images", message)
    };
    let data = url.strip_prefix("data:").ok_or_else(invalid)?;
    let (kind, text) = data.split_once(";base64,").ok_or_else(invalid)?;
    if !KINDS.contains(&kind) {
        return Err(invalid());
    }
    let bytes = media::from_base64("images", text)?;
    match begins_as(kind, &bytes) {
        true => Ok(Image { kind: kind.into(), bytes }),
        false => Err(Invalid::of("images", format!("an image that is said to be {kind} is something else"))),
    }
}

/// Whether these are a file of this kind, by its first bytes.
fn begins_as(kind: &str, bytes: &[u8]) -> bool {
    match kind {
        "image/png" => bytes.starts_with(b"\x89PNG\r\n\x1a\n"),
        "image/jpeg" => bytes.starts_with(b"\xff\xd8\xff"),
        "image/gif" => bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a"),
        "image/webp" => bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP"),
        "image/bmp" => bytes.starts_with(b"BM"),
        _ => false,
    }
}

/// Whether it is what the page shows of a call, whatever else is told of it.
fn is_call(call: &Value) -> bool {
    call.get("function").and_then(|function| function.get("name")).is_some_and(Value::is_string)
}

fn checked_id(field: &str, id: String, length: &std::ops::RangeInclusive<usize>) -> Result<String, Invalid> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    match length.contains(&id.len()) && id.bytes().all(known) {
        true => Ok(id),
        false => {
            let (least, most) = (length.start(), length.end());
            let message =
                format!("{field} must be {least} to {most} letters, digits, dashes and underscores");
            Err(Invalid::of(field, message))
        }
    }
}

fn checked_title(title: String) -> Result<String, Invalid> {
    short("title", title, MOST_TITLE)
}

fn checked_model(model: String) -> Result<String, Invalid> {
    short("model", model, MOST_MODEL)
}

fn short(field: &str, text: String, most: usize) -> Result<String, Invalid> {
    match text.chars().count() <= most {
        true => Ok(text),
        false => Err(Invalid::of(field, format!("{field} may have {most} characters at most"))),
    }
}
