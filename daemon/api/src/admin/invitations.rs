//! `/admin/api/invitations`, by which a box is opened to another one or to somebody's laptop, and `POST /pair`, where whoever was
//! invited brings the code. The other end of that is `pairing`'s; who may come in, and how often they may try, is `access`'s to
//! know.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use access::{Invited, Key, KeyError, Origin, Scope, Scopes, Secret, Way};
use axum::{
    Extension, Json,
    response::{IntoResponse, Response},
};
use http::{Method, StatusCode, header::CACHE_CONTROL};
use identity::Identity;
use identity::pairing::{Address, AdminKey, BoxName, Paired, Root};
use registry::RegistryError;
use serde::{Deserialize, Serialize};

use super::{errors::Refusal, keys::all, offers::Offer, peers, people::confirmed, time, typed::Typed};
use crate::{
    Api,
    body::STRANGERS_BYTES,
    error::{Error, Invalid},
};

/// What an invitation is for of which nothing is said, and what is given back at most, unasked.
const USUAL: [Scope; 3] = [Scope::Infer, Scope::Embed, Scope::ModelsRead];

/// How long a box may take to prove who it is, that has just called.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of what it says then.
const MOST_BYTES: usize = 1 << 10;

/// What somebody is to be invited for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    scopes: Option<Vec<String>>,
    confirm: Option<String>,
}

/// What whoever is invited has to know, and by what they know that they are at the right box.
#[derive(Serialize)]
struct Made {
    code: String,
    expires: String,
    scopes: Vec<&'static str>,
    id: String,
    label: String,
    /// Where it is reached, as a browser takes it.
    addresses: Vec<String>,
}

/// `POST /admin/api/invitations`. The one there was is one no longer.
pub(super) async fn make(api: Api, Typed(wanted): Typed<Wanted>) -> Result<Response, Refusal> {
    let Wanted { scopes, confirm } = wanted;
    let scopes: Scopes = match scopes {
        Some(named) => all(&named, "scopes", |text| text.parse::<Scope>())?.into_iter().collect(),
        None => usual(),
    };
    let identity = serving(&api)?.clone();
    confirmed(&api, confirm).await?;
    let invitation = api.on_access(move |access, by| access.invite(by, scopes)).await?;
    let made = Made {
        code: invitation.code.reveal(),
        expires: time::written(invitation.expires),
        scopes: names(invitation.scopes),
        id: identity.id().to_string(),
        label: identity.label().to_owned(),
        addresses: api.health.addresses().into_iter().filter(|url| url.starts_with("https://")).collect(),
    };
    Ok((StatusCode::CREATED, [(CACHE_CONTROL, "no-store")], Json(made)).into_response())
}

/// `DELETE /admin/api/invitations`.
pub(super) async fn withdraw(api: Api) -> Result<Response, Refusal> {
    match api.on_access(|access, by| access.withdraw_invitation(by)).await? {
        true => Ok(StatusCode::NO_CONTENT.into_response()),
        false => Err(access::InvitationError::None.into()),
    }
}

/// Who the box is, where it can be paired.
pub(super) fn serving(api: &Api) -> Result<&Identity, Error> {
    api.identity.as_ref().ok_or(Error::NoNetwork)
}

pub(super) fn usual() -> Scopes {
    USUAL.into_iter().collect()
}

/// What a box is to have of another by these names.
pub(super) fn of_peers(named: &[String]) -> Result<Scopes, Invalid> {
    let scopes: Scopes = all(named, "scopes", |text| text.parse::<Scope>())?.into_iter().collect();
    match scopes != Scopes::NONE && scopes.within(Scopes::of_peers()) == scopes {
        true => Ok(scopes),
        false => Err(Invalid::of("scopes", access::InvitationError::Scopes.to_string())),
    }
}

pub(super) fn names(scopes: Scopes) -> Vec<&'static str> {
    scopes.iter().map(Scope::name).collect()
}

/// What is brought: the code, and for whom keys are wanted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Redeem {
    code: String,
    /// What the machine says it is called.
    name: String,
    /// Somebody who asks from there.
    person: Option<String>,
    /// The machine itself, as a box.
    #[serde(rename = "box")]
    of_box: Option<OfBox>,
}

