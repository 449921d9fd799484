//! This family's requests, from JSON to the vocabulary.

use protocol::{Format, Message, OptionPatch};
use serde_json::{Value, json};

use crate::{
    error::Invalid,
    go_json::{self, Fields},
};

/// A body of `/v1/chat/completions`, checked.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) model: String,
    pub(super) framing: Framing,
    pub(super) options: OptionPatch,
    pub(super) messages: Vec<Message>,
    pub(super) format: Option<Format>,
}

/// How the answer is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// One object at the end.
    Whole,
    /// An event for each piece.
    Events(UsageEvent),
}

/// Whether a stream ends with the tokens used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UsageEvent {
    Sent,
    LeftOut,
}

const NOT_YET: &[&str] = &["tools", "logprobs", "logit_bias", "_debug_render_only"];
const MAX_STOPS: usize = 16;

impl Request {
    pub(super) fn chat(mut fields: Fields) -> Result<Self, Invalid> {
        for field in NOT_YET {
            fields.refuse(field)?;
        }
        check_single(&mut fields)?;
        let format = response_format(&mut fields)?;
        check_reasoning(&mut fields)?;
        let messages = fields.objects("messages", "Message")?;
        if messages.is_empty() {
            return Err(Invalid::of("messages", "[] is too short - 'messages'"));
        }
        Ok(Self {
            model: fields.text("model")?.ok_or_else(|| Invalid::of("model", "model is required"))?,
            framing: framing(&mut fields)?,
            options: options(&mut fields)?,
            format,
            messages: messages.into_iter().map(message).collect::<Result<_, _>>()?,
        })
    }
}

fn check_single(fields: &mut Fields) -> Result<(), Invalid> {
    match fields.integer("n")? {
        None | Some(1) => Ok(()),
        Some(_) => Err(Invalid::of("n", "n other than 1 is not supported yet")),
    }
}

fn response_format(fields: &mut Fields) -> Result<Option<Format>, Invalid> {
    let Some(format) = fields.take("response_format") else { return Ok(None) };
    let refused = |why: &str| Err(Invalid::of("response_format", why));
    match format.get("type").and_then(Value::as_str) {
        Some("text") => Ok(None),
        Some("json_object") => Ok(Some(Format::Json)),
        Some("json_schema") => match format.get("json_schema").and_then(|named| named.get("schema")) {
            Some(schema @ Value::Object(_)) => Ok(Some(Format::Schema(schema.to_string()))),
            _ => refused("response_format.json_schema.schema must be a JSON Schema object"),
        },
        _ => refused("response_format.type must be one of text, json_object and json_schema"),
    }
}

fn check_reasoning(fields: &mut Fields) -> Result<(), Invalid> {
    let nested = fields.take("reasoning").and_then(|reasoning| reasoning.get("effort").cloned());
    match fields.take("reasoning_effort").or(nested) {
        None | Some(Value::Null) => Ok(()),
        Some(effort) if effort == "none" => Ok(()),
        Some(_) => Err(Invalid::unsupported("reasoning_effort")),
    }
}

fn framing(fields: &mut Fields) -> Result<Framing, Invalid> {
    let usage = match fields.take("stream_options") {
        None => None,
        Some(options) => Fields::of("StreamOptions", options)?.flag("include_usage")?,
    };
    Ok(match (fields.flag("stream")?, usage) {
        (Some(true), Some(true)) => Framing::Events(UsageEvent::Sent),
        (Some(true), _) => Framing::Events(UsageEvent::LeftOut),
        _ => Framing::Whole,
    })
}

fn options(fields: &mut Fields) -> Result<OptionPatch, Invalid> {
    let mut patch = OptionPatch::default();
    // OpenAI's own defaults; they win over the Modelfile's, as in Ollama.
    for name in ["temperature", "top_p"] {
        patch.set(name, &fields.take(name).unwrap_or_else(|| json!(1.0)))?;
    }
    for name in ["seed", "frequency_penalty", "presence_penalty"] {
        if let Some(value) = fields.take(name) {
            patch.set(name, &value)?;
        }
    }
    if let Some(stop) = fields.take("stop") {
        patch.set("stop", &stop)?;
        if patch.stop.as_ref().is_some_and(|stops| stops.len() > MAX_STOPS) {
            return Err(Invalid::of("stop", format!("stop has more than {MAX_STOPS} strings")));
        }
    }
    patch.num_predict = max_tokens(fields)?;
    Ok(patch)
}

