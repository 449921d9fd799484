//! `POST /admin/api/restart`: the daemon ends in order, and runs anew. How is `hob`'s to know.

use access::audit::{Action, Outcome};
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde::Serialize;

use super::errors::Refusal;
use crate::Api;

#[derive(Serialize)]
struct Begun {}

/// `POST /admin/api/restart`. Running answers get as long as at any end.
pub(super) async fn restart(api: Api) -> Result<Response, Refusal> {
    api.audit(Action::Restart, String::new(), Outcome::Done).await?;
    api.settings.restart();
    Ok((StatusCode::ACCEPTED, Json(Begun {})).into_response())
}
