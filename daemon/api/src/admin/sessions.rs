//! `/admin/api/sessions`: the browsers that are signed in.

use std::collections::HashMap;

use axum::{
    Json,
    extract::Path,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde::Serialize;

use super::{errors::Refusal, time};
use crate::Api;

#[derive(Serialize)]
pub(super) struct Sessions {
    sessions: Vec<Session>,
}

#[derive(Serialize)]
struct Session {
    id: String,
    person: String,
    created: String,
    last_seen: String,
    address: Option<String>,
    agent: String,
    /// Whether it is the one that asks.
    current: bool,
}

/// `GET /admin/api/sessions`.
pub(super) async fn list(api: Api) -> Json<Sessions> {
    let names: HashMap<_, _> =
        api.access.people().into_iter().map(|person| (person.owner, person.name.to_string())).collect();
    let own = api.caller.session().map(ToString::to_string);
    let sessions = api.access.sessions().into_iter().map(|session| Session {
        person: names.get(&session.owner).cloned().unwrap_or_default(),
        created: time::written(session.created),
        last_seen: time::written(session.last_seen),
        address: session.address.map(|address| address.to_string()),
        agent: session.agent,
        current: own.as_deref() == Some(&session.id),
        id: session.id,
    });
    Json(Sessions { sessions: sessions.collect() })
}

/// `DELETE /admin/api/sessions/{id}`: what is being answered to it ends.
pub(super) async fn end(api: Api, Path(id): Path<String>) -> Result<Response, Refusal> {
    api.on_access(move |access, by| access.end_session(by, &id)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
