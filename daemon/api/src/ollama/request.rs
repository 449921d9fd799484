//! This family's requests, from JSON to the vocabulary. What a request means for a model is decided here; running it is
//! not.

use std::sync::Arc;

use protocol::{
    AdapterScale, Format, Generate, Input, Media, Message, OptionPatch, Options, Overflow, Role, Think,
    ThinkLevel, Tools,
};
use scheduler::KeepAlive;
use serde_json::Value;
use store::Model;

use crate::{
    adapters,
    conversation::{Layers, conversation},
    error::Invalid,
    go_json::{self, Fields},
    keep_alive, media, tools,
};

/// A body of `/api/generate` or `/api/chat`, checked.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) model: String,
    pub(super) framing: Framing,
    pub(super) keep_alive: Option<KeepAlive>,
    pub(super) options: OptionPatch,
    pub(super) task: Task,
    pub(super) purpose: Purpose,
    template: Option<String>,
    overflow: Overflow,
    shift: bool,
    format: Option<Format>,
    tools: Tools,
    think: Think,
    top_logprobs: Option<u32>,
    adapters: Option<Vec<AdapterScale>>,
    /// Of all messages, in their order.
    media: Vec<Vec<u8>>,
}

/// How the answer is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// A line for each piece.
    Lines,
    /// One object at the end.
    Whole,
}

/// What a request wants of its model.
#[derive(Debug, PartialEq)]
pub(super) enum Task {
    /// Nothing to read: only have it in memory.
    Load,
    /// Nothing to read, and not to be kept.
    Unload,
    /// A prompt that is read as it stands.
    Raw(String),
    /// A prompt that becomes a user's turn.
    Prompt { prompt: String, system: Option<String>, context: Option<Vec<i32>> },
    /// A gap to be filled.
    Infill { prefix: String, suffix: String, system: Option<String> },
    /// A conversation.
    Chat(Vec<Message>),
}

/// Of models that make pictures, which cannot be had.
const OF_PICTURES: &[&str] = &["width", "height", "steps"];

/// Whether a prompt is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Answer,
    /// It is told as the model would read it, and not answered.
    Render,
}

impl Request {
    /// A body of `/api/generate`.
    pub(super) fn generate(mut fields: Fields) -> Result<Self, Invalid> {
        for field in OF_PICTURES {
            fields.refuse(field)?;
        }
        let raw = fields.flag("raw")?.unwrap_or(false);
        let template = fields.text("template")?;
        let system = fields.text("system")?;
        let context = fields.tokens("context")?.filter(|context| !context.is_empty());
        if raw && (template.is_some() || system.is_some() || context.is_some()) {
            return Err(Invalid::new("raw mode does not support template, system, or context"));
        }
        let (prompt, suffix) = (fields.text("prompt")?, fields.text("suffix")?);
        let media = images(&mut fields)?;
        let request = Self::shared(&mut fields, media, |keep_alive| match (prompt, suffix) {
            (None, None) => Task::idle(keep_alive),
            (Some(prompt), _) if raw => Task::Raw(prompt),
            (prefix, Some(suffix)) => Task::Infill { prefix: prefix.unwrap_or_default(), suffix, system },
            (Some(prompt), None) => Task::Prompt { prompt, system, context },
        })?;
        fields.finish();
        Ok(Self { template, ..request })
    }

    /// A body of `/api/chat`.
    pub(super) fn chat(mut fields: Fields) -> Result<Self, Invalid> {
        let (messages, media) = messages(&mut fields)?;
        let offered = tools::offered(&mut fields)?;
        let choice = tools::choice(&mut fields, &offered)?;
        let request = Self::shared(&mut fields, media, |keep_alive| match messages.is_empty() {
            true => Task::idle(keep_alive),
            false => Task::Chat(messages),
        })?;
        if request.model.is_empty() {
            return Err(Invalid::of("model", "model is required"));
        }
        fields.finish();
        // Ollama has no say in how many: as many calls as the model makes.
        Ok(Self { tools: Tools { offered, choice, parallel: true }, ..request })
    }

