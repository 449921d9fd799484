//! Who the box is: its keys and certificates, and the boxes that it knows. Who asks it for something, and what they may, is
//! `access`'s.
#![forbid(unsafe_code)]

mod device;
mod error;
mod identity;
pub mod pairing;

pub use device::{DeviceId, ExpectedId, InvalidDeviceId};
pub use error::IdentityError;
pub use identity::{Config, Identity, Names, Now, OwnCertificate, Refreshed, Source, Status, Warning};
