//! `/v1/models` as Anthropic's clients ask for it, which say so in a header; for all others it is OpenAI's.
#![expect(unused_qualifications, reason = "in what is derived of a path")]

use std::ops::Range;

use access::Caller;
use axum::{
    extract::{Path, Query, Request, rejection::PathRejection},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, Method, Uri};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::{Store, StoreError};
use utoipa::{IntoParams, ToSchema};

use super::{
    errors::{Refusal, Refusals},
    object,
    wire::answer::Null,
};
use crate::{Api, error::Invalid};

/// The header that Anthropic's clients send always, and others never.
const VERSION: &str = "anthropic-version";

/// A page of models.
#[derive(Serialize, ToSchema)]
pub(crate) struct Models {
    data: Vec<Model>,
    first_id: Option<String>,
    last_id: Option<String>,
    /// In the direction that was asked for.
    has_more: bool,
}

#[derive(Clone, Serialize, ToSchema)]
pub(crate) struct Model {
    #[serde(rename = "type")]
    kind: ModelType,
    id: String,
    display_name: String,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
    lifecycle: Lifecycle,
    deprecated_at: Null,
    retires_at: Null,
    line: Null,
    /// The context, of which an answer needs a part.
    max_input_tokens: u32,
    /// An answer is as long as the context allows.
    max_tokens: Null,
    /// `/api/show` tells.
    capabilities: Null,
}

#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ModelType {
    Model,
}

/// Models here neither age nor retire.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Lifecycle {
    Active,
}

/// Which page.
#[derive(Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Page {
    #[param(minimum = 1, maximum = 1000, default = 20)]
    limit: Option<usize>,
    /// All are active.
    lifecycle: Option<String>,
    /// The models behind this one.
    after_id: Option<String>,
    /// Those before it.
    before_id: Option<String>,
}

/// Whether these are of a request by one of Anthropic's clients.
pub(crate) fn asks(headers: &HeaderMap) -> bool {
    headers.contains_key(VERSION)
}

/// Answers as Anthropic does where its clients ask, else lets OpenAI's family answer.
pub(crate) async fn where_asked(
    api: Api,
    model: Result<Path<String>, PathRejection>,
    request: Request,
    next: Next,
) -> Response {
    if request.method() != Method::GET || !asks(request.headers()) {
        return next.run(request).await;
    }
    match (request.uri().path(), model) {
        ("/v1/models", _) => list(api, request.uri()).await.into_response(),
        (path, Ok(Path(asked))) if path.starts_with("/v1/models/") => get(api, asked).await.into_response(),
        _ => next.run(request).await,
    }
}

/// The models that there are, the newest first, to clients that send `anthropic-version`.
#[utoipa::path(
    get, path = "/v1/models", operation_id = "list", params(Page), responses((status = OK, body = Models), Refusals)
)]
pub(super) async fn list(api: Api, uri: &Uri) -> Result<Response, Refusal> {
    let query = Query::<Page>::try_from_uri(uri).map_err(|error| Invalid::new(error.body_text()))?;
    let default_context = api.settings.in_force().context_tokens;
    let caller = api.caller.clone();
    let found = api.on_store(move |store| page_of(&store, &caller, &query.0, default_context)).await?;
    Ok(object(&found?))
}

/// One model, to clients that send `anthropic-version`. Its name may hold slashes.
#[utoipa::path(
    get,
    path = "/v1/models/{*model}",
    operation_id = "get",
    params(("model" = String, Path)),
    responses((status = OK, body = Model), Refusals)
)]
pub(super) async fn get(api: Api, asked: String) -> Result<Response, Refusal> {
    let model = api.resolve(&asked).await?;
    Ok(object(&described(asked, &model, api.settings.in_force().context_tokens)))
}

