//! `/v1/embeddings`: vectors of texts or of tokens.

use axum::{body::Body, response::Response};
use base64::{Engine, prelude::BASE64_STANDARD};
use protocol::{Inputs, Overflow};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{
    errors::{Refusal, Refusals},
    object,
    prompts::Prompts,
    sampling::kept_alive,
};
use crate::{
    Api,
    body::{self, CONVERSATION_BYTES},
    embed::{Ability, Wanted, dimensions, unit},
    error::Invalid,
    json::Harmless,
    options,
};

/// What is asked: vectors of some inputs.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EmbeddingRequest {
    model: String,
    /// None of them empty, but for texts in a list.
    input: Prompts,
    encoding_format: Option<Encoding>,
    /// The first so many, made of length 1 again.
    #[schema(minimum = 1)]
    dimensions: Option<i64>,
    /// Not OpenAI's: `false` refuses what is too long, which is cut otherwise.
    truncate: Option<bool>,
    /// Not OpenAI's: Ollama's options, as `num_ctx`.
    options: Option<Map<String, Value>>,
    /// Not OpenAI's: how long the model stays in memory, as Ollama has it.
    keep_alive: Option<Value>,
    /// Whoever asks is known by their key.
    #[serde(default)]
    user: Harmless,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Encoding {
    Float,
    /// Of 32-bit floats, the lowest byte first.
    Base64,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Embeddings {
    object: &'static str,
    data: Vec<Embedding>,
    model: String,
    usage: PromptUsage,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Embedding {
    object: &'static str,
    embedding: Encoded,
    index: usize,
}

#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum Encoded {
    Floats(Vec<f32>),
    Base64(String),
}

/// Nothing is said, so all tokens are the prompt's.
#[derive(Serialize, ToSchema)]
pub(crate) struct PromptUsage {
    pub(super) prompt_tokens: u32,
    pub(super) total_tokens: u32,
}

/// A body of `/v1/embeddings`, checked.
#[derive(Debug)]
struct Request {
    wanted: Wanted,
    encoding: Encoding,
    dimensions: Option<usize>,
}

/// Vectors of texts, or of tokens.
#[utoipa::path(
    post, path = "/v1/embeddings", request_body = EmbeddingRequest,
    responses((status = OK, body = Embeddings), Refusals)
)]
pub(super) async fn embeddings(api: Api, body: Body) -> Result<Response, Refusal> {
    let request = Request::try_from(body::typed::<EmbeddingRequest>(body, CONVERSATION_BYTES).await?)?;
    let model = request.wanted.asked.clone();
    let made = api.embed(request.wanted).await?;
    let width = made.vectors.first().map_or(0, Vec::len);
    if let Some(wanted) = request.dimensions.filter(|wanted| *wanted > width) {
        let message = format!("dimensions is {wanted}, but the model's embeddings have {width}");
        return Err(Invalid::of("dimensions", message).into());
    }
    let item = |(index, vector)| Embedding {
        object: "embedding",
        embedding: request.encoding.encode(unit(vector, request.dimensions)),
        index,
    };
    Ok(object(&Embeddings {
        object: "list",
        data: made.vectors.into_iter().enumerate().map(item).collect(),
        model,
        usage: PromptUsage { prompt_tokens: made.prompt_tokens, total_tokens: made.prompt_tokens },
    }))
}

impl TryFrom<EmbeddingRequest> for Request {
    type Error = Invalid;

    fn try_from(body: EmbeddingRequest) -> Result<Self, Invalid> {
        #[rustfmt::skip]
        let EmbeddingRequest {
            model, input, encoding_format, dimensions: wide, truncate, options, keep_alive, user: Harmless,
        } = body;
        let wanted = Wanted {
            asked: model,
            ability: Ability::Embed,
            inputs: inputs(input)?,
            // What is too long is cut unless the request says not to, as Ollama does here.
            overflow: if truncate == Some(false) { Overflow::Refuse } else { Overflow::Truncate },
            options: options::said(options.as_ref())?,
            keep_alive: kept_alive(keep_alive)?,
        };
        let encoding = encoding_format.unwrap_or(Encoding::Float);
        Ok(Self { wanted, encoding, dimensions: dimensions(wide, 1)? })
    }
}

