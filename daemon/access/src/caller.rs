//! Who asks, once it is known, and what they may. Everything behind the front door is told this and nothing of keys.

use protocol::Owner;

use crate::{Scope, Scopes};

/// Who asks. A clone is cheap.
#[derive(Clone, Debug)]
pub struct Caller {
    who: Who,
    scopes: Scopes,
}

/// Whom a caller turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// Presented nothing, and came from elsewhere.
    Nobody,
    /// A program on this machine that presented nothing.
    Local,
    /// Whoever the system lets open the admin socket.
    Operator,
}

impl Caller {
    /// Somebody who presented nothing and came from elsewhere.
    pub fn nobody() -> Self {
        Self { who: Who::Nobody, scopes: Scopes::NONE }
    }

    /// A program on this machine. It may what it may with Ollama, and administer nothing: who is on the loopback is not known.
    pub fn local() -> Self {
        let scopes = Scope::ALL.into_iter().filter(|scope| *scope != Scope::Admin).collect();
        Self { who: Who::Local, scopes }
    }

    /// Whoever the system lets open the admin socket.
    pub fn operator() -> Self {
        Self { who: Who::Operator, scopes: Scopes::all() }
    }

    /// Whom it turned out to be.
    pub fn who(&self) -> &Who {
        &self.who
    }

    /// Whether it may do this.
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(scope)
    }

    /// Whose answers are kept apart from those of others, in the state and in the caches of workers.
    pub fn owner(&self) -> Owner {
        match self.who {
            Who::Nobody | Who::Local | Who::Operator => Owner::default(),
        }
    }
}
