//! `/admin/api/conversations`: what the caller talks about with models, kept on the box, and nobody else's. It is a page that writes
//! and reads them; what is said comes from the families' routes, and is not read here. The JSON is `wire`'s, how a long one goes
//! out `told`'s.

mod told;
mod wire;

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Body,
    extract::{Path, Query, rejection::QueryRejection},
    response::{IntoResponse, Response},
    routing::{get, put},
};
use http::{
    HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE},
};
use serde::{Deserialize, Serialize};
use state::{
    StateError,
    conversations::{Conversations, Wanted},
};

use super::{errors::Refusal, time, typed::Typed};
use crate::{
    Api,
    body::CONVERSATION_BYTES,
    cut::Cut,
    error::{Error, Invalid},
    ndjson,
    places::{Places, Taken},
    sse::X_ACCEL_BUFFERING,
};

/// Everything under `/admin/api/conversations`.
pub(super) fn router() -> Router<Api> {
    Router::new()
        .route("/admin/api/conversations", get(list).post(begin).delete(delete_all))
        .route("/admin/api/conversations/export", get(export))
        .route("/admin/api/conversations/{id}", get(whole).patch(change).delete(delete))
        .route("/admin/api/conversations/{id}/messages/{message}", put(keep_message))
}

impl Api {
    /// Does something with the caller's own conversations, where blocking on the disk is allowed.
    async fn on_own<T: Send + 'static>(
        &self,
        work: impl FnOnce(Conversations) -> Result<T, StateError> + Send + 'static,
    ) -> Result<T, Error> {
        // It asks on behalf of people who are known there, and keeps for them what they say there.
        if self.caller.peer().is_some() {
            return Err(Error::KeptThere);
        }
        let owner = self.caller.owner();
        self.on_state(move |state| work(state.conversations_of(owner))).await
    }
}

/// Those that may be read through or searched at once, and by one owner: each has a message in memory, and its images.
const MOST_READINGS: usize = 4;
const MOST_OF_ONE: usize = 2;

/// A place for each.
pub(crate) fn readings() -> Places {
    Places::new(MOST_READINGS, MOST_OF_ONE)
}

impl Api {
    async fn reading(&self) -> Result<Taken, Error> {
        self.readings.wait(self.caller.owner()).await.ok_or(Error::TooManyReadings)
    }
}

/// Which conversations.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    search: Option<String>,
    before: Option<i64>,
    limit: Option<usize>,
}

/// Conversations in one answer, if nothing is said, and at most.
const USUAL: usize = 50;
const MOST: usize = 200;
/// Characters that may be looked for.
const MOST_SEARCHED: usize = 200;

/// `GET /admin/api/conversations`.
async fn list(api: Api, asked: Result<Query<Asked>, QueryRejection>) -> Result<Response, Refusal> {
    let Query(asked) = asked.map_err(|rejected| Invalid::new(rejected.body_text()))?;
    let wanted = asked.checked()?;
    let place = if wanted.search.is_some() { Some(api.reading().await?) } else { None };
    // A search reads on where nobody hears that its client is gone.
    let waiting = Arc::new(());
    let waited_for = Arc::downgrade(&waiting);
    let searched = api.on_own(move |own| {
        let _place = place;
        own.list(&wanted, || waited_for.strong_count() > 0)
    });
    let page = searched.await?;
    drop(waiting);
    Ok(told(&wire::Page::from(page)))
}

impl Asked {
    fn checked(self) -> Result<Wanted, Invalid> {
        let Self { search, before, limit } = self;
        let limit = limit.unwrap_or(USUAL);
        if !(1..=MOST).contains(&limit) {
            return Err(Invalid::of("limit", format!("limit is {limit}; it must be from 1 to {MOST}")));
        }
        let search = search.filter(|text| !text.trim().is_empty());
        if search.as_ref().is_some_and(|text| text.chars().count() > MOST_SEARCHED) {
            let message = format!("search must have {MOST_SEARCHED} characters at most");
            return Err(Invalid::of("search", message));
        }
        Ok(Wanted { search, before, limit })
    }
}

/// `POST /admin/api/conversations`. Sent again with the same id it begins no second one.
async fn begin(api: Api, Typed(new): Typed<wire::New>) -> Result<Response, Refusal> {
    let new = new.checked()?;
    let (conversation, is_new) = api.on_own(move |own| own.add(&new)).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, told(&wire::Head::of(&conversation)?)).into_response())
}

/// `GET /admin/api/conversations/{id}`.
async fn whole(api: Api, Path(id): Path<String>) -> Result<Response, Refusal> {
    let place = api.reading().await?;
    let found = api.on_own(move |own| own.get(&id)).await?.ok_or(Error::UnknownConversation)?;
    let pieces = told::until_cut((Cut::of(&api), place), told::pieces(api.clone(), &found)?);
    let mut response = Response::new(Body::from_stream(pieces));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// `PATCH /admin/api/conversations/{id}`.
async fn change(
    api: Api,
    Path(id): Path<String>,
    Typed(change): Typed<wire::Change>,
) -> Result<Response, Refusal> {
    let change = change.checked()?;
    let changed = api.on_own(move |own| own.change(&id, change)).await?;
    Ok(told(&wire::Head::of(&changed)?))
}

/// `DELETE /admin/api/conversations/{id}`.
async fn delete(api: Api, Path(id): Path<String>) -> Result<Response, Refusal> {
    match api.on_own(move |own| own.delete(&id)).await? {
        true => Ok(StatusCode::NO_CONTENT.into_response()),
        false => Err(Error::UnknownConversation.into()),
    }
}

/// `DELETE /admin/api/conversations`: all of the caller's.
async fn delete_all(api: Api) -> Result<Response, Refusal> {
    api.on_own(|own| own.delete_all()).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `PUT /admin/api/conversations/{id}/messages/{message}`. While an answer comes it is kept again and again.
async fn keep_message(
    api: Api,
    Path((id, message)): Path<(String, String)>,
    Typed(said): Typed<wire::Said, CONVERSATION_BYTES>,
) -> Result<Response, Refusal> {
    let new = said.checked(message)?;
    let conversation = api.on_own(move |own| own.keep_message(&id, &new)).await?;
    Ok(told(&wire::Head::of(&conversation)?))
}

/// `GET /admin/api/conversations/export`: all of the caller's, a line each, the oldest first.
async fn export(api: Api) -> Result<Response, Refusal> {
    let place = api.reading().await?;
    let ids = api.on_own(|own| own.ids()).await?;
    let day = time::now(&api.access).strftime("%Y-%m-%d").to_string();
    let lines = told::until_cut((Cut::of(&api), place), told::lines(api.clone(), ids));
    let mut response = Response::new(Body::from_stream(lines));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(ndjson::CONTENT));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    let name = format!("attachment; filename=\"hob-conversations-{day}.ndjson\"");
    let name = HeaderValue::from_str(&name).expect("a day is digits and dashes");
    headers.insert(CONTENT_DISPOSITION, name);
    Ok(response)
}

/// What one caller said is for no cache.
fn told(value: &impl Serialize) -> Response {
    ([(CACHE_CONTROL, "no-store")], Json(value)).into_response()
}
