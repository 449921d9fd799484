//! `GET /admin/api/diagnostics`: all that the daemon knows of how it is, in one document, for somebody who is to help. Nothing in it
//! is a secret, a prompt or a key.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::header::CACHE_CONTROL;
use serde::Serialize;

use super::{status, time};
use crate::Api;

/// The document.
#[derive(Serialize)]
struct Diagnostics {
    /// When it was made.
    at: String,
    status: status::Status,
}

/// `GET /admin/api/diagnostics`.
pub(super) async fn diagnostics(api: Api) -> Response {
    let at = time::now(&api.access).to_string();
    let status = status::status(api).await.0;
    ([(CACHE_CONTROL, "no-store")], Json(Diagnostics { at, status })).into_response()
}
