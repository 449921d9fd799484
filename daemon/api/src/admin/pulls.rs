//! `/admin/api/pulls`: models that the box brings by itself, whether or not a page is open. How they are brought is `registry`'s.

use std::future::pending;
use std::time::Duration;

use access::{Caller, Who, audit::Action};
use axum::{
    Json,
    extract::Path,
    response::{IntoResponse, Response},
};
use futures_util::{Stream, stream};
use http::StatusCode;
use identity::pairing::{BoxName, InvalidBoxName};
use registry::{Authority, Begun, PullId, PullState, Transport};
use serde::{Deserialize, Serialize};
use store::ModelName;
use tokio::{sync::watch, time::Interval};

use super::{
    errors::Refusal,
    events::{self, Event, Pace},
    time,
    typed::{Asked, Typed},
};
use crate::{
    Api,
    error::{Error, Invalid},
};

/// What is to be pulled.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    model: String,
    /// The paired box whose model counts, if not the registry's.
    from: Option<String>,
    /// Whether a registry that the owner trusts with it is asked by plain HTTP.
    #[serde(default)]
    insecure: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Removal {
    /// Whether what has come goes as well.
    #[serde(default)]
    discard: bool,
}

#[derive(Serialize)]
pub(super) struct Pulls {
    pulls: Vec<Pull>,
}

#[derive(Serialize)]
struct Pull {
    id: String,
    model: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    /// `running`, `paused`, `done` or `failed`.
    state: &'static str,
    status: String,
    total: u64,
    completed: u64,
    /// Bytes a second.
    rate: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    started: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
}

/// Told of one whose key has ended meanwhile.
const WITHDRAWN: &str =
    "the key that this was begun with has ended; go on with it as yourself if it is still wanted";

/// How often whoever watches is told of what others have left on the disk.
const LOOK: Duration = Duration::from_secs(10);

/// `GET /admin/api/pulls`.
pub(super) async fn list(api: Api) -> Result<Json<Pulls>, Refusal> {
    api.pulls.look().await?;
    Ok(Json(Pulls::of(&api)))
}

/// `POST /admin/api/pulls`.
pub(super) async fn begin(api: Api, Typed(wanted): Typed<Wanted>) -> Result<Response, Refusal> {
    let name: ModelName = wanted.model.parse().map_err(|_| Invalid::of("model", "invalid model name"))?;
    let invalid = |error: InvalidBoxName| Invalid::of("from", error.to_string());
    let peer = wanted.from.filter(|name| !name.is_empty());
    let peer: Option<BoxName> = peer.map(|name| name.parse().map_err(invalid)).transpose()?;
    let from = match (peer, wanted.insecure) {
        (Some(peer), _) => Authority::Peer(peer),
        (None, true) => Authority::Registry(Transport::Plain),
        (None, false) => Authority::Registry(Transport::Secure),
    };
    api.makeable(&name)?;
    Ok(started(&api, name, from).await?)
}

/// `POST /admin/api/pulls/{id}/resume`: pulls it again, which goes on where it was.
pub(super) async fn resume(api: Api, Path(id): Path<String>) -> Result<Response, Refusal> {
    let (_, pull) = known(&api, &id)?;
    Ok(started(&api, pull.model, pull.from).await?)
}

/// `POST /admin/api/pulls/{id}/pause`: what has come stays.
pub(super) async fn pause(api: Api, Path(id): Path<String>) -> Result<Response, Refusal> {
    let (pull_id, _) = known(&api, &id)?;
    let pull = api.pulls.pause(pull_id).ok_or(Error::UnknownPull { id })?;
    Ok(Json(Pull::of(pull)).into_response())
}

