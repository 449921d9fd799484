//! `/v1/chat/completions`, from what stands on the wire to the vocabulary: every check is here.

use protocol::{Format, Input, Message, Role, Think, ToolCall, ToolChoice, Tools};
use serde_json::Value;

use super::wire::{self, ChatRequest, ImageUrl, Modality, Part, ResponseFormat};
use crate::{
    adapters,
    asked::Asked,
    error::Invalid,
    json::{Harmless, Refused, TextOrList},
    media,
    openai::{
        framing::Framing,
        logprobs,
        sampling::{Sampling, answers, kept_alive, logit_bias, most_tokens},
    },
    tools,
};

/// A body of `/v1/chat/completions`, checked.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) asked: Asked,
    pub(super) framing: Framing,
    /// Answers, each for itself.
    pub(super) answers: u32,
}

impl TryFrom<ChatRequest> for Request {
    type Error = Invalid;

    fn try_from(body: ChatRequest) -> Result<Self, Invalid> {
        // All of them, so that none is forgotten.
        #[rustfmt::skip]
        let ChatRequest {
            model, messages, stream, stream_options, max_tokens, max_completion_tokens, temperature, top_p, seed, stop,
            frequency_penalty, presence_penalty, logit_bias: bias, n, logprobs, top_logprobs, response_format, tools,
            tool_choice, parallel_tool_calls, reasoning_effort, reasoning, modalities, store, top_k, min_p, repeat_penalty,
            options, keep_alive, lora, user: Harmless, safety_identifier: Harmless, metadata: Harmless, service_tier: Harmless,
            prompt_cache_key: Harmless, prompt_cache_options: Harmless, prompt_cache_retention: Harmless, prediction: Harmless,
            verbosity: Harmless, audio: Refused, functions: Refused, function_call: Refused, moderation: Refused,
            web_search_options: Refused,
        } = body;
        only_text(modalities.as_deref())?;
        if store == Some(true) {
            return Err(Invalid::of(
                "store",
                "store: completions are not kept here; use /v1/responses, which are",
            ));
        }
        #[rustfmt::skip]
        let sampling = Sampling {
            temperature, top_p, seed, stop, frequency_penalty, presence_penalty, top_k, min_p, repeat_penalty, options,
        };
        let mut patch = sampling.patch()?;
        patch.num_predict = most_tokens(max_tokens, max_completion_tokens, 1)?.or(patch.num_predict);
        let (messages, media) = conversation(messages)?;
        let effort = reasoning_effort.or(reasoning.and_then(|reasoning| reasoning.effort));
        Ok(Self {
            framing: Framing::of(stream, stream_options)?,
            answers: answers("n", n)?,
            asked: Asked {
                media,
                options: patch,
                logit_bias: logit_bias(bias)?,
                format: response_format.and_then(format),
                tools: offer(tools.unwrap_or_default(), tool_choice, parallel_tool_calls)?,
                think: effort.map_or(Think::Unsaid, Think::from),
                top_logprobs: logprobs::wanted(logprobs, top_logprobs)?,
                adapters: adapters::checked(lora)?,
                keep_alive: kept_alive(keep_alive)?,
                ..Asked::new(model, Input::Chat(messages))
            },
        })
    }
}

/// A conversation that is to be read and not answered.
pub(in crate::openai) fn unanswered(
    model: String,
    messages: Vec<wire::Message>,
    tools: Vec<wire::Tool>,
) -> Result<Asked, Invalid> {
    let (messages, media) = conversation(messages)?;
    let tools = offer(tools, None, None)?;
    Ok(Asked { media, tools, ..Asked::new(model, Input::Chat(messages)) })
}

fn only_text(modalities: Option<&[Modality]>) -> Result<(), Invalid> {
    match modalities {
        Some([]) => Err(Invalid::of("modalities", "modalities must not be empty; it is [\"text\"] here")),
        _ => Ok(()),
    }
}

fn format(format: ResponseFormat) -> Option<Format> {
    match format {
        ResponseFormat::Text {} => None,
        ResponseFormat::JsonObject {} => Some(Format::Json),
        ResponseFormat::JsonSchema { json_schema } => {
            let wire::NamedSchema { schema, name: Harmless, description: Harmless, strict: Harmless } =
                json_schema;
            Some(Format::Schema(Value::Object(schema).to_string()))
        }
    }
}

