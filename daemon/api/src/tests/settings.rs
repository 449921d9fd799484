//! The settings as the page asks for them, over some that are held in memory.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::settings::{Changes, InForce, Setting, Settings, SettingsError};

/// Settings in memory.
pub(crate) struct Fixed(Mutex<Held>);

struct Held {
    in_force: InForce,
    all: Vec<Setting>,
    restarts: usize,
}

impl Default for Fixed {
    fn default() -> Self {
        let in_force = InForce { name: "Hob".into(), context_tokens: 4096, share: true };
        Self(Mutex::new(Held { in_force, all: Vec::new(), restarts: 0 }))
    }
}

impl Fixed {
    pub(crate) fn put_in_force(&self, change: impl FnOnce(&mut InForce)) {
        change(&mut self.held().in_force);
    }

    pub(crate) fn restarts(&self) -> usize {
        self.held().restarts
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Anything is a setting.
impl backup::KeptSettings for Fixed {
    fn check(&self, _: &str) -> Result<(), String> {
        Ok(())
    }

    fn without_secrets(&self, _: &str) -> Option<String> {
        None
    }
}

impl Settings for Fixed {
    fn in_force(&self) -> Arc<InForce> {
        Arc::new(self.held().in_force.clone())
    }

    fn all(&self) -> Vec<Setting> {
        self.held().all.clone()
    }

    fn check(&self, _: &Changes) -> Result<(), SettingsError> {
        Ok(())
    }

    fn keep(&self, _: &Changes) -> Result<(), SettingsError> {
        Ok(())
    }

    fn restart(&self) {
        self.held().restarts += 1;
    }
}
