//! Who may do what: the claim, people, keys, quotas, and the audit log. It knows of no socket and of no HTTP: how a request
//! came, and what it presented, is told by `front`; what each route needs, by `api`.
#![forbid(unsafe_code)]

mod access;
pub mod audit;
mod caller;
mod claim;
mod code;
mod desk;
mod error;
mod invitation;
mod key;
mod keys;
mod life;
mod network;
mod on_behalf;
mod password;
mod people;
mod person;
mod policy;
mod presented;
mod quota;
mod scope;
mod sessions;
mod throttle;
mod time;
mod usage;

pub use access::{Access, Config};
pub use caller::{Caller, Who};
pub use code::{InvalidCode, OneTimeCode};
pub use error::{
    AccessError, ClaimError, Denied, InvitationError, KeyError, OnBehalfError, OpenKeysError, PeopleError,
    SignInError,
};
pub use invitation::{Invitation, Invited};
pub use key::{InvalidKeyId, KeyId, Secret, is_hob_key, is_whole_key};
pub use keys::{Key, NewKey};
pub use life::Over;
pub use network::network_of;
pub use password::{InvalidPassword, InvalidPasswordHash, Password};
pub use person::{
    InvalidNewName, InvalidPersonName, InvalidRole, Person, PersonName, Provision, Role, SignedIn, Visitor,
};
pub use policy::{InvalidNetwork, InvalidPattern, Limits, ModelPattern, Network, Policy};
pub use presented::{Credential, Origin, Presented, Way};
pub use quota::{Exceeded, Left, Limit, Standing, Usage};
pub use scope::{Scope, Scopes, UnknownScope};
pub use sessions::{Session, SessionSecret};
pub use usage::{DayUsage, Permit};

/// Whoever panicked with it held left it whole: each change of what is behind these locks is one.
pub(crate) fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