fn offer(
    offered: Vec<wire::Tool>,
    choice: Option<wire::ToolChoice>,
    parallel: Option<bool>,
) -> Result<Tools, Invalid> {
    let json = |tool: &wire::Tool| serde_json::to_value(tool).unwrap_or_default();
    let mut offered = tools::distinct(offered.iter().map(json).collect())?;
    let choice = match choice {
        None => ToolChoice::Auto,
        Some(wire::ToolChoice::Word(word)) => word.into(),
        Some(wire::ToolChoice::Named(named)) => ToolChoice::Named(named.function.name),
        Some(wire::ToolChoice::Allowed { allowed_tools: allowed }) => {
            let allows = |name: &str| allowed.tools.iter().any(|tool| tool.function.name == name);
            offered.retain(|tool| allows(&tool.name));
            allowed.mode.into()
        }
    };
    let choice = tools::possible(choice, &offered)?;
    Ok(Tools { offered, choice, parallel: parallel.unwrap_or(true) })
}

/// The messages, and the files of all of them.
fn conversation(messages: Vec<wire::Message>) -> Result<(Vec<Message>, Vec<Vec<u8>>), Invalid> {
    if messages.is_empty() {
        return Err(Invalid::of("messages", "[] is too short - 'messages'"));
    }
    let mut media = Vec::new();
    let messages = messages.into_iter().map(|said| message(said, &mut media)).collect::<Result<_, _>>()?;
    Ok((messages, media))
}

fn message(said: wire::Message, media: &mut Vec<Vec<u8>>) -> Result<Message, Invalid> {
    #[rustfmt::skip]
    let wire::Message {
        role, content, name, tool_calls, tool_call_id, reasoning, reasoning_content, refusal, annotations: Harmless,
        audio: Refused, function_call: Refused,
    } = said;
    let before = media.len();
    let content = match content {
        None => refusal.unwrap_or_default(),
        Some(TextOrList::Text(text)) => text,
        Some(TextOrList::List(parts)) => {
            let texts = parts.into_iter().map(|part| content_part(part, media));
            texts.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect::<Vec<_>>().join("\n")
        }
    };
    Ok(Message {
        content,
        media: u32::try_from(media.len() - before).unwrap_or(u32::MAX),
        thinking: reasoning.or(reasoning_content).unwrap_or_default(),
        // Of others, it is the speaker's, of which templates have no say.
        tool_name: name.filter(|_| role == wire::Role::Tool).unwrap_or_default(),
        call_id: tool_call_id.unwrap_or_default(),
        calls: tool_calls.unwrap_or_default().into_iter().map(call).collect::<Result<_, _>>()?,
        ..Message::new(role.into(), "")
    })
}

impl From<wire::Role> for Role {
    fn from(role: wire::Role) -> Self {
        match role {
            wire::Role::Developer | wire::Role::System => Self::System,
            wire::Role::User => Self::User,
            wire::Role::Assistant => Self::Assistant,
            wire::Role::Tool => Self::Tool,
        }
    }
}

fn call(call: wire::PastCall) -> Result<ToolCall, Invalid> {
    let arguments = tools::arguments(call.function.arguments)?;
    Ok(ToolCall { id: call.id.unwrap_or_default(), name: call.function.name, arguments })
}

