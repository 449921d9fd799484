//! Who the box is: its keys and certificates, and the boxes that it knows. Who asks it for something, and what they may, is
//! `access`'s.
#![forbid(unsafe_code)]

mod authority;
mod certificate;
mod device;
mod error;
#[cfg(test)]
mod fixture;
mod folder;
mod identity;
mod kept;
mod leaf;
mod names;
mod own;
pub mod pairing;
mod pem;
mod serving;
mod status;
mod trust;

pub use device::{DeviceId, ExpectedId, InvalidDeviceId};
pub use error::IdentityError;
pub use identity::{Brought, Config, Identity, Now, Refreshed};
pub use kept::{Kept, KeptFile};
pub use names::{HostName, InvalidHostName, Names};
pub use own::{OwnCertificate, OwnCertificateError, Place};
pub use status::{Source, Status, Warning};