    fn shared(
        fields: &mut Fields,
        media: Vec<Vec<u8>>,
        task: impl FnOnce(Option<&KeepAlive>) -> Task,
    ) -> Result<Self, Invalid> {
        let keep_alive = fields.take("keep_alive").as_ref().map(keep_alive::parse).transpose()?;
        Ok(Self {
            model: fields.text("model")?.unwrap_or_default(),
            framing: framing(fields)?,
            purpose: match fields.flag("_debug_render_only")? {
                Some(true) => Purpose::Render,
                _ => Purpose::Answer,
            },
            options: options(fields)?,
            overflow: match fields.flag("truncate")? {
                Some(false) => Overflow::Refuse,
                _ => Overflow::Truncate,
            },
            shift: fields.flag("shift")?.unwrap_or(true),
            format: format(fields)?,
            template: None,
            tools: Tools::default(),
            think: think(fields)?,
            top_logprobs: top_logprobs(fields)?,
            adapters: adapters::scales(fields)?,
            media,
            task: task(keep_alive.as_ref()),
            keep_alive,
        })
    }

    /// What the model is to do, with the Modelfile's part laid below; `None` if there is nothing to read.
    pub(super) fn into_generate(self, model: &Model, options: &OptionPatch) -> Option<Generate> {
        let system = || model.system.clone().filter(|system| !system.is_empty());
        let input = match self.task {
            Task::Load | Task::Unload => return None,
            Task::Raw(prompt) => Input::Raw(prompt),
            Task::Prompt { prompt, system: asked, context } => prompt_input(
                Layers { system: asked.or_else(system), history: &model.messages },
                prompt,
                self.media.len(),
                context,
            ),
            Task::Infill { prefix, suffix, system: asked } => {
                Input::Infill { prefix, suffix, system: asked.or_else(system) }
            }
            Task::Chat(messages) => {
                Input::Chat(conversation(Layers { system: system(), history: &model.messages }, messages))
            }
        };
        let options = Options { shift: self.shift, ..options.options() };
        Some(Generate {
            overflow: self.overflow,
            template: self.template,
            format: self.format,
            tools: self.tools,
            think: self.think,
            top_logprobs: self.top_logprobs,
            adapters: self.adapters,
            media: Media(Arc::new(self.media)),
            ..Generate::new(input, options)
        })
    }
}

impl Task {
    fn idle(keep_alive: Option<&KeepAlive>) -> Self {
        match keep_alive {
            Some(KeepAlive::For(time)) if time.is_zero() => Self::Unload,
            _ => Self::Load,
        }
    }
}

fn prompt_input(layers: Layers<'_>, prompt: String, media: usize, context: Option<Vec<i32>>) -> Input {
    let user = vec![Message { media: count(media), ..Message::new(Role::User, prompt) }];
    match context {
        None => Input::Chat(conversation(layers, user)),
        // The history is among the tokens already.
        Some(context) => {
            Input::Continue { context, turn: conversation(Layers { history: &[], ..layers }, user) }
        }
    }
}

/// `stream`, which is on by default.
pub(super) fn framing(fields: &mut Fields) -> Result<Framing, Invalid> {
    Ok(match fields.flag("stream")? {
        Some(false) => Framing::Whole,
        _ => Framing::Lines,
    })
}

/// `messages`, here and in `/api/create`, and the files that come with them.
pub(super) fn messages(fields: &mut Fields) -> Result<(Vec<Message>, Vec<Vec<u8>>), Invalid> {
    let mut media = Vec::new();
    let messages = fields.objects("messages", "Message")?.into_iter().map(|mut said| {
        let (message, files) = message(&mut said)?;
        fields.leave(said);
        media.extend(files);
        Ok(message)
    });
    Ok((messages.collect::<Result<_, Invalid>>()?, media))
}

fn images(fields: &mut Fields) -> Result<Vec<Vec<u8>>, Invalid> {
    media::files("images", fields.list("images", "ImageData")?.unwrap_or_default())
}

fn count(files: usize) -> u32 {
    u32::try_from(files).unwrap_or(u32::MAX)
}

fn message(fields: &mut Fields) -> Result<(Message, Vec<Vec<u8>>), Invalid> {
    let files = images(fields)?;
    let role = go_json::role(&fields.text("role")?.unwrap_or_default())?;
    let mut text = |field| fields.text(field).map(Option::unwrap_or_default);
    let message = Message {
        content: text("content")?,
        media: count(files.len()),
        thinking: text("thinking")?,
        tool_name: text("tool_name")?,
        call_id: text("tool_call_id")?,
        calls: tools::called(fields)?,
        ..Message::new(role, "")
    };
    Ok((message, files))
}

