//! `/v1/messages`, from what stands on the wire to the vocabulary: every check is here, but for those of the conversation.

use std::collections::HashMap;

use protocol::{Format, Input, OptionPatch, Overflow, Think, ThinkLevel, ToolChoice, Tools};
use serde_json::{Map, Value, json};

use super::{
    conversation::{Conversation, as_text},
    wire::request::{
        self, ContextManagement, Display, Effort, MessagesRequest, OutputConfig, OutputFormat, Thinking, Tool,
    },
};
use crate::{
    adapters,
    asked::Asked,
    error::Invalid,
    json::{Harmless, Refused},
    keep_alive, options, tools,
};

/// A body of `/v1/messages`, checked.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) asked: Asked,
    pub(super) framing: Framing,
    pub(super) telling: Telling,
    /// Of the answer, at most.
    pub(super) max_tokens: u32,
}

/// How the answer is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Whole,
    Events,
}

/// What an answer tells because of its request.
#[derive(Clone, Debug, Default)]
pub(super) struct Telling {
    pub(super) display: Display,
    /// The texts of the request's own that may end the answer.
    pub(super) stops: Vec<String>,
    /// The request speaks of what may be left out.
    pub(super) edits: bool,
}

impl TryFrom<MessagesRequest> for Request {
    type Error = Invalid;

    fn try_from(body: MessagesRequest) -> Result<Self, Invalid> {
        // All of them, so that none is forgotten.
        #[rustfmt::skip]
        let MessagesRequest {
            model, messages, max_tokens, system, stream, temperature, top_p, top_k, stop_sequences, tools, tool_choice,
            thinking, output_config, output_format, options, keep_alive, lora, context_management, metadata: Harmless,
            user_profile_id: Harmless, billing_policy: Harmless, fallback_credit_token: Harmless, cache_control: Harmless,
            diagnostics: Harmless, service_tier: Harmless, speed: Harmless, inference_geo: Harmless, fallbacks: Harmless,
            container: Refused, mcp_servers: Refused, compaction: Refused, thread: Refused,
        } = body;
        let max_tokens = most_tokens(max_tokens)?;
        let stops = stops(stop_sequences.as_deref())?;
        let sampling = Sampling { temperature, top_p, top_k, options };
        let mut patch = sampling.patch()?;
        patch.num_predict = Some(i64::from(max_tokens));
        patch.stop = stop_sequences.filter(|stops| !stops.is_empty()).or(patch.stop);
        let Conversation { messages, media, effort, told_of, .. } = Conversation::of(system, messages)?;
        let (top_effort, format) = wanted(output_config, output_format);
        let display = display(thinking.as_ref());
        let edits = context_management.map(|ContextManagement { edits: Harmless }| ());
        Ok(Self {
            framing: if stream == Some(true) { Framing::Events } else { Framing::Whole },
            telling: Telling { display, stops, edits: edits.is_some() },
            max_tokens,
            asked: Asked {
                media,
                options: patch,
                overflow: Overflow::Refuse,
                shift: false,
                format,
                tools: offer(tools.unwrap_or_default(), tool_choice, &told_of)?,
                think: think(thinking, effort.or(top_effort), max_tokens)?,
                adapters: adapters::checked(lora)?,
                keep_alive: keep_alive.as_ref().map(keep_alive::parse).transpose()?,
                ..Asked::new(model, Input::Chat(messages))
            },
        })
    }
}

fn most_tokens(asked: i64) -> Result<u32, Invalid> {
    let refused = || Invalid::of("max_tokens", format!("max_tokens is {asked}, it must be 0 or more"));
    u32::try_from(asked).map_err(|_| refused())
}

/// `stop_sequences`; one that is empty would stop everything, or nothing.
fn stops(asked: Option<&[String]>) -> Result<Vec<String>, Invalid> {
    let refused = |why: String| Err(Invalid::of("stop_sequences", why));
    let stops = asked.unwrap_or_default();
    match stops.len() {
        0..=MOST_STOPS if stops.iter().any(String::is_empty) => {
            refused("stop_sequences: each of them must be non-empty".into())
        }
        0..=MOST_STOPS => Ok(stops.to_vec()),
        _ => refused(format!("stop_sequences has more than {MOST_STOPS} strings")),
    }
}

const MOST_STOPS: usize = 64;

/// How to sample. What is not said is left to the Modelfile.
struct Sampling {
    temperature: Option<f64>,
    top_p: Option<f64>,
    top_k: Option<i64>,
    /// Ollama's, of which those win that stand beside it.
    options: Option<Map<String, Value>>,
}

impl Sampling {
    fn patch(self) -> Result<OptionPatch, Invalid> {
        let mut patch = options::said(self.options.as_ref())?;
        if let Some(temperature) = self.temperature.filter(|asked| !(0.0..=1.0).contains(asked)) {
            let why = format!("temperature is {temperature}, it must be from 0 to 1");
            return Err(Invalid::of("temperature", why));
        }
        for (name, number) in [("temperature", self.temperature), ("top_p", self.top_p)] {
            if let Some(number) = number {
                patch.set(name, &json!(number))?;
            }
        }
        if let Some(number) = self.top_k {
            patch.set("top_k", &json!(number))?;
        }
        Ok(patch)
    }
}

