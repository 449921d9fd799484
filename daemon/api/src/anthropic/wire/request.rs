//! `/v1/messages`, and what counts for it, as they are asked.

use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::blocks::{Block, TextBlock};
use crate::{
    adapters::Adapter,
    json::{Harmless, Refused, TextOrList},
};

/// What is asked: a conversation to be gone on with.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MessagesRequest {
    pub(crate) model: String,
    /// The last one must not be the model's: it cannot go on within its own turn.
    #[schema(min_items = 1)]
    pub(crate) messages: Vec<Turn>,
    /// Of the answer, at most. With 0 the prompt is read, so that the next request with such a beginning need not wait for
    /// it, and nothing is said.
    #[schema(minimum = 0)]
    pub(crate) max_tokens: i64,
    pub(crate) system: Option<TextOrList<TextBlock>>,
    pub(crate) stream: Option<bool>,
    /// Left out, it is as the Modelfile has it; so are `top_p` and `top_k`.
    #[schema(minimum = 0, maximum = 1)]
    pub(crate) temperature: Option<f64>,
    #[schema(minimum = 0, maximum = 1)]
    pub(crate) top_p: Option<f64>,
    #[schema(minimum = 0)]
    pub(crate) top_k: Option<i64>,
    /// Up to 64 texts that end the answer, in place of the Modelfile's.
    pub(crate) stop_sequences: Option<Vec<String>>,
    pub(crate) tools: Option<Vec<Tool>>,
    pub(crate) tool_choice: Option<ToolChoice>,
    /// Left out, a model thinks if it can.
    pub(crate) thinking: Option<Thinking>,
    pub(crate) output_config: Option<OutputConfig>,
    /// The older name of `output_config.format`.
    pub(crate) output_format: Option<OutputFormat>,
    /// Not Anthropic's: Ollama's options, as `num_ctx`.
    pub(crate) options: Option<Map<String, Value>>,
    /// Not Anthropic's: how long the model stays in memory, as Ollama has it.
    pub(crate) keep_alive: Option<Value>,
    /// Not Anthropic's: which of the model's adapters are laid over it, as llama-server has it.
    pub(crate) lora: Option<Vec<Adapter>>,
    /// Nothing is left out of a conversation here; the answer says that nothing was.
    pub(crate) context_management: Option<ContextManagement>,
    /// Whoever asks is known by their key.
    #[serde(default)]
    pub(crate) metadata: Harmless,
    /// The same.
    #[serde(default)]
    pub(crate) user_profile_id: Harmless,
    /// Nobody is billed.
    #[serde(default)]
    pub(crate) billing_policy: Harmless,
    /// Nobody is billed.
    #[serde(default)]
    pub(crate) fallback_credit_token: Harmless,
    /// Beginnings are always kept, and found by what they are.
    #[serde(default)]
    pub(crate) cache_control: Harmless,
    /// Why a beginning was not found is not told.
    #[serde(default)]
    pub(crate) diagnostics: Harmless,
    /// There is one tier.
    #[serde(default)]
    pub(crate) service_tier: Harmless,
    /// There is one speed.
    #[serde(default)]
    pub(crate) speed: Harmless,
    /// It is this box that answers, wherever it stands.
    #[serde(default)]
    pub(crate) inference_geo: Harmless,
    /// Nothing is declined here, so nobody has to step in.
    #[serde(default)]
    pub(crate) fallbacks: Harmless,
    /// No code is run here.
    #[serde(default)]
    pub(crate) container: Refused,
    /// No other server is called.
    #[serde(default)]
    pub(crate) mcp_servers: Refused,
    /// Conversations are not summed up here.
    #[serde(default)]
    pub(crate) compaction: Refused,
    /// Conversations are not kept here; the error has a code, upon which clients send the whole conversation.
    #[serde(default)]
    pub(crate) thread: Refused,
}

/// A conversation that is to be counted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CountRequest {
    model: String,
    /// As those of `/v1/messages`.
    #[schema(min_items = 1)]
    messages: Vec<Turn>,
    system: Option<TextOrList<TextBlock>>,
    tools: Option<Vec<Tool>>,
    tool_choice: Option<ToolChoice>,
    thinking: Option<Thinking>,
    output_config: Option<OutputConfig>,
    /// The older name of `output_config.format`.
    output_format: Option<OutputFormat>,
    /// Not Anthropic's: Ollama's options, as `num_ctx`.
    options: Option<Map<String, Value>>,
    /// Not Anthropic's: how long the model stays in memory, as Ollama has it.
    keep_alive: Option<Value>,
    /// Nothing is left out of a conversation here.
    context_management: Option<ContextManagement>,
    /// Whoever asks is known by their key.
    #[serde(default)]
    user_profile_id: Harmless,
    /// Nobody is billed.
    #[serde(default)]
    billing_policy: Harmless,
    /// Beginnings are always kept, and found by what they are.
    #[serde(default)]
    cache_control: Harmless,
    /// There is one speed.
    #[serde(default)]
    speed: Harmless,
    /// What is counted is the conversation as it is sent.
    #[serde(default)]
    compaction: Harmless,
    /// No other server is called.
    #[serde(default)]
    mcp_servers: Refused,
    /// Conversations are not kept here; the error has a code, upon which clients send the whole conversation.
    #[serde(default)]
    thread: Refused,
}

