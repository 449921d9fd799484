//! The box in one file, and a box of such a file. What is in it and what of it is believed is `backup`'s to know.

use axum::{Json, body::Body, response::Response};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};

use super::{errors::Refusal, typed::Typed};
use crate::{Api, error::Invalid};

/// What is asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    confirm: Option<String>,
    /// What the file is sealed with. Without it, it has no secrets of the box.
    passphrase: Option<String>,
}

/// What will be in place at the next start.
#[derive(Serialize)]
pub(super) struct Restored {
    /// Whose backup it is; none of a box that had nothing to do with the network.
    r#box: Option<Whose>,
    made: String,
    version: String,
    /// Whether the box becomes that one, for all who know it.
    identity: bool,
    settings: bool,
    people: u64,
    keys: u64,
    peers: u64,
    models: Vec<Model>,
    /// What was left out when it was made, in words.
    left_out: Vec<String>,
}

#[derive(Serialize)]
struct Whose {
    id: String,
    label: String,
}

#[derive(Serialize)]
struct Model {
    name: String,
    /// What is to be pulled, or imported; nothing if it is all here.
    lacks: Vec<Lacking>,
}

#[derive(Serialize)]
struct Lacking {
    digest: String,
    bytes: u64,
}

/// `POST /admin/api/backup`: a file, as it is made.
pub(super) async fn backup(_api: Api, Typed(_wanted): Typed<Wanted>) -> Result<Response, Refusal> {
    Err(Invalid::unsupported("backup").into())
}

/// `POST /admin/api/restore`: such a file. `hob-passphrase` and `hob-confirm` are headers, encoded as in a URL.
pub(super) async fn restore(
    _api: Api,
    _headers: HeaderMap,
    _body: Body,
) -> Result<(StatusCode, Json<Restored>), Refusal> {
    Err(Invalid::unsupported("restore").into())
}
