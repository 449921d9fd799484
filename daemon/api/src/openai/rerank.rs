//! `/v1/rerank`, in the shape that Jina and Cohere gave it: how well documents answer a query.

use axum::{body::Body, extract::State, response::Response};
use protocol::{Inputs, OptionPatch, Overflow};
use serde::Serialize;
use serde_json::Value;

use super::{embed::Usage, errors::Refusal, routes::object};
use crate::{
    Api,
    body::{self, CONVERSATION_BYTES},
    embed::{Ability, Wanted, relevance},
    error::Invalid,
    go_json::Fields,
};

#[derive(Serialize)]
struct Reranked {
    object: &'static str,
    model: String,
    results: Vec<Ranked>,
    usage: Usage,
}

/// One document; which, by its place in the request.
#[derive(Serialize)]
struct Ranked {
    index: usize,
    relevance_score: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<Document>,
}

#[derive(Clone, Serialize)]
struct Document {
    text: String,
}

/// A body of `/v1/rerank`, checked.
#[derive(Debug)]
struct Request {
    model: String,
    query: String,
    documents: Vec<String>,
    top_n: usize,
    returned: Returned,
}

/// Whether results bring their documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Returned {
    Documents,
    Scores,
}

/// What other servers can do to documents, and would change the scores.
const NOT_YET: &[&str] = &["rank_fields", "max_chunks_per_doc", "max_tokens_per_doc"];

/// `POST /v1/rerank`. A document that is too long is read as far as it fits.
pub(super) async fn rerank(State(api): State<Api>, body: Body) -> Result<Response, Refusal> {
    let request = Request::of(body::read(body, CONVERSATION_BYTES, "RerankRequest").await?)?;
    let Request { model, query, documents, top_n, returned } = request;
    let kept = (returned == Returned::Documents).then(|| documents.clone());
    let wanted = Wanted {
        asked: model.clone(),
        ability: Ability::Rerank,
        inputs: Inputs::Pairs { query, documents },
        overflow: Overflow::Truncate,
        options: OptionPatch::default(),
        keep_alive: None,
    };
    let made = api.embed(wanted).await?;
    let document = |index: usize| Some(Document { text: kept.as_ref()?.get(index)?.clone() });
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
        usage: Usage { prompt_tokens: made.prompt_tokens, total_tokens: made.prompt_tokens },
    }))
}

/// The best so many, the best first; of equals, the one that came first.
fn best(scores: impl Iterator<Item = f64>, count: usize) -> Vec<(usize, f64)> {
    let mut scores: Vec<_> = scores.enumerate().collect();
    scores.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    scores.truncate(count);
    scores
}

impl Request {
    fn of(mut fields: Fields) -> Result<Self, Invalid> {
        for field in NOT_YET {
            fields.refuse(field)?;
        }
        let required = |field: &str| Invalid::of(field, format!("{field} is required"));
        let documents = fields.list("documents", "string")?.ok_or_else(|| required("documents"))?;
        if documents.is_empty() {
            return Err(Invalid::of("documents", "documents must not be empty"));
        }
        let top_n = match fields.integer("top_n")? {
            None => documents.len(),
            Some(count) => usize::try_from(count)
                .ok()
                .filter(|count| *count > 0)
                .ok_or_else(|| Invalid::of("top_n", "top_n must be at least 1"))?,
        };
        Ok(Self {
            model: fields.text("model")?.ok_or_else(|| required("model"))?,
            query: fields.text("query")?.ok_or_else(|| required("query"))?,
            documents: documents.into_iter().map(document).collect::<Result<_, _>>()?,
            top_n,
            returned: match fields.flag("return_documents")? {
                Some(true) => Returned::Documents,
                _ => Returned::Scores,
            },
        })
    }
}

/// A text, or an object with one.
fn document(document: Value) -> Result<String, Invalid> {
    let text = match document {
        Value::Object(mut fields) => fields.remove("text").unwrap_or_default(),
        plain => plain,
    };
    match text {
        Value::String(text) => Ok(text),
        _ => Err(Invalid::of("documents", "each of documents must be a string, or an object with a text")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(extra: Value) -> Result<Request, Invalid> {
        let mut body = json!({"model": "m", "query": "q", "documents": ["a", {"text": "b"}]});
        for (key, value) in extra.as_object().unwrap() {
            body[key] = value.clone();
        }
        Request::of(Fields::of("RerankRequest", body).unwrap())
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
            ("documents", json!([7])),
            ("documents", json!([{"title": "a"}])),
            ("documents", json!("a")),
            ("query", json!("")),
            ("query", json!(7)),
            ("top_n", json!(0)),
            ("rank_fields", json!(["title"])),
        ] {
            assert_eq!(request(json!({field: value})).unwrap_err().field.as_deref(), Some(field));
        }
    }

    #[test]
    fn the_best_come_first_and_equals_in_their_order() {
        assert_eq!(best([0.1, 0.9, 0.5, 0.9].into_iter(), 3), [(1, 0.9), (3, 0.9), (2, 0.5)]);
        assert_eq!(best([0.1].into_iter(), 3), [(0, 0.1)]);
    }
}