/// The text of a part; of one that is a file, nothing but the file.
fn content_part(part: Part, files: &mut Vec<Vec<u8>>) -> Result<Option<String>, Invalid> {
    match part {
        Part::Text { text } | Part::Refusal { refusal: text } => return Ok(Some(text)),
        Part::ImageUrl { image_url: ImageUrl::Plain(url) | ImageUrl::Object { url, detail: Harmless } } => {
            files.push(media::image(&url)?);
        }
        Part::InputAudio { input_audio: wire::InputAudio { data, format: Harmless } } => {
            files.push(media::from_base64("messages", &data)?);
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use protocol::ThinkLevel;
    use serde_json::json;

    use super::*;
    use crate::{json, openai::framing::UsageEvent};

    fn chat(extra: Value) -> Result<Request, Invalid> {
        let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
        for (key, value) in extra.as_object().unwrap() {
            body[key] = value.clone();
        }
        json::parse::<ChatRequest>(body.to_string().as_bytes())?.try_into()
    }

    #[test]
    fn a_response_format_is_text_json_or_a_schema() {
        let of = |format| chat(json!({"response_format": format})).unwrap().asked.format;
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
            ("tools", json!([{"type": "function", "function": {"name": ""}}])),
            ("tools[0].function", json!([{"type": "function", "function": {}}])),
            ("tool_choice", json!("required")),
            ("tool_choice", json!("perhaps")),
            ("reasoning_effort", json!("hard")),
            ("top_logprobs", json!(3)),
            ("response_format.type", json!({"type": "xml"})),
            ("response_format", json!({"type": "json_schema", "json_schema": {"name": "x"}})),
            ("logit_bias", json!({"five": 1})),
            ("store", json!(true)),
            ("audio", json!({"voice": "alloy"})),
            ("web_search_options", json!({})),
            ("response_format", json!({"type": "json_object", "schema": {}})),
            ("reasoning.max_tokens", json!({"max_tokens": 3})),
            ("stream_options", json!({"include_usage": true})),
            ("modalities[0]", json!(["audio"])),
            ("warmth", json!(9)),
        ] {
            let refused = chat(json!({field.split(['[', '.']).next().unwrap(): value})).unwrap_err();
            assert_eq!(refused.field.as_deref(), Some(field), "{refused:?}");
        }
        let nothing =
            json!({"n": 1, "tools": [], "response_format": {"type": "text"}, "audio": null, "store": false});
        assert!(chat(nothing).is_ok());
    }

    #[test]
    fn what_makes_no_difference_is_taken() {
        let harmless =
            json!({"user": "me", "service_tier": "flex", "metadata": {"a": "b"}, "verbosity": "low"});
        assert_eq!(chat(harmless).unwrap().asked, chat(json!({})).unwrap().asked);
    }

    #[test]
    fn several_answers_their_likelihoods_and_how_hard_to_think_are_asked_for() {
        let request =
            chat(json!({"n": 3, "logprobs": true, "top_logprobs": 2, "reasoning_effort": "minimal"}));
        let request = request.unwrap();
        assert_eq!((request.answers, request.asked.top_logprobs), (3, Some(2)));
        assert_eq!(request.asked.think, Think::Level(ThinkLevel::Low));
        assert_eq!(chat(json!({"reasoning": {"effort": "none"}})).unwrap().asked.think, Think::Off);
    }

    #[test]
    fn a_conversation_must_not_be_empty() {
        let refused = chat(json!({"messages": []})).unwrap_err();
        assert_eq!(refused.message, "[] is too short - 'messages'");
    }

    #[test]
    fn only_the_tools_that_are_allowed_are_offered() {
        let named = |name: &str| json!({"type": "function", "function": {"name": name}});
        let allowed = json!({"mode": "required", "tools": [named("then")]});
        let choice = json!({"type": "allowed_tools", "allowed_tools": allowed});
        let tools =
            chat(json!({"tools": [named("now"), named("then")], "tool_choice": choice})).unwrap().asked.tools;
        assert_eq!((tools.offered.len(), &tools.offered[0].name[..]), (1, "then"));
        assert_eq!(tools.choice, ToolChoice::Required);
    }

    #[test]
    fn text_parts_are_joined_and_images_go_with_them() {
        let parts = json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]);
        let request = chat(json!({"messages": [{"role": "developer", "content": parts}]})).unwrap();
        assert_eq!(request.asked.input, Input::Chat(vec![Message::new(Role::System, "a\nb")]));

        let image = json!([{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "data:;base64,aGk="}}]);
        let request = chat(json!({"messages": [{"role": "user", "content": image}]})).unwrap();
        let message = Message { media: 1, ..Message::new(Role::User, "a") };
        assert_eq!(request.asked.input, Input::Chat(vec![message]));
        assert_eq!(request.asked.media, [b"hi"]);
        let file = json!([{"type": "file", "file": {}}]);
        let refused = chat(json!({"messages": [{"role": "user", "content": file}]})).unwrap_err();
        assert!(refused.message.contains("unknown variant `file`"), "{refused:?}");
    }

    #[test]
    fn usage_is_sent_where_it_is_asked_for() {
        let request = chat(json!({"stream": true, "stream_options": {"include_usage": true}})).unwrap();
        assert_eq!(request.framing, Framing::Events(UsageEvent::Sent));
        assert_eq!(chat(json!({})).unwrap().framing, Framing::Whole);
    }
}
