//! `/admin/api/people`: who may sign in here besides whoever claimed the box. What they may is `access`'s to know.

use std::collections::HashMap;

use access::{InvalidRole, Person, Role, Who};
use axum::{
    Json, Router,
    extract::Path,
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use http::StatusCode;
use protocol::Owner;
use serde::{Deserialize, Serialize};

use super::{
    errors::Refusal,
    people::{Again, Nothing, confirmed, confirmed_by, new_password, new_person},
    time,
    typed::Typed,
};
use crate::{
    Api,
    error::{Error, Invalid},
};

/// Everything under `/admin/api/people`.
pub(super) fn router() -> Router<Api> {
    Router::new()
        .route("/admin/api/people", get(list).post(add))
        .route("/admin/api/people/{name}", delete(remove))
        .route("/admin/api/people/{name}/password", post(reset_password))
}

#[derive(Serialize)]
struct People {
    people: Vec<Described>,
}

#[derive(Serialize)]
struct Described {
    name: String,
    role: &'static str,
    created: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_seen: Option<String>,
    /// Whether it is who asks.
    you: bool,
}

impl Described {
    fn of(person: &Person, api: &Api, seen: &HashMap<Owner, i64>) -> Self {
        Self {
            name: person.name.to_string(),
            role: person.role.name(),
            created: time::written(person.created),
            last_seen: seen.get(&person.owner).copied().map(time::written),
            you: matches!(api.caller.who(), Who::Person(_)) && api.caller.owner() == person.owner,
        }
    }
}

/// `GET /admin/api/people`, in the order in which they came.
async fn list(api: Api) -> Result<Response, Refusal> {
    let seen = api.on_access(|access, _| access.last_seen()).await?;
    let people = api.access.people();
    let people = people.iter().map(|person| Described::of(person, &api, &seen)).collect();
    Ok(Json(People { people }).into_response())
}

/// Somebody who is to be able to sign in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct New {
    name: String,
    password: String,
    role: String,
    confirm: Option<String>,
}

/// `POST /admin/api/people`.
async fn add(api: Api, Typed(new): Typed<New>) -> Result<Response, Refusal> {
    let New { name, password, role, confirm } = new;
    let (name, password) = (new_person(&name)?, new_password("password", &password)?);
    let role: Role = role.parse().map_err(|error: InvalidRole| Invalid::of("role", error.to_string()))?;
    confirmed(&api, confirm).await?;
    let made = api.on_access(move |access, by| access.add_person(by, &name, &password, role)).await?;
    Ok((StatusCode::CREATED, Json(Described::of(&made, &api, &HashMap::new()))).into_response())
}

/// `DELETE /admin/api/people/{name}`: what they talked about goes with them, and what is being answered to them ends.
async fn remove(
    api: Api,
    Path(name): Path<String>,
    again: Option<Typed<Again>>,
) -> Result<Response, Refusal> {
    let name = name.parse().map_err(|_| Error::UnknownPerson { name })?;
    confirmed_by(&api, again).await?;
    api.on_access(move |access, by| access.remove_person(by, &name)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Another password for somebody.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Another {
    password: String,
    confirm: Option<String>,
}

/// `POST /admin/api/people/{name}/password`: of somebody who lost theirs. Their sessions end, but for the one that asks.
async fn reset_password(
    api: Api,
    Path(name): Path<String>,
    Typed(Another { password, confirm }): Typed<Another>,
) -> Result<Response, Refusal> {
    let name = name.parse().map_err(|_| Error::UnknownPerson { name })?;
    let new = new_password("password", &password)?;
    confirmed(&api, confirm).await?;
    api.on_access(move |access, by| access.reset_password(by, &name, &new)).await?;
    Ok(Json(Nothing {}).into_response())
}
