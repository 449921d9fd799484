//! Who may do what: the claim, people, keys, quotas, and the audit log. It knows of no socket and of no HTTP: how a request
//! came, and what it presented, is told by `front`; what each route needs, by `api`.
#![forbid(unsafe_code)]

mod access;
mod caller;
mod error;
mod key;
mod keys;
mod people;
mod policy;
mod presented;
mod quota;
mod scope;
mod time;
mod usage;

pub use access::{Access, Config};
pub use caller::{Caller, Who};
pub use error::{AccessError, Denied, KeyError, OpenKeysError};
pub use key::{Hash, InvalidKey, InvalidKeyId, KeyId, Secret, parse as parse_key};
pub use keys::{Key, NewKey};
pub use people::Provision;
pub use policy::{InvalidNetwork, InvalidPattern, Limits, ModelPattern, Network, Policy};
pub use presented::{Credential, Origin, Presented, Way};
pub use quota::{Exceeded, Left, Limit, Standing, Usage};
pub use scope::{Scope, Scopes, UnknownScope};
pub use usage::{DayUsage, Permit};
