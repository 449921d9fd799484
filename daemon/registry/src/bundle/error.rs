//! What can be wrong with a bundle, and with the keys that sign it. Whatever it is, no model is made of it.

use store::{Digest, InvalidManifest, ModelName};

use super::{KeyId, Part};

/// What is wrong with a bundle.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// It begins with something else than a bundle does.
    #[error(
        "this is no bundle: {0} is not there, or not the first in the archive\nhint: a bundle is what hob export makes; one that lies in \
         a folder is imported by the folder's name"
    )]
    NotABundle(Part),
    /// A part is missing.
    #[error("{0} is missing in the bundle")]
    Missing(Part),
    /// Another part comes where this one should.
    #[error("{found} comes in the bundle where {expected} should")]
    OutOfOrder {
        /// What comes next by what the bundle says of itself.
        expected: Part,
        /// What does.
        found: Part,
    },
    /// Something that no bundle has, or none twice.
    #[error("the bundle has `{name}`, {what}; nothing of that was taken")]
    Strange {
        /// As called there, made safe to show.
        name: String,
        /// What it is.
        what: &'static str,
    },
    /// A part is longer than any of its kind.
    #[error("{part} is said to have {bytes} bytes, and may have {most}")]
    TooLong {
        /// Which.
        part: Part,
        /// As long as it is.
        bytes: u64,
        /// As long as it may be.
        most: u64,
    },
    /// A part is not as long as the bundle says of it.
    #[error("{part} should have {expected} bytes, and has {bytes}")]
    WrongSize {
        /// Which.
        part: Part,
        /// By `bundle.json`.
        expected: u64,
        /// As it lies there.
        bytes: u64,
    },
    /// The bytes are not those that were named.
    #[error("{0} is damaged: its bytes are not those that were bundled")]
    WrongBytes(Part),
    /// It ends too early.
    #[error("the bundle ends in the middle: it was cut off, or is still being written")]
    Truncated,
    /// What is not a part's bytes does not add up.
    #[error("the archive is damaged: {0}")]
    Damaged(&'static str),
    /// Made by a later version.
    #[error("the bundle has format {0}, and this hob knows 1\nhint: a later hob can import it")]
    Newer(u64),
    /// What it says of itself makes no sense.
    #[error("bundle.json makes no sense: {0}")]
    Malformed(String),
    /// A manifest makes no sense.
    #[error("the manifest of '{model}' makes no sense: {source}")]
    Manifest {
        /// Whose.
        model: Box<ModelName>,
        /// Why.
        source: InvalidManifest,
    },
    /// A model is made of what is not in it.
    #[error("the bundle lacks blob {blob} of '{model}', or has it with another length")]
    Lacking {
        /// Whose.
        model: Box<ModelName>,
        /// Which.
        blob: Digest,
    },
    /// A blob of no model.
    #[error("blob {0} of the bundle is no model's")]
    Stray(Digest),
    /// A key was asked for, and there is no signature.
    #[error("the bundle is not signed; nothing was taken")]
    NotSigned,
    /// Signed, and by somebody else.
    #[error("the bundle is signed by key {found}, not by key {expected}; nothing was taken")]
    OtherKey {
        /// Whose word was asked for.
        expected: KeyId,
        /// Whose it is.
        found: KeyId,
    },
    /// The signature is not of this, or not by this key.
    #[error(
        "the signature is not good: the bundle was changed after it was signed, or somebody else signed it; nothing was taken"
    )]
    BadSignature,
    /// No signature of minisign's.
    #[error("bundle.json.minisig is no signature of minisign's{0}")]
    MalformedSignature(&'static str),
    /// No public key of minisign's.
    #[error(
        "this is no public key of minisign's\nhint: minisign -G makes one, and writes it into a file beside the secret one"
    )]
    MalformedPublicKey,
    /// No secret key of minisign's.
    #[error("this is no secret key of minisign's\nhint: minisign -G makes one")]
    MalformedSecretKey,
    /// A secret key cannot be opened by this password.
    #[error("the password is wrong, or the secret key is damaged")]
    WrongPassword,
    /// A secret key is sealed.
    #[error("the secret key is sealed by a password, and none was given")]
    NoPassword,
    /// A secret key whose seal takes more memory or time than minisign ever asks for.
    #[error("the secret key cannot be opened: it asks for more work than any of minisign's")]
    TooDear,
    /// Reading failed.
    #[error("cannot read the bundle: {0}")]
    Io(#[from] std::io::Error),
}
