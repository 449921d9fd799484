//! Boxes that this user knows, and how one is got to know: what it says of itself is looked at without trusting it, a person
//! compares its ID, and from then on nothing else passes for it.

mod address;
mod boxes;
mod introduction;

pub use address::{Address, InvalidAddress};
pub use boxes::{AdminKey, BoxName, Boxes, InvalidBoxName, Paired};
pub use introduction::{Introduction, introduce};

use crate::DeviceId;

/// Why a box is not, or no longer, paired.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PairingError {
    /// Another box, or somebody who poses as it.
    #[error("expected {expected}\n   found {found}")]
    Changed {
        /// Which was known.
        expected: DeviceId,
        /// Which answered.
        found: DeviceId,
    },
}
