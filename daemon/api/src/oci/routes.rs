//! This family's routes: read what is asked, look it up, answer.

use axum::{
    Json, Router,
    body::Body,
    extract::{Path, Query, rejection::PathRejection},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
    header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LINK},
};
use serde::{Deserialize, Serialize};
use store::{Digest, HeldBlob, Manifest, ModelName, Store, StoreError};

use super::{
    blob::Outgoing,
    errors::Refusal,
    path::{Holder, Reference, Repository, Wanted},
    range,
};
use crate::{Api, error::Error};

const DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
const VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");

/// Everything under `/v2`.
pub(crate) fn router() -> Router<Api> {
    Router::new().route("/v2/", get(base)).route("/v2/_catalog", get(catalog)).route("/v2/{*path}", get(read))
}

/// That the protocol is spoken here, and to whoever asks.
async fn base() -> Response {
    ([(VERSION, HeaderValue::from_static("registry/2.0"))], Json(serde_json::json!({}))).into_response()
}

/// What of a list.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Page {
    /// No more than so many.
    n: Option<usize>,
    /// Those after this one.
    last: Option<String>,
}

#[derive(Serialize)]
struct Repositories {
    repositories: Vec<String>,
}

#[derive(Serialize)]
struct Tags {
    name: String,
    tags: Vec<String>,
}

async fn catalog(api: Api, Query(page): Query<Page>) -> Result<Response, Refusal> {
    shared(&api)?;
    let names = visible(&api, |_| true).await?;
    let (repositories, next) = page.of(names.iter().map(ModelName::repository), "/v2/_catalog");
    Ok((next, Json(Repositories { repositories })).into_response())
}

async fn read(
    api: Api,
    method: Method,
    path: Result<Path<String>, PathRejection>,
    Query(page): Query<Page>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    shared(&api)?;
    let Path(path) = path.map_err(|_| Error::InvalidName)?;
    match Wanted::parse(&path)? {
        Wanted::Tags(repository) => tags(&api, repository, &page).await,
        Wanted::Manifest(repository, reference) => {
            let manifest = manifest(&api, repository, reference).await?;
            Ok(told(&headers, manifest.digest())
                .unwrap_or_else(|| (described(&manifest), manifest.bytes().to_vec()).into_response()))
        }
        Wanted::Blob(holder, digest) => {
            let held = blob(&api, holder, digest).await?;
            match told(&headers, digest) {
                Some(known) => Ok(known),
                None => Ok(send(&api, held, &method, &headers)?),
            }
        }
    }
}

/// Other boxes get models only if the owner lets them; people and their programs are no other boxes.
fn shared(api: &Api) -> Result<(), Error> {
    if api.settings.in_force().share || api.caller.peer().is_none() { Ok(()) } else { Err(Error::NotShared) }
}

async fn tags(api: &Api, repository: Repository, page: &Page) -> Result<Response, Refusal> {
    let (asked, caller) = (repository.asked.clone(), api.caller.clone());
    let names = visible(api, move |name| repository.shows(name, &caller)).await?;
    if names.is_empty() {
        return Err(Error::UnknownRepository { asked }.into());
    }
    let place = format!("/v2/{asked}/tags/list");
    let (tags, next) = page.of(names.iter().map(|name| name.tag().to_owned()), &place);
    Ok((next, Json(Tags { name: asked, tags })).into_response())
}

/// Names of models that the caller may use, in order.
async fn visible(
    api: &Api,
    wanted: impl Fn(&ModelName) -> bool + Send + 'static,
) -> Result<Vec<ModelName>, Error> {
    let caller = api.caller.clone();
    api.on_store(move |store| {
        let mut names = store.all_names()?;
        names.retain(|name| wanted(name) && caller.may_use(&name.fully_qualified()));
        Ok(names)
    })
    .await
}

impl Page {
    /// These of a list that is in order, and where the next ones are to be had.
    fn of(&self, all: impl Iterator<Item = String>, place: &str) -> (Vec<String>, HeaderMap) {
        let mut items: Vec<String> =
            all.filter(|item| self.last.as_ref().is_none_or(|last| item > last)).collect();
        items.sort();
        items.dedup();
        let mut headers = HeaderMap::new();
        if let Some(most) = self.n.filter(|most| *most < items.len()) {
            items.truncate(most);
            let last = items.last().map_or("", String::as_str);
            let link = HeaderValue::try_from(format!("<{place}?n={most}&last={last}>; rel=\"next\""));
            headers.extend(link.map(|link| (LINK, link)));
        }
        (items, headers)
    }
}

