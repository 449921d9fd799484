//! What the owner has decided, for the page: told, checked, kept, and in force at once where it can be. Reading it is `settings`'.

use std::sync::{Arc, PoisonError, RwLock};

use api::settings::{Changes, InForce, Setting, SettingsError};
use tokio_util::sync::CancellationToken;

use crate::settings::Settings;

/// The settings of a daemon that runs.
pub(super) struct Decided {
    in_force: RwLock<Arc<InForce>>,
    /// Cancelled when the daemon is to end and to run anew.
    pub(super) restart: CancellationToken,
}

impl Decided {
    pub(super) fn new(settings: &Settings) -> Self {
        let in_force = InForce {
            name: "Hob".into(),
            context_tokens: settings.context_tokens,
            share: settings.neighbours.share,
        };
        Self { in_force: RwLock::new(Arc::new(in_force)), restart: CancellationToken::new() }
    }
}

impl api::settings::Settings for Decided {
    fn in_force(&self) -> Arc<InForce> {
        Arc::clone(&self.in_force.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn all(&self) -> Vec<Setting> {
        Vec::new()
    }

    fn check(&self, changes: &Changes) -> Result<(), SettingsError> {
        changes.keys().next().map_or(Ok(()), |name| Err(SettingsError::Unknown(name.clone())))
    }

    fn keep(&self, changes: &Changes) -> Result<(), SettingsError> {
        self.check(changes)
    }

    fn restart(&self) {
        self.restart.cancel();
    }
}
