//! `/v1/responses`, from what stands on the wire to the vocabulary: every check is here, but for those of what is kept.

use protocol::{Format, Input, Overflow, Think};
use serde_json::{Map, Value};

use super::{
    items::{InputItem, Item},
    progress::Telling,
    response::{Response, ResponseTag, ServiceTier, Status},
    tools::{self, Namespaces},
    wire::{
        CacheOptions, CountTokens, CreateResponse, Include, ReasoningConfig, ReasoningMode, StreamOptions,
        TextConfig, TextFormat, Tool, ToolChoice, Truncation,
    },
};
use crate::{
    asked::Asked,
    error::Invalid,
    go_json::MOST_LOGPROBS,
    identifier,
    json::{Harmless, Refused, TextOrList},
    openai::{
        sampling::{Sampling, kept_alive},
        seconds,
        wire::ChoiceWord,
    },
};

/// A body of `/v1/responses`, checked.
#[derive(Debug)]
pub(super) struct Request {
    /// Without what is said.
    pub(super) asked: Asked,
    /// What is said now.
    pub(super) items: Vec<Item>,
    /// What clients are told of the response, as long as nothing is answered.
    pub(super) response: Response,
    pub(super) delivery: Delivery,
    pub(super) telling: Telling,
}

/// How a response comes to whoever asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// One object at the end.
    Whole,
    /// As events.
    Events,
    /// One object at once; it is asked for later.
    Background,
    /// The same, but it may be followed from the start.
    BackgroundEvents,
}

impl TryFrom<CreateResponse> for Request {
    type Error = Invalid;

    fn try_from(body: CreateResponse) -> Result<Self, Invalid> {
        // All of them, so that none is forgotten.
        #[rustfmt::skip]
        let CreateResponse {
            model, input, instructions, previous_response_id, store, stream, stream_options, background, max_output_tokens,
            temperature, top_p, top_logprobs, tools, tool_choice, parallel_tool_calls, text, reasoning, include, truncation,
            metadata, max_tool_calls, user, safety_identifier, prompt_cache_key, prompt_cache_retention: Harmless,
            prompt_cache_options, service_tier: Harmless, client_metadata: Harmless, background_options: Harmless, options,
            keep_alive, conversation: Refused, prompt: Refused, context_management: Refused, moderation: Refused,
            image: Refused, access_programs: Refused,
        } = body;
        let (None | Some(StreamOptions { include_obfuscation: Harmless })) = stream_options;
        not_prewarmed(prompt_cache_options)?;
        let store = store.unwrap_or(true);
        let delivery = delivery(stream.unwrap_or(false), background.unwrap_or(false), store)?;
        let mut patch = Sampling { temperature, top_p, options, ..Sampling::default() }.patch()?;
        patch.num_predict = at_least_one(max_output_tokens)?.or(patch.num_predict);
        let sampled = [patch.temperature, patch.top_p].map(|number| number.map_or(1.0, f64::from));
        let include = include.unwrap_or_default();
        let parallel = parallel_tool_calls.unwrap_or(true);
        let manner =
            Manner { tools: tools.unwrap_or_default(), tool_choice, parallel, text, reasoning, truncation };
        let (asked, namespaces) = manner.asked(model.clone())?;
        let response = Response {
            id: identifier::fresh("resp_"),
            object: ResponseTag::Response,
            created_at: seconds::now(),
            status: Status::InProgress,
            completed_at: None,
            background: matches!(delivery, Delivery::Background | Delivery::BackgroundEvents),
            error: None,
            incomplete_details: None,
            instructions,
            max_output_tokens,
            max_tool_calls,
            model,
            output: Vec::new(),
            parallel_tool_calls: parallel,
            previous_response_id,
            prompt_cache_key,
            safety_identifier,
            service_tier: ServiceTier::Default,
            store,
            temperature: temperature.unwrap_or(sampled[0]),
            top_p: top_p.unwrap_or(sampled[1]),
            top_logprobs: at_most_logprobs(top_logprobs)?,
            truncation: truncation.unwrap_or_default(),
            reasoning: manner.told_reasoning(),
            text: manner.text.unwrap_or_default(),
            tool_choice: manner.tool_choice.unwrap_or(ToolChoice::Word(ChoiceWord::Auto)),
            tools: manner.tools.into_iter().filter(|tool| !matches!(tool, Tool::WebSearch(_))).collect(),
            usage: None,
            user,
            metadata: notes(metadata.unwrap_or_default())?,
        };
        let logprobs = include.contains(&Include::Logprobs) || top_logprobs.is_some_and(|top| top > 0);
        Ok(Self {
            asked: Asked {
                options: patch,
                top_logprobs: logprobs.then_some(response.top_logprobs),
                keep_alive: kept_alive(keep_alive)?,
                ..asked
            },
            items: items(input),
            delivery,
            telling: Telling {
                namespaces,
                summarised: response.reasoning.summary.is_some(),
                sealed: include.contains(&Include::EncryptedReasoning),
            },
            response,
        })
    }
}