async fn manifest(api: &Api, repository: Repository, reference: Reference) -> Result<Manifest, Error> {
    let unknown = Error::UnknownModel { asked: repository.asked.clone() };
    let caller = api.caller.clone();
    let found = api.on_store(move |store| match reference {
        Reference::Tag(name) if repository.shows(&name, &caller) => known(store.manifest(&name)),
        Reference::Tag(_) => Ok(None),
        Reference::Digest(digest) => {
            let names = store.all_names()?.into_iter().filter(|name| repository.shows(name, &caller));
            Ok(names
                .filter_map(|name| store.manifest(&name).ok())
                .find(|manifest| manifest.digest() == digest))
        }
    });
    found.await?.ok_or(unknown)
}

fn known(manifest: Result<Manifest, StoreError>) -> Result<Option<Manifest>, StoreError> {
    match manifest {
        Err(StoreError::UnknownModel(_)) => Ok(None),
        other => other.map(Some),
    }
}

/// A blob that a model names which the caller may use. What was only uploaded is nobody's to read.
async fn blob(api: &Api, holder: Holder, digest: Digest) -> Result<HeldBlob, Error> {
    let caller = api.caller.clone();
    let found = api.on_store(move |store: Store| {
        // Held first: whatever becomes of its name then, its bytes stay.
        let Some(held) = store.hold(&digest)? else { return Ok(None) };
        let named = store.named_by(&digest)?.iter().any(|name| holder.shows(name, &caller));
        Ok(named.then_some(held))
    });
    found.await?.ok_or_else(|| Error::UnknownBlob { digest: digest.to_string() })
}

fn etag(digest: Digest) -> String {
    format!("\"{digest}\"")
}

/// The answer for whoever has it already.
fn told(headers: &HeaderMap, digest: Digest) -> Option<Response> {
    let etag = etag(digest);
    let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let known =
        known.flat_map(|value| value.split(',')).map(str::trim).any(|known| known == "*" || known == etag);
    known.then(|| (StatusCode::NOT_MODIFIED, [(ETAG, etag)]).into_response())
}

fn described(manifest: &Manifest) -> HeaderMap {
    let mut headers = named(manifest.digest());
    let media_type = HeaderValue::from_str(manifest.media_type());
    headers.insert(CONTENT_TYPE, media_type.unwrap_or(HeaderValue::from_static(Manifest::MEDIA_TYPES[1])));
    headers
}

fn named(digest: Digest) -> HeaderMap {
    let text = |text: String| HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""));
    HeaderMap::from_iter([(DIGEST, text(digest.to_string())), (ETAG, text(etag(digest)))])
}

/// What is wanted of a blob.
fn send(api: &Api, held: HeldBlob, method: &Method, headers: &HeaderMap) -> Result<Response, Error> {
    let (digest, length) = (held.digest(), held.bytes());
    let wanted = range::Wanted::of(headers, length, &etag(digest));
    let mut answer = named(digest);
    answer.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    answer.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let (status, bytes) = match wanted {
        range::Wanted::All => (StatusCode::OK, 0..length),
        range::Wanted::Part(bytes) => {
            let range = format!("bytes {}-{}/{length}", bytes.start, bytes.end - 1);
            answer.extend(HeaderValue::try_from(range).map(|range| (CONTENT_RANGE, range)));
            (StatusCode::PARTIAL_CONTENT, bytes)
        }
        range::Wanted::Beyond => {
            let mut response = Refusal::from(Error::BeyondEnd { length }).into_response();
            let range = HeaderValue::try_from(format!("bytes */{length}"));
            response.headers_mut().extend(range.map(|range| (CONTENT_RANGE, range)));
            return Ok(response);
        }
    };
    answer.insert(CONTENT_LENGTH, HeaderValue::from(bytes.end - bytes.start));
    let body = match *method {
        Method::HEAD => Body::empty(),
        _ => Body::new(Outgoing::begin(api, held, bytes)?),
    };
    Ok((status, answer, body).into_response())
}
