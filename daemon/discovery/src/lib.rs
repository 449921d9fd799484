//! Boxes on the local network: this one is announced, and others are found, by mDNS. What is found is what anybody may say: it
//! tells where to ask, and never whom to trust.
#![forbid(unsafe_code)]

mod neighbour;

pub use neighbour::{Neighbour, Phase};
