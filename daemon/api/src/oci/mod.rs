//! The models of this box as any registry offers its own, to be read: OCI's distribution protocol under `/v2`. Other boxes pull by
//! it, and `hob export` reads by it. A model's repository is its name without the tag, `HOST/NAMESPACE/MODEL`, of which the host,
//! and the namespace, may be left out as elsewhere. Nothing is written here.
//!
//! Protocol: <https://github.com/opencontainers/distribution-spec/blob/main/spec.md>

mod blob;
mod errors;
mod path;
mod range;
mod routes;

pub(crate) use self::{
    blob::places,
    errors::{Refusal, no_route},
    routes::router,
};

/// Whether a path is this family's.
pub(crate) fn has(path: &str) -> bool {
    path == "/v2" || path.starts_with("/v2/")
}
