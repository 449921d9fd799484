//! Boxes on the local network: this one is announced, and others are found, by mDNS. What is found is what anybody may say: it
//! tells where to ask, and never whom to trust.
#![forbid(unsafe_code)]

mod announcement;
mod discovery;
mod heard;
mod interfaces;
mod label;
mod neighbour;
mod session;
mod supervisor;
mod table;

pub use announcement::Announcement;
pub use discovery::{Config, Discovery};
pub use interfaces::{Link, Links, Rules};
pub use neighbour::{Neighbour, Phase, UnknownPhase, label_of};