impl Encoding {
    fn encode(self, vector: Vec<f32>) -> Encoded {
        match self {
            Self::Float => Encoded::Floats(vector),
            Self::Base64 => {
                let bytes: Vec<u8> = vector.into_iter().flat_map(f32::to_le_bytes).collect();
                Encoded::Base64(BASE64_STANDARD.encode(bytes))
            }
        }
    }
}

/// OpenAI's own.
const MOST_INPUTS: usize = 2048;

fn inputs(input: Prompts) -> Result<Inputs, Invalid> {
    let inputs = filled(input)?;
    match inputs.len() {
        0..=MOST_INPUTS => Ok(inputs),
        many => Err(Invalid::of(
            "input",
            format!("input has {many} entries, {MOST_INPUTS} at most are read at once"),
        )),
    }
}

fn filled(input: Prompts) -> Result<Inputs, Invalid> {
    let empty = || Invalid::of("input", "input must not be empty");
    match input {
        Prompts::Text(text) if text.is_empty() => Err(empty()),
        Prompts::Text(text) => Ok(Inputs::Texts(vec![text])),
        Prompts::Texts(texts) if texts.is_empty() => Err(empty()),
        Prompts::Texts(texts) => Ok(Inputs::Texts(texts)),
        Prompts::Tokens(tokens) => Ok(Inputs::Tokens(vec![tokens])),
        Prompts::TokenLists(lists) if lists.iter().any(Vec::is_empty) => Err(empty()),
        Prompts::TokenLists(lists) => Ok(Inputs::Tokens(lists)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::json;

    fn request(extra: Value) -> Result<Request, Invalid> {
        let mut body = json!({"model": "m", "input": "a"});
        for (key, value) in extra.as_object().unwrap() {
            body[key] = value.clone();
        }
        json::parse::<EmbeddingRequest>(body.to_string().as_bytes())?.try_into()
    }

    #[test]
    fn inputs_are_texts_or_tokens_and_never_both() {
        let of = |input: Value| request(json!({"input": input})).map(|request| request.wanted.inputs);
        assert_eq!(of(json!("a")).unwrap(), Inputs::Texts(vec!["a".into()]));
        assert_eq!(of(json!(["a", ""])).unwrap(), Inputs::Texts(vec!["a".into(), String::new()]));
        assert_eq!(of(json!([1, 2])).unwrap(), Inputs::Tokens(vec![vec![1, 2]]));
        assert_eq!(of(json!([[1], [2, 3]])).unwrap(), Inputs::Tokens(vec![vec![1], vec![2, 3]]));
        for wrong in
            [json!(""), json!([]), json!([[]]), json!(["a", 1]), json!([1, "a"]), json!([1.5]), json!(7)]
        {
            let refused = of(wrong.clone()).unwrap_err();
            assert!(refused.field.as_deref().unwrap().starts_with("input"), "{wrong}: {refused:?}");
        }
    }

    #[test]
    fn what_is_out_of_range_is_refused_by_name() {
        for (field, value) in [
            ("dimensions", json!(0)),
            ("dimensions", json!(-3)),
            ("encoding_format", json!("hex")),
            ("input", json!(null)),
            ("options", json!({"warmth": 1})),
            ("colour", json!("blue")),
        ] {
            assert_eq!(request(json!({field: value})).unwrap_err().field.as_deref(), Some(field));
        }
    }

    #[test]
    fn base64_is_of_little_endian_floats() {
        let Encoded::Base64(text) = Encoding::Base64.encode(vec![1.0, -2.0]) else { panic!() };
        assert_eq!(text, "AACAPwAAAMA=");
    }
}