/// A box. One that serves the network says how it is asked, and is a peer then; all three, or none.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfBox {
    root: Option<String>,
    port: Option<u16>,
    key: Option<String>,
    /// What it gives this box, if its owner has named that; else the usual ones of what it gets.
    scopes: Option<Vec<String>>,
}

/// What has come of it.
#[derive(Serialize)]
struct Redeemed {
    /// Of this box.
    label: String,
    scopes: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    box_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    /// Why this box does not ask the other, if that was wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    one_way: Option<String>,
}

/// `POST /pair`.
pub(super) async fn redeem(
    api: Api,
    origin: Option<Extension<Origin>>,
    Typed(redeem): Typed<Redeem, STRANGERS_BYTES>,
) -> Result<Response, Refusal> {
    // All of it before the code is looked at, which is good once.
    let guest = redeem.checked(serving(&api)?)?;
    let origin = origin.map_or(Origin { way: Way::Plaintext, address: None }, |Extension(origin)| origin);
    // Whoever brought it may be gone before the answer: what is begun is done whole.
    tokio::spawn(admit(api, origin, guest)).await.map_err(Error::from)?
}

/// Looks at the code, and makes what it is good for.
async fn admit(api: Api, origin: Origin, guest: Guest) -> Result<Response, Refusal> {
    let identity = serving(&api)?;
    let (code, said) = (guest.code, guest.name.to_string());
    let invited = api.on_access(move |access, _| access.redeem(&code, &said, origin)).await?;
    let (scopes, label) = (invited.scopes, identity.label().to_owned());
    let (proven, mut one_way) = match &guest.of_box {
        Some(Some(serving)) => match proven(&api, serving, origin.address).await {
            Ok(address) => (Some((serving.clone(), address)), None),
            Err(reason) => (None, Some(reason)),
        },
        Some(None) | None => (None, None),
    };
    let wanted = Keys {
        person: guest.person,
        of_box: guest.of_box.map(|_| guest.name),
        peer: proven.as_ref().map(|(serving, _)| serving.root.clone()),
    };
    let (key, box_key) = api.on_access(move |access, _| wanted.make(access, &invited)).await?;
    let gives = |serving: &Serving| serving.gives.unwrap_or_else(|| scopes.within(usual())) != Scopes::NONE;
    if let Some((serving, address)) = proven
        && gives(&serving)
    {
        let name = serving.root.id().label().parse().map_err(|_| Error::NoNetwork)?;
        let peer = Paired::by_root(name, address, &serving.root).with_key(Some(serving.key));
        if let Err(error) = peers::keep(&api, peer, peers::Naming::Free).await {
            tracing::error!(%error, "a box that was invited is not kept as a peer");
            one_way = Some(error.to_string());
        }
    }
    let revealed = |key: Option<(Key, Secret)>| key.map(|(_, secret)| secret.reveal().to_owned());
    let redeemed =
        Redeemed { label, scopes: names(scopes), box_key: revealed(box_key), key: revealed(key), one_way };
    Ok(([(CACHE_CONTROL, "no-store")], Json(redeemed)).into_response())
}

/// Who comes, as far as it makes sense.
struct Guest {
    code: String,
    name: BoxName,
    person: Option<String>,
    of_box: Option<Option<Serving>>,
}

/// A box that says how it is asked.
#[derive(Clone)]
struct Serving {
    root: Root,
    port: u16,
    key: AdminKey,
    gives: Option<Scopes>,
}

impl Redeem {
    fn checked(self, identity: &Identity) -> Result<Guest, Invalid> {
        let Self { code, name, person, of_box } = self;
        let name = name
            .parse()
            .map_err(|error: identity::pairing::InvalidBoxName| Invalid::of("name", error.to_string()))?;
        if person.is_none() && of_box.is_none() {
            return Err(Invalid::of("person", "person or box must be there: nobody would get a key"));
        }
        let of_box = of_box.map(OfBox::checked).transpose()?;
        if let Some(Some(serving)) = &of_box
            && serving.root.id() == *identity.id()
        {
            return Err(Invalid::of("box", "this box is that box already"));
        }
        if let Some(person) = &person {
            let fits = (1..=64).contains(&person.len()) && person.bytes().all(|byte| byte.is_ascii_graphic());
            if !fits {
                return Err(Invalid::of(
                    "person",
                    "person must be 1 to 64 visible ASCII characters, as alice@laptop",
                ));
            }
        }
        Ok(Guest { code, name, person, of_box })
    }
}

