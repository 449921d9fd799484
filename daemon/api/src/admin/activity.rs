//! What goes on with each model; the scheduler says it.

use axum::Json;
use scheduler::{Activity, State};
use serde::Serialize;

use crate::Api;

/// Models that are loaded, waited for, or kept from being loaded.
#[derive(Debug, Serialize)]
pub(super) struct Models {
    models: Vec<Model>,
    /// What a paired box has of this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    lent: Option<Lent>,
}

#[derive(Debug, Serialize)]
struct Lent {
    to: String,
    size: u64,
}

#[derive(Debug, Serialize)]
struct Model {
    name: String,
    /// `absent`, `loading`, `loaded`, `resting` or `quarantined`.
    state: &'static str,
    /// Why it is quarantined.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Requests that have it.
    running: usize,
    /// Of these, answers that are held until their readers have caught up.
    held: usize,
    /// Requests that wait for it.
    waiting: usize,
    /// Seconds that the first of them has waited.
    #[serde(skip_serializing_if = "Option::is_none")]
    longest_wait: Option<f64>,
}

/// `GET /admin/api/models`.
pub(super) async fn models(api: Api) -> Json<Models> {
    let activity = api.scheduler.activity().into_iter();
    let visible = activity.filter(|activity| api.caller.may_use(&activity.name.fully_qualified()));
    let lent = api.scheduler.lent().filter(|_| api.is_for_its_owner());
    Json(Models {
        models: visible.map(model).collect(),
        lent: lent.map(|lent| Lent { to: lent.borrower, size: lent.bytes }),
    })
}

/// How a model stands, in a word, and why if that is known.
pub(super) fn state(state: State) -> (&'static str, Option<String>) {
    match state {
        State::Absent => ("absent", None),
        State::Loading => ("loading", None),
        State::Loaded => ("loaded", None),
        State::Resting => ("resting", None),
        State::Quarantined(reason) => ("quarantined", Some(reason)),
    }
}

fn model(activity: Activity) -> Model {
    let (state, reason) = state(activity.state);
    Model {
        name: activity.name.to_string(),
        state,
        reason,
        running: activity.running,
        held: activity.held,
        waiting: activity.waiting,
        longest_wait: activity.longest_wait.map(|time| time.as_secs_f64()),
    }
}
