//! What can go wrong here, by what a caller must tell apart.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use state::StateError;

use crate::audit::AuditError;
use crate::key::KeyId;
use crate::life::Over;
use crate::password::InvalidPasswordHash;
use crate::person::{InvalidNewName, PersonName};

/// Whoever asks is not let in. It says nothing of what was presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Denied {
    /// What was presented is a key of something else.
    #[error(
        "this is not a key of hob's: those begin with \"hob_\", and whoever owns the box makes them with `hob key create NAME`"
    )]
    NotAKey,
    /// It was not copied right.
    #[error("the key was not copied right: its last characters do not fit the rest")]
    MistypedKey,
    /// It looks like one, but there is none like it.
    #[error("there is no such key on this box; it may have been rotated, or be another box's")]
    UnknownKey,
    /// It was one.
    #[error("this key was revoked; whoever owns the box makes another one with `hob key create NAME`")]
    RevokedKey,
    /// Its time is over.
    #[error("this key has expired; whoever owns the box makes another one with `hob key create NAME`")]
    ExpiredKey,
    /// It is not taken from there.
    #[error("this key is not taken from this address")]
    WrongNetwork,
}

/// Why somebody is not invited, or does not get what an invitation is for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvitationError {
    /// Only those who administer the box invite.
    #[error("boxes are invited by those who have the scope \"admin\"")]
    NotAllowed,
    /// Nobody owns the box yet, and the network gets nothing from it.
    #[error(
        "this box is not claimed yet, and serves nobody on the network until it is: claim it first with `hob claim`"
    )]
    Unclaimed,
    /// What it is to be for.
    #[error("an invitation is for infer, embed, models.read and split, and for one of them at least")]
    Scopes,
    /// Not from there: somebody may listen.
    #[error("an invitation is taken over TLS, on the network")]
    WrongNetwork,
    /// It is not the code.
    #[error(
        "this is not the code of the invitation; `hob pair --invite` on the box that invites shows it, once"
    )]
    WrongCode,
    /// Nobody is invited, or no longer.
    #[error(
        "nobody is invited: `hob pair --invite` on the box that is to be paired makes an invitation, for ten minutes and once"
    )]
    None,
    /// Wrong codes were tried too often from there.
    #[error(
        "wrong codes were tried too often from here: this invitation is of no use here any more; ask for another one"
    )]
    Spent {
        /// When this one ends.
        retry_after: Duration,
    },
    /// What was presented is over.
    #[error(transparent)]
    Over(#[from] Over),
    /// It cannot be written down. Nothing was changed.
    #[error(transparent)]
    Audit(#[from] AuditError),
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
    /// What was presented is over.
    #[error(transparent)]
    Over(#[from] Over),
    /// There is none with this name, or no longer.
    #[error("there is no key {0}")]
    Unknown(KeyId),
    /// What it is to be called.
    #[error("a key's name has 1 to 64 characters, none of which is a control character")]
    Name,
    /// It would be of no use.
    #[error("a key needs a scope: infer, embed, models.read, models.write, metrics or admin")]
    NoScopes,
    /// A box is to administer this one, or to change its models.
    #[error("the key of a paired box may have infer, embed, models.read and split, and nothing else")]
    NotForPeers,
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
    /// It cannot be written down. Nothing was changed.
    #[error(transparent)]
    Audit(#[from] AuditError),
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
    /// What was presented is over.
    #[error(transparent)]
    Over(#[from] Over),
    /// The state cannot be read or written.
    #[error(transparent)]
    State(#[from] StateError),
    /// The audit log cannot be read or written.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The setup code cannot be kept.
    #[error("cannot keep the setup code in {folder}: {source}", folder = folder.display())]
    SetupCode {
        /// Where it was to be.
        folder: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The box was to be claimed by its settings, for nobody.
    #[error("the name in the setting claim.name cannot be used: {0}")]
    ProvisionName(InvalidNewName),
    /// The box was to be claimed by its settings, with a password that cannot be checked.
    #[error("the file that the setting claim.password_hash_file names cannot be used: {0}")]
    ProvisionHash(InvalidPasswordHash),
    /// Somebody owns the box already.
    #[error("the box is claimed already")]
    AlreadyClaimed,
    /// A person in the state cannot be understood.
    #[error(
        "the person {name:?} in state.db cannot be understood: a later version of hob may have written it; update hob"
    )]
    Person {
        /// What they are called.
        name: String,
    },
}

/// Why a box cannot be claimed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimError {
    /// Not from there: somebody may listen.
    #[error("a box is claimed over TLS, or on the box itself with `hob claim`")]
    WrongNetwork,
    /// It is not the code, or not any more.
    #[error("this is not the setup code: `hob status` on the box shows it")]
    WrongCode,
    /// Somebody owns the box already.
    #[error(
        "this box is claimed already: sign in, or give its owner another password with `hob claim --reset-password` on the box"
    )]
    Claimed,
    /// Wrong codes were tried too often from there. There may be another code meanwhile.
    #[error("wrong codes were tried too often: try again in {} s, with the code that `hob status` shows then", seconds(*retry_after))]
    Paused {
        /// For how long none is taken.
        retry_after: Duration,
    },
    /// Too many passwords are being hashed.
    #[error("the box is busy: try again in {} s", seconds(*retry_after))]
    Busy {
        /// When to try again.
        retry_after: Duration,
    },
    /// It could not be done. The box is not claimed.
    #[error(transparent)]
    Failed(#[from] AccessError),
}

/// Why somebody cannot sign in, or is not taken for who they are signed in as.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignInError {
    /// Not from there: somebody may listen, or, on this machine, get the browser's cookie at another port.
    #[error(
        "people sign in at the box's https address on the network; on the box itself, `hob claim` and `hob key` do without"
    )]
    WrongNetwork,
    /// There is nobody who could.
    #[error("this box is not claimed yet: claim it with the setup code that `hob status` on the box shows")]
    Unclaimed,
    /// There is nobody with this name and this password.
    #[error("wrong name or password")]
    Wrong,
    /// Wrong ones were tried too often.
    #[error("wrong passwords were tried too often: try again in {} s", seconds(*retry_after))]
    Paused {
        /// For how long none is taken.
        retry_after: Duration,
    },
    /// Too many passwords are being hashed.
    #[error("the box is busy: try again in {} s", seconds(*retry_after))]
    Busy {
        /// When to try again.
        retry_after: Duration,
    },
    /// Keys have no password.
    #[error("only somebody who is signed in has a password")]
    NotSignedIn,
    /// It could not be done.
    #[error(transparent)]
    Failed(#[from] AccessError),
}

