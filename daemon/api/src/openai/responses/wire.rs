//! `/v1/responses` as its requests stand on the wire, without any check. Items are `items`', answers `response`'s.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::items::{InputItem, untold};
use crate::{
    json::{Harmless, Refused, TextOrList},
    openai::wire::{ChoiceWord, Effort},
};

/// What is asked: a conversation to be gone on with.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateResponse {
    pub(super) model: String,
    /// A text, or items.
    pub(super) input: Option<TextOrList<InputItem>>,
    /// Stands above the conversation, this time.
    pub(super) instructions: Option<String>,
    /// A stored response, whose whole conversation comes before the input.
    pub(super) previous_response_id: Option<String>,
    /// Whether the response can be asked for, and gone on from, later.
    #[schema(default = true)]
    pub(super) store: Option<bool>,
    #[serde(default)]
    pub(super) stream: Option<bool>,
    pub(super) stream_options: Option<StreamOptions>,
    /// Whether the answer to this is a name, by which the response is asked for later. Needs `store`.
    pub(super) background: Option<bool>,
    #[schema(minimum = 1)]
    pub(super) max_output_tokens: Option<i64>,
    #[schema(minimum = 0, maximum = 2, default = 1.0)]
    pub(super) temperature: Option<f64>,
    #[schema(minimum = 0, maximum = 1, default = 1.0)]
    pub(super) top_p: Option<f64>,
    #[schema(minimum = 0, maximum = 20)]
    pub(super) top_logprobs: Option<i64>,
    pub(super) tools: Option<Vec<Tool>>,
    pub(super) tool_choice: Option<ToolChoice>,
    #[schema(default = true)]
    pub(super) parallel_tool_calls: Option<bool>,
    pub(super) text: Option<TextConfig>,
    pub(super) reasoning: Option<ReasoningConfig>,
    pub(super) include: Option<Vec<Include>>,
    /// What to do with a conversation that is longer than the model's context.
    pub(super) truncation: Option<Truncation>,
    /// Up to 16 notes, which are told with the response.
    pub(super) metadata: Option<Map<String, Value>>,
    /// Of tools that a server runs, which there are none of here; told with the response.
    pub(super) max_tool_calls: Option<i64>,
    /// Whoever asks is known by their key; told with the response.
    pub(super) user: Option<String>,
    pub(super) safety_identifier: Option<String>,
    /// Beginnings are always kept, and found by what they are; told with the response.
    pub(super) prompt_cache_key: Option<String>,
    #[serde(default)]
    pub(super) prompt_cache_retention: Harmless,
    pub(super) prompt_cache_options: Option<CacheOptions>,
    /// There is one tier.
    #[serde(default)]
    pub(super) service_tier: Harmless,
    /// What Codex says of itself.
    #[serde(default)]
    pub(super) client_metadata: Harmless,
    /// The sooner is done the better.
    #[serde(default)]
    pub(super) background_options: Harmless,
    /// Not OpenAI's: Ollama's options, as `num_ctx` and `seed`.
    pub(super) options: Option<Map<String, Value>>,
    /// Not OpenAI's: how long the model stays in memory, as Ollama has it.
    pub(super) keep_alive: Option<Value>,
    /// `previous_response_id` does it.
    #[serde(default)]
    pub(super) conversation: Refused,
    #[serde(default)]
    pub(super) prompt: Refused,
    #[serde(default)]
    pub(super) context_management: Refused,
    #[serde(default)]
    pub(super) moderation: Refused,
    #[serde(default)]
    pub(super) image: Refused,
    #[serde(default)]
    pub(super) access_programs: Refused,
}