impl From<CountRequest> for MessagesRequest {
    /// The request that would be counted for.
    fn from(counted: CountRequest) -> Self {
        #[rustfmt::skip]
        let CountRequest {
            model, messages, system, tools, tool_choice, thinking, output_config, output_format, options, keep_alive,
            context_management, user_profile_id, billing_policy, cache_control, speed, compaction: Harmless, mcp_servers,
            thread,
        } = counted;
        Self {
            model,
            messages,
            max_tokens: i64::from(u32::MAX),
            system,
            stream: None,
            temperature: None,
            top_p: None,
            top_k: None,
            stop_sequences: None,
            tools,
            tool_choice,
            thinking,
            output_config,
            output_format,
            options,
            keep_alive,
            lora: None,
            context_management,
            metadata: Harmless,
            user_profile_id,
            billing_policy,
            fallback_credit_token: Harmless,
            cache_control,
            diagnostics: Harmless,
            service_tier: Harmless,
            speed,
            inference_geo: Harmless,
            fallbacks: Harmless,
            container: Refused,
            mcp_servers,
            compaction: Refused,
            thread,
        }
    }
}

/// Something that was said before.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Turn {
    pub(crate) role: Role,
    pub(crate) content: Option<TextOrList<Block>>,
    /// Of the system's: until when it is shown.
    pub(crate) clear_at: Option<ClearAt>,
    /// Of the system's: how hard to work from here on.
    pub(crate) output_config: Option<OutputConfig>,
}

/// Who spoke. What the system says within a conversation is told in the user's turn, since few templates have another place
/// for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    User,
    Assistant,
    System,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ClearAt {
    Never,
    NextUserMessage,
}

/// Something that the model may call. Tools that Anthropic's servers run are refused.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Tool {
    /// `custom`, or nothing.
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    #[schema(min_length = 1, max_length = 256)]
    pub(crate) name: Option<String>,
    pub(crate) description: Option<String>,
    /// A JSON Schema of an object.
    pub(crate) input_schema: Option<Map<String, Value>>,
    /// Are told behind the description.
    pub(crate) input_examples: Option<Vec<Map<String, Value>>>,
    /// Whether the model is told of it only once a `tool_reference` or a `tool_addition` names it.
    pub(crate) defer_loading: Option<bool>,
    /// `direct` must be among them: only the model itself calls tools here.
    pub(crate) allowed_callers: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) cache_control: Harmless,
    /// Calls that are insisted on follow their schema, strict or not.
    #[serde(default)]
    pub(crate) strict: Harmless,
    /// Input is always sent as it grows.
    #[serde(default)]
    pub(crate) eager_input_streaming: Harmless,
    /// Of tools that cannot be had.
    #[serde(flatten)]
    #[schema(ignore)]
    pub(crate) unknown: Map<String, Value>,
}

/// Whether tools are called.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum ToolChoice {
    Auto { disable_parallel_tool_use: Option<bool> },
    Any { disable_parallel_tool_use: Option<bool> },
    Tool { name: String, disable_parallel_tool_use: Option<bool> },
    None {},
}

/// Whether an answer is thought about first.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Thinking {
    /// It is; a model that cannot refuses.
    Enabled {
        /// A wish, as models here do not know how to keep to it; `max_tokens` bounds thoughts and answer together.
        #[schema(minimum = 1024)]
        budget_tokens: i64,
        display: Option<Display>,
        #[serde(default)]
        block_binding: Harmless,
    },
    /// As the model can and sees fit.
    Adaptive {
        display: Option<Display>,
        /// Thoughts are taken back from anybody.
        #[serde(default)]
        block_binding: Harmless,
    },
    Disabled {},
    /// As `disabled`: what is said between calls is text.
    BetweenTools {},
}

/// Whether thoughts are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Display {
    /// They are, in full.
    #[default]
    Summarized,
    /// Only that there were some.
    Omitted,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OutputConfig {
    /// How hard to think, where the model can.
    pub(crate) effort: Option<Effort>,
    pub(crate) format: Option<OutputFormat>,
    #[serde(default)]
    pub(crate) task_budget: Refused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Effort {
    Low,
    Medium,
    High,
    Xhigh,
    Max,
}

/// The form that the answer is to have.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum OutputFormat {
    JsonSchema { schema: Map<String, Value> },
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContextManagement {
    /// When to leave out what. A prompt that does not fit is refused.
    #[serde(default)]
    pub(crate) edits: Harmless,
}
