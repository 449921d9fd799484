//! A request that names a model is passed whole to a paired box, if that is the better one to answer it. What is looked at is
//! decided here, in the order in which it is cheap; whom to ask is `choice`'s to say, how it stands with the others `reports`'.
//!
//! A request is passed on once: one that was, says so, and is answered where it is or not at all (`hop`). It goes with the bytes
//! that the client sent, a few headers, and nothing of who the client is but a word that tells one from another.

mod choice;
mod family;
mod forward;
mod glance;
mod hop;
mod passed;
mod pulse;
mod reports;
mod route;
mod search;
mod standing;
mod told;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::{
    Router,
    body::Body,
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
    routing::get,
};
use protocol::Owner;
use registry::Peer;
use store::{Digest, ModelName};

pub(crate) use self::hop::Hop;
use self::{
    choice::{Affinity, Other, Standing},
    glance::Glance,
    reports::Reports,
    route::Route,
    search::Search,
};
use crate::{Api, body, error::Error, family::Family};

/// What passing requests on takes. A clone is cheap, and the same.
#[derive(Clone)]
pub struct Relay {
    /// By which a box's people are told apart by others, and no more.
    secret: [u8; 32],
    reports: Arc<Reports>,
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Relay")
    }
}

/// Under `/peer`: what a box that passes requests on asks of others.
pub(crate) fn router() -> Router<Api> {
    Router::new().route("/peer/models", get(told::models))
}

impl Relay {
    /// With a secret of this box alone, which stays the same.
    pub fn new(secret: [u8; 32]) -> Self {
        Self { secret, reports: Arc::default() }
    }

    /// What a caller is called where they are not known: the same each time, and nothing that tells who it is.
    fn alias(&self, owner: Owner) -> String {
        let hash = blake3::keyed_hash(&self.secret, &owner.0.to_le_bytes());
        hash.to_hex()[..32].to_owned()
    }
}

/// Passes a request on, if there is somebody better to answer it; else it is answered here.
pub(crate) async fn pass(
    State((api, family)): State<(Api, Family)>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.extensions().get::<MatchedPath>();
    let Some(route) = path.and_then(|path| Route::of(path.as_str())) else {
        return next.run(request).await;
    };
    let api = api.for_caller(request.extensions());
    if hop::is_last(request.headers()) {
        return hop::answer(&api, family, request, next).await;
    }
    let Some(relay) = api.relay.clone().filter(|_| may_be_passed(&api)) else {
        return next.run(request).await;
    };
    let (parts, body) = request.into_parts();
    let bytes = match body::whole(body, route.most_bytes()).await {
        Ok(bytes) => bytes,
        Err(error) => return family.refuse(error),
    };
    let request = Request::from_parts(parts, Body::from(bytes.clone()));
    let Some(glance) = Glance::at(&bytes, route) else { return next.run(request).await };
    let Some(plan) = relay.plan(&api, &glance, route).await else { return next.run(request).await };
    let search = Search::new(api, family, relay, plan, &glance, (&request, route, bytes));
    search.run(request, next).await
}

/// Not that of a caller who may have so much context, or so long an answer: only their own box knows of that.
fn may_be_passed(api: &Api) -> bool {
    let bounded = api.caller.most_context().is_some() || api.caller.most_output().is_some();
    !bounded && !api.neighbourhood.known().list().is_empty()
}

/// Who is to be asked, in this order, before it is answered here.
struct Plan {
    asked: String,
    /// Which model that is.
    model: ModelName,
    candidates: Vec<Candidate>,
    /// Why it is not answered here at once.
    why: Why,
}

/// A box that has the model.
struct Candidate {
    peer: Peer,
    /// Its ID, as it is written.
    id: String,
    standing: Standing,
    /// Of its manifest.
    digest: Digest,
}

/// Why a request is not answered where it came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    Absent,
    NoRoom,
    NotLoaded,
    Busy,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "the model is not here",
            Self::NoRoom => "there is no room for the model here",
            Self::NotLoaded => "the model is not in memory here",
            Self::Busy => "all places are taken here",
        })
    }
}

impl Relay {
    /// Nobody, where this box is the best or nothing of the request is understood: it is answered here then, or refused as it is.
    async fn plan(&self, api: &Api, glance: &Glance, route: &Route) -> Option<Plan> {
        let here = match api.resolve(&glance.model).await {
            Ok(_) if route.tells() => return None,
            Ok(model) => {
                let standing = api.standing(&model).await;
                Some((model.name, model.digest, standing))
            }
            Err(Error::UnknownModel { .. }) => None,
            Err(_) => return None,
        };
        if here.as_ref().is_some_and(|(_, _, standing)| standing.turns() == 0) {
            return None;
        }
        let name = match &here {
            Some((name, ..)) => name.clone(),
            None => glance.model.parse().ok()?,
        };
        api.visible(&name, &glance.model).ok()?;
        let digest = here.as_ref().map(|(_, digest, _)| *digest);
        let mut candidates = self.candidates(api, &name, digest, reports::BRIEFLY).await;
        if candidates.is_empty() && here.is_none() {
            candidates = self.candidates(api, &name, digest, reports::NOTHING_ELSE).await;
        }
        let affinity =
            Affinity::of(&name.fully_qualified(), &self.alias(api.caller.owner()), &glance.beginning);
        let standing = here.map(|(_, _, standing)| standing);
        let others: Vec<Other<'_>> = candidates.iter().map(Candidate::other).collect();
        let order = choice::order(standing, &others, &affinity);
        let mut candidates: Vec<Option<Candidate>> = candidates.into_iter().map(Some).collect();
        let candidates: Vec<Candidate> =
            order.into_iter().filter_map(|index| candidates.get_mut(index)?.take()).collect();
        (!candidates.is_empty()).then(|| Plan {
            asked: glance.model.clone(),
            model: name,
            candidates,
            why: Why::of(standing),
        })
    }

    /// Those that have a model of this name, and the very same if it is here.
    async fn candidates(
        &self,
        api: &Api,
        name: &ModelName,
        digest: Option<Digest>,
        patience: Duration,
    ) -> Vec<Candidate> {
        let heard = self.reports.of(&api.neighbourhood, patience).await;
        let found = heard.into_iter().filter_map(|heard| {
            let model =
                heard.report.model(name).filter(|model| digest.is_none_or(|own| own == model.digest))?;
            let standing = model.standing?.and(heard.sent);
            Some(Candidate {
                id: heard.peer.id().to_string(),
                peer: heard.peer,
                standing,
                digest: model.digest,
            })
        });
        found.collect()
    }
}

impl Candidate {
    fn other(&self) -> Other<'_> {
        Other { id: &self.id, standing: self.standing }
    }
}

impl Why {
    fn of(here: Option<Standing>) -> Self {
        match here {
            None => Self::Absent,
            Some(Standing::Unfit) => Self::NoRoom,
            Some(Standing::Room | Standing::Full | Standing::Loading { .. }) => Self::NotLoaded,
            Some(Standing::Loaded { .. }) => Self::Busy,
        }
    }
}
