//! `POST /admin/api/peers`: this box goes to another one that has invited it. It finds out who is there, holds that against the ID
//! that a person compared, and only then says anything; what it is told, it keeps. The other end of that is `invitations`'.

use std::fmt::Display;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use access::{OneTimeCode, Scope, Scopes, Secret, audit::printable};
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{Method, StatusCode, header::CACHE_CONTROL};
use identity::ExpectedId;
use identity::pairing::{Address, AdminKey, BoxName, Introduction, Paired, PairingError, introduce};
use registry::RegistryError;
use serde::{Deserialize, Serialize};

use super::invitations::{names, of_peers, usual};
use super::{errors::Refusal, offers::Offer, peers, people::confirmed, typed::Typed};
use crate::{
    Api,
    error::{Error, Invalid},
};

/// How long a box may take to say who it is.
const INTRODUCTION: Duration = Duration::from_secs(10);
/// How long it may take to make keys and to find us.
const REDEMPTION: Duration = Duration::from_secs(30);
/// Where it may be at once.
const MOST_PLACES: usize = 32;
/// Bytes of what it answers.
const MOST_BYTES: usize = 16 << 10;

/// Which box, by which code.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    address: String,
    /// Where whoever asks has found it, as the system need not know its name.
    #[serde(default)]
    places: Vec<SocketAddr>,
    /// What a person has compared; whole or short.
    id: String,
    code: String,
    /// What it is to be called here.
    name: Option<String>,
    /// Somebody who wants a key of their own there, as alice@laptop.
    person: Option<String>,
    /// What it is to have here; else the usual ones of what it gives.
    scopes: Option<Vec<String>>,
    confirm: Option<String>,
}

#[derive(Serialize)]
struct Made {
    name: String,
    id: String,
    address: String,
    /// What this box may there.
    scopes: Vec<&'static str>,
    /// What the other may here; absent if it does not ask this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    granted: Option<Vec<&'static str>>,
    /// The person's.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    /// Why the other does not ask this one, if it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    one_way: Option<String>,
}

/// `POST /admin/api/peers`.
pub(super) async fn pair(api: Api, Typed(mut wanted): Typed<Wanted>) -> Result<Response, Refusal> {
    let password = wanted.confirm.take();
    let asked = wanted.checked()?;
    if api.config.lends.is_none() && asked.gives.is_some_and(|gives| gives.contains(Scope::Split)) {
        return Err(Error::LendsNothing.into());
    }
    confirmed(&api, password).await?;
    let Asked { address, places, id, .. } = &asked;
    let places = [seen(&api, address), places.clone()].concat();
    let shown = introduced(address.clone(), places).await?;
    shown.must_be(id).map_err(Error::from)?;
    may_be_kept(&api, &shown, asked.name.as_ref())?;
    // Whoever asked may be gone before the answer: what the other box has made by then is not to be made there alone.
    tokio::spawn(bring(api, asked, shown)).await.map_err(Error::from)?
}

/// Brings the code, and keeps what comes of it.
async fn bring(api: Api, asked: Asked, shown: Introduction) -> Result<Response, Refusal> {
    let Asked { code, name, person, gives, .. } = asked;
    let naming = if name.is_some() { peers::Naming::Given } else { peers::Naming::Free };
    let called = name.map_or_else(|| shown.id.label().parse(), Ok).map_err(|_| Error::NoNetwork)?;
    let (paired, ours) = (Paired::new(called, &shown), Ours::of(&api, gives));
    // What its owner calls the machine, of one that has no name on the network.
    let label = api.identity.as_ref().map(|identity| identity.label().to_owned());
    let own_name = label.unwrap_or_else(|| BoxName::of_this_machine().to_string());
    let of_box = OfBox::of(ours.as_ref());
    let body = Redeem { code: &code.reveal(), name: &own_name, person: person.as_deref(), of_box };
    let told = redeem(&api, &paired, &body).await?;
    let (kept, granted) = keep(&api, paired, naming, (ours, &told)).await?;
    let (granted, one_way) = match granted {
        Ok(granted) => (Some(names(granted)), None),
        Err(reason) => (None, Some(reason)),
    };
    let made = Made {
        name: kept.to_string(),
        id: shown.id.to_string(),
        address: shown.address.to_string(),
        scopes: names(told.scopes()),
        granted,
        key: told.key,
        one_way,
    };
    Ok((StatusCode::CREATED, [(CACHE_CONTROL, "no-store")], Json(made)).into_response())
}

