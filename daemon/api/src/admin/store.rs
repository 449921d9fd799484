//! The store's health: scrub and prune, and downloads that were begun.

use axum::{
    Json,
    body::Body,
    extract::{Path, Query},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::stream;
use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::{Depth, Digest, ModelName, Scrubbed};
use tokio::sync::mpsc;

use super::errors::{Failed, Refusal};
use crate::{Api, error::Invalid, ndjson, upload};

/// What may be asked of a scrub.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScrubQuery {
    #[serde(default)]
    deep: bool,
}

/// A line of a scrub: how far it is, or what was found.
#[derive(Serialize)]
#[serde(untagged)]
enum ScrubLine {
    Hashed { hashed_bytes: u64 },
    Found { models: usize, blobs: usize, unused_blobs: usize, unused_bytes: u64, problems: Vec<String> },
    Failed(Failed),
}

/// Figures that wait for a slow client at most.
const LINES_IN_FLIGHT: usize = 16;

/// `POST /admin/api/store/scrub?deep=true`.
pub(super) async fn scrub(api: Api, Query(query): Query<ScrubQuery>) -> Response {
    let depth = if query.deep { Depth::Hashes } else { Depth::Sizes };
    let (sender, lines) = mpsc::channel(LINES_IN_FLIGHT);
    tokio::spawn(async move {
        let told = sender.clone();
        let scrubbing = move |store: store::Store| {
            let mut hashed_bytes = 0;
            store.scrub(depth, &mut |bytes| {
                hashed_bytes += bytes;
                // A client that went away leaves a scrub that is soon over, and changes nothing.
                let _nobody_listens = told.blocking_send(ScrubLine::Hashed { hashed_bytes });
            })
        };
        let last = match api.on_store(scrubbing).await {
            Ok(Scrubbed { models, blobs, unused_blobs, unused_bytes, problems }) => {
                let problems = problems.iter().map(ToString::to_string).collect();
                ScrubLine::Found { models, blobs, unused_blobs, unused_bytes, problems }
            }
            Err(error) => ScrubLine::Failed(Failed::of(error.message())),
        };
        let _nobody_listens = sender.send(last).await;
    });
    let lines = stream::unfold(lines, async |mut lines| {
        let line: Bytes = ndjson::line(&lines.recv().await?);
        Some((line, lines))
    });
    ndjson::response(lines)
}

#[derive(Serialize)]
struct AddedBlob {
    digest: Digest,
}

/// `POST /admin/api/store/blobs`: a blob whose digest its sender does not know, so that a file need not be read twice.
pub(super) async fn add_blob(api: Api, body: Body) -> Result<Response, Refusal> {
    let digest = upload::receive(&api, body, |store| store.begin_unnamed_blob()).await?;
    Ok((StatusCode::CREATED, Json(AddedBlob { digest })).into_response())
}

/// What is to be uploaded.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RoomQuery {
    bytes: u64,
}

/// `GET /admin/api/store/room?bytes=N`: whether there is room, so that nobody sends for nothing.
pub(super) async fn room(api: Api, Query(query): Query<RoomQuery>) -> Result<Response, Refusal> {
    api.on_store(move |store| store.check_room(query.bytes)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

#[derive(Serialize)]
struct Pruned {
    files: usize,
    bytes: u64,
}

/// `POST /admin/api/store/prune`.
pub(super) async fn prune(api: Api) -> Result<Response, Refusal> {
    let pruned: store::Pruned = api.on_store(|store| store.prune()).await?;
    Ok(Json(Pruned { files: pruned.files, bytes: pruned.bytes }).into_response())
}

#[derive(Serialize)]
struct Partials {
    partials: Vec<Partial>,
}

#[derive(Serialize)]
struct Partial {
    digest: Digest,
    model: Option<String>,
    bytes: u64,
    completed_bytes: u64,
    modified_at: String,
}

/// `GET /admin/api/store/partials`: downloads that were begun and are not done.
pub(super) async fn partials(api: Api) -> Result<Response, Refusal> {
    let listed = api.on_store(|store| store.partials()).await?;
    // A name that is none any more is nobody's secret.
    let named = |name: &String| name.parse::<ModelName>().ok();
    let visible = |name: ModelName| api.caller.may_use(&name.fully_qualified());
    let listed =
        listed.into_iter().filter(|partial| partial.model.as_ref().and_then(named).is_none_or(visible));
    let partials = listed.map(|partial| Partial {
        digest: partial.digest,
        model: partial.model,
        bytes: partial.bytes,
        completed_bytes: partial.completed_bytes,
        modified_at: Timestamp::try_from(partial.modified).unwrap_or(Timestamp::UNIX_EPOCH).to_string(),
    });
    Ok(Json(Partials { partials: partials.collect() }).into_response())
}

/// `DELETE /admin/api/store/partials/{digest}`.
pub(super) async fn remove_partial(api: Api, Path(digest): Path<String>) -> Result<Response, Refusal> {
    let digest: Digest = digest.parse().map_err(|_| Invalid::of("digest", "invalid digest format"))?;
    api.on_store(move |store| store.remove_partial(&digest)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
