//! `PUT /admin/api/store/manifests`: a model becomes one by its manifest, whose blobs were uploaded before. What it takes to be a
//! model is `store`'s to say.

use access::audit::Action;
use axum::{
    Json,
    body::Body,
    extract::Query,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use store::{Digest, Manifest, StoreError};

use super::errors::Refusal;
use crate::{
    Api,
    body::{self, COMMAND_BYTES},
    error::Error,
};

/// What the manifest is to be called, and what it is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ManifestQuery {
    name: String,
    digest: Digest,
}

#[derive(Serialize)]
struct Accepted {
    name: String,
    digest: Digest,
}

/// The body is the manifest, byte by byte: by its hash it is known.
pub(super) async fn accept(
    api: Api,
    Query(query): Query<ManifestQuery>,
    body: Body,
) -> Result<Response, Refusal> {
    let name: store::ModelName = query.name.parse().map_err(|_| Error::InvalidName)?;
    let bytes = body::collect(body, COMMAND_BYTES).await?.to_vec();
    let (expected, found) = (query.digest, Digest::of(&bytes));
    if expected != found {
        return Err(StoreError::DigestMismatch { expected, found }.into());
    }
    let manifest = Manifest::parse(bytes).map_err(StoreError::from)?;
    api.makeable(&name)?;
    let blobs = manifest.distinct_blobs().map(|blob| blob.digest).collect();
    if let Some(hidden) = api.hidden(blobs).await? {
        return Err(StoreError::UnknownBlob(hidden).into());
    }
    let accepted = Accepted { name: name.fully_qualified(), digest: found };
    let accepting = api.on_store(move |store| store.accept(&name, manifest));
    api.audited(Action::ModelMake, accepted.name.clone(), accepting).await?;
    Ok((StatusCode::CREATED, Json(accepted)).into_response())
}
