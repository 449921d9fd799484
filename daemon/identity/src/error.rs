//! What can go wrong with an identity.

/// Why there is no identity, or no new certificate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {}
