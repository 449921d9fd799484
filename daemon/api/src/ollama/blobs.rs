//! `/api/blobs/:digest`: model files on their way into the store, never held in memory.

use axum::{
    body::Body,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::StreamExt;
use http::StatusCode;
use store::{Added, Digest, Store, StoreError};
use tokio::sync::mpsc;

use super::errors::Refusal;
use crate::{
    Api,
    error::{Error, Invalid},
};

/// Pieces that wait for the disk at most; the socket waits beyond.
const PIECES_IN_FLIGHT: usize = 16;

/// `HEAD /api/blobs/:digest`.
pub(super) async fn probe(State(api): State<Api>, Path(digest): Path<String>) -> Result<Response, Refusal> {
    let parsed = parse(&digest)?;
    match api.on_store(move |store| store.expect_manifest(&parsed)).await? {
        true => Ok(StatusCode::OK.into_response()),
        false => Err(Error::UnknownBlob { digest }.into()),
    }
}

/// `POST /api/blobs/:digest`.
pub(super) async fn receive(
    State(api): State<Api>,
    Path(digest): Path<String>,
    body: Body,
) -> Result<Response, Refusal> {
    let digest = parse(&digest)?;
    if api.on_store(move |store| store.expect_manifest(&digest)).await? {
        return Ok(StatusCode::OK.into_response());
    }
    let (sender, pieces) = mpsc::channel(PIECES_IN_FLIGHT);
    let (sent, added) =
        tokio::join!(send(body, sender), api.on_store(move |store| write(&store, &digest, pieces)));
    // What the disk says comes first: a full one also ends the sending.
    let status = match added? {
        Some(Added::New) => StatusCode::CREATED,
        Some(Added::Existing) => StatusCode::OK,
        None => return Err(sent.err().unwrap_or(Error::BodyCut).into()),
    };
    Ok(status.into_response())
}

fn parse(digest: &str) -> Result<Digest, Error> {
    Ok(digest.parse().map_err(|_| Invalid::of("digest", "invalid digest format"))?)
}

/// A piece of a blob, or word that all of it was there.
enum Piece {
    Bytes(Bytes),
    End,
}

async fn send(body: Body, sender: mpsc::Sender<Piece>) -> Result<(), Error> {
    let mut pieces = body.into_data_stream();
    while let Some(piece) = pieces.next().await {
        let bytes = piece.map_err(|_| Error::BodyCut)?;
        if sender.send(Piece::Bytes(bytes)).await.is_err() {
            return Ok(());
        }
    }
    // A writer that is gone has said why.
    let _ = sender.send(Piece::End).await;
    Ok(())
}

/// `None` when the client left before the end; nothing is kept then.
fn write(
    store: &Store,
    digest: &Digest,
    mut pieces: mpsc::Receiver<Piece>,
) -> Result<Option<Added>, StoreError> {
    let mut blob = store.begin_blob(digest)?;
    while let Some(piece) = pieces.blocking_recv() {
        match piece {
            Piece::Bytes(bytes) => blob.write(&bytes)?,
            Piece::End => {
                let held = blob.finish()?;
                // Before it is let go of.
                store.expect_manifest(&held.digest())?;
                return Ok(Some(Added::New));
            }
        }
    }
    Ok(None)
}
