//! `GET /admin/api/audit`: the lines of the audit log as they stand there, so that anybody can check how they hang together.

use axum::{
    extract::Query,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::stream;
use serde::Deserialize;
use tokio::sync::mpsc;

use super::errors::{Failed, Refusal};
use crate::{Api, ndjson};

/// From where on.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct From {
    /// The number of an entry: those after it.
    #[serde(default)]
    after: u64,
}

/// Pieces that wait for a slow client at most, and what is put into one.
const PIECES_IN_FLIGHT: usize = 4;
const PIECE_BYTES: usize = 64 << 10;

/// `GET /admin/api/audit?after=SEQ`.
pub(super) async fn entries(api: Api, Query(From { after }): Query<From>) -> Result<Response, Refusal> {
    let entries = api.on_access(move |access, _| access.audit_entries(after)).await?;
    let (sender, pieces) = mpsc::channel::<Bytes>(PIECES_IN_FLIGHT);
    tokio::task::spawn_blocking(move || {
        let mut piece = Vec::new();
        for line in entries {
            match line {
                Ok(line) => {
                    piece.extend_from_slice(line.as_bytes());
                    piece.push(b'\n');
                }
                Err(error) => {
                    piece.extend_from_slice(&ndjson::line(&Failed { error: error.to_string() }));
                    break;
                }
            }
            // A client that went away needs no more of them.
            if piece.len() >= PIECE_BYTES && sender.blocking_send(std::mem::take(&mut piece).into()).is_err()
            {
                return;
            }
        }
        let _nobody_listens = sender.blocking_send(piece.into());
    });
    let pieces = stream::unfold(pieces, async |mut pieces| Some((pieces.recv().await?, pieces)));
    Ok(ndjson::response(pieces).into_response())
}