/// The newer name wins.
fn max_tokens(fields: &mut Fields) -> Result<Option<i64>, Invalid> {
    let mut tokens = None;
    for name in ["max_tokens", "max_completion_tokens"] {
        let asked = fields.integer(name)?;
        if asked.is_some_and(|tokens| tokens < 1) {
            return Err(Invalid::of(name, format!("{name} must be at least 1")));
        }
        tokens = asked.or(tokens);
    }
    Ok(tokens)
}

fn message(mut fields: Fields) -> Result<Message, Invalid> {
    fields.refuse("tool_calls")?;
    let role = go_json::role(&fields.text("role")?.unwrap_or_default())?;
    let content = match fields.take("content") {
        None => String::new(),
        Some(Value::String(text)) => text,
        Some(Value::Array(parts)) => {
            parts.into_iter().map(text_part).collect::<Result<Vec<_>, _>>()?.join("\n")
        }
        Some(other) => return Err(fields.mismatch("content", &other, "string")),
    };
    Ok(Message { role, content })
}

fn text_part(part: Value) -> Result<String, Invalid> {
    let mut part = Fields::of("ContentPart", part)?;
    match part.text("type")?.as_deref() {
        Some("text") => Ok(part.text("text")?.unwrap_or_default()),
        Some(kind) => Err(Invalid::of("messages", format!("content of type {kind} is not supported yet"))),
        None => Err(Invalid::of("messages", "a part of content needs a type")),
    }
}

#[cfg(test)]
mod tests {
    use protocol::Role;

    use super::*;

    fn chat(extra: Value) -> Result<Request, Invalid> {
        let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
        for (key, value) in extra.as_object().unwrap() {
            body[key] = value.clone();
        }
        Request::chat(Fields::of("ChatCompletionRequest", body).unwrap())
    }

    #[test]
    fn absent_temperatures_are_openais() {
        let options = chat(json!({})).unwrap().options;
        assert_eq!((options.temperature, options.top_p, options.num_predict), (Some(1.0), Some(1.0), None));
    }

    #[test]
    fn the_newer_name_of_the_limit_wins() {
        let options = chat(json!({"max_tokens": 5, "max_completion_tokens": 7})).unwrap().options;
        assert_eq!(options.num_predict, Some(7));
    }

    #[test]
    fn a_response_format_is_text_json_or_a_schema() {
        let of = |format| chat(json!({"response_format": format})).unwrap().format;
        assert_eq!(of(json!({"type": "text"})), None);
        assert_eq!(of(json!({"type": "json_object"})), Some(Format::Json));
        let named =
            json!({"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}});
        assert_eq!(of(named), Some(Format::Schema(r#"{"type":"object"}"#.into())));
    }

    #[test]
    fn what_is_not_built_is_refused_by_name() {
        for (field, value) in [
            ("n", json!(2)),
            ("tools", json!([{"type": "function"}])),
            ("response_format", json!({"type": "xml"})),
            ("response_format", json!({"type": "json_schema", "json_schema": {"name": "x"}})),
            ("logprobs", json!(true)),
            ("logit_bias", json!({"5": 1})),
        ] {
            assert_eq!(chat(json!({field: value})).unwrap_err().field.as_deref(), Some(field));
        }
        assert!(chat(json!({"n": 1, "tools": [], "response_format": {"type": "text"}})).is_ok());
    }

    #[test]
    fn a_conversation_must_not_be_empty() {
        let refused = chat(json!({"messages": []})).unwrap_err();
        assert_eq!(refused.message, "[] is too short - 'messages'");
    }

    #[test]
    fn text_parts_are_joined_and_images_refused() {
        let parts = json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]);
        let request = chat(json!({"messages": [{"role": "developer", "content": parts}]})).unwrap();
        assert_eq!(request.messages, [Message { role: Role::System, content: "a\nb".into() }]);

        let image = json!([{"type": "image_url", "image_url": {"url": "data:,"}}]);
        let refused = chat(json!({"messages": [{"role": "user", "content": image}]})).unwrap_err();
        assert_eq!(refused.message, "content of type image_url is not supported yet");
    }

    #[test]
    fn usage_is_sent_where_it_is_asked_for() {
        let request = chat(json!({"stream": true, "stream_options": {"include_usage": true}})).unwrap();
        assert_eq!(request.framing, Framing::Events(UsageEvent::Sent));
        assert_eq!(chat(json!({})).unwrap().framing, Framing::Whole);
    }
}
