//! Names in paths, whose refusals have this family's shape.

use axum::extract::{FromRequestParts, Path};
use http::request::Parts;

use super::errors::Refusal;
use crate::error::Invalid;

/// The one name in a path. It may hold slashes.
pub(super) struct Named(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let named = Path::<String>::from_request_parts(parts, state).await;
        named.map(|Path(name)| Self(name)).map_err(|error| Invalid::new(error.to_string()).into())
    }
}
