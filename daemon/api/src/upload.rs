//! Blobs on their way into the store, never held in memory: the socket is read here, the disk written on a thread that may
//! block.

use axum::body::Body;
use bytes::Bytes;
use futures_util::StreamExt;
use http_body::Body as _;
use store::{Digest, IncomingBlob, Store, StoreError};
use tokio::sync::mpsc;

use crate::{Api, cut::Cut, error::Error};

/// Pieces that wait for the disk at most; the socket waits beyond.
const PIECES_IN_FLIGHT: usize = 16;

/// Takes in all of a body, and keeps it for a manifest that is to come. Nothing is kept if the caller is cut off before its end.
pub(crate) async fn receive(
    api: &Api,
    body: Body,
    begin: impl FnOnce(&Store) -> Result<IncomingBlob, StoreError> + Send + 'static,
) -> Result<Digest, Error> {
    // What the client says of its length, if anything; a full disk is better known now.
    let expected_bytes = body.size_hint().lower();
    let (sender, pieces) = mpsc::channel(PIECES_IN_FLIGHT);
    let writing = api.on_store(move |store| {
        store.check_room(expected_bytes)?;
        write(&store, begin(&store)?, pieces)
    });
    let sending = async {
        tokio::select! {
            sent = send(body, sender) => sent,
            why = Cut::of(api) => Err(why.into()),
        }
    };
    let (sent, written) = tokio::join!(sending, writing);
    // What the disk says comes first: a full one also ends the sending.
    written?.ok_or_else(|| sent.err().unwrap_or(Error::BodyCut))
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

/// `None` when the client left, or was cut off, before the end; nothing is kept then.
fn write(
    store: &Store,
    mut blob: IncomingBlob,
    mut pieces: mpsc::Receiver<Piece>,
) -> Result<Option<Digest>, StoreError> {
    while let Some(piece) = pieces.blocking_recv() {
        match piece {
            Piece::Bytes(bytes) => blob.push(&bytes)?,
            Piece::End => {
                let held = blob.finish()?;
                // Before it is let go of.
                store.expect_manifest(&held.digest())?;
                return Ok(Some(held.digest()));
            }
        }
    }
    Ok(None)
}