impl OfBox {
    fn checked(self) -> Result<Option<Serving>, Invalid> {
        match self {
            Self { root: None, port: None, key: None, scopes: None } => Ok(None),
            Self { root: Some(root), port: Some(port), key: Some(key), scopes } => {
                let root = root.parse().map_err(|error: identity::pairing::InvalidRoot| {
                    Invalid::of("root", error.to_string())
                })?;
                if port == 0 {
                    return Err(Invalid::of("port", "port must be from 1 to 65535"));
                }
                if !access::is_whole_key(&key) {
                    return Err(Invalid::of("key", "key must be a key of hob's"));
                }
                let gives = scopes.as_deref().map(of_peers).transpose()?;
                Ok(Some(Serving { root, port, key: AdminKey::new(key), gives }))
            }
            _ => Err(Invalid::of("box", "box must have root, port and key, or none of them")),
        }
    }
}

/// Where the box is that has just called, if it is there and has called; why not, if it is not, or another has.
async fn proven(api: &Api, serving: &Serving, from: Option<IpAddr>) -> Result<Address, String> {
    let from = from.ok_or("it came from no address")?;
    let place = SocketAddr::new(from.to_canonical(), serving.port);
    let reason = match asked(api, serving, place).await {
        Ok(StatusCode::NO_CONTENT) => return Ok(place.into()),
        Ok(_) => format!("the box at {place} has not asked for it"),
        Err(error) => format!("it is not found at {place}: {}", Error::Registry(Arc::new(error)).message()),
    };
    tracing::warn!(reason, "a box that was invited has not proven who it is");
    Err(reason)
}

/// What it says to having offered that key, over TLS by its root alone.
async fn asked(api: &Api, serving: &Serving, place: SocketAddr) -> Result<StatusCode, RegistryError> {
    let malformed = || RegistryError::Malformed("name");
    let name = serving.root.id().label().parse().map_err(|_| malformed())?;
    let own = api.identity.as_ref().ok_or_else(malformed)?.id();
    let peer = api.neighbourhood.newcomer(Paired::by_root(name, place.into(), &serving.root))?;
    let offer = Offer::new(serving.key.expose(), own);
    let request = peer.request(Method::POST, "/pair/proof")?.json(&offer);
    Ok(peer.answer(request, MOST_BYTES, PATIENCE).await?.0)
}

/// Whom keys are made for.
struct Keys {
    person: Option<String>,
    /// What it says it is called.
    of_box: Option<BoxName>,
    /// Which box it has proven to be.
    peer: Option<Root>,
}

/// A key, and its text.
type Told = Option<(Key, Secret)>;

impl Keys {
    /// The person's and the box's. A person who is invited for what only boxes do gets none.
    fn make(self, access: &access::Access, invited: &Invited) -> Result<(Told, Told), KeyError> {
        let Self { person, of_box, peer } = self;
        let some = |made: Result<(Key, Secret), KeyError>| match made {
            Err(KeyError::NoScopes) => Ok(None),
            made => made.map(Some),
        };
        let key = match person {
            Some(person) => some(access.create_invited_key(invited, person))?,
            None => None,
        };
        let box_key = match (peer, of_box) {
            (Some(root), _) => {
                let (name, id) = (format!("box {}", root.id().label()), root.id().to_string());
                Some(access.create_invited_peer_key(invited, name, id)?)
            }
            (None, Some(name)) => {
                let name: String = format!("box {name}, unproven").chars().take(64).collect();
                some(access.create_invited_key(invited, name))?
            }
            (None, None) => None,
        };
        Ok((key, box_key))
    }
}
