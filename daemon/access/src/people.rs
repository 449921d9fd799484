//! People and their sessions, as far as there are any.

use crate::{AccessError, Caller};

/// A box that is claimed before it is first switched on.
#[derive(Clone)]
pub struct Provision {
    /// Whose it is.
    pub name: String,
    /// Of the password, by argon2, as a PHC string.
    pub password_hash: String,
}

/// Not the hash.
impl std::fmt::Debug for Provision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Provision").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Everybody who may sign in.
#[derive(Debug, Default)]
pub(crate) struct People {
    claimed: std::sync::atomic::AtomicBool,
}

impl People {
    /// Whether anybody owns this box.
    pub(crate) fn is_claimed(&self) -> bool {
        self.claimed.load(std::sync::atomic::Ordering::Acquire)
    }

    /// Who comes by this session. None if it is over, or never was.
    pub(crate) fn by_session(&self, _session: &str) -> Option<Caller> {
        None
    }

    /// Ends the sessions that are over by now, and writes what is not yet written.
    pub(crate) fn flush(&self) -> Result<(), AccessError> {
        Ok(())
    }

    #[cfg(test)]
    pub(crate) fn claim_for_test(&self) {
        self.claimed.store(true, std::sync::atomic::Ordering::Release);
    }
}
