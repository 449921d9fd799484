//! The box in one file, and a box of such a file. What is in it and what of it is believed is `backup`'s to know.

use std::io::{self, Read, Write};

use access::audit::Action;
use axum::{Json, body::Body, response::Response};
use backup::{Backup, LeftOut, Passphrase, Taken, Whose};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE},
};
use percent_encoding::percent_decode;
use serde::{Deserialize, Serialize};
use store::Digest;
use tokio::sync::mpsc;

use super::{errors::Refusal, people::confirmed, typed::Typed};
use crate::{
    Api,
    cut::Cut,
    error::{Error, Invalid},
};

/// What is asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    confirm: Option<String>,
    /// What the file is sealed with. Without it, it has no secrets of the box.
    passphrase: Option<String>,
}

/// What will be in place at the next start.
#[derive(Serialize)]
pub(super) struct Restored {
    /// Whose backup it is; none of a box that had nothing to do with the network.
    r#box: Option<Whose>,
    made: String,
    version: String,
    /// Whether the box becomes that one, for all who know it.
    identity: bool,
    settings: bool,
    people: usize,
    keys: usize,
    peers: usize,
    models: Vec<Model>,
    /// What was left out when it was made.
    left_out: Vec<LeftOut>,
}

#[derive(Serialize)]
struct Model {
    name: String,
    /// What is to be pulled, or imported; nothing if it is all here.
    lacks: Vec<Lacking>,
}

#[derive(Serialize)]
struct Lacking {
    digest: Digest,
    bytes: u64,
}

/// Pieces that wait for a slow side at most.
const PIECES_IN_FLIGHT: usize = 8;
/// Of one.
const PIECE_BYTES: usize = 1 << 16;

/// `POST /admin/api/backup`: a file, as it is made. One that ends in the middle is told as cut off by HTTP, and is none.
pub(super) async fn backup(api: Api, Typed(wanted): Typed<Wanted>) -> Result<Response, Refusal> {
    let Wanted { confirm, passphrase } = wanted;
    let passphrase = passphrase.as_deref().map(secret).transpose()?;
    confirmed(&api, confirm).await?;
    let how = if passphrase.is_some() { "sealed" } else { "not sealed" };
    let backups = api.backups.clone();
    let made = async move { Ok(tokio::task::spawn_blocking(move || backups.make(passphrase)).await??) };
    let backup = api.audited(Action::BackupMake, how.into(), made).await?;
    let name = format!("attachment; filename=\"{}\"", backup.file_name());
    let mut response = Response::new(written(&api, backup));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(name) = HeaderValue::from_str(&name) {
        headers.insert(CONTENT_DISPOSITION, name);
    }
    Ok(response)
}

/// It ends with its caller's session or key.
fn written(api: &Api, backup: Backup) -> Body {
    let (sender, pieces) = mpsc::channel::<io::Result<Bytes>>(PIECES_IN_FLIGHT);
    tokio::task::spawn_blocking(move || {
        let last = sender.clone();
        let out = io::BufWriter::with_capacity(PIECE_BYTES, Pieces(sender));
        if let Err(error) = backup.write_to(out) {
            tracing::warn!(%error, "a backup was not written to its end");
            let _nobody_listens = last.blocking_send(Err(error));
        }
    });
    let body = stream::unfold((pieces, Some(Cut::of(api))), async |(mut pieces, cut)| {
        let mut cut = cut?;
        tokio::select! {
            piece = pieces.recv() => Some((piece?, (pieces, Some(cut)))),
            why = &mut cut => Some((Err(io::Error::other(why)), (pieces, None))),
        }
    });
    Body::from_stream(body)
}

/// What is written goes to whoever takes the body.
struct Pieces(mpsc::Sender<io::Result<Bytes>>);

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.0.blocking_send(Ok(Bytes::copy_from_slice(bytes)));
        sent.map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// `POST /admin/api/restore`: such a file. `hob-passphrase` and `hob-confirm` are headers, encoded as in a URL, since headers have no
