//! What this family's requests look like, for the description alone: they are read field by field in Go's dialect, which no
//! derived reader has. A test below sees that the description and the reading agree.
#![expect(dead_code, reason = "for the description alone")]

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{adapters::Adapter, json::Refused};

/// A prompt to be gone on with. Without one, the model is loaded, or unloaded if it is not to be kept.
#[derive(ToSchema)]
pub(super) struct GenerateRequest {
    model: String,
    prompt: Option<String>,
    /// What comes after the gap that is to be filled.
    suffix: Option<String>,
    system: Option<String>,
    /// In place of the model's.
    template: Option<String>,
    /// Tokens of the conversation so far, as an earlier answer told them.
    context: Option<Vec<i32>>,
    #[schema(default = true)]
    stream: Option<bool>,
    /// Whether the prompt is read as it stands.
    raw: Option<bool>,
    format: Option<Format>,
    keep_alive: Option<KeepAlive>,
    /// In base64.
    images: Option<Vec<String>>,
    /// By the names of a Modelfile's parameters.
    options: Option<Map<String, Value>>,
    think: Option<Think>,
    #[schema(default = true)]
    truncate: Option<bool>,
    #[schema(default = true)]
    shift: Option<bool>,
    logprobs: Option<bool>,
    #[schema(minimum = 0, maximum = 20)]
    top_logprobs: Option<i64>,
    /// Not Ollama's: which of the model's adapters are laid over it.
    lora: Option<Vec<Adapter>>,
    /// Tells what the model would read, and no answer.
    #[schema(rename = "_debug_render_only")]
    debug_render_only: Option<bool>,
    /// Of models that make pictures.
    width: Refused,
    height: Refused,
    steps: Refused,
}

/// A conversation to be gone on with. Without messages, the model is loaded, or unloaded if it is not to be kept.
#[derive(ToSchema)]
pub(super) struct ChatRequest {
    model: String,
    messages: Option<Vec<Message>>,
    tools: Option<Vec<Map<String, Value>>>,
    /// Not Ollama's: whether a tool is called, as OpenAI says it.
    tool_choice: Option<Value>,
    #[schema(default = true)]
    stream: Option<bool>,
    format: Option<Format>,
    keep_alive: Option<KeepAlive>,
    /// By the names of a Modelfile's parameters.
    options: Option<Map<String, Value>>,
    think: Option<Think>,
    #[schema(default = true)]
    truncate: Option<bool>,
    #[schema(default = true)]
    shift: Option<bool>,
    logprobs: Option<bool>,
    #[schema(minimum = 0, maximum = 20)]
    top_logprobs: Option<i64>,
    /// Not Ollama's: which of the model's adapters are laid over it.
    lora: Option<Vec<Adapter>>,
    /// Tells what the model would read, and no answer.
    #[schema(rename = "_debug_render_only")]
    debug_render_only: Option<bool>,
}

/// Something that was said before.
#[derive(ToSchema)]
pub(super) struct Message {
    /// `system`, `user`, `assistant` or `tool`.
    role: String,
    content: Option<String>,
    thinking: Option<String>,
    /// In base64.
    images: Option<Vec<String>>,
    tool_calls: Option<Vec<Map<String, Value>>>,
    tool_name: Option<String>,
    tool_call_id: Option<String>,
}

/// `"json"`, or a JSON Schema.
#[derive(ToSchema)]
#[serde(untagged)]
pub(super) enum Format {
    Word(String),
    Schema(Map<String, Value>),
}

/// Seconds, or a duration as `"5m"`; negative is forever, 0 unloads.
#[derive(ToSchema)]
#[serde(untagged)]
pub(super) enum KeepAlive {
    Seconds(f64),
    Duration(String),
}

/// Whether to think, or how hard: `low`, `medium`, `high` or `max`.
#[derive(ToSchema)]
#[serde(untagged)]
pub(super) enum Think {
    Switch(bool),
    Level(String),
}

/// A text, or several.
#[derive(ToSchema)]
#[serde(untagged)]
pub(super) enum Texts {
    One(String),
    Several(Vec<String>),
}