fn page_of(
    store: &Store,
    caller: &Caller,
    page: &Page,
    context: u32,
) -> Result<Result<Models, Invalid>, StoreError> {
    let mut listed = store.list()?;
    listed.retain(|model| caller.may_use(&model.name.fully_qualified()));
    let names: Vec<String> = listed.into_iter().map(|listed| listed.name.to_string()).collect();
    let range = match page.range(&names) {
        Ok(range) => range,
        Err(invalid) => return Ok(Err(invalid)),
    };
    let has_more = if page.before_id.is_some() { range.start > 0 } else { range.end < names.len() };
    let mut data = Vec::with_capacity(range.len());
    for name in &names[range] {
        // One that was deleted meanwhile is left out.
        if let Some(model) = name.parse().ok().and_then(|parsed| store.resolve(&parsed).ok()) {
            data.push(described(name.clone(), &model, context));
        }
    }
    let id = |model: &Model| model.id.clone();
    let (first_id, last_id) = (data.first().map(id), data.last().map(id));
    Ok(Ok(Models { data, first_id, last_id, has_more }))
}

impl Page {
    /// Which of these are on it.
    fn range(&self, ids: &[String]) -> Result<Range<usize>, Invalid> {
        let limit = self.limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MOST).contains(&limit) {
            return Err(Invalid::of("limit", format!("limit is {limit}, it must be from 1 to {MOST}")));
        }
        let place = |field: &str, id: &str| {
            let unknown = || Invalid::of(field, format!("{field}: there is no model {id:?}"));
            ids.iter().position(|known| known == id).ok_or_else(unknown)
        };
        match (&self.after_id, &self.before_id) {
            _ if self.lifecycle.as_deref().is_some_and(|wanted| wanted != "active") => Ok(0..0),
            (Some(_), Some(_)) => {
                Err(Invalid::of("after_id", "only one of after_id and before_id can be had"))
            }
            (Some(after), None) => {
                let start = place("after_id", after)? + 1;
                Ok(start..ids.len().min(start + limit))
            }
            (None, Some(before)) => {
                let end = place("before_id", before)?;
                Ok(end.saturating_sub(limit)..end)
            }
            (None, None) => Ok(0..ids.len().min(limit)),
        }
    }
}

const DEFAULT_LIMIT: usize = 20;
const MOST: usize = 1000;

fn described(id: String, model: &store::Model, default_context: u32) -> Model {
    let context = model.parameters.num_ctx.unwrap_or(default_context);
    let trained = model.config.context_length.and_then(|trained| u32::try_from(trained).ok());
    Model {
        kind: ModelType::Model,
        display_name: id.clone(),
        id,
        created_at: Timestamp::try_from(model.modified).unwrap_or(Timestamp::UNIX_EPOCH).to_string(),
        lifecycle: Lifecycle::Active,
        deprecated_at: Null,
        retires_at: Null,
        line: Null,
        max_input_tokens: context.min(trained.unwrap_or(u32::MAX)),
        max_tokens: Null,
        capabilities: Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids() -> Vec<String> {
        ["a", "b", "c", "d"].map(str::to_owned).to_vec()
    }

    #[test]
    fn pages_follow_each_other_in_both_directions() {
        let page = |limit, after: Option<&str>, before: Option<&str>| {
            let (after_id, before_id) = (after.map(str::to_owned), before.map(str::to_owned));
            Page { limit: Some(limit), after_id, before_id, lifecycle: None }.range(&ids())
        };
        assert_eq!(page(3, None, None).unwrap(), 0..3);
        assert_eq!(page(3, Some("c"), None).unwrap(), 3..4);
        assert_eq!(page(2, None, Some("d")).unwrap(), 1..3);
        assert_eq!(page(9, None, Some("a")).unwrap(), 0..0);
        assert_eq!(page(1, Some("e"), None).unwrap_err().field.unwrap(), "after_id");
        assert!(page(0, None, None).is_err() && page(1001, None, None).is_err());
        assert!(page(1, Some("a"), Some("d")).is_err());
        assert_eq!(
            Page { lifecycle: Some("retired".into()), ..Page::default() }.range(&ids()).unwrap(),
            0..0
        );
    }
}