/// A body of `/v1/responses/input_tokens`, checked.
#[derive(Debug)]
pub(super) struct Count {
    /// Without what is said.
    pub(super) asked: Asked,
    pub(super) items: Vec<Item>,
    pub(super) instructions: Option<String>,
    pub(super) previous: Option<String>,
}

impl TryFrom<CountTokens> for Count {
    type Error = Invalid;

    fn try_from(body: CountTokens) -> Result<Self, Invalid> {
        #[rustfmt::skip]
        let CountTokens {
            model, input, instructions, previous_response_id, tools, tool_choice, parallel_tool_calls, text, reasoning,
            truncation, conversation: Refused, personality: Refused,
        } = body;
        let (tools, parallel) = (tools.unwrap_or_default(), parallel_tool_calls.unwrap_or(true));
        let manner = Manner { tools, tool_choice, parallel, text, reasoning, truncation };
        let (asked, _) = manner.asked(model)?;
        Ok(Self { asked, items: items(input), instructions, previous: previous_response_id })
    }
}

/// How a model is to answer, as both bodies say it.
struct Manner {
    tools: Vec<Tool>,
    tool_choice: Option<ToolChoice>,
    parallel: bool,
    text: Option<TextConfig>,
    reasoning: Option<ReasoningConfig>,
    truncation: Option<Truncation>,
}

impl Manner {
    fn asked(&self, model: String) -> Result<(Asked, Namespaces), Invalid> {
        let (tools, namespaces) = tools::offer(&self.tools, self.tool_choice.as_ref(), self.parallel)?;
        let effort = self.reasoning.and_then(|reasoning| {
            let (None | Some(ReasoningMode::Standard)) = reasoning.mode;
            reasoning.effort
        });
        let overflow = match self.truncation.unwrap_or_default() {
            Truncation::Auto => Overflow::Truncate,
            Truncation::Disabled => Overflow::Refuse,
        };
        let asked = Asked {
            format: self.text.as_ref().and_then(format),
            tools,
            think: effort.map_or(Think::Unsaid, Think::from),
            overflow,
            shift: overflow == Overflow::Truncate,
            ..Asked::new(model, Input::Chat(Vec::new()))
        };
        Ok((asked, namespaces))
    }

    fn told_reasoning(&self) -> ReasoningConfig {
        let said = self.reasoning.unwrap_or_default();
        ReasoningConfig { summary: said.summary.or(said.generate_summary), ..said }
    }
}

fn delivery(stream: bool, background: bool, store: bool) -> Result<Delivery, Invalid> {
    match (background, stream) {
        (true, _) if !store => {
            Err(Invalid::of("background", "a background response must be stored: store must not be false"))
        }
        (true, true) => Ok(Delivery::BackgroundEvents),
        (true, false) => Ok(Delivery::Background),
        (false, true) => Ok(Delivery::Events),
        (false, false) => Ok(Delivery::Whole),
    }
}

