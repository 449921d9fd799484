//! Bodies and queries of this family, read strictly. Bodies are JSON, and only where the headers say that it is JSON as well: a page
//! of somebody else's can send a form without the browser asking anybody, but not that.

use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequest, Query, Request};
use http::{header::CONTENT_TYPE, request::Parts};
use serde::de::DeserializeOwned;

use super::errors::Refusal;
use crate::{
    body::{self, COMMAND_BYTES},
    error::{Error, Invalid},
};

/// A body of so many bytes at most, read.
pub(super) struct Typed<T, const BYTES: usize = COMMAND_BYTES>(pub(super) T);

impl<S: Sync, T: DeserializeOwned, const BYTES: usize> FromRequest<S> for Typed<T, BYTES> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        let kind =
            request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            return Err(Error::NotJson.into());
        }
        Ok(Self(body::typed(request.into_body(), BYTES).await?))
    }
}

/// Where nothing needs to be said: `None` where the headers say of no body.
impl<S: Sync, T: DeserializeOwned, const BYTES: usize> OptionalFromRequest<S> for Typed<T, BYTES> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, Refusal> {
        match request.headers().contains_key(CONTENT_TYPE) {
            true => <Self as FromRequest<S>>::from_request(request, state).await.map(Some),
            false => Ok(None),
        }
    }
}

/// What stands behind the question mark, read.
pub(super) struct Asked<T>(pub(super) T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(asked)) => Ok(Self(asked)),
            Err(error) => Err(Invalid::new(error.body_text()).into()),
        }
    }
}