/// `DELETE /admin/api/pulls/{id}?discard=true`: takes it off the list, and ends it if it runs.
pub(super) async fn remove(
    api: Api,
    Path(id): Path<String>,
    Asked(removal): Asked<Removal>,
) -> Result<Response, Refusal> {
    let (pull_id, _) = known(&api, &id)?;
    let pull = api.pulls.forget(pull_id).ok_or(Error::UnknownPull { id })?;
    if removal.discard {
        api.pulls.discard(&pull.model).await?;
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `GET /admin/api/pulls/events`: an event `pulls` with all of them, whenever one changes.
pub(super) async fn follow(api: Api) -> Response {
    let look = tokio::time::interval(LOOK);
    let following =
        Following { api: api.clone(), changes: api.pulls.follow(), look, pace: Pace::default(), told: None };
    events::response(&api, following.events())
}

/// Begins a pull or goes on with it, and writes down who did.
async fn started(api: &Api, name: ModelName, from: Authority) -> Result<Response, Error> {
    if let Some(running) = api.pulls.running(&name).filter(|pull| pull.from == from) {
        return Ok(Json(Pull::of(running)).into_response());
    }
    let target = match &from {
        Authority::Peer(peer) => format!("{name} from {peer}"),
        Authority::Registry(_) => name.to_string(),
    };
    let wanted = registry::Wanted {
        model: name,
        from,
        by: api.caller.name().to_owned(),
        now: api.access.now(),
        until: Box::pin(withdrawn(api.caller.clone())),
    };
    let begun = api.audited(Action::ModelPull, target, async { Ok(api.pulls.begin(wanted)?) }).await?;
    Ok(match begun {
        Begun::Now(pull) => (StatusCode::CREATED, Json(Pull::of(pull))).into_response(),
        Begun::Before(pull) => Json(Pull::of(pull)).into_response(),
    })
}

/// Comes when a key has ended: whose it was is to do nothing more here. A session ends with an evening, and the pull goes on.
async fn withdrawn(caller: Caller) {
    match caller.who() {
        Who::Key(_) => caller.ended().await,
        Who::Nobody | Who::Local | Who::Operator | Who::Person(_) => pending().await,
    }
}

/// The pull of this id, if it is one and its model is for this caller.
fn known(api: &Api, id: &str) -> Result<(PullId, registry::Pull), Error> {
    let unknown = || Error::UnknownPull { id: id.to_owned() };
    let parsed: PullId = id.parse().map_err(|_| unknown())?;
    let pull = api.pulls.get(parsed).filter(|pull| is_for(api, pull)).ok_or_else(unknown)?;
    Ok((parsed, pull))
}

fn is_for(api: &Api, pull: &registry::Pull) -> bool {
    api.caller.may_use(&pull.model.fully_qualified())
}

/// The list, told when it changes.
struct Following {
    api: Api,
    changes: watch::Receiver<u64>,
    look: Interval,
    pace: Pace,
    told: Option<Event>,
}

impl Following {
    fn events(self) -> impl Stream<Item = Event> + Send {
        stream::unfold(self, async |mut following| Some((following.next().await?, following)))
    }

    async fn next(&mut self) -> Option<Event> {
        loop {
            tokio::select! {
                biased;
                // At once, the first time.
                _ = self.look.tick() => {
                    if let Err(error) = self.api.pulls.look().await {
                        tracing::warn!(%error, "what was left of pulls cannot be listed");
                    }
                }
                changed = self.changes.changed() => changed.ok()?,
            }
            self.pace.wait().await;
            self.changes.borrow_and_update();
            let event = Event::of("pulls", &Pulls::of(&self.api));
            // Others' pulls are not for everybody.
            if self.told.as_ref() != Some(&event) {
                self.told = Some(event.clone());
                return Some(event);
            }
        }
    }
}

impl Pulls {
    /// Those that are for this caller.
    fn of(api: &Api) -> Self {
        let pulls = api.pulls.list().into_iter().filter(|pull| is_for(api, pull));
        Self { pulls: pulls.map(Pull::of).collect() }
    }
}

impl Pull {
    fn of(pull: registry::Pull) -> Self {
        let registry::Pull { id, model, from, state, status, figures, rate, started, by } = pull;
        let (state, error) = match state {
            PullState::Running => ("running", None),
            PullState::Paused => ("paused", None),
            PullState::Withdrawn => ("paused", Some(WITHDRAWN.to_owned())),
            PullState::Done => ("done", None),
            PullState::Failed { step, error } => ("failed", Some(Error::of_transfer(step, error).message())),
        };
        Self {
            id: id.to_string(),
            model: model.to_string(),
            from: match from {
                Authority::Peer(peer) => Some(peer.to_string()),
                Authority::Registry(_) => None,
            },
            state,
            status,
            total: figures.total,
            completed: figures.completed,
            rate,
            error,
            started: time::written(started),
            by,
        }
    }
}

#[cfg(test)]
mod tests {
    use access::Policy;
    use futures_util::FutureExt;

    use super::*;
    use crate::tests::Rig;

    #[tokio::test]
    async fn what_was_begun_with_a_key_ends_with_it_and_nothing_else_does() {
        let rig = Rig::new();
        let caller = rig.by_key(&rig.key(Policy::new(access::Scopes::all())));
        let (mut by_key, mut by_local) = (Box::pin(withdrawn(caller)), Box::pin(withdrawn(Caller::local())));
        assert!((&mut by_key).now_or_never().is_none());

        rig.revoke_all();

        assert!((&mut by_key).now_or_never().is_some());
        assert!((&mut by_local).now_or_never().is_none());
    }
}
