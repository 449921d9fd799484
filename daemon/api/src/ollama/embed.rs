//! `/api/embed`, and `/api/embeddings`, which came before it: vectors of texts.

use std::time::Duration;

use axum::{body::Body, response::Response};
use protocol::{Inputs, Overflow};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    errors::{Refusal, Refusals},
    request::options,
    routes::object,
    schema::{EmbedRequest, EmbeddingRequest},
};
use crate::{
    Api,
    body::{self, CONVERSATION_BYTES},
    embed::{Ability, Made, Wanted, dimensions, unit},
    error::{Error, Invalid},
    go_json::Fields,
    keep_alive,
};

#[derive(Serialize, ToSchema)]
pub(crate) struct EmbedResponse {
    model: String,
    embeddings: Vec<Vec<f32>>,
    #[serde(skip_serializing_if = "is_zero")]
    total_duration: u64,
    #[serde(skip_serializing_if = "is_zero")]
    load_duration: u64,
    #[serde(skip_serializing_if = "is_zero")]
    prompt_eval_count: u64,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct EmbeddingResponse {
    embedding: Vec<f32>,
}

/// Vectors of texts, of length 1. More dimensions than there are, are all of them.
#[utoipa::path(
    post, path = "/api/embed", request_body = EmbedRequest, responses((status = OK, body = EmbedResponse), Refusals)
)]
pub(super) async fn embed(api: Api, body: Body) -> Result<Response, Refusal> {
    let request = Request::embed(body::read(body, CONVERSATION_BYTES, "EmbedRequest").await?)?;
    let Request { wanted, dimensions } = request;
    let model = wanted.asked.clone();
    let Made { vectors, prompt_tokens, load_time, total_time } =
        api.embed(wanted).await.map_err(Error::about_pulling)?;
    Ok(object(&EmbedResponse {
        model,
        embeddings: vectors.into_iter().map(|vector| unit(vector, dimensions)).collect(),
        total_duration: nanos(total_time),
        load_duration: nanos(load_time),
        prompt_eval_count: prompt_tokens.into(),
    }))
}

/// One vector, of whatever length.
#[utoipa::path(
    post, path = "/api/embeddings", request_body = EmbeddingRequest,
    responses((status = OK, body = EmbeddingResponse), Refusals)
)]
pub(super) async fn embeddings(api: Api, body: Body) -> Result<Response, Refusal> {
    let request = Request::embeddings(body::read(body, CONVERSATION_BYTES, "EmbeddingRequest").await?)?;
    let made = api.embed(request.wanted).await.map_err(Error::about_pulling)?;
    Ok(object(&EmbeddingResponse { embedding: made.vectors.into_iter().next().unwrap_or_default() }))
}

/// A body of either, checked.
pub(super) struct Request {
    wanted: Wanted,
    dimensions: Option<usize>,
}

impl Request {
    pub(super) fn embed(mut fields: Fields) -> Result<Self, Invalid> {
        let texts = texts(fields.take("input"))?;
        let overflow = match fields.flag("truncate")? {
            Some(false) => Overflow::Refuse,
            _ => Overflow::Truncate,
        };
        let dimensions = dimensions(fields.integer("dimensions")?, 0)?.filter(|count| *count > 0);
        Ok(Self { wanted: wanted(fields, texts, overflow)?, dimensions })
    }

    pub(super) fn embeddings(mut fields: Fields) -> Result<Self, Invalid> {
        let texts = fields.text("prompt")?.into_iter().collect();
        let wanted = wanted(fields, texts, Overflow::Truncate)?;
        match wanted.asked.is_empty() {
            true => Err(Invalid::of("model", "model is required")),
            false => Ok(Self { wanted, dimensions: None }),
        }
    }
}

/// The part that both have.
fn wanted(mut fields: Fields, texts: Vec<String>, overflow: Overflow) -> Result<Wanted, Invalid> {
    let wanted = Wanted {
        asked: fields.text("model")?.unwrap_or_default(),
        ability: Ability::Embed,
        inputs: Inputs::Texts(texts),
        overflow,
        options: options(&mut fields)?,
        keep_alive: fields.take("keep_alive").as_ref().map(keep_alive::parse).transpose()?,
    };
    fields.finish();
    Ok(wanted)
}

/// A text or a list of them; an empty text is nothing to read, but in a list it is one.
fn texts(input: Option<Value>) -> Result<Vec<String>, Invalid> {
    let invalid = || Invalid::of("input", "invalid input type");
    match input {
        None => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(Some(text).filter(|text| !text.is_empty()).into_iter().collect()),
        Some(Value::Array(items)) => items
            .into_iter()
            .map(|item| match item {
                Value::String(text) => Ok(text),
                _ => Err(invalid()),
            })
            .collect(),
        Some(_) => Err(invalid()),
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_input_is_a_text_or_a_list_of_texts() {
        let of = |input: Value| texts(Some(input));
        assert_eq!(of(json!("a")).unwrap(), ["a"]);
        assert_eq!(of(json!(["a", ""])).unwrap(), ["a", ""]);
        assert_eq!((of(json!("")).unwrap().len(), texts(None).unwrap().len()), (0, 0));
        for wrong in [json!(7), json!(["a", 7]), json!({"a": 1})] {
            assert_eq!(of(wrong).unwrap_err().message, "invalid input type");
        }
    }
}
