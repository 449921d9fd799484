//! `POST /admin/api/reset`: the box becomes new. What goes is `backup`'s to know, and it goes at the next start.

use axum::Json;
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::{errors::Refusal, typed::Typed};
use crate::{Api, error::Invalid};

/// What is to become of the models, and the password typed again.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reset {
    models: Models,
    confirm: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Models {
    Keep,
    Remove,
}

#[derive(Serialize)]
pub(super) struct Nothing {}

/// `POST /admin/api/reset`.
pub(super) async fn reset(
    _api: Api,
    Typed(_reset): Typed<Reset>,
) -> Result<(StatusCode, Json<Nothing>), Refusal> {
    Err(Invalid::unsupported("reset").into())
}
