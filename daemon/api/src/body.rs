//! Reading a request's JSON body, up to a limit. Blobs are no JSON and do not pass here.

use std::error::Error as _;

use axum::body::{Body, to_bytes};
use bytes::Bytes;
use http_body_util::LengthLimitError;
use serde::de::DeserializeOwned;

use crate::{
    error::Error,
    go_json::{self, Fields},
    json,
};

/// A conversation may be long, and will carry images.
pub(crate) const CONVERSATION_BYTES: usize = 64 << 20;
/// Every other body.
pub(crate) const COMMAND_BYTES: usize = 1 << 20;
/// What anybody may send: a name, a password and a code.
pub(crate) const STRANGERS_BYTES: usize = 4 << 10;

/// The object that a body holds, in Go's dialect; `name` is its Go type, for error texts.
pub(crate) async fn read(body: Body, limit_bytes: usize, name: &'static str) -> Result<Fields, Error> {
    Ok(Fields::of(name, go_json::parse(&collect(body, limit_bytes).await?)?)?)
}

/// What a body holds, read strictly.
pub(crate) async fn typed<T: DeserializeOwned>(body: Body, limit_bytes: usize) -> Result<T, Error> {
    Ok(json::parse(&collect(body, limit_bytes).await?)?)
}

async fn collect(body: Body, limit_bytes: usize) -> Result<Bytes, Error> {
    let bytes = to_bytes(body, limit_bytes).await.map_err(|error| {
        match error.source().is_some_and(|source| source.is::<LengthLimitError>()) {
            true => Error::BodyTooLarge,
            false => Error::BodyCut,
        }
    })?;
    match bytes.is_empty() {
        true => Err(Error::EmptyBody),
        false => Ok(bytes),
    }
}
