//! What can go wrong here, by what a caller must tell apart.

use state::StateError;

use crate::key::KeyId;

/// Whoever asks is not let in. It says nothing of what was presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Denied {
    /// What was presented is a key of something else.
    #[error("this is not a key of hob's: those begin with \"hob_\"")]
    NotAKey,
    /// It was not copied right.
    #[error("the key was not copied right: its last characters do not fit the rest")]
    MistypedKey,
    /// It looks like one, but there is none like it.
    #[error("there is no such key on this box; it may have been rotated, or be another box's")]
    UnknownKey,
    /// It was one.
    #[error("this key was revoked")]
    RevokedKey,
    /// Its time is over.
    #[error("this key has expired")]
    ExpiredKey,
    /// It is not taken from there.
    #[error("this key is not taken from this address")]
    WrongNetwork,
}

impl Denied {
    /// Whether another key would help, which is a 401, or another place, which is a 403.
    pub fn is_for_the_place(self) -> bool {
        self == Self::WrongNetwork
    }
}

/// What cannot be done with a key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Only those who administer the box make and end keys.
    #[error("keys are managed by those who have the scope \"admin\"")]
    NotAllowed,
    /// There is none with this name, or no longer.
    #[error("there is no key {0}")]
    Unknown(KeyId),
    /// What it is to be called.
    #[error("a key's name has 1 to 64 characters, none of which is a control character")]
    Name,
    /// It would be of no use.
    #[error("a key needs a scope: infer, embed, models.read, models.write, metrics or admin")]
    NoScopes,
    /// It would take too long to check.
    #[error("a key names {most} models and {most} networks at most")]
    TooMany {
        /// How many there may be.
        most: usize,
    },
    /// It would be of no use.
    #[error("a key must expire later than now, or never")]
    Past,
    /// What it may cannot be written.
    #[error("the key's policy cannot be written: {0}")]
    Policy(serde_json::Error),
    /// What it was made of cannot be read again.
    #[error(transparent)]
    Damaged(#[from] OpenKeysError),
    /// The state said no. Nothing was changed.
    #[error(transparent)]
    State(#[from] StateError),
}

/// A key in the state cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the key {id} in state.db cannot be understood: a later version of hob may have written it; update hob"
)]
pub struct OpenKeysError {
    /// Its public name.
    pub id: String,
}

/// Why nobody can be let in or kept out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccessError {
    /// A key in the state cannot be understood.
    #[error(transparent)]
    Keys(#[from] OpenKeysError),
    /// The state cannot be read or written.
    #[error(transparent)]
    State(#[from] StateError),
}
