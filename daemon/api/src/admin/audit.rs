//! `GET /admin/api/audit`: the lines of the audit log as they stand there, so that anybody can check how they hang together; and in
//! headers where it begins and ends, so that what was cut off is missed.

use access::audit::AuditEnds;
use axum::{
    extract::Query,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::stream;
use http::HeaderName;
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

/// The last entry that was removed with age, and the last there is: a number, a colon and a hash each.
const X_AUDIT_REMOVED: HeaderName = HeaderName::from_static("x-audit-removed");
const X_AUDIT_LAST: HeaderName = HeaderName::from_static("x-audit-last");

/// Pieces that wait for a slow client at most, and what is put into one.
const PIECES_IN_FLIGHT: usize = 4;
const PIECE_BYTES: usize = 64 << 10;

/// `GET /admin/api/audit?after=SEQ`.
pub(super) async fn entries(api: Api, Query(From { after }): Query<From>) -> Result<Response, Refusal> {
    let entries = api.on_access(move |access, _| access.audit_entries(after)).await?;
    let AuditEnds { removed, last } = entries.ends();
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
                    piece.extend_from_slice(&ndjson::line(&Failed::of(error.to_string())));
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
    let ends = [(X_AUDIT_REMOVED, removed.to_string()), (X_AUDIT_LAST, last.to_string())];
    Ok((ends, ndjson::response(pieces)).into_response())
}
