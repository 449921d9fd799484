//! Of what messages of a request consist.

use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::json::{Harmless, Refused, TextOrList};

/// A part of a message, of a tool's result, or of a document. What Anthropic's own tools leave in a conversation is not
/// known here.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[schema(no_recursion)]
pub(crate) enum Block {
    Text {
        text: String,
        #[serde(default)]
        cache_control: Harmless,
        /// Come with answers of Anthropic's.
        #[serde(default)]
        citations: Harmless,
    },
    Image {
        source: ImageSource,
        #[serde(default)]
        cache_control: Harmless,
        /// Images are read as finely as the model can.
        #[serde(default)]
        transformations: Harmless,
    },
    /// Is told as text.
    Document {
        source: DocumentSource,
        title: Option<String>,
        context: Option<String>,
        citations: Option<Citations>,
        #[serde(default)]
        cache_control: Harmless,
    },
    /// Is told as text.
    SearchResult {
        content: Vec<TextBlock>,
        source: String,
        title: String,
        citations: Option<Citations>,
        #[serde(default)]
        cache_control: Harmless,
    },
    /// What the model thought.
    Thinking {
        thinking: String,
        /// Thoughts are taken back from anybody.
        #[serde(default)]
        signature: Harmless,
    },
    /// Thoughts of another model, which nobody here can read; left out.
    RedactedThinking {
        #[serde(default)]
        data: Harmless,
    },
    /// A call that the model made.
    ToolUse {
        id: String,
        name: String,
        input: Map<String, Value>,
        #[serde(default)]
        cache_control: Harmless,
        /// Only the model itself calls tools here.
        #[serde(default)]
        caller: Harmless,
        #[serde(default)]
        toolset_name: Refused,
    },
    /// What came of a call.
    ToolResult {
        tool_use_id: String,
        content: Option<TextOrList<Self>>,
        /// The model is told in words.
        is_error: Option<bool>,
        #[serde(default)]
        cache_control: Harmless,
        #[serde(default)]
        toolset_name: Refused,
    },
    /// Within a tool's result: the model is told of this tool from here on.
    ToolReference {
        tool_name: String,
        #[serde(default)]
        cache_control: Harmless,
    },
    /// Within a message of the system: the model is told of this tool.
    ToolAddition {
        tool: ToolChange,
        #[serde(default)]
        cache_control: Harmless,
    },
    /// Within a message of the system: the model is not told of this tool any more.
    ToolRemoval {
        tool: ToolChange,
        #[serde(default)]
        cache_control: Harmless,
    },
}

/// An image in base64; what lies elsewhere is never fetched.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum ImageSource {
    Base64 {
        data: String,
        /// Is told from the file itself.
        #[serde(default)]
        media_type: Harmless,
    },
    /// Refused: nothing is fetched.
    Url {
        #[serde(default)]
        url: Harmless,
    },
    /// Refused: no files are kept here.
    File {
        #[serde(default)]
        file_id: Harmless,
    },
}

/// A document as text; others cannot be read.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum DocumentSource {
    Text {
        data: String,
        #[serde(default)]
        media_type: Harmless,
    },
    /// Texts and images.
    Content {
        #[schema(no_recursion)]
        content: TextOrList<Block>,
    },
    /// Refused: PDF cannot be read here.
    Base64 {
        #[serde(default)]
        data: Harmless,
        #[serde(default)]
        media_type: Harmless,
    },
    /// Refused: nothing is fetched.
    Url {
        #[serde(default)]
        url: Harmless,
    },
    /// Refused: no files are kept here.
    File {
        #[serde(default)]
        file_id: Harmless,
    },
}

/// Whether an answer tells where it has things from, which a local model cannot: only `false`.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Citations {
    pub(crate) enabled: Option<bool>,
}

/// A tool of the request's.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum ToolChange {
    ToolReference { name: String },
}

/// A text, where nothing else may stand.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum TextBlock {
    Text {
        text: String,
        #[serde(default)]
        cache_control: Harmless,
        #[serde(default)]
        citations: Harmless,
    },
}

impl TextBlock {
    pub(crate) fn into_text(self) -> String {
        let Self::Text { text, cache_control: Harmless, citations: Harmless } = self;
        text
    }
}
