//! What the page had asked for that is done at a start, before anything is opened: a backup put in place, or a box made new. What
//! that is, is `backup`'s to know; here it goes on the record once there is one again.

use access::Access;
use access::audit::{Action, Outcome};
use backup::{Folder, Models, Placed, Restored};
use state::Clock;
use store::Store;

use crate::settings::Settings;

/// It is done, and not on the record yet.
pub(super) struct Done {
    folder: Folder,
    placed: Placed,
}

impl Done {
    /// Does what is to be done, if anything is.
    pub(super) fn at_start(settings: &Settings) -> anyhow::Result<Option<Self>> {
        let folder = Folder::of(settings.state_dir.clone());
        let placed = backup::place(&folder, &settings.models_dir, &Clock::system())?;
        let done = placed.map(|placed| Self { folder, placed });
        if let Some(done) = &done {
            tracing::info!("{}", done.words());
        }
        Ok(done)
    }

    /// Makes the models that a backup names, where they are here. To be done before anything is removed that no model names.
    pub(super) fn make_models(&self, store: &Store) {
        if let Placed::Restored(restored) = &self.placed {
            Self::make(restored, store);
        }
    }

    fn make(restored: &Restored, store: &Store) {
        for name in restored.make_models(store) {
            tracing::info!("{name} is here again, by the backup");
        }
    }

    /// Once it is, it is not told again.
    pub(super) fn record(self, access: &Access) {
        let (action, target) = match &self.placed {
            Placed::Restored(_) => (Action::BackupRestore, "it is in place"),
            Placed::New(Models::Keep) => (Action::Reset, "the box is new, and has its models"),
            Placed::New(Models::Remove) => (Action::Reset, "the box is new, and has no models"),
        };
        let recorded = access.record_own(action, target, Outcome::Done).map_err(anyhow::Error::from);
        let Self { folder, placed } = self;
        if let Err(error) = recorded.and_then(|()| Ok(placed.forget(&folder)?)) {
            tracing::warn!("what was done at this start is told again at the next: {error:#}");
        }
    }

    fn words(&self) -> &'static str {
        match self.placed {
            Placed::Restored(_) => "the box is the one of the backup now",
            Placed::New(_) => "the box is new now, as was asked for",
        }
    }
}
