//! This family's requests, from JSON to the vocabulary.

use protocol::{AdapterScale, Format, Message, OptionPatch, Think, ThinkLevel, Tools};
use serde_json::{Value, json};

use crate::{
    adapters,
    error::Invalid,
    go_json::{self, Fields},
    media, tools,
};

/// A body of `/v1/chat/completions`, checked.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) model: String,
    pub(super) framing: Framing,
    pub(super) options: OptionPatch,
    pub(super) messages: Vec<Message>,
    pub(super) format: Option<Format>,
    pub(super) tools: Tools,
    pub(super) think: Think,
    pub(super) top_logprobs: Option<u32>,
    pub(super) adapters: Option<Vec<AdapterScale>>,
    /// Of all messages, in their order.
    pub(super) media: Vec<Vec<u8>>,
    /// Answers, each for itself.
    pub(super) answers: u32,
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

const NOT_YET: &[&str] = &["logit_bias", "_debug_render_only"];
const MAX_STOPS: usize = 16;

/// OpenAI's own.
const MOST_ANSWERS: u32 = 128;

impl Request {
    pub(super) fn chat(mut fields: Fields) -> Result<Self, Invalid> {
        for field in NOT_YET {
            fields.refuse(field)?;
        }
        let answers = answers(&mut fields)?;
        let format = response_format(&mut fields)?;
        let offered = tools::offered(&mut fields)?;
        let choice = tools::choice(&mut fields, &offered)?;
        let parallel = fields.flag("parallel_tool_calls")?.unwrap_or(true);
        let messages = fields.objects("messages", "Message")?;
        if messages.is_empty() {
            return Err(Invalid::of("messages", "[] is too short - 'messages'"));
        }
        let mut media = Vec::new();
        let messages =
            messages.into_iter().map(|fields| message(fields, &mut media)).collect::<Result<_, _>>()?;
        Ok(Self {
            model: fields.text("model")?.ok_or_else(|| Invalid::of("model", "model is required"))?,
            framing: framing(&mut fields)?,
            options: options(&mut fields)?,
            format,
            tools: Tools { offered, choice, parallel },
            think: think(&mut fields)?,
            top_logprobs: top_logprobs(&mut fields)?,
            adapters: adapters::scales(&mut fields)?,
            answers,
            messages,
            media,
        })
    }
}

fn answers(fields: &mut Fields) -> Result<u32, Invalid> {
    match fields.integer("n")?.map(u32::try_from) {
        None => Ok(1),
        Some(Ok(answers)) if (1..=MOST_ANSWERS).contains(&answers) => Ok(answers),
        Some(_) => Err(Invalid::of("n", format!("n must be from 1 to {MOST_ANSWERS}"))),
    }
}

