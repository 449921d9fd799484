//! Go's values for a conversation, and values as Go writes them. What is a struct in Ollama is a map here that remembers
//! which one, so that its JSON has the right names in the right order.

use std::collections::BTreeMap;
use std::sync::Arc;

use gotmpl::Value;
use protocol::Role;
use serde_json::{Map, Value as Json};

use super::conversation::{Conversation, ToolCall, Turn};

/// `.Messages` and what goes with them.
pub(super) fn messages(conversation: &Conversation) -> Value {
    let turns = conversation.collated().into_iter().map(message);
    record([
        ("System", text_value(&conversation.system())),
        ("Messages", list(turns)),
        ("Tools", list(conversation.tools.iter().map(tool))),
        ("Response", text_value("")),
        ("Think", Value::Bool(conversation.think)),
        ("ThinkLevel", text_value(&conversation.think_level)),
        ("IsThinkSet", Value::Bool(conversation.is_think_set)),
    ])
}

/// `.Prompt` and `.Suffix`, with the answer to go between.
pub(super) fn infill(conversation: &Conversation) -> Value {
    let user = conversation.messages.iter().rev().find(|message| message.role == Role::User);
    let turn = LegacyTurn {
        system: Some(conversation.system()),
        prompt: user.map(|message| message.content.clone()),
        response: None,
    };
    turn.values(conversation)
}

/// What a template without `.Messages` sees of a turn.
#[derive(Default)]
pub(super) struct LegacyTurn {
    pub(super) system: Option<String>,
    pub(super) prompt: Option<String>,
    pub(super) response: Option<String>,
}

impl LegacyTurn {
    pub(super) fn values(self, conversation: &Conversation) -> Value {
        let said = |text: Option<String>| text_value(&text.unwrap_or_default());
        record([
            ("System", said(self.system)),
            ("Prompt", said(self.prompt)),
            ("Response", said(self.response)),
            ("Suffix", text_value(&conversation.suffix)),
            ("Think", Value::Bool(conversation.think)),
            ("ThinkLevel", text_value(&conversation.think_level)),
            ("IsThinkSet", Value::Bool(conversation.is_think_set)),
        ])
    }
}

/// A field of a struct: its name in templates, its name in JSON.
type Field = (&'static str, &'static str, Absence);

/// What JSON says of a field that has nothing in it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Absence {
    Shown,
    Hidden,
}
use Absence::{Hidden, Shown};

/// Ollama's structs.
#[derive(Clone, Copy)]
enum Struct {
    Message,
    ToolCall,
    Called,
    Tool,
    Function,
    Parameters,
    Property,
}

impl Struct {
    const ALL: [Self; 7] = [
        Self::Message,
        Self::ToolCall,
        Self::Called,
        Self::Tool,
        Self::Function,
        Self::Parameters,
        Self::Property,
    ];

    fn fields(self) -> &'static [Field] {
        match self {
            Self::Message => &[
                ("Role", "role", Shown),
                ("Content", "content", Shown),
                ("Thinking", "thinking", Hidden),
                ("Images", "images", Hidden),
                ("ToolCalls", "tool_calls", Hidden),
                ("ToolName", "tool_name", Hidden),
                ("ToolCallID", "tool_call_id", Hidden),
            ],
            Self::ToolCall => &[("ID", "id", Hidden), ("Function", "function", Shown)],
            Self::Called => {
                &[("Index", "index", Hidden), ("Name", "name", Shown), ("Arguments", "arguments", Shown)]
            }
            Self::Tool => {
                &[("Type", "type", Shown), ("Items", "items", Hidden), ("Function", "function", Shown)]
            }
            Self::Function => &[
                ("Name", "name", Shown),
                ("Description", "description", Hidden),
                ("Parameters", "parameters", Shown),
            ],
            Self::Parameters => &[
                ("Type", "type", Shown),
                ("Defs", "$defs", Hidden),
                ("Items", "items", Hidden),
                ("Required", "required", Hidden),
                ("Properties", "properties", Shown),
            ],
            Self::Property => &[
                ("AnyOf", "anyOf", Hidden),
                ("Type", "type", Hidden),
                ("Items", "items", Hidden),
                ("Description", "description", Hidden),
                ("Enum", "enum", Hidden),
                ("Properties", "properties", Hidden),
                ("Required", "required", Hidden),
            ],
        }
    }
}

/// Where a map remembers its place in [`Struct::ALL`]. No template can name it, and no key of a request is let through.
const STRUCT: &str = "\0";

fn message(turn: Turn) -> Value {
    structure(
        Struct::Message,
        [
            ("Role", text_value(turn.role.as_str())),
            ("Content", text_value(&turn.content)),
            ("Thinking", text_value(&turn.thinking)),
            ("Images", list([])),
            ("ToolCalls", list(turn.tool_calls.into_iter().map(tool_call))),
            ("ToolName", text_value(&turn.tool_name)),
            ("ToolCallID", text_value(&turn.tool_call_id)),
        ],
    )
}

fn tool_call(call: ToolCall) -> Value {
    let called = structure(
        Struct::Called,
        [
            ("Index", Value::Int(i64::try_from(call.index).unwrap_or(0))),
            ("Name", text_value(&call.name)),
            ("Arguments", dictionary(&call.arguments, any)),
        ],
    );
    structure(Struct::ToolCall, [("ID", text_value(&call.id)), ("Function", called)])
}

