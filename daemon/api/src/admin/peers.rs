//! `/admin/api/peers`: the boxes that this one is paired with, and those that are there to be. How one becomes a peer is `pairing`'s
//! and `invitations`'.

use std::net::IpAddr;
use std::time::Duration;

use access::audit::{Action, Outcome, printable};
use axum::{
    Json,
    extract::Path,
    response::{IntoResponse, Response},
};
use discovery::Neighbour;
use futures_util::future::join_all;
use http::{Method, StatusCode};
use identity::pairing::{BoxName, Paired};
use registry::Peer;
use serde::Serialize;

use super::{errors::Refusal, invitations::names};
use crate::{Api, error::Error};

/// How long all peers together may take to say that they are there.
const PATIENCE: Duration = Duration::from_secs(1);

/// Bytes of what one says then.
const MOST_BYTES: usize = 4 << 10;

#[derive(Serialize)]
struct Listed {
    peers: Vec<Described>,
    neighbours: Vec<Heard>,
}

/// A box that this one is paired with.
#[derive(Serialize)]
struct Described {
    name: String,
    id: String,
    short: String,
    address: String,
    /// What it may here; absent if it has no key.
    #[serde(skip_serializing_if = "Option::is_none")]
    scopes: Option<Vec<&'static str>>,
    /// Whether it has just answered, and has proven that it is the one.
    online: bool,
    /// It takes our key no longer.
    #[serde(skip_serializing_if = "is_not")]
    refused: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
}

fn is_not(flag: &bool) -> bool {
    !flag
}

/// A box that says it is there.
#[derive(Serialize)]
pub(super) struct Heard {
    label: String,
    /// What it says; short.
    id: String,
    url: String,
    addresses: Vec<IpAddr>,
    version: String,
    state: &'static str,
    /// What the peer is called that it says it is.
    paired: Option<String>,
}

/// `GET /admin/api/peers`.
pub(super) async fn list(api: Api) -> Response {
    let peers = join_all(api.neighbourhood.peers().into_iter().map(|peer| describe(&api, peer))).await;
    Json(Listed { peers, neighbours: neighbours(&api) }).into_response()
}

/// Those that say they are there now.
pub(super) fn neighbours(api: &Api) -> Vec<Heard> {
    let known = api.neighbourhood.known().list();
    let neighbours = api.discovery.as_ref().map(discovery::Discovery::neighbours).unwrap_or_default();
    neighbours.into_iter().map(|neighbour| Heard::of(neighbour, &known)).collect()
}

async fn describe(api: &Api, peer: Peer) -> Described {
    let id = peer.id().to_string();
    let key = api.access.keys().into_iter().find(|key| key.policy.peer.as_ref() == Some(&id));
    let answer = version(&peer).await;
    Described {
        name: peer.name().to_string(),
        short: peer.id().short(),
        address: peer.address().to_string(),
        scopes: key.map(|key| names(key.policy.scopes)),
        online: answer.is_some(),
        refused: answer.as_ref().is_some_and(|(status, _)| *status == StatusCode::UNAUTHORIZED),
        version: answer.and_then(|(_, version)| version),
        id,
    }
}

/// What a peer answers that is there. It is asked for what takes our key, so that one which is of no use any more is seen.
async fn version(peer: &Peer) -> Option<(StatusCode, Option<String>)> {
    let request = peer.request(Method::GET, "/api/version").ok()?;
    let (status, body) = peer.answer(request, MOST_BYTES, PATIENCE).await.ok()?;
    let said: Option<serde_json::Value> = serde_json::from_slice(&body).ok();
    let version = said.as_ref().and_then(|said| said["version"].as_str());
    Some((status, version.map(|version| printable(version, 64))))
}

impl Heard {
    fn of(neighbour: Neighbour, known: &[Paired]) -> Self {
        let paired = known.iter().find(|paired| neighbour.claims_to_be(&paired.id()));
        Self {
            paired: paired.map(|paired| paired.name().to_string()),
            url: neighbour.url(),
            state: neighbour.phase.name(),
            label: neighbour.label,
            id: neighbour.id,
            addresses: neighbour.addresses,
            version: neighbour.version,
        }
    }
}

/// `DELETE /admin/api/peers/{name}`: the box is forgotten, and its key ends with all that is being answered to it.
pub(super) async fn forget(api: Api, Path(name): Path<String>) -> Result<Response, Refusal> {
    let unknown = || Error::UnknownPeer { name: printable(&name, 64) };
    let parsed: BoxName = name.parse().map_err(|_| unknown())?;
    let paired = api.neighbourhood.known().named(&parsed).ok_or_else(unknown)?;
    let known = api.neighbourhood.known().clone();
    let forget = move |access: &access::Access, by: &access::Caller| {
        let (id, target) = (paired.id().to_string(), described(&paired));
        access.record(by, by.address(), Action::PeerForget, &target, Outcome::Done)?;
        // First what it may: should the disk fail in between, it is there to be forgotten again.
        let done = access.revoke_peer_keys(by, &id).map_err(Error::from);
        let done = done.and_then(|()| Ok(known.forget(paired.name()).map(drop)?));
        if done.is_err() {
            access.record(by, by.address(), Action::PeerForget, &target, Outcome::Failed)?;
        }
        done
    };
    api.on_access(forget).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// By what name a box is kept.
pub(super) enum Naming {
    /// This one, or not at all.
    Given,
    /// The one that it has here already, else this one, or one like it that is free.
    Free,
}

/// Keeps a box as a peer from now on. What cannot be written down is not done.
pub(super) async fn keep(api: &Api, paired: Paired, naming: Naming) -> Result<BoxName, Error> {
    let known = api.neighbourhood.known().clone();
    api.on_access(move |access, by| {
        let target = described(&paired);
        access.record(by, by.address(), Action::PeerKeep, &target, Outcome::Done)?;
        let kept = match naming {
            Naming::Given => known.keep(paired.clone()).map(|()| paired.name().clone()),
            Naming::Free => known.keep_by_a_free_name(paired),
        };
        if kept.is_err() {
            access.record(by, by.address(), Action::PeerKeep, &target, Outcome::Failed)?;
        }
        Ok::<_, Error>(kept?)
    })
    .await
}

fn described(paired: &Paired) -> String {
    format!("{} {}", paired.name(), paired.id())
}