pub(super) fn options(fields: &mut Fields) -> Result<OptionPatch, Invalid> {
    let mut patch = OptionPatch::default();
    for (name, value) in fields.map("options")? {
        if value.is_null() {
            continue;
        }
        match patch.set(&name.to_lowercase(), &value) {
            Err(protocol::InvalidOption::Unknown(name)) => fields.stray(&name),
            other => other?,
        }
    }
    Ok(patch)
}

fn format(fields: &mut Fields) -> Result<Option<Format>, Invalid> {
    match fields.take("format") {
        None => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(schema @ Value::Object(_)) => Ok(Some(Format::Schema(schema.to_string()))),
        Some(Value::String(text)) if text == "json" => Ok(Some(Format::Json)),
        Some(other) => {
            let message = format!("invalid format: {other}; expected \"json\" or a valid JSON Schema object");
            Err(Invalid::of("format", message))
        }
    }
}

fn think(fields: &mut Fields) -> Result<Think, Invalid> {
    Ok(match fields.take("think") {
        None => Think::Unsaid,
        Some(Value::Bool(false)) => Think::Off,
        Some(Value::Bool(true)) => Think::On,
        Some(Value::String(level)) => match level.as_str() {
            "low" => Think::Level(ThinkLevel::Low),
            "medium" => Think::Level(ThinkLevel::Medium),
            "high" => Think::Level(ThinkLevel::High),
            "max" => Think::Level(ThinkLevel::Max),
            _ => {
                let levels = "must be \"high\", \"medium\", \"low\", \"max\", true, or false";
                return Err(Invalid::of("think", format!("invalid think value: {level:?} ({levels})")));
            }
        },
        Some(other) => return Err(fields.mismatch("think", &other, "bool")),
    })
}

