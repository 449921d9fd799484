//! `GET /admin/api/diagnostics`: all that the daemon knows of how it is, in one document, for somebody who is to help. It is made of
//! what the other routes tell, and of nothing that is a secret: no key, no password, no setup code, no prompt.

use access::Caller;
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::header::CACHE_CONTROL;
use serde::Serialize;

use super::{logs, now, peers, settings, status, time};
use crate::Api;

/// The document.
#[derive(Serialize)]
struct Diagnostics {
    /// When it was made.
    at: String,
    system: System,
    /// As whoever looks after it from afar sees it: where it listens, its certificate, what does not work.
    status: status::Status,
    settings: Vec<settings::Described>,
    /// Memory, models, requests, disk and sensors, as they are now.
    now: now::Now,
    network: Network,
    log: Vec<logs::Line>,
}

#[derive(Serialize)]
struct System {
    version: String,
    os: &'static str,
    arch: &'static str,
    /// The engine, if paired boxes may have their models computed by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    engine: Option<String>,
}

#[derive(Serialize)]
struct Network {
    /// Whether others are looked for by mDNS.
    looks: bool,
    /// Why that does not go well.
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<String>,
    /// Those that say they are there.
    neighbours: Vec<peers::Heard>,
    peers: Vec<Paired>,
}

#[derive(Serialize)]
struct Paired {
    name: String,
    id: String,
    address: String,
    /// Whether this box has a key to it.
    key: bool,
}

/// Of the log.
const LINES: usize = 200;

/// `GET /admin/api/diagnostics`.
pub(super) async fn diagnostics(api: Api) -> Response {
    // It is told to anybody who may administer the box, and to whomever they give it.
    let code = api.access.setup_code().map(|code| code.reveal());
    let log = logs::last_without(&api, LINES, code.as_deref());
    let system = System {
        version: api.config.version.clone(),
        os: std::env::consts::OS,
        arch: std::env::consts::ARCH,
        engine: api.config.lends.clone(),
    };
    let document = Diagnostics {
        at: time::now(&api.access).to_string(),
        system,
        settings: settings::described(&api),
        now: now::at(&api).await,
        network: network(&api),
        log,
        status: status::status(Api { caller: Caller::nobody(), ..api }).await.0,
    };
    ([(CACHE_CONTROL, "no-store")], Json(document)).into_response()
}

fn network(api: &Api) -> Network {
    let paired = api.neighbourhood.known().list();
    Network {
        looks: api.discovery.is_some(),
        trouble: api.discovery.as_ref().and_then(discovery::Discovery::trouble),
        neighbours: peers::neighbours(api),
        peers: paired
            .iter()
            .map(|paired| Paired {
                name: paired.name().to_string(),
                id: paired.id().to_string(),
                address: paired.address().to_string(),
                key: paired.key().is_some(),
            })
            .collect(),
    }
}
