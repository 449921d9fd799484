//! Blobs on their way into the store, never held in memory: the socket is read here, the disk written on a thread that may
//! block.

use axum::body::Body;
use bytes::Bytes;
use futures_util::StreamExt;
use http_body::Body as _;
use store::{Digest, IncomingBlob, Store, StoreError};
use tokio::sync::mpsc;

use crate::{Api, cut::Cut, error::Error, places::Places};

/// Pieces that wait for the disk at most; the socket waits beyond.
const PIECES_IN_FLIGHT: usize = 16;

/// Those that may be under way at once, and of one owner: each keeps a thread, of which there are so many for all that blocks.
const MOST: usize = 32;
const MOST_OF_ONE: usize = 8;

/// A place for each that may be under way.
pub(crate) fn places() -> Places {
    Places::new(MOST, MOST_OF_ONE)
}

/// Takes in all of a body, and keeps it for a manifest that is to come. Nothing is kept if the caller is cut off before its end.
pub(crate) async fn receive(
    api: &Api,
    body: Body,
    begin: impl FnOnce(&Store) -> Result<IncomingBlob, StoreError> + Send + 'static,
) -> Result<Digest, Error> {
    let _place = api.uploads.take(api.caller.owner()).ok_or(Error::TooManyUploads)?;
    // What the client says of its length, if anything; a full disk is better known now.
    let expected_bytes = body.size_hint().lower();
    let (sender, pieces) = mpsc::channel(PIECES_IN_FLIGHT);
    let writing = api.on_store(move |store| {
        store.check_room(expected_bytes)?;
        write(&store, begin(&store)?, pieces)
    });
    let (sent, written) = tokio::join!(send(body, sender, Cut::of(api)), writing);
    // What the disk says comes first: a full one also ends the sending.
    written?.ok_or_else(|| sent.err().unwrap_or(Error::BodyCut))
}

/// A piece of a blob, or word that all of it was there.
enum Piece {
    Bytes(Bytes),
    End,
}

async fn send(body: Body, sender: mpsc::Sender<Piece>, mut cut: Cut) -> Result<(), Error> {
    let mut pieces = body.into_data_stream();
    loop {
        let piece = tokio::select! {
            piece = pieces.next() => piece,
            why = &mut cut => return Err(why.into()),
        };
        let Some(piece) = piece else { break };
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

#[cfg(test)]
mod tests {
    use access::Caller;
    use futures_util::{FutureExt, stream};
    use http::{Method, Request, StatusCode};

    use super::*;
    use crate::tests::{Rig, scopes};

    /// An upload that stands still.
    fn idle(digest: Digest) -> Request<Body> {
        let body = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
        Request::builder().method(Method::POST).uri(format!("/api/blobs/{digest}")).body(body).unwrap()
    }

    #[tokio::test]
    async fn idle_uploads_are_so_many_and_leave_threads_for_everything_else() {
        let rig = Rig::new();
        let callers: Vec<Caller> = (0..=MOST / MOST_OF_ONE)
            .map(|_| rig.by_key(&rig.key(scopes(&[access::Scope::ModelsWrite]))))
            .collect();
        let receive = |by: &Caller| {
            let api = Api { caller: by.clone(), ..rig.api.clone() };
            let body = idle(Digest::of(b"a")).into_body();
            Box::pin(async move { receive(&api, body, |store| store.begin_unnamed_blob()).await })
        };
        let (last, others) = callers.split_last().unwrap();
        let mut under_way = Vec::new();
        for caller in others {
            for _ in 0..MOST_OF_ONE {
                let mut upload = receive(caller);
                assert!(upload.as_mut().now_or_never().is_none());
                under_way.push(upload);
            }
            let refused = receive(caller).now_or_never().unwrap().unwrap_err();
            assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
            let mut headers = http::HeaderMap::new();
            refused.tell(&mut headers);
            assert!(headers.contains_key("retry-after"));
        }
        assert!(matches!(receive(last).now_or_never(), Some(Err(Error::TooManyUploads))));
        under_way.pop();
        assert!(receive(last).now_or_never().is_none());
    }

    #[tokio::test]
    async fn an_upload_ends_with_the_key_that_it_came_by() {
        let rig = Rig::new();
        let caller = rig.by_key(&rig.key(scopes(&[access::Scope::ModelsWrite])));
        let uploading = rig.begin(&caller, idle(Digest::of(b"a")));
        let mut uploading = std::pin::pin!(uploading);
        assert!(uploading.as_mut().now_or_never().is_none());

        rig.revoke_all();

        let ended = tokio::time::timeout(std::time::Duration::from_secs(9), uploading).await.unwrap();
        assert_eq!(ended.status(), StatusCode::UNAUTHORIZED);
    }
}