/// The same, read.
struct Asked {
    address: Address,
    places: Vec<SocketAddr>,
    id: ExpectedId,
    code: OneTimeCode,
    name: Option<BoxName>,
    person: Option<String>,
    gives: Option<Scopes>,
}

impl Wanted {
    fn checked(self) -> Result<Asked, Invalid> {
        let Self { address, places, id, code, name, person, scopes, confirm: _ } = self;
        if places.len() > MOST_PLACES {
            return Err(Invalid::of("places", format!("places must be {MOST_PLACES} at most")));
        }
        Ok(Asked {
            address: parsed("address", &address)?,
            places,
            id: parsed("id", &id)?,
            code: parsed("code", &code)?,
            name: name.map(|name| parsed("name", &name)).transpose()?,
            person,
            gives: scopes.as_deref().map(of_peers).transpose()?,
        })
    }
}

fn parsed<T: FromStr<Err: Display>>(field: &str, text: &str) -> Result<T, Invalid> {
    text.parse().map_err(|error: T::Err| Invalid::of(field, error.to_string()))
}

/// Where a box is by its name on the network: many systems do not look such up.
fn seen(api: &Api, address: &Address) -> Vec<SocketAddr> {
    let heard = api.discovery.as_ref().map(|discovery| discovery.places_of(&address.host()));
    let heard = heard.into_iter().flatten();
    heard.map(|place| SocketAddr::new(place.ip(), address.port())).collect()
}

async fn introduced(address: Address, places: Vec<SocketAddr>) -> Result<Introduction, Error> {
    Ok(tokio::task::spawn_blocking(move || introduce(&address, &places, INTRODUCTION)).await??)
}

/// Before anything is said that is good only once.
fn may_be_kept(api: &Api, shown: &Introduction, name: Option<&BoxName>) -> Result<(), Error> {
    if api.identity.as_ref().is_some_and(|identity| *identity.id() == shown.id) {
        return Err(Error::Itself);
    }
    match name.and_then(|name| api.neighbourhood.known().named(name)) {
        Some(other) if other.id() != shown.id => {
            let (name, expected, found) = (other.name().clone(), other.id(), shown.id);
            Err(PairingError::Changed { name, expected, found }.into())
        }
        _ => Ok(()),
    }
}

/// How this box is asked, and the key that the other is to have here once it has told us its own.
struct Ours {
    root: String,
    port: u16,
    secret: Secret,
    /// What the other is to have here, if somebody has named that.
    gives: Option<Scopes>,
}

impl Ours {
    /// `None` of a box that does not serve the network, or nobody there yet.
    fn of(api: &Api, gives: Option<Scopes>) -> Option<Self> {
        // One that nobody owns serves nobody.
        let identity = api.identity.as_ref().filter(|_| api.access.is_claimed())?;
        let serves = |url: String| url.strip_prefix("https://")?.parse::<SocketAddr>().ok();
        let port = api.health.addresses().into_iter().find_map(serves)?.port();
        Some(Self { root: identity.root_pem().to_owned(), port, secret: Secret::generate(), gives })
    }
}

/// What is said, once.
#[derive(Serialize)]
struct Redeem<'a> {
    code: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    person: Option<&'a str>,
    #[serde(rename = "box")]
    of_box: OfBox<'a>,
}

#[derive(Serialize)]
struct OfBox<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    root: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scopes: Option<Vec<&'static str>>,
}

impl<'a> OfBox<'a> {
    fn of(ours: Option<&'a Ours>) -> Self {
        Self {
            root: ours.map(|ours| ours.root.as_str()),
            port: ours.map(|ours| ours.port),
            key: ours.map(|ours| ours.secret.reveal()),
            scopes: ours.and_then(|ours| ours.gives).map(names),
        }
    }
}

/// What is told then. A box of a later version may tell more.
#[derive(Deserialize)]
struct Told {
    scopes: Vec<String>,
    box_key: Option<String>,
    key: Option<String>,
    one_way: Option<String>,
}

impl Told {
    /// What this box may there. Words that are no scopes are nobody's to read.
    fn scopes(&self) -> Scopes {
        let named: Scopes = self.scopes.iter().filter_map(|scope| scope.parse::<Scope>().ok()).collect();
        named.within(Scopes::of_peers())
    }
}