/// other letters than those of English. Once all of it was checked, the box starts anew with it.
pub(super) async fn restore(
    api: Api,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<Restored>), Refusal> {
    let passphrase = header(&headers, "passphrase")?.as_deref().map(secret).transpose()?;
    confirmed(&api, header(&headers, "confirm")?).await?;
    let taken = taken_in(&api, body, passphrase).await?;
    let restored = told(&taken);
    let whose = taken.whose().map_or("of a box without a network", |whose| &whose.id);
    let target = format!("{whose}, made {}", taken.made());
    let kept = async move { Ok(tokio::task::spawn_blocking(move || taken.keep()).await??) };
    api.audited(Action::BackupRestore, target, kept).await?;
    api.settings.restart();
    Ok((StatusCode::ACCEPTED, Json(restored)))
}

/// Never held in memory: the socket is read here, the disk written on a thread that may block.
async fn taken_in(api: &Api, body: Body, passphrase: Option<Passphrase>) -> Result<Taken, Error> {
    let (sender, pieces) = mpsc::channel(PIECES_IN_FLIGHT);
    let backups = api.backups.clone();
    let reading = tokio::task::spawn_blocking(move || {
        backups.take_in(Arriving { pieces, piece: Bytes::new(), ended: false }, passphrase.as_ref())
    });
    let (sent, taken) = tokio::join!(send(body, sender, Cut::of(api)), reading);
    // What it was cut off by is told before that it is not whole.
    sent?;
    Ok(taken??)
}

async fn send(body: Body, sender: mpsc::Sender<Option<Bytes>>, mut cut: Cut) -> Result<(), Error> {
    let mut pieces = body.into_data_stream();
    loop {
        let piece = tokio::select! {
            piece = pieces.next() => piece.transpose().map_err(|_| Error::BodyCut)?,
            why = &mut cut => return Err(why.into()),
        };
        let ended = piece.is_none();
        // A reader that is gone has said why.
        if sender.send(piece).await.is_err() || ended {
            return Ok(());
        }
    }
}

/// A body as it comes. It is at its end only where its sender said so.
struct Arriving {
    pieces: mpsc::Receiver<Option<Bytes>>,
    piece: Bytes,
    ended: bool,
}

impl Read for Arriving {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() && !self.ended {
            match self.pieces.blocking_recv() {
                Some(Some(piece)) => self.piece = piece,
                Some(None) => self.ended = true,
                None => return Err(io::ErrorKind::ConnectionAborted.into()),
            }
        }
        let count = buffer.len().min(self.piece.len());
        buffer[..count].copy_from_slice(&self.piece.split_to(count));
        Ok(count)
    }
}

fn told(taken: &Taken) -> Restored {
    let lacking = |(digest, bytes): &(Digest, u64)| Lacking { digest: *digest, bytes: *bytes };
    let models = taken.models().iter();
    Restored {
        r#box: taken.whose().cloned(),
        made: taken.made().to_owned(),
        version: taken.version().to_owned(),
        identity: taken.has_identity(),
        settings: taken.has_settings(),
        people: taken.people(),
        keys: taken.keys(),
        peers: taken.peers(),
        models: models
            .map(|model| Model {
                name: model.name.to_string(),
                lacks: model.lacks.iter().map(lacking).collect(),
            })
            .collect(),
        left_out: taken.left_out().to_vec(),
    }
}

fn secret(text: &str) -> Result<Passphrase, Invalid> {
    text.parse().map_err(|error: backup::InvalidPassphrase| Invalid::of("passphrase", error.to_string()))
}

/// The header `hob-…` of a field.
fn header(headers: &HeaderMap, field: &str) -> Result<Option<String>, Invalid> {
    let Some(value) = headers.get(format!("hob-{field}")) else { return Ok(None) };
    let decoded = percent_decode(value.as_bytes()).decode_utf8();
    let wrong = |_| {
        Invalid::of(
            field,
            format!("hob-{field} must be text as in a URL, encoded as encodeURIComponent does"),
        )
    };
    decoded.map(|text| Some(text.into_owned())).map_err(wrong)
}
