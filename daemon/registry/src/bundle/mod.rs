//! Bundles: models as ordinary files, for boxes that no network joins. A bundle is a folder, or an uncompressed tar archive, of
//!
//! - `bundle.json`, which says what is in it: models by full name and digest of manifest, all files by digest and length;
//! - `bundle.json.minisig`, if it is signed: a signature of that file as `minisign` makes and checks it;
//! - `blobs/sha256-HEX`, manifests first.
//!
//! In an archive they come in that order, so that all can be checked before the first blob is taken, and it can be read from a
//! pipe. A reader knows what comes next, and asks for it by [`Part`]: no name and no path is ever taken from a bundle. What opens
//! files and sockets is elsewhere.

mod archive;
mod contents;
mod error;
mod open;
mod part;
mod secret_key;
mod signature;
#[cfg(test)]
mod tests;

pub use archive::{Archive, ArchiveWriter, archive_bytes};
pub use contents::{BlobEntry, Contents, ModelEntry};
pub use error::BundleError;
pub use open::{Bundle, Opened, Signed, Source};
pub use part::Part;
pub use secret_key::{SealedKey, SigningKey};
pub use signature::{KeyId, PublicKey, Signature};