fn not_prewarmed(options: Option<CacheOptions>) -> Result<(), Invalid> {
    match options {
        Some(CacheOptions { prewarm: Some(true), .. }) => {
            let field = "prompt_cache_options.prewarm";
            Err(Invalid::of(field, format!("{field} cannot be had from Hob; leave it out")))
        }
        None
        | Some(CacheOptions {
            mode: Harmless,
            ttl: Harmless,
            prewarm: None | Some(false),
            comparison_response_id: Refused,
        }) => Ok(()),
    }
}

fn items(input: Option<TextOrList<InputItem>>) -> Vec<Item> {
    let said = |text| {
        let content = TextOrList::Text(text);
        let role = super::items::Role::User;
        Item::Message(super::items::Message { id: None, status: None, role, content, phase: Harmless })
    };
    match input {
        None => Vec::new(),
        Some(TextOrList::Text(text)) => vec![said(text).named()],
        Some(TextOrList::List(items)) => items.into_iter().map(|item| item.0.named()).collect(),
    }
}

fn format(text: &TextConfig) -> Option<Format> {
    match &text.format {
        TextFormat::Text {} => None,
        TextFormat::JsonObject {} => Some(Format::Json),
        TextFormat::JsonSchema { name: _, description: _, schema, strict: _ } => {
            Some(Format::Schema(Value::Object(schema.clone()).to_string()))
        }
    }
}

fn at_least_one(tokens: Option<i64>) -> Result<Option<i64>, Invalid> {
    match tokens {
        Some(..1) => Err(Invalid::of("max_output_tokens", "max_output_tokens must be at least 1")),
        tokens => Ok(tokens),
    }
}

fn at_most_logprobs(top: Option<i64>) -> Result<u32, Invalid> {
    let top = u32::try_from(top.unwrap_or(0)).ok().filter(|top| *top <= MOST_LOGPROBS);
    top.ok_or_else(|| Invalid::of("top_logprobs", "top_logprobs must be between 0 and 20"))
}

