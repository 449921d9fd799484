//! Reading a request's JSON body, up to a limit, and of nobody whose key has ended by the time it is in. Blobs are no JSON and
//! are not read here.

use std::error::Error as _;
use std::iter::successors;
use std::pin::Pin;
use std::task::{Context, Poll};

use access::{Caller, Over};
use axum::{
    body::{Body, to_bytes},
    extract::Request,
    middleware::Next,
    response::Response,
};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
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

/// What a body holds, as it is; something must.
pub(crate) async fn collect(body: Body, limit_bytes: usize) -> Result<Bytes, Error> {
    let bytes = whole(body, limit_bytes).await?;
    match bytes.is_empty() {
        true => Err(Error::EmptyBody),
        false => Ok(bytes),
    }
}

/// All of a body, which may be nothing.
pub(crate) async fn whole(body: Body, limit_bytes: usize) -> Result<Bytes, Error> {
    to_bytes(body, limit_bytes).await.map_err(|error| {
        let mut causes = successors(error.source(), |&cause| cause.source());
        causes
            .find_map(|cause| {
                let over = cause.is::<Over>().then_some(Error::Over(Over));
                over.or_else(|| cause.is::<LengthLimitError>().then_some(Error::BodyTooLarge))
            })
            .unwrap_or(Error::BodyCut)
    })
}

/// Sees to it that no body comes to its end whose sender's key or session was over before: what may be done was settled by the
/// head, and the body may have come hours later.
pub(crate) async fn judge(request: Request, next: Next) -> Response {
    let caller = request.extensions().get::<Caller>().cloned();
    next.run(match caller {
        Some(caller) => request.map(|body| Body::new(Judged { body, caller })),
        None => request,
    })
    .await
}

/// A body, and who sends it. Its end is not known before it was asked for.
struct Judged {
    body: Body,
    caller: Caller,
}

impl http_body::Body for Judged {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(None) if self.caller.is_over() => Poll::Ready(Some(Err(axum::Error::new(Over)))),
            frame => frame,
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
