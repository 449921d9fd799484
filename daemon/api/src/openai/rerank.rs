//! `/v1/rerank`, in the shape that Jina and Cohere gave it: how well documents answer a query.

use axum::{body::Body, response::Response};
use protocol::{Inputs, OptionPatch, Overflow};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    embed::PromptUsage,
    errors::{Refusal, Refusals},
    object,
    sampling::kept_alive,
};
use crate::{
    Api,
    body::{self, CONVERSATION_BYTES},
    embed::{Ability, Wanted, relevance},
    error::Invalid,
    json::Refused,
};

/// What is asked: how well documents answer a query.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RerankRequest {
    model: String,
    #[schema(min_length = 1)]
    query: String,
    #[schema(min_items = 1)]
    documents: Vec<Document>,
    /// How many of the best are told; all, if nothing is said.
    #[schema(minimum = 1)]
    top_n: Option<i64>,
    /// Whether results bring their documents.
    return_documents: Option<bool>,
    /// How long the model stays in memory, as Ollama has it.
    keep_alive: Option<Value>,
    /// A document is read as far as it fits, as a whole.
    #[serde(default)]
    max_chunks_per_doc: Refused,
    #[serde(default)]
    max_tokens_per_doc: Refused,
    #[serde(default)]
    rank_fields: Refused,
}

/// A text, or an object with one.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(untagged, expecting = "each of documents must be a string, or an object with a text")]
pub(crate) enum Document {
    Plain(String),
    Object(Text),
}

#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Text {
    text: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Reranked {
    object: &'static str,
    model: String,
    /// The best first.
    results: Vec<Ranked>,
    usage: PromptUsage,
}

/// One document; which, by its place in the request.
#[derive(Serialize, ToSchema)]
pub(crate) struct Ranked {
    index: usize,
    /// From 0 to 1.
    relevance_score: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<Text>,
}

/// A body of `/v1/rerank`, checked.
#[derive(Debug)]
struct Request {
    model: String,
    query: String,
    documents: Vec<String>,
    top_n: usize,
    returned: Returned,
    keep_alive: Option<scheduler::KeepAlive>,
}

/// Whether results bring their documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Returned {
    Documents,
    Scores,
}

/// How well documents answer a query. One that is too long is read as far as it fits.
#[utoipa::path(
    post, path = "/v1/rerank", request_body = RerankRequest, responses((status = OK, body = Reranked), Refusals)
)]
pub(super) async fn rerank(api: Api, body: Body) -> Result<Response, Refusal> {
    let request = Request::try_from(body::typed::<RerankRequest>(body, CONVERSATION_BYTES).await?)?;
    let Request { model, query, documents, top_n, returned, keep_alive } = request;
    let kept = (returned == Returned::Documents).then(|| documents.clone());
    let wanted = Wanted {
        asked: model.clone(),
        ability: Ability::Rerank,
        inputs: Inputs::Pairs { query, documents },
        overflow: Overflow::Truncate,
        options: OptionPatch::default(),
        keep_alive,
    };
    let made = api.embed(wanted).await?;
    let document = |index: usize| Some(Text { text: kept.as_ref()?.get(index)?.clone() });
    let results = best(made.vectors.iter().map(|scores| relevance(scores)), top_n);
    let results = results.into_iter().map(|(index, relevance_score)| Ranked {
        index,
        relevance_score,
        document: document(index),
    });
    Ok(object(&Reranked {
        object: "list",
        model,
        results: results.collect(),
        usage: PromptUsage { prompt_tokens: made.prompt_tokens, total_tokens: made.prompt_tokens },
    }))
}

/// The best so many, the best first; of equals, the one that came first.
fn best(scores: impl Iterator<Item = f64>, count: usize) -> Vec<(usize, f64)> {
    let mut scores: Vec<_> = scores.enumerate().collect();
    scores.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    scores.truncate(count);
    scores
}

impl TryFrom<RerankRequest> for Request {
    type Error = Invalid;

    fn try_from(body: RerankRequest) -> Result<Self, Invalid> {
        #[rustfmt::skip]
        let RerankRequest {
            model, query, documents, top_n, return_documents, keep_alive, max_chunks_per_doc: Refused,
            max_tokens_per_doc: Refused, rank_fields: Refused,
        } = body;
        if documents.is_empty() {
            return Err(Invalid::of("documents", "documents must not be empty"));
        }
        if query.is_empty() {
            return Err(Invalid::of("query", "query must not be empty"));
        }
        let top_n = match top_n {
            None => documents.len(),
            Some(count) => usize::try_from(count)
                .ok()
                .filter(|count| *count > 0)
                .ok_or_else(|| Invalid::of("top_n", "top_n must be at least 1"))?,
        };
        let text = |document| match document {
            Document::Plain(text) | Document::Object(Text { text }) => text,
        };
        Ok(Self {
            model,
            query,
            documents: documents.into_iter().map(text).collect(),
            top_n,
            returned: if return_documents == Some(true) { Returned::Documents } else { Returned::Scores },
            keep_alive: kept_alive(keep_alive)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::json;

    fn request(extra: Value) -> Result<Request, Invalid> {
        let mut body = json!({"model": "m", "query": "q", "documents": ["a", {"text": "b"}]});
        for (key, value) in extra.as_object().unwrap() {
            body[key] = value.clone();
        }
        json::parse::<RerankRequest>(body.to_string().as_bytes())?.try_into()
    }

    #[test]
    fn documents_are_texts_in_either_form() {
        let read = request(json!({})).unwrap();
        assert_eq!((read.documents, read.top_n), (vec!["a".to_owned(), "b".to_owned()], 2));
    }

    #[test]
    fn what_is_missing_or_out_of_range_is_refused_by_name() {
        for (field, value) in [
            ("documents", json!([])),
            ("documents", json!(null)),
            ("documents[0]", json!([7])),
            ("documents[0]", json!([{"title": "a"}])),
            ("documents", json!("a")),
            ("query", json!("")),
            ("query", json!(7)),
            ("top_n", json!(0)),
            ("rank_fields", json!(["title"])),
        ] {
            let refused = request(json!({field.split('[').next().unwrap(): value})).unwrap_err();
            assert_eq!(refused.field.as_deref(), Some(field));
        }
    }

    #[test]
    fn the_best_come_first_and_equals_in_their_order() {
        assert_eq!(best([0.1, 0.9, 0.5, 0.9].into_iter(), 3), [(1, 0.9), (3, 0.9), (2, 0.5)]);
        assert_eq!(best([0.1].into_iter(), 3), [(0, 0.1)]);
    }
}
