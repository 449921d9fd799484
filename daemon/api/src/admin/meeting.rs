//! `GET /admin/api/box`: what the page is told before anybody has signed in, and who has.

use access::{Origin, Way, Who};
use axum::{
    Extension, Json,
    response::{IntoResponse, Response},
};
use http::header::CACHE_CONTROL;
use serde::Serialize;

use super::people::Known;
use crate::Api;

#[derive(Serialize)]
struct Met {
    /// What people call it.
    name: String,
    /// Absent if it serves no TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    short: Option<String>,
    claimed: bool,
    /// `network` or `loopback`: whether one can sign in here.
    way: &'static str,
    /// Where it serves TLS, as a browser takes it.
    https: Vec<String>,
    me: Option<Known>,
    /// Not for strangers.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
}

/// `GET /admin/api/box`.
pub(super) async fn meet(api: Api, origin: Option<Extension<Origin>>) -> Response {
    let network = origin.is_some_and(|Extension(origin)| origin.way == Way::Lan);
    let known = *api.caller.who() != Who::Nobody;
    let identity = api.identity.as_ref();
    let addresses = api.health.addresses();
    let met = Met {
        name: api.settings.name(),
        label: identity.map(|identity| identity.label().to_owned()),
        id: identity.map(|identity| identity.id().to_string()),
        short: identity.map(|identity| identity.id().short()),
        claimed: api.access.is_claimed(),
        way: if network { "network" } else { "loopback" },
        https: addresses.into_iter().filter(|address| address.starts_with("https://")).collect(),
        me: known.then(|| Known::asking(&api)),
        version: known.then(|| api.config.version.clone()),
    };
    ([(CACHE_CONTROL, "no-store")], Json(met)).into_response()
}
