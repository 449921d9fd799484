//! How a model stands here, as far as it matters who answers.

use scheduler::{Activity, Outcome, State};
use store::{Model, ModelName};

use super::choice::Standing;
use crate::{Api, load::load};

impl Api {
    /// How a model stands at this box. Reads the model's header if it was never looked at.
    pub(super) async fn standing(&self, model: &Model) -> Standing {
        match self.active(&model.name) {
            Some(standing) => standing,
            None => self.room_for(model).await,
        }
    }

    /// Of a model that is in memory, or on its way there, or kept from it.
    fn active(&self, name: &ModelName) -> Option<Standing> {
        self.scheduler.activity().iter().find(|activity| activity.name == *name).and_then(active)
    }

    /// Of a model on the disk.
    pub(super) async fn room_for(&self, model: &Model) -> Standing {
        let load = load(model, &model.parameters, self, None);
        let Ok(load) = self.suited(model, load).await else { return Standing::Unfit };
        match self.scheduler.fit(load).await.map(|fit| (fit.outcome, fit.sequences)) {
            Ok((Outcome::Loaded, sequences)) => Standing::Loaded { sequences, load: 0 },
            Ok((Outcome::Loads { .. }, _)) => Standing::Room,
            Ok((Outcome::Waits, _)) => Standing::Full,
            Err(_) => Standing::Unfit,
        }
    }
}

/// What goes on with a model, if it is not just on the disk.
pub(super) fn active(activity: &Activity) -> Option<Standing> {
    let load = u32::try_from(activity.running + activity.waiting).unwrap_or(u32::MAX);
    let sequences = activity.sequences;
    match activity.state {
        State::Loaded => Some(Standing::Loaded { sequences, load }),
        State::Loading => Some(Standing::Loading { sequences, load }),
        // Whoever waits for it waits for room.
        State::Absent if load > 0 => Some(Standing::Full),
        State::Absent => None,
        State::Resting | State::Quarantined(_) => Some(Standing::Unfit),
    }
}
