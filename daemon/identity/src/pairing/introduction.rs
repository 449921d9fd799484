//! Getting to know a box. The only place where a certificate is looked at that nobody vouched for; nothing can be sent
//! over that connection.

use std::time::Duration;

use rustls_pki_types::CertificateDer;

use super::{Address, PairingError};
use crate::DeviceId;

/// A box that has shown who it is, and whose certificates hold for the name that it was asked by.
#[derive(Clone, Debug)]
pub struct Introduction {
    /// Who it is. A person, or what is known of it, has to say whether that is the right one.
    pub id: DeviceId,
    /// What it is trusted by, if it is.
    pub root: CertificateDer<'static>,
}

/// Asks a box who it is. Blocks, `patience` long at most.
///
/// # Errors
/// If it cannot be reached, is no Hob, or its certificates do not hold for this address.
pub fn introduce(_address: &Address, _patience: Duration) -> Result<Introduction, PairingError> {
    todo!()
}
