//! `/api/blobs/:digest`: model files on their way into the store, never held in memory.

use axum::{
    body::Body,
    extract::Path,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use store::Digest;

use super::errors::{Refusal, Refusals};
use crate::{
    Api,
    error::{Error, Invalid},
    upload,
};

/// Whether a blob is there.
#[utoipa::path(
    head, path = "/api/blobs/{digest}", params(("digest" = String, Path)),
    responses((status = OK, description = "It is"), Refusals)
)]
pub(super) async fn probe(api: Api, Path(digest): Path<String>) -> Result<Response, Refusal> {
    let parsed = parse(&digest)?;
    match is_there(&api, parsed).await? {
        true => Ok(StatusCode::OK.into_response()),
        false => Err(Error::UnknownBlob { digest }.into()),
    }
}

/// Takes a blob in, unless it is there already.
#[utoipa::path(
    post, path = "/api/blobs/{digest}", params(("digest" = String, Path)),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = OK, description = "It was there"), (status = CREATED, description = "It is there now"), Refusals
    )
)]
pub(super) async fn receive(api: Api, Path(digest): Path<String>, body: Body) -> Result<Response, Refusal> {
    let digest = parse(&digest)?;
    if is_there(&api, digest).await? {
        return Ok(StatusCode::OK.into_response());
    }
    upload::receive(&api, body, move |store| store.begin_blob(&digest)).await?;
    Ok(StatusCode::CREATED.into_response())
}

/// Whether the blob is there, for this caller.
async fn is_there(api: &Api, digest: Digest) -> Result<bool, Error> {
    let hidden = api.hidden(vec![digest]).await?.is_some();
    Ok(!hidden && api.on_store(move |store| store.expect_manifest(&digest)).await?)
}

fn parse(digest: &str) -> Result<Digest, Error> {
    Ok(digest.parse().map_err(|_| Invalid::of("digest", "invalid digest format"))?)
}
