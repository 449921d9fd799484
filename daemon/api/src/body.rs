//! Reading a request's JSON body, up to a limit. Blobs are no JSON and do not pass here.

use std::error::Error as _;

use axum::body::{Body, to_bytes};
use http_body_util::LengthLimitError;

use crate::{
    error::Error,
    go_json::{self, Fields},
};

/// A conversation may be long, and will carry images.
pub(crate) const CONVERSATION_BYTES: usize = 64 << 20;
/// Every other body.
pub(crate) const COMMAND_BYTES: usize = 1 << 20;

/// The object that a body holds; `name` is its Go type, for error texts.
pub(crate) async fn read(body: Body, limit_bytes: usize, name: &'static str) -> Result<Fields, Error> {
    let bytes = to_bytes(body, limit_bytes).await.map_err(|error| {
        match error.source().is_some_and(|source| source.is::<LengthLimitError>()) {
            true => Error::BodyTooLarge,
            false => Error::BodyCut,
        }
    })?;
    if bytes.is_empty() {
        return Err(Error::EmptyBody);
    }
    Ok(Fields::of(name, go_json::parse(&bytes)?)?)
}