fn top_logprobs(fields: &mut Fields) -> Result<Option<u32>, Invalid> {
    let wanted = fields.flag("logprobs")?.unwrap_or(false);
    let top = fields.integer("top_logprobs")?;
    match u32::try_from(top.unwrap_or(0)) {
        _ if top.is_some() && !wanted => {
            Err(Invalid::of("top_logprobs", "top_logprobs needs logprobs to be true"))
        }
        Ok(top) if top <= go_json::MOST_LOGPROBS => Ok(wanted.then_some(top)),
        _ => Err(Invalid::of("top_logprobs", "top_logprobs must be between 0 and 20")),
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

fn think(fields: &mut Fields) -> Result<Think, Invalid> {
    let nested = fields.take("reasoning").and_then(|reasoning| reasoning.get("effort").cloned());
    let Some(effort) = fields.take("reasoning_effort").or(nested).filter(|effort| !effort.is_null()) else {
        return Ok(Think::Unsaid);
    };
    Ok(match effort.as_str() {
        Some("none") => Think::Off,
        Some("minimal" | "low") => Think::Level(ThinkLevel::Low),
        Some("medium") => Think::Level(ThinkLevel::Medium),
        Some("high") => Think::Level(ThinkLevel::High),
        Some("xhigh" | "ultra" | "max") => Think::Level(ThinkLevel::Max),
        _ => {
            let levels = "must be \"high\", \"medium\", \"low\", \"max\", or \"none\"";
            return Err(Invalid::of(
                "reasoning_effort",
                format!("invalid reasoning value: {effort} ({levels})"),
            ));
        }
    })
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

fn message(mut fields: Fields, media: &mut Vec<Vec<u8>>) -> Result<Message, Invalid> {
    let before = media.len();
    let role = go_json::role(&fields.text("role")?.unwrap_or_default())?;
    let content = match fields.take("content") {
        None => String::new(),
        Some(Value::String(text)) => text,
        Some(Value::Array(parts)) => {
            let texts =
                parts.into_iter().map(|part| content_part(part, media)).collect::<Result<Vec<_>, _>>()?;
            texts.into_iter().flatten().collect::<Vec<_>>().join("\n")
        }
        Some(other) => return Err(fields.mismatch("content", &other, "string")),
    };
    let mut text = |field| fields.text(field).map(Option::unwrap_or_default);
    let thinking = match text("reasoning")? {
        thinking if thinking.is_empty() => text("reasoning_content")?,
        thinking => thinking,
    };
    Ok(Message {
        content,
        media: u32::try_from(media.len() - before).unwrap_or(u32::MAX),
        thinking,
        tool_name: text("name")?,
        call_id: text("tool_call_id")?,
        calls: tools::called(&mut fields)?,
        ..Message::new(role, "")
    })
}

/// The text of a part; of one that is a file, nothing but the file.
fn content_part(part: Value, files: &mut Vec<Vec<u8>>) -> Result<Option<String>, Invalid> {
    let mut part = Fields::of("ContentPart", part)?;
    let wrong = |why: String| Err(Invalid::of("messages", why));
    match part.text("type")?.as_deref() {
        Some("text") => return Ok(Some(part.text("text")?.unwrap_or_default())),
        Some("image_url") => files.push(media::image(&part.take("image_url").unwrap_or_default())?),
        Some("input_audio") => files.push(media::recording(&part.take("input_audio").unwrap_or_default())?),
        Some(kind) => return wrong(format!("content of type {kind} is not supported yet")),
        None => return wrong("a part of content needs a type".into()),
    }
    Ok(None)
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
    fn what_cannot_be_is_refused_by_name() {
        for (field, value) in [
            ("n", json!(0)),
            ("tools", json!([{"type": "function"}])),
            ("tool_choice", json!("required")),
            ("reasoning_effort", json!("hard")),
            ("top_logprobs", json!(3)),
            ("response_format", json!({"type": "xml"})),
            ("response_format", json!({"type": "json_schema", "json_schema": {"name": "x"}})),
            ("logit_bias", json!({"5": 1})),
        ] {
            assert_eq!(chat(json!({field: value})).unwrap_err().field.as_deref(), Some(field));
        }
        assert!(chat(json!({"n": 1, "tools": [], "response_format": {"type": "text"}})).is_ok());
    }

    #[test]
    fn several_answers_their_likelihoods_and_how_hard_to_think_are_asked_for() {
        let request =
            chat(json!({"n": 3, "logprobs": true, "top_logprobs": 2, "reasoning_effort": "minimal"}));
        let request = request.unwrap();
        assert_eq!((request.answers, request.top_logprobs), (3, Some(2)));
        assert_eq!(request.think, Think::Level(ThinkLevel::Low));
        assert_eq!(chat(json!({"reasoning": {"effort": "none"}})).unwrap().think, Think::Off);
    }

    #[test]
    fn a_conversation_must_not_be_empty() {
        let refused = chat(json!({"messages": []})).unwrap_err();
        assert_eq!(refused.message, "[] is too short - 'messages'");
    }

    #[test]
    fn text_parts_are_joined_and_images_go_with_them() {
        let parts = json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]);
        let request = chat(json!({"messages": [{"role": "developer", "content": parts}]})).unwrap();
        assert_eq!(request.messages, [Message::new(Role::System, "a\nb")]);

        let image = json!([{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "data:;base64,aGk="}}]);
        let request = chat(json!({"messages": [{"role": "user", "content": image}]})).unwrap();
        assert_eq!((request.messages[0].media, &request.messages[0].content[..]), (1, "a"));
        assert_eq!(request.media, [b"hi"]);
        let file = json!([{"type": "file", "file": {}}]);
        let refused = chat(json!({"messages": [{"role": "user", "content": file}]})).unwrap_err();
        assert_eq!(refused.message, "content of type file is not supported yet");
    }

    #[test]
    fn usage_is_sent_where_it_is_asked_for() {
        let request = chat(json!({"stream": true, "stream_options": {"include_usage": true}})).unwrap();
        assert_eq!(request.framing, Framing::Events(UsageEvent::Sent));
        assert_eq!(chat(json!({})).unwrap().framing, Framing::Whole);
    }
}