/// Of what the length is asked.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CountTokens {
    pub(super) model: String,
    pub(super) input: Option<TextOrList<InputItem>>,
    pub(super) instructions: Option<String>,
    pub(super) previous_response_id: Option<String>,
    pub(super) tools: Option<Vec<Tool>>,
    pub(super) tool_choice: Option<ToolChoice>,
    pub(super) parallel_tool_calls: Option<bool>,
    pub(super) text: Option<TextConfig>,
    pub(super) reasoning: Option<ReasoningConfig>,
    pub(super) truncation: Option<Truncation>,
    #[serde(default)]
    pub(super) conversation: Refused,
    #[serde(default)]
    pub(super) personality: Refused,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StreamOptions {
    /// There is no padding to be left out.
    #[serde(default)]
    pub(super) include_obfuscation: Harmless,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CacheOptions {
    /// Beginnings are always kept.
    #[serde(default)]
    pub(super) mode: Harmless,
    #[serde(default)]
    pub(super) ttl: Harmless,
    pub(super) prewarm: Option<bool>,
    #[serde(default)]
    pub(super) comparison_response_id: Refused,
}

/// Something that the model may call. What only OpenAI's servers could run is refused by name, but for a search of the web: a
/// model that may search need not, and clients as Codex say so unasked. It is not offered, and the response does not list it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Tool {
    Function(FunctionTool),
    Namespace(NamespaceTool),
    #[serde(
        alias = "web_search_2025_08_26",
        alias = "web_search_preview",
        alias = "web_search_preview_2025_03_11"
    )]
    WebSearch(Map<String, Value>),
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FunctionTool {
    #[schema(min_length = 1, max_length = 256)]
    pub(super) name: String,
    pub(super) description: Option<String>,
    /// A JSON Schema of an object.
    pub(super) parameters: Option<Map<String, Value>>,
    /// Calls that are insisted on follow their schema, strict or not.
    pub(super) strict: Option<bool>,
    /// Only by the model.
    #[serde(default, skip_serializing_if = "untold")]
    pub(super) allowed_callers: Option<Vec<Caller>>,
    /// It is offered at once.
    #[serde(default, skip_serializing_if = "untold")]
    pub(super) defer_loading: Harmless,
    /// What a function answers is taken as it is.
    #[serde(default, skip_serializing_if = "untold")]
    pub(super) output_schema: Harmless,
    /// Only `false`.
    #[serde(default, rename = "async", skip_serializing_if = "untold")]
    pub(super) is_async: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Caller {
    Direct,
}

/// Functions that belong together.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NamespaceTool {
    #[schema(min_length = 1)]
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) tools: Vec<NamespaceMember>,
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum NamespaceMember {
    Function(FunctionTool),
}

/// Whether tools are called.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(
    untagged,
    expecting = "tool_choice must be \"none\", \"auto\", \"required\", {\"type\": \"function\", \"name\": ...} or \
                 {\"type\": \"allowed_tools\", ...}"
)]
pub(crate) enum ToolChoice {
    Word(ChoiceWord),
    Object(ChoiceObject),
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum ChoiceObject {
    Function {
        name: String,
    },
    /// Those of the tools that may be called this time.
    AllowedTools {
        mode: ChoiceWord,
        tools: Vec<AllowedTool>,
    },
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum AllowedTool {
    Function { name: String },
}

/// The form of the text.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TextConfig {
    #[serde(default)]
    pub(super) format: TextFormat,
    /// A hint that local models were not trained to take.
    #[serde(default, skip_serializing_if = "untold")]
    pub(super) verbosity: Harmless,
}

// With braces, as what else stands in them would be taken unseen without.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum TextFormat {
    Text {},
    JsonObject {},
    JsonSchema {
        name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<String>,
        /// A JSON Schema.
        schema: Map<String, Value>,
        /// An answer follows its schema, strict or not.
        strict: Option<bool>,
    },
}

impl Default for TextFormat {
    fn default() -> Self {
        Self::Text {}
    }
}

/// How to think, and how that is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReasoningConfig {
    pub(super) effort: Option<Effort>,
    /// Thoughts are told as summaries of themselves, which more clients show, and not as what they are. Nothing is left out.
    pub(super) summary: Option<SummaryStyle>,
    /// The older name of `summary`.
    #[serde(skip_serializing_if = "untold")]
    pub(super) generate_summary: Option<SummaryStyle>,
    /// Which earlier thoughts are read, the model's template says.
    #[serde(default, skip_serializing_if = "untold")]
    pub(super) context: Harmless,
    #[serde(skip_serializing_if = "untold")]
    pub(super) mode: Option<ReasoningMode>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SummaryStyle {
    Auto,
    Concise,
    Detailed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ReasoningMode {
    Standard,
}

/// What is told besides. Of tools that there are none of here, nothing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
pub(crate) enum Include {
    #[serde(rename = "message.output_text.logprobs")]
    Logprobs,
    #[serde(rename = "reasoning.encrypted_content")]
    EncryptedReasoning,
    /// They always are.
    #[serde(rename = "message.input_image.image_url")]
    InputImages,
    #[serde(rename = "file_search_call.results")]
    FileSearch,
    #[serde(rename = "web_search_call.results")]
    WebSearch,
    #[serde(rename = "web_search_call.action.sources")]
    WebSources,
    #[serde(rename = "computer_call_output.output.image_url")]
    Screens,
    #[serde(rename = "code_interpreter_call.outputs")]
    Code,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Truncation {
    /// The oldest messages are left out.
    Auto,
    /// The request is refused; and an answer ends where the context does.
    #[default]
    Disabled,
}
