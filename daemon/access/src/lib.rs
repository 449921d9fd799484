//! Who may do what: the claim, people, keys, quotas, and the audit log. It knows of no socket and of no HTTP: how a request
//! came, and what it presented, is told by `front`; what each route needs, by `api`.
#![forbid(unsafe_code)]

mod caller;
mod presented;
mod scope;

pub use caller::{Caller, Who};
pub use presented::{Credential, Presented, Way};
pub use scope::{Scope, Scopes, UnknownScope};
