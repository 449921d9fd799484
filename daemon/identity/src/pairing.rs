//! Boxes that this user knows, and how one is got to know: what it says of itself is looked at without trusting it, a person
//! compares its ID, and from then on nothing else passes for it.

mod address;
mod boxes;
mod introduction;
mod peers;
mod root;

use std::io;
use std::path::PathBuf;

pub use address::{Address, InvalidAddress, USUAL_PORT};
pub use boxes::{AdminKey, BoxName, Boxes, InvalidBoxName, Paired};
pub use introduction::{Introduction, introduce, trusting};
pub use peers::Peers;
pub use root::{InvalidRoot, Root};

use crate::{DeviceId, ExpectedId};

/// Why a box is not, or no longer, paired. Nothing secret was sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PairingError {
    /// Nobody answers there.
    #[error("{address} cannot be reached")]
    Unreachable {
        /// Where.
        address: Address,
        /// Why not.
        source: io::Error,
    },
    /// Whatever answers there does not show who it is as a Hob does.
    #[error(
        "{address} is no Hob, or serves its owner's certificate under this name; in that case ask for it by its address"
    )]
    NotHob {
        /// Where.
        address: Address,
    },
    /// It shows certificates that do not hold, or not for this address.
    #[error("the certificates that {address} shows do not hold")]
    Certificates {
        /// Where.
        address: Address,
        /// Why not.
        source: rustls::Error,
    },
    /// TLS failed.
    #[error("no TLS with {address}")]
    Tls {
        /// Where.
        address: Address,
        /// Why.
        source: io::Error,
    },
    /// It is not the one that a person meant.
    #[error("{address} is another box than the one you mean:\n  expected {expected}\n  found    {found}")]
    Another {
        /// Where.
        address: Address,
        /// Which was meant.
        expected: ExpectedId,
        /// Which answered.
        found: DeviceId,
    },
    /// Not the one that was paired by this name: it was begun anew, or somebody poses as it.
    #[error(
        "{name} is not the box that was paired by that name:\n  expected {expected}\n  found    {found}\nif it was begun anew, \
         forget it and pair again, comparing the ID with the one that the box shows"
    )]
    Changed {
        /// What the user calls it.
        name: BoxName,
        /// Which was paired.
        expected: DeviceId,
        /// Which answered.
        found: DeviceId,
    },
    /// What was written down of a box cannot be understood.
    #[error("{path} is damaged; remove it and pair again", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// The disk.
    #[error("cannot {action} {path}", path = path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}