/// OpenAI's own limits.
fn notes(metadata: Map<String, Value>) -> Result<Map<String, Value>, Invalid> {
    let refused = |why: &str| Invalid::of("metadata", format!("metadata: {why}"));
    if metadata.len() > 16 {
        return Err(refused("there are more than 16 notes"));
    }
    for (key, value) in &metadata {
        let Value::String(value) = value else { return Err(refused("each note must be a text")) };
        if key.chars().count() > 64 || value.chars().count() > 512 {
            return Err(refused("a key has at most 64 characters, a value at most 512"));
        }
    }
    Ok(metadata)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::json;

    fn request(extra: Value) -> Result<Request, Invalid> {
        let mut body = json!({"model": "m", "input": "hi"});
        for (key, value) in extra.as_object().unwrap() {
            body[key] = value.clone();
        }
        Request::try_from(json::parse::<CreateResponse>(body.to_string().as_bytes())?)
    }

    #[test]
    fn a_form_of_text_says_nothing_that_is_not_read() {
        for kind in ["text", "json_object"] {
            let of = |format: Value| request(json!({"text": {"format": format}}));
            assert_eq!(
                serde_json::to_value(of(json!({"type": kind})).unwrap().response.text.format).unwrap(),
                json!({"type": kind})
            );
            let refused = of(json!({"type": kind, "schema": {}})).unwrap_err();
            assert!(refused.message.contains("`schema`"), "{refused:?}");
        }
    }

    #[test]
    fn what_is_asked_for_is_told_back_with_openais_defaults() {
        let told = serde_json::to_value(request(json!({})).unwrap().response).unwrap();
        for (field, value) in [
            ("object", json!("response")),
            ("status", json!("in_progress")),
            ("background", json!(false)),
            ("instructions", json!(null)),
            ("parallel_tool_calls", json!(true)),
            ("reasoning", json!({"effort": null, "summary": null})),
            ("store", json!(true)),
            ("temperature", json!(1.0)),
            ("top_p", json!(1.0)),
            ("text", json!({"format": {"type": "text"}})),
            ("tool_choice", json!("auto")),
            ("tools", json!([])),
            ("truncation", json!("disabled")),
            ("usage", json!(null)),
            ("metadata", json!({})),
        ] {
            assert_eq!(told[field], value, "{field}");
        }
        let schema = json!({"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": true}});
        let said = json!({"temperature": 0.2, "instructions": "Be brief.", "metadata": {"a": "b"}, "text": schema,
            "reasoning": {"generate_summary": "auto"}, "user": "me", "tools": [{"type": "web_search"}]});
        let told = serde_json::to_value(request(said).unwrap().response).unwrap();
        assert_eq!(told["temperature"], 0.2);
        assert_eq!(
            (&told["text"], &told["metadata"]["a"], &told["user"]),
            (&schema, &json!("b"), &json!("me"))
        );
        assert_eq!(told["reasoning"]["summary"], "auto");
        assert_eq!(told["tools"], json!([]), "what is not offered is not listed");
    }

    #[test]
    fn what_cannot_be_had_is_refused_by_name() {
        for (field, value) in [
            ("conversation", json!("conv_1")),
            ("prompt", json!({"id": "pmpt_1"})),
            ("moderation", json!({"model": "m"})),
            ("context_management", json!([{"type": "compaction"}])),
            ("background", json!(true)),
            ("prompt_cache_options.prewarm", json!({"prewarm": true})),
            ("reasoning.effort", json!({"effort": "endless"})),
            ("reasoning.mode", json!({"mode": "pro"})),
            ("include[0]", json!(["everything"])),
            ("tools[0].type", json!([{"type": "code_interpreter"}])),
            ("truncation", json!("sometimes")),
            ("max_output_tokens", json!(0)),
            ("top_logprobs", json!(21)),
            ("temperature", json!(-1)),
            ("metadata", json!({"a": 1})),
            ("text.format.type", json!({"format": {"type": "grammar"}})),
            ("input[0]", json!([{"role": "user", "content": [{"type": "input_file"}]}])),
            ("warmth", json!(9)),
        ] {
            let mut body = json!({field.split(['[', '.']).next().unwrap(): value});
            body["store"] = json!(false);
            let refused = request(body).unwrap_err();
            let told = refused.field.unwrap_or_default();
            assert!(field.starts_with(&told) && !told.is_empty(), "{field}: {told} {}", refused.message);
        }
    }

    #[test]
    fn what_makes_no_difference_is_taken() {
        let harmless = json!({"service_tier": "flex", "client_metadata": {"a": "b"}, "prompt_cache_retention": "24h",
            "text": {"verbosity": "low"}, "stream_options": {"include_obfuscation": false}, "max_tool_calls": 3,
            "include": ["file_search_call.results", "message.input_image.image_url"],
            "prompt_cache_options": {"ttl": "30m"}, "reasoning": {"context": "all_turns", "mode": "standard"}});
        let (harmless, plain) = (request(harmless).unwrap(), request(json!({})).unwrap());
        assert_eq!(harmless.asked, plain.asked);
        assert_eq!(harmless.telling, plain.telling);
    }

    #[test]
    fn how_the_answer_is_told_follows_what_is_asked_for() {
        let telling =
            request(json!({"reasoning": {"summary": "auto"}, "include": ["reasoning.encrypted_content"]}));
        let telling = telling.unwrap().telling;
        assert!(telling.summarised && telling.sealed);
        let logprobs = |body| request(body).unwrap().asked.top_logprobs;
        assert_eq!(logprobs(json!({"include": ["message.output_text.logprobs"]})), Some(0));
        assert_eq!(logprobs(json!({"top_logprobs": 2})), Some(2));
        assert_eq!(logprobs(json!({})), None);
        let delivery = |body| request(body).unwrap().delivery;
        assert_eq!(delivery(json!({"stream": true})), Delivery::Events);
        assert_eq!(delivery(json!({"stream": true, "background": true})), Delivery::BackgroundEvents);
    }

    #[test]
    fn a_conversation_that_is_too_long_is_refused_unless_it_may_be_cut() {
        assert_eq!(request(json!({})).unwrap().asked.overflow, Overflow::Refuse);
        assert_eq!(request(json!({"truncation": "auto"})).unwrap().asked.overflow, Overflow::Truncate);
    }
}