fn top_logprobs(fields: &mut Fields) -> Result<Option<u32>, Invalid> {
    let wanted = fields.flag("logprobs")?.unwrap_or(false);
    let top = fields.integer("top_logprobs")?.unwrap_or(0);
    match u32::try_from(top) {
        Ok(top) if top <= go_json::MOST_LOGPROBS => Ok(wanted.then_some(top)),
        _ => Err(Invalid::of("top_logprobs", "top_logprobs must be between 0 and 20")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn generate(body: Value) -> Result<Request, Invalid> {
        Request::generate(Fields::of("GenerateRequest", body).unwrap())
    }

    fn chat(body: Value) -> Result<Request, Invalid> {
        Request::chat(Fields::of("ChatRequest", body).unwrap())
    }

    fn said(role: Role, content: &str) -> Message {
        Message::new(role, content)
    }

    #[test]
    fn nothing_to_read_loads_and_unloads() {
        assert_eq!(generate(json!({"model": "m"})).unwrap().task, Task::Load);
        assert_eq!(generate(json!({"model": "m", "keep_alive": 0})).unwrap().task, Task::Unload);
        assert_eq!(
            chat(json!({"model": "m", "messages": [], "keep_alive": "0"})).unwrap().task,
            Task::Unload
        );
    }

    #[test]
    fn answers_stream_unless_told_otherwise() {
        assert_eq!(generate(json!({"model": "m"})).unwrap().framing, Framing::Lines);
        assert_eq!(generate(json!({"model": "m", "Stream": false})).unwrap().framing, Framing::Whole);
    }

    #[test]
    fn a_template_of_the_request_wins_and_what_says_nothing_is_none() {
        let own = json!({"model": "m", "prompt": "hi", "template": "{{ .Prompt }}"});
        assert_eq!(generate(own).unwrap().template.as_deref(), Some("{{ .Prompt }}"));
        let nothing = json!({"model": "m", "prompt": "hi", "format": "", "think": false, "images": [], "tools": [], "suffix": ""});
        assert!(generate(nothing).is_ok());
    }

    #[test]
    fn a_format_is_json_or_a_schema() {
        let of = |format| {
            generate(json!({"model": "m", "prompt": "hi", "format": format})).map(|asked| asked.format)
        };
        assert_eq!(of(json!("json")).unwrap(), Some(Format::Json));
        assert_eq!(
            of(json!({"type": "object"})).unwrap(),
            Some(Format::Schema(r#"{"type":"object"}"#.into()))
        );
        assert_eq!((of(json!("")).unwrap(), of(json!(null)).unwrap()), (None, None));
        assert!(of(json!("xml")).unwrap_err().message.starts_with("invalid format: \"xml\""));
    }

    #[test]
    fn thinking_is_said_or_left_to_the_model() {
        let of =
            |think| generate(json!({"model": "m", "prompt": "hi", "think": think})).map(|asked| asked.think);
        assert_eq!(of(json!(null)).unwrap(), Think::Unsaid);
        assert_eq!((of(json!(true)).unwrap(), of(json!(false)).unwrap()), (Think::On, Think::Off));
        assert_eq!(of(json!("low")).unwrap(), Think::Level(ThinkLevel::Low));
        assert_eq!(
            of(json!("hard")).unwrap_err().message,
            "invalid think value: \"hard\" (must be \"high\", \"medium\", \"low\", \"max\", true, or false)"
        );
    }

    #[test]
    fn log_probabilities_are_told_with_up_to_twenty_others() {
        let of = |body: Value| generate(body).map(|asked| asked.top_logprobs);
        assert_eq!(of(json!({"logprobs": true, "top_logprobs": 3})).unwrap(), Some(3));
        assert_eq!(of(json!({"logprobs": true})).unwrap(), Some(0));
        assert_eq!(of(json!({"top_logprobs": 3})).unwrap(), None);
        assert!(of(json!({"logprobs": true, "top_logprobs": 21})).is_err());
    }

    #[test]
    fn images_go_with_the_message_that_brings_them() {
        let messages = json!([{"role": "user", "content": "a", "images": ["aGk=", "aGk="]}, {"role": "user", "content": "b"}]);
        let request = chat(json!({"model": "m", "messages": messages})).unwrap();
        let Task::Chat(messages) = &request.task else { panic!() };
        assert_eq!((messages[0].media, messages[1].media, request.media.len()), (2, 0, 2));
        let refused = generate(json!({"model": "m", "prompt": "a", "images": ["a?"]})).unwrap_err();
        assert_eq!(refused.message, "illegal base64 data at input byte 1");
    }

    #[test]
    fn a_suffix_makes_a_gap() {
        let request = generate(json!({"model": "m", "prompt": "a", "suffix": "b"})).unwrap();
        let gap = Task::Infill { prefix: "a".into(), suffix: "b".into(), system: None };
        assert_eq!(request.task, gap);
    }

    #[test]
    fn what_was_called_and_what_came_of_it_are_read() {
        let request = chat(json!({"model": "m", "messages": [
            {"role": "assistant", "thinking": "hm", "tool_calls": [{"function": {"name": "now", "arguments": {}}}]},
            {"role": "tool", "content": "noon", "tool_name": "now"},
        ]}));
        let Task::Chat(messages) = request.unwrap().task else { panic!() };
        assert_eq!((&messages[0].thinking[..], &messages[0].calls[0].name[..]), ("hm", "now"));
        assert_eq!(messages[1], Message { tool_name: "now".into(), ..said(Role::Tool, "noon") });
    }

    #[test]
    fn raw_takes_no_system() {
        let refused = generate(json!({"prompt": "hi", "raw": true, "system": "be brief"})).unwrap_err();
        assert_eq!(refused.message, "raw mode does not support template, system, or context");
    }

    #[test]
    fn an_option_of_the_wrong_type_is_refused_and_an_unknown_one_is_not() {
        let refused = generate(json!({"options": {"top_k": "many"}})).unwrap_err();
        assert_eq!(refused.message, "option \"top_k\" must be of type integer");

        let options = generate(json!({"options": {"Temperature": 0, "warmth": 9}})).unwrap().options;
        assert_eq!(options.temperature, Some(0.0));
    }

    #[test]
    fn a_chat_needs_a_model_and_known_roles() {
        assert_eq!(chat(json!({"messages": []})).unwrap_err().message, "model is required");
        let refused =
            chat(json!({"model": "m", "messages": [{"role": "oracle", "content": "x"}]})).unwrap_err();
        assert!(refused.message.starts_with("invalid role: \"oracle\""), "{}", refused.message);
    }

    #[test]
    fn roles_and_keys_of_messages_match_in_any_case() {
        let request = chat(json!({"model": "m", "messages": [{"Role": "USER", "Content": "x"}]})).unwrap();
        assert_eq!(request.task, Task::Chat(vec![said(Role::User, "x")]));
    }

    #[test]
    fn a_context_goes_on_without_the_history() {
        let history = [said(Role::User, "a")];
        let input =
            prompt_input(Layers { system: None, history: &history }, "more".into(), 0, Some(vec![1, 2]));
        assert_eq!(input, Input::Continue { context: vec![1, 2], turn: vec![said(Role::User, "more")] });
    }
}