fn tool(json: &Json) -> Value {
    let function = &json["function"];
    let parameters = &function["parameters"];
    let parameters = structure(
        Struct::Parameters,
        [
            ("Type", text_of(parameters, "type")),
            ("Defs", any(&parameters["$defs"])),
            ("Items", any(&parameters["items"])),
            ("Required", any_list(&parameters["required"])),
            ("Properties", properties(&parameters["properties"])),
        ],
    );
    let function = structure(
        Struct::Function,
        [
            ("Name", text_of(function, "name")),
            ("Description", text_of(function, "description")),
            ("Parameters", parameters),
        ],
    );
    structure(
        Struct::Tool,
        [("Type", text_of(json, "type")), ("Items", any(&json["items"])), ("Function", function)],
    )
}

fn properties(json: &Json) -> Value {
    json.as_object().map_or_else(|| record([]), |object| dictionary(object, property))
}

fn property(json: &Json) -> Value {
    let kind = match &json["type"] {
        Json::Array(kinds) if kinds.len() == 1 => any(&kinds[0]),
        Json::Null => text_value(""),
        other => any(other),
    };
    let any_of = json["anyOf"].as_array().into_iter().flatten().map(property);
    structure(
        Struct::Property,
        [
            ("AnyOf", list(any_of)),
            ("Type", kind),
            ("Items", any(&json["items"])),
            ("Description", text_of(json, "description")),
            ("Enum", any_list(&json["enum"])),
            ("Properties", properties(&json["properties"])),
            ("Required", any_list(&json["required"])),
        ],
    )
}

fn any(json: &Json) -> Value {
    match json {
        Json::Null => Value::Nil,
        Json::Bool(yes) => Value::Bool(*yes),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(integer), _) => Value::Int(integer),
            (None, Some(integer)) => Value::Uint(integer),
            (None, None) => Value::Float(number.as_f64().unwrap_or_default()),
        },
        Json::String(text) => text_value(text),
        Json::Array(items) => list(items.iter().map(any)),
        Json::Object(object) => dictionary(object, any),
    }
}

fn any_list(json: &Json) -> Value {
    list(json.as_array().into_iter().flatten().map(any))
}

fn text_of(json: &Json, key: &str) -> Value {
    text_value(json[key].as_str().unwrap_or_default())
}

pub(super) fn text_value(text: &str) -> Value {
    Value::String(text.into())
}

fn list(items: impl IntoIterator<Item = Value>) -> Value {
    Value::List(items.into_iter().collect())
}

fn dictionary(object: &Map<String, Json>, value: fn(&Json) -> Value) -> Value {
    let entries = object.iter().filter(|(key, _)| !key.starts_with(STRUCT));
    Value::Map(Arc::new(entries.map(|(key, json)| (Arc::from(key.as_str()), value(json))).collect()))
}

fn record<const N: usize>(fields: [(&str, Value); N]) -> Value {
    let entries: BTreeMap<Arc<str>, Value> =
        fields.into_iter().map(|(name, value)| (name.into(), value)).collect();
    Value::Map(Arc::new(entries))
}

fn structure<const N: usize>(of: Struct, fields: [(&str, Value); N]) -> Value {
    let mut entries: BTreeMap<Arc<str>, Value> =
        fields.into_iter().map(|(name, value)| (name.into(), value)).collect();
    entries.insert(STRUCT.into(), Value::Uint(of as u64));
    Value::Map(Arc::new(entries))
}

/// A value as an action prints it: nothing for what is not there, JSON for what has parts with names.
pub(super) fn text(value: &Value) -> Arc<str> {
    match value {
        Value::Nil => "".into(),
        Value::String(text) => Arc::clone(text),
        Value::Map(_) => json(value).into(),
        Value::List(items) if items.iter().any(|item| matches!(item, Value::Map(_))) => json(value).into(),
        Value::List(items) => {
            let items: Vec<Arc<str>> = items.iter().map(text).collect();
            format!("[{}]", items.join(" ")).into()
        }
        other => other.to_string().into(),
    }
}

/// A value as Go's `json.Marshal` writes it, which keeps HTML out.
pub(super) fn json(value: &Value) -> String {
    let plain = to_json(value).to_string();
    if !plain.contains(['<', '>', '&', '\u{2028}', '\u{2029}']) {
        return plain;
    }
    // These stand only within strings.
    let mut escaped = String::with_capacity(plain.len());
    for character in plain.chars() {
        match character {
            '<' => escaped.push_str("\\u003c"),
            '>' => escaped.push_str("\\u003e"),
            '&' => escaped.push_str("\\u0026"),
            '\u{2028}' => escaped.push_str("\\u2028"),
            '\u{2029}' => escaped.push_str("\\u2029"),
            other => escaped.push(other),
        }
    }
    escaped
}

fn to_json(value: &Value) -> Json {
    match value {
        Value::Nil | Value::Function(_) => Json::Null,
        Value::Bool(yes) => (*yes).into(),
        Value::Int(number) => (*number).into(),
        Value::Uint(number) => (*number).into(),
        Value::Float(number) => (*number).into(),
        Value::String(text) => (&**text).into(),
        Value::List(items) => items.iter().map(to_json).collect(),
        Value::Map(entries) => match fields_of(entries) {
            Some(fields) => Json::Object(struct_json(fields, entries)),
            None => entries.iter().map(|(key, value)| (key.to_string(), to_json(value))).collect(),
        },
    }
}

fn fields_of(entries: &BTreeMap<Arc<str>, Value>) -> Option<&'static [Field]> {
    match entries.get(STRUCT)? {
        Value::Uint(place) => Some(Struct::ALL.get(usize::try_from(*place).ok()?)?.fields()),
        _ => None,
    }
}

fn struct_json(fields: &[Field], entries: &BTreeMap<Arc<str>, Value>) -> Map<String, Json> {
    let mut object = Map::new();
    for (name, json_name, absence) in fields {
        let value = entries.get(*name).unwrap_or(&Value::Nil);
        if *absence == Shown || value.is_truthy() {
            object.insert((*json_name).into(), to_json(value));
        }
    }
    object
}