impl InvitationError {
    /// When to try again, if that helps.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Spent { retry_after } => Some(*retry_after),
            _ => None,
        }
    }
}

/// Why nobody can be spoken for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OnBehalfError {
    /// It is no box that asks, and speaks for nobody else.
    #[error("only a paired box asks on behalf of others")]
    NotAPeer,
    /// Whom it speaks for.
    #[error("whom a box asks for is named by 1 to 64 visible ASCII characters")]
    Name,
    /// The state cannot be read or written.
    #[error(transparent)]
    State(#[from] StateError),
}

/// What cannot be done with people and sessions.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PeopleError {
    /// Whoever asks may not.
    #[error("only those who administer the box may do that")]
    NotAllowed,
    /// The first person is who claims the box.
    #[error(
        "this box is not claimed yet: claim it first, with the setup code that `hob status` on the box shows"
    )]
    Unclaimed,
    /// No two have the same name, in whatever case.
    #[error("there is somebody by the name {0} already; choose another one")]
    NameTaken(PersonName),
    /// Somebody who is signed in would be removed by themselves.
    #[error("nobody removes themselves: another owner of the box can")]
    Oneself,
    /// Nobody could administer the box any more.
    #[error("this is the last one who owns the box; make somebody else an owner first")]
    LastOwner,
    /// There is nobody by this name.
    #[error("there is nobody by the name {0}")]
    UnknownPerson(PersonName),
    /// There is none, or it has ended.
    #[error("there is no such session, or it has ended")]
    UnknownSession,
    /// Too many passwords are being hashed.
    #[error("the box is busy: try again in {} s", seconds(*retry_after))]
    Busy {
        /// When to try again.
        retry_after: Duration,
    },
    /// It could not be done.
    #[error(transparent)]
    Failed(#[from] AccessError),
}

impl ClaimError {
    /// When to try again, if that helps.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Paused { retry_after } | Self::Busy { retry_after } => Some(*retry_after),
            _ => None,
        }
    }
}

impl SignInError {
    /// When to try again, if that helps.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Paused { retry_after } | Self::Busy { retry_after } => Some(*retry_after),
            _ => None,
        }
    }
}

impl From<AuditError> for ClaimError {
    fn from(error: AuditError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<AuditError> for PeopleError {
    fn from(error: AuditError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<AuditError> for SignInError {
    fn from(error: AuditError) -> Self {
        Self::Failed(error.into())
    }
}

/// Whole ones, and not one too few.
fn seconds(pause: Duration) -> u64 {
    pause.as_secs() + u64::from(pause.subsec_nanos() > 0)
}
