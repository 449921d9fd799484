//! What the box remembers besides models: one SQLite file, `state.db`. Only here is SQL spoken; who may see what is asked
//! for by owner, and what is kept as text is its writer's to understand.
//!
//! Plain functions that block on the disk and know no runtime. What they have returned from is on the disk: the journal is a
//! write-ahead log that is synced at each commit, so a power cut takes nothing back and leaves nothing half done.
#![forbid(unsafe_code)]

mod audit;
mod behalves;
mod clock;
pub mod conversations;
mod database;
mod error;
mod expiry;
mod keys;
mod migrations;
mod people;
mod principals;
mod responses;
mod snapshot;
mod usage;

pub use audit::{AuditEnds, AuditHash, AuditPosition, InvalidAuditHash, InvalidAuditPosition};
pub use clock::{CLOCK_SET, Clock};
pub use database::State;
pub use error::StateError;
pub use keys::{KeyRow, NewKeyRow};
pub use people::{NewPerson, PersonRow, SessionRow};
pub use responses::{Conversation, Item, ItemKind, Limits, Response, Stored};
pub use usage::{LastUse, UsageRow};
