//! What boxes tell each other of their models: `GET /peer/models`. Another version's may tell more, or less.

use std::collections::HashMap;
use std::time::Duration;

use axum::Json;
use scheduler::Activity;
use serde::{Deserialize, Serialize};
use store::{Digest, Model, ModelName};
use tokio::time::{Instant, timeout_at};

use super::choice::Standing;
use super::standing::active;
use crate::{Api, ollama};

/// All that whoever asks may use.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Told {
    models: Vec<ToldModel>,
}

#[derive(Debug, Serialize, Deserialize)]
struct ToldModel {
    /// Fully qualified.
    name: String,
    /// Of its manifest.
    digest: String,
    state: ToldState,
    /// Requests that have it, and that wait for it.
    #[serde(default)]
    running: u32,
    #[serde(default)]
    waiting: u32,
    /// Requests that it answers at once, if it is loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sequences: Option<u32>,
    /// What a request would find that has it loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    room: Option<Room>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ToldState {
    Absent,
    Loading,
    Loaded,
    /// It crashed, and is soon loaded again, or is not.
    #[serde(other)]
    Unfit,
}

/// Whether there is room for a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Room {
    Now,
    Later,
    Never,
    /// There was no time to look.
    #[serde(other)]
    Unknown,
}

/// For looking at models that nobody has looked at before. Whoever asks has a request that waits.
const LOOKING: Duration = Duration::from_millis(200);

/// `GET /peer/models`.
pub(super) async fn models(api: Api) -> Result<Json<Told>, ollama::Refusal> {
    let visible = api.clone();
    let found = api
        .on_store(move |store| {
            let names = store.list()?.into_iter().map(|listed| listed.name);
            let names = names.filter(|name| visible.caller.may_use(&name.fully_qualified()));
            // One that cannot be used is none.
            Ok(names.filter_map(|name| store.resolve(&name).ok()).collect::<Vec<Model>>())
        })
        .await?;
    let activity: HashMap<ModelName, Activity> =
        api.scheduler.activity().into_iter().map(|activity| (activity.name.clone(), activity)).collect();
    let until = Instant::now() + LOOKING;
    let mut models = Vec::new();
    for model in found {
        let activity = activity.get(&model.name);
        let standing = match activity.and_then(active) {
            Some(standing) => Some(standing),
            None => timeout_at(until, api.room_for(&model)).await.ok(),
        };
        models.push(ToldModel::of(&model, activity, standing));
    }
    Ok(Json(Told { models }))
}

impl ToldModel {
    fn of(model: &Model, activity: Option<&Activity>, standing: Option<Standing>) -> Self {
        let count = |count: fn(&Activity) -> usize| {
            activity.map_or(0, |activity| u32::try_from(count(activity)).unwrap_or(u32::MAX))
        };
        let (state, sequences, room) = match standing {
            Some(Standing::Loaded { sequences, .. }) => (ToldState::Loaded, Some(sequences), None),
            Some(Standing::Loading { sequences, .. }) => (ToldState::Loading, Some(sequences), None),
            Some(Standing::Room) => (ToldState::Absent, None, Some(Room::Now)),
            Some(Standing::Full) => (ToldState::Absent, None, Some(Room::Later)),
            Some(Standing::Unfit) => (ToldState::Unfit, None, Some(Room::Never)),
            None => (ToldState::Absent, None, Some(Room::Unknown)),
        };
        Self {
            name: model.name.fully_qualified(),
            digest: model.digest.to_string(),
            state,
            running: count(|activity| activity.running),
            waiting: count(|activity| activity.waiting),
            sequences,
            room,
        }
    }

    fn standing(&self) -> Option<Standing> {
        let load = self.running.saturating_add(self.waiting);
        let sequences = self.sequences.unwrap_or(1).max(1);
        match (self.state, self.room) {
            (ToldState::Loaded, _) => Some(Standing::Loaded { sequences, load }),
            (ToldState::Loading, _) => Some(Standing::Loading { sequences, load }),
            (ToldState::Absent, Some(Room::Now)) => Some(Standing::Room),
            (ToldState::Absent, Some(Room::Later | Room::Unknown) | None) => Some(Standing::Full),
            (ToldState::Absent, Some(Room::Never)) | (ToldState::Unfit, _) => None,
        }
    }
}

/// What a box told, read.
#[derive(Debug, Default)]
pub(super) struct Report {
    models: Vec<Reported>,
}

/// A model of another box's.
#[derive(Debug)]
pub(super) struct Reported {
    name: ModelName,
    pub(super) digest: Digest,
    /// None, if it would not answer.
    pub(super) standing: Option<Standing>,
}

impl Report {
    pub(super) fn model(&self, name: &ModelName) -> Option<&Reported> {
        self.models.iter().find(|model| model.name.is_same(name))
    }
}

impl From<Told> for Report {
    /// What makes no sense is left out.
    fn from(told: Told) -> Self {
        let read = |model: ToldModel| {
            let (name, digest) = (model.name.parse().ok()?, model.digest.parse().ok()?);
            Some(Reported { name, digest, standing: model.standing() })
        };
        Self { models: told.models.into_iter().filter_map(read).collect() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const DIGEST: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    fn standing(more: serde_json::Value) -> Option<Standing> {
        let mut model = json!({"name": "registry.ollama.ai/library/m:latest", "digest": DIGEST});
        model.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let told: Told = serde_json::from_value(json!({"models": [model], "later": true})).unwrap();
        Report::from(told).model(&"M".parse().unwrap()).unwrap().standing
    }

    #[test]
    fn what_is_told_is_understood_also_by_an_older_box_and_of_a_newer_one() {
        let loaded = json!({"state": "loaded", "running": 2, "waiting": 1, "sequences": 4});
        assert_eq!(standing(loaded), Some(Standing::Loaded { sequences: 4, load: 3 }));
        assert_eq!(standing(json!({"state": "absent", "room": "now"})), Some(Standing::Room));
        assert_eq!(standing(json!({"state": "absent"})), Some(Standing::Full));
        assert_eq!(standing(json!({"state": "absent", "room": "soon"})), Some(Standing::Full));
        assert_eq!(standing(json!({"state": "absent", "room": "never"})), None);
        assert_eq!(standing(json!({"state": "asleep"})), None);
        assert_eq!(
            standing(json!({"state": "loaded", "sequences": 0})),
            Some(Standing::Loaded { sequences: 1, load: 0 })
        );
    }

    #[test]
    fn what_makes_no_sense_is_left_out() {
        let told = json!({"models": [
            {"name": "../../etc:latest", "digest": DIGEST, "state": "loaded"},
            {"name": "m", "digest": "sha256:short", "state": "loaded"},
        ]});
        let report = Report::from(serde_json::from_value::<Told>(told).unwrap());
        assert!(report.models.is_empty());
    }
}