/// Texts of which vectors are wanted.
#[derive(ToSchema)]
pub(super) struct EmbedRequest {
    model: String,
    input: Option<Texts>,
    #[schema(default = true)]
    truncate: Option<bool>,
    #[schema(minimum = 0)]
    dimensions: Option<i64>,
    options: Option<Map<String, Value>>,
    keep_alive: Option<KeepAlive>,
}

/// A text of which a vector is wanted.
#[derive(ToSchema)]
pub(super) struct EmbeddingRequest {
    model: String,
    prompt: Option<String>,
    options: Option<Map<String, Value>>,
    keep_alive: Option<KeepAlive>,
}

/// Which model is to be shown.
#[derive(ToSchema)]
pub(super) struct ShowRequest {
    model: Option<String>,
    /// The older name of `model`.
    name: Option<String>,
    verbose: Option<bool>,
}

/// Which model is to be removed.
#[derive(ToSchema)]
pub(super) struct DeleteRequest {
    model: Option<String>,
    /// The older name of `model`.
    name: Option<String>,
}

/// Which model is to have another name as well.
#[derive(ToSchema)]
pub(super) struct CopyRequest {
    source: String,
    destination: String,
}

/// Which model is to be brought.
#[derive(ToSchema)]
pub(super) struct PullRequest {
    model: Option<String>,
    /// The older name of `model`.
    name: Option<String>,
    /// Whether plain HTTP is good enough.
    insecure: Option<bool>,
    /// A box that this one is paired with: what it has of that name is taken, and no registry is asked.
    from: Option<String>,
    #[schema(default = true)]
    stream: Option<bool>,
}

/// Which model is to be sent.
#[derive(ToSchema)]
pub(super) struct TransferRequest {
    model: Option<String>,
    /// The older name of `model`.
    name: Option<String>,
    /// Whether plain HTTP is good enough.
    insecure: Option<bool>,
    #[schema(default = true)]
    stream: Option<bool>,
}

/// A model to be made.
#[derive(ToSchema)]
pub(super) struct CreateRequest {
    model: Option<String>,
    /// The older name of `model`.
    name: Option<String>,
    /// A model to build upon; excludes `files`.
    from: Option<String>,
    /// From file names to the digests of uploaded blobs.
    files: Option<BTreeMap<String, String>>,
    adapters: Option<BTreeMap<String, String>>,
    draft_files: Option<BTreeMap<String, String>>,
    template: Option<String>,
    system: Option<String>,
    license: Option<Texts>,
    parameters: Option<Map<String, Value>>,
    messages: Option<Vec<Message>>,
    renderer: Option<String>,
    parser: Option<String>,
    requires: Option<String>,
    quantize: Option<String>,
    /// The older name of `quantize`.
    quantization: Option<String>,
    #[schema(default = true)]
    stream: Option<bool>,
    draft_quantize: Refused,
    info: Refused,
    remote_host: Refused,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;
    use utoipa::PartialSchema;

    use super::*;
    use crate::{
        go_json::{Fields, taken},
        ollama::{create, embed, request::Request},
    };

    fn described<T: PartialSchema>() -> BTreeSet<String> {
        let schema = serde_json::to_value(T::schema()).unwrap();
        schema["properties"].as_object().unwrap().keys().cloned().collect()
    }

    fn fields(name: &'static str) -> Fields {
        let message = json!({"role": "user", "content": "a"});
        let body = json!({"model": "m", "prompt": "a", "messages": [message], "from": "b"});
        Fields::of(name, body).unwrap()
    }

    #[test]
    fn what_is_described_is_what_is_read() {
        Request::generate(fields("GenerateRequest")).unwrap();
        assert_eq!(taken::of("GenerateRequest"), described::<GenerateRequest>());
        Request::chat(fields("ChatRequest")).unwrap();
        assert_eq!(taken::of("ChatRequest"), described::<ChatRequest>());
        assert_eq!(taken::of("Message"), described::<Message>());
        create::Request::read(fields("CreateRequest")).unwrap();
        assert_eq!(taken::of("CreateRequest"), described::<CreateRequest>());
        embed::Request::embed(fields("EmbedRequest")).unwrap();
        assert_eq!(taken::of("EmbedRequest"), described::<EmbedRequest>());
        embed::Request::embeddings(fields("EmbeddingRequest")).unwrap();
        assert_eq!(taken::of("EmbeddingRequest"), described::<EmbeddingRequest>());
    }
}