/// How hard to work, and the form of the answer, by its newer name or its older one.
fn wanted(config: Option<OutputConfig>, older: Option<OutputFormat>) -> (Option<Effort>, Option<Format>) {
    let (effort, newer) = match config {
        Some(OutputConfig { effort, format, task_budget: Refused }) => (effort, format),
        None => (None, None),
    };
    let format = newer.or(older).map(|format| {
        let OutputFormat::JsonSchema { schema } = format;
        Format::Schema(Value::Object(schema).to_string())
    });
    (effort, format)
}

fn display(thinking: Option<&Thinking>) -> Display {
    match thinking {
        Some(Thinking::Enabled { display, .. } | Thinking::Adaptive { display, .. }) => {
            display.unwrap_or_default()
        }
        _ => Display::default(),
    }
}

fn think(thinking: Option<Thinking>, effort: Option<Effort>, max_tokens: u32) -> Result<Think, Invalid> {
    let level = effort.map(|effort| match effort {
        Effort::Low => ThinkLevel::Low,
        Effort::Medium => ThinkLevel::Medium,
        Effort::High => ThinkLevel::High,
        Effort::Xhigh | Effort::Max => ThinkLevel::Max,
    });
    Ok(match thinking {
        Some(Thinking::Disabled {} | Thinking::BetweenTools {}) => Think::Off,
        Some(Thinking::Enabled { budget_tokens, display: _, block_binding: Harmless }) => {
            within(budget_tokens, max_tokens)?;
            level.map_or(Think::On, Think::Level)
        }
        Some(Thinking::Adaptive { display: _, block_binding: Harmless }) | None => {
            level.map_or(Think::Unsaid, Think::Able)
        }
    })
}

fn within(budget_tokens: i64, max_tokens: u32) -> Result<(), Invalid> {
    let refused = |why: &str| Err(Invalid::of("thinking", format!("thinking.budget_tokens must be {why}")));
    match budget_tokens {
        ..LEAST_BUDGET => refused("at least 1024"),
        budget if budget >= i64::from(max_tokens) => refused("less than max_tokens"),
        _ => Ok(()),
    }
}

/// Anthropic's own.
const LEAST_BUDGET: i64 = 1024;

fn offer(
    offered: Vec<Tool>,
    choice: Option<request::ToolChoice>,
    told_of: &HashMap<String, bool>,
) -> Result<Tools, Invalid> {
    let (mut definitions, mut deferred) = (Vec::new(), Vec::new());
    for tool in offered {
        let is_deferred = tool.defer_loading == Some(true);
        let (name, definition) = define(tool)?;
        definitions.push(definition);
        deferred.push((name, is_deferred));
    }
    let all = tools::distinct(definitions)?;
    let is_told = |(name, is_deferred): &(String, bool)| told_of.get(name).copied().unwrap_or(!is_deferred);
    let told = all.into_iter().zip(&deferred).filter(|(_, tool)| is_told(tool));
    let offered: Vec<_> = told.map(|(tool, _)| tool).collect();
    let (choice, is_alone) = match choice {
        None => (ToolChoice::Auto, None),
        Some(request::ToolChoice::None {}) => (ToolChoice::None, None),
        Some(request::ToolChoice::Auto { disable_parallel_tool_use: alone }) => (ToolChoice::Auto, alone),
        Some(request::ToolChoice::Any { disable_parallel_tool_use: alone }) => (ToolChoice::Required, alone),
        Some(request::ToolChoice::Tool { name, disable_parallel_tool_use: alone }) => {
            (ToolChoice::Named(name), alone)
        }
    };
    let choice = tools::possible(choice, &offered)?;
    Ok(Tools { offered, choice, parallel: !is_alone.unwrap_or(false) })
}

/// A tool's name, and the tool in the form that templates know.
fn define(tool: Tool) -> Result<(String, Value), Invalid> {
    #[rustfmt::skip]
    let Tool {
        kind, name, description, input_schema, input_examples, defer_loading: _, allowed_callers, cache_control: Harmless,
        strict: Harmless, eager_input_streaming: Harmless, unknown,
    } = tool;
    let refused = |why: String| Err(Invalid::of("tools", why));
    match kind.as_deref() {
        None | Some("custom") => {}
        Some(kind) => {
            return refused(format!(
                "a tool of type {kind:?} cannot be had from Hob, only those of type \"custom\" can"
            ));
        }
    }
    if let Some(field) = unknown.keys().next() {
        return refused(format!("unknown field `{field}` of a tool"));
    }
    let name = name.unwrap_or_default();
    if allowed_callers.is_some_and(|callers| !callers.iter().any(|caller| caller == "direct")) {
        return refused(format!(
            "allowed_callers of the tool {name:?}: no code is run here, so it must hold \"direct\""
        ));
    }
    let Some(schema) = input_schema else {
        return refused(format!("the tool {name:?} needs an input_schema, a JSON Schema object"));
    };
    let mut function = json!({"name": name, "parameters": schema});
    let examples = input_examples.filter(|examples| !examples.is_empty());
    let examples = examples.map(|examples| format!("Examples of its input:\n{}", as_text(examples)));
    let about: Vec<String> = description.into_iter().chain(examples).collect();
    if !about.is_empty() {
        function["description"] = about.join("\n").into();
    }
    Ok((name, json!({"type": "function", "function": function})))
}

#[cfg(test)]
mod tests;