/// Brings the code. Until it is answered, this box says to the other that it does.
async fn redeem(api: &Api, paired: &Paired, body: &Redeem<'_>) -> Result<Told, Error> {
    let label = paired.id().label();
    let failed = |error: RegistryError| Error::NotRedeemed {
        label: label.clone(),
        status: None,
        reason: error.to_string(),
    };
    let peer = api.neighbourhood.newcomer(paired.clone()).map_err(failed)?;
    let request = peer.request(Method::POST, "/pair").map_err(failed)?.json(body);
    let _stands = body.of_box.key.map(|key| api.offers.make(Offer::new(key, &paired.id())));
    let (status, body) = peer.answer(request, MOST_BYTES, REDEMPTION).await.map_err(failed)?;
    if status.is_success() {
        let told: Option<Told> = serde_json::from_slice(&body).ok();
        // One that makes no sense is not kept.
        let makes_sense = |told: &Told| {
            [&told.box_key, &told.key].into_iter().flatten().all(|key| access::is_whole_key(key))
        };
        return told.filter(makes_sense).ok_or_else(|| failed(RegistryError::Malformed("answer")));
    }
    let said: Option<serde_json::Value> = serde_json::from_slice(&body).ok();
    let reason = said.as_ref().and_then(|said| said["error"].as_str()).unwrap_or(status.as_str());
    Err(Error::NotRedeemed { label, status: Some(status), reason: printable(reason, 300) })
}

/// Gives the other box its key here, if it has us as a peer, and keeps it as one. Nothing of it is left if that fails. What the other
/// may here then, or why it does not ask.
async fn keep(
    api: &Api,
    paired: Paired,
    naming: peers::Naming,
    (ours, told): (Option<Ours>, &Told),
) -> Result<(BoxName, Result<Scopes, String>), Error> {
    let (label, id) = (paired.id().label(), paired.id().to_string());
    let said = told.one_way.as_ref().map(|reason| printable(reason, 300));
    let box_key = told.box_key.clone().ok_or_else(|| {
        let reason = said.as_ref().map_or_else(String::new, |said| format!(": {said}"));
        let reason = format!("it gave this box no key{reason}");
        Error::NotRedeemed { label: label.clone(), status: None, reason }
    })?;
    let granted = match ours {
        None => Err("this box does not serve the network (`lan = \"on\"`), or is not claimed yet".to_owned()),
        Some(ours) => match (said, granted(ours.gives, told.scopes())) {
            (Some(said), _) => Err(said),
            (None, Scopes::NONE) => {
                Err("what it lends, a box gets by name alone: set `lan.split = \"experimental\"` here, \
                                         and name --scope split"
                    .to_owned())
            }
            (None, granted) => Ok((ours.secret, granted)),
        },
    };
    let (made, granted) = match granted {
        Ok((secret, granted)) => {
            let name = format!("box {label}");
            let create = move |access: &access::Access, by: &access::Caller| {
                access.create_peer_key(by, (name, id), granted, secret)
            };
            (Some(api.on_access(create).await?), Ok(granted))
        }
        Err(reason) => (None, Err(reason)),
    };
    let kept = peers::keep(api, paired.with_key(Some(AdminKey::new(box_key))), naming).await;
    if kept.is_err()
        && let Some(key) = made
    {
        api.on_access(move |access, by| access.revoke_key(by, key.id)).await?;
    }
    Ok((kept?, granted))
}

/// What it may here: what this box's owner has named; else the usual ones of what we may there, whatever it says that we may.
fn granted(named: Option<Scopes>, there: Scopes) -> Scopes {
    named.unwrap_or_else(|| there.within(usual()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_box_that_invites_does_not_choose_what_it_may_at_its_guest() {
        let told = |scopes: &[&str]| Told {
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            box_key: None,
            key: None,
            one_way: None,
        };
        let greedy = told(&["infer", "split", "admin", "models.write", "\u{1b}[2J"]).scopes();
        assert_eq!(names(greedy), ["infer", "split"]);
        assert_eq!(names(granted(None, greedy)), ["infer"]);
        assert_eq!(granted(None, told(&["split"]).scopes()), Scopes::NONE);
        let named: Scopes = [Scope::Split, Scope::Embed].into_iter().collect();
        assert_eq!(granted(Some(named), greedy), named);
    }
}
