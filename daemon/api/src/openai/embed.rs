//! `/v1/embeddings`: vectors of texts or of tokens.

use axum::{body::Body, extract::State, response::Response};
use base64::{Engine, prelude::BASE64_STANDARD};
use protocol::{Inputs, OptionPatch, Overflow};
use serde::Serialize;
use serde_json::Value;

use super::{errors::Refusal, routes::object};
use crate::{
    Api,
    body::{self, CONVERSATION_BYTES},
    embed::{Ability, Wanted, dimensions, unit},
    error::Invalid,
    go_json::Fields,
};

#[derive(Serialize)]
struct List {
    object: &'static str,
    data: Vec<Item>,
    model: String,
    usage: Usage,
}

#[derive(Serialize)]
struct Item {
    object: &'static str,
    embedding: Encoded,
    index: usize,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Encoded {
    Floats(Vec<f32>),
    Base64(String),
}

/// Nothing is said, so all tokens are the prompt's.
#[derive(Serialize)]
pub(super) struct Usage {
    pub(super) prompt_tokens: u32,
    pub(super) total_tokens: u32,
}

/// A body of `/v1/embeddings`, checked.
#[derive(Debug)]
struct Request {
    model: String,
    inputs: Inputs,
    overflow: Overflow,
    encoding: Encoding,
    dimensions: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Floats,
    /// Of 32-bit floats, the lowest byte first.
    Base64,
}

/// `POST /v1/embeddings`.
pub(super) async fn embeddings(State(api): State<Api>, body: Body) -> Result<Response, Refusal> {
    let request = Request::of(body::read(body, CONVERSATION_BYTES, "EmbedRequest").await?)?;
    let wanted = Wanted {
        asked: request.model.clone(),
        ability: Ability::Embed,
        inputs: request.inputs,
        overflow: request.overflow,
        options: OptionPatch::default(),
        keep_alive: None,
    };
    let made = api.embed(wanted).await?;
    let width = made.vectors.first().map_or(0, Vec::len);
    if let Some(wanted) = request.dimensions.filter(|wanted| *wanted > width) {
        let message = format!("dimensions is {wanted}, but the model's embeddings have {width}");
        return Err(Invalid::of("dimensions", message).into());
    }
    let item = |(index, vector)| Item {
        object: "embedding",
        embedding: request.encoding.encode(unit(vector, request.dimensions)),
        index,
    };
    Ok(object(&List {
        object: "list",
        data: made.vectors.into_iter().enumerate().map(item).collect(),
        model: request.model,
        usage: Usage { prompt_tokens: made.prompt_tokens, total_tokens: made.prompt_tokens },
    }))
}

impl Request {
    fn of(mut fields: Fields) -> Result<Self, Invalid> {
        let inputs = inputs(fields.take("input"))?;
        Ok(Self {
            model: fields.text("model")?.ok_or_else(|| Invalid::of("model", "model is required"))?,
            inputs,
            // OpenAI has no such field; what is too long is cut unless it is there, as Ollama does here.
            overflow: match fields.flag("truncate")? {
                Some(false) => Overflow::Refuse,
                _ => Overflow::Truncate,
            },
            encoding: match fields.text("encoding_format")?.as_deref() {
                None | Some("float") => Encoding::Floats,
                Some("base64") => Encoding::Base64,
                Some(other) => {
                    let supported = "Supported values: ['float', 'base64'].";
                    let message = format!("Invalid value for 'encoding_format' = {other}. {supported}");
                    return Err(Invalid::of("encoding_format", message));
                }
            },
            dimensions: dimensions(fields.integer("dimensions")?, 1)?,
        })
    }
}

impl Encoding {
    fn encode(self, vector: Vec<f32>) -> Encoded {
        match self {
            Self::Floats => Encoded::Floats(vector),
            Self::Base64 => {
                let bytes: Vec<u8> = vector.into_iter().flat_map(f32::to_le_bytes).collect();
                Encoded::Base64(BASE64_STANDARD.encode(bytes))
            }
        }
    }
}

/// A text, texts, the tokens of one, or those of several.
fn inputs(input: Option<Value>) -> Result<Inputs, Invalid> {
    let read = match input {
        Some(Value::String(text)) if !text.is_empty() => Some(Inputs::Texts(vec![text])),
        Some(Value::Array(items)) => match items.first() {
            Some(Value::String(_)) => items.into_iter().map(text).collect::<Option<_>>().map(Inputs::Texts),
            Some(Value::Array(_)) => items.iter().map(tokens).collect::<Option<_>>().map(Inputs::Tokens),
            Some(_) => tokens(&Value::Array(items)).map(|tokens| Inputs::Tokens(vec![tokens])),
            None => None,
        },
        _ => None,
    };
    read.ok_or_else(|| {
        let forms = "a text, a list of texts, a list of tokens or a list of such lists, none of them empty";
        Invalid::of("input", format!("invalid input: it must be {forms}"))
    })
}

fn text(item: Value) -> Option<String> {
    match item {
        Value::String(text) => Some(text),
        _ => None,
    }
}

fn tokens(list: &Value) -> Option<Vec<i32>> {
    let items = list.as_array().filter(|items| !items.is_empty())?;
    items.iter().map(|item| i32::try_from(item.as_i64()?).ok()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(extra: Value) -> Result<Request, Invalid> {
        let mut body = json!({"model": "m", "input": "a"});
        for (key, value) in extra.as_object().unwrap() {
            body[key] = value.clone();
        }
        Request::of(Fields::of("EmbedRequest", body).unwrap())
    }

    #[test]
    fn inputs_are_texts_or_tokens_and_never_both() {
        let of = |input: Value| request(json!({"input": input})).map(|request| request.inputs);
        assert_eq!(of(json!("a")).unwrap(), Inputs::Texts(vec!["a".into()]));
        assert_eq!(of(json!(["a", ""])).unwrap(), Inputs::Texts(vec!["a".into(), String::new()]));
        assert_eq!(of(json!([1, 2])).unwrap(), Inputs::Tokens(vec![vec![1, 2]]));
        assert_eq!(of(json!([[1], [2, 3]])).unwrap(), Inputs::Tokens(vec![vec![1], vec![2, 3]]));
        for wrong in
            [json!(""), json!([]), json!([[]]), json!(["a", 1]), json!([1, "a"]), json!([1.5]), json!(7)]
        {
            let refused = of(wrong).unwrap_err();
            assert!(refused.message.starts_with("invalid input"), "{}", refused.message);
        }
    }

    #[test]
    fn what_is_out_of_range_is_refused_by_name() {
        for (field, value) in [
            ("dimensions", json!(0)),
            ("dimensions", json!(-3)),
            ("encoding_format", json!("hex")),
            ("input", json!(null)),
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
