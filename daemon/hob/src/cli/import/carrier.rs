//! The daemon that a bundle is brought to, as the thread sees it that reads the bundle: a bar for each blob, and no more of one in
//! memory than some pieces.

use std::collections::HashSet;
use std::io::{self, Read};

use anyhow::Context as _;
use bytes::Bytes;
use futures_util::stream;
use indicatif::{MultiProgress, ProgressBar};
use registry::bundle::{BlobEntry, BundleError, Part};
use reqwest::{Body, StatusCode};
use store::{Digest, Manifest, ModelName};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::cli::client::{Client, ClientError};
use crate::cli::progress;

/// Read from the bundle at once.
const PIECE_BYTES: usize = 1 << 18;

/// Pieces that wait for the daemon at most.
const PIECES_IN_FLIGHT: usize = 8;

/// The daemon.
pub(super) struct Carrier {
    client: Client,
    runtime: Handle,
    bars: MultiProgress,
}

impl Carrier {
    pub(super) fn to(client: Client) -> Self {
        Self { client, runtime: Handle::current(), bars: MultiProgress::new() }
    }

    /// Those that the daemon does not have. The others it keeps until it is told of the models.
    pub(super) fn lacking(&self, blobs: &[BlobEntry]) -> anyhow::Result<HashSet<Digest>> {
        let mut lacking = HashSet::new();
        for entry in blobs {
            match self.runtime.block_on(self.client.head(&format!("/api/blobs/{}", entry.digest))) {
                Ok(()) => {}
                Err(ClientError::Refused { status: StatusCode::NOT_FOUND, .. }) => {
                    lacking.insert(entry.digest);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(lacking)
    }

    /// That the daemon has room for these.
    pub(super) fn check_room(&self, bytes: u64) -> anyhow::Result<()> {
        self.runtime.block_on(self.client.has_room(bytes)).map_err(no_room)
    }

    /// Uploads a blob, which the daemon hashes before it keeps it.
    pub(super) fn bring(&self, entry: &BlobEntry, blob: impl Read) -> anyhow::Result<()> {
        let (sender, pieces) = mpsc::channel(PIECES_IN_FLIGHT);
        let pieces = stream::unfold(pieces, async |mut pieces: mpsc::Receiver<io::Result<Bytes>>| {
            Some((pieces.recv().await?, pieces))
        });
        let (client, BlobEntry { digest, bytes }) = (self.client.clone(), *entry);
        let uploading = self.runtime.spawn(async move {
            client.upload_as(&digest.to_string(), bytes, Body::wrap_stream(pieces)).await
        });
        let bar = self.bar(entry);
        let sent = send(entry, blob, &sender, &bar);
        if let Err(error) = &sent {
            // The daemon is not to take what it has for the whole.
            let _gone = sender.blocking_send(Err(io::Error::other(error.to_string())));
        }
        drop(sender);
        let uploaded = self.runtime.block_on(uploading)?;
        sent?;
        if let Err(error) = uploaded {
            if matches!(error, ClientError::Transport(_)) {
                // Others may have filled the disk meanwhile, and then the connection was closed under what was sent.
                self.check_room(bytes)?;
            }
            return Err(match error {
                ClientError::Refused { status: StatusCode::INSUFFICIENT_STORAGE, .. } => no_room(error),
                other => anyhow::Error::new(other).context(format!("{} was not taken", Part::Blob(digest))),
            });
        }
        bar.finish();
        Ok(())
    }

    /// It is there.
    pub(super) fn skip(&self, entry: &BlobEntry) {
        let bar = self.bar(entry);
        bar.set_position(entry.bytes);
        bar.finish();
    }

    /// Has the daemon make a model of what it was brought.
    pub(super) fn publish(&self, name: &ModelName, manifest: &Manifest) -> anyhow::Result<()> {
        let path = format!(
            "/admin/api/store/manifests?name={}&digest={}",
            name.fully_qualified(),
            manifest.digest()
        );
        let publishing = self.client.put(&path, manifest.bytes().to_vec());
        self.runtime.block_on(publishing).with_context(|| format!("'{name}' was not imported"))
    }

    fn bar(&self, entry: &BlobEntry) -> ProgressBar {
        self.bars.add(progress::transfer(&format!("importing {}", &entry.digest.hex()[..12]), entry.bytes))
    }
}

/// What to do where its disk is full.
fn no_room(error: ClientError) -> anyhow::Error {
    match error {
        ClientError::Refused { status: StatusCode::INSUFFICIENT_STORAGE, message } => {
            anyhow::anyhow!("{message}\nhint: hob rm makes room; the next import goes on where this one was")
        }
        other => other.into(),
    }
}

/// A daemon that does not take more has said why, so that is no failure here.
fn send(
    entry: &BlobEntry,
    mut blob: impl Read,
    sender: &mpsc::Sender<io::Result<Bytes>>,
    bar: &ProgressBar,
) -> Result<(), BundleError> {
    let mut left = entry.bytes;
    while left > 0 {
        let mut piece = vec![0; usize::try_from(left).map_or(PIECE_BYTES, |left| left.min(PIECE_BYTES))];
        let count = match blob.read(&mut piece) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(BundleError::Truncated),
            other => other?,
        };
        if count == 0 {
            return Err(BundleError::Truncated);
        }
        piece.truncate(count);
        left -= count as u64;
        if sender.blocking_send(Ok(piece.into())).is_err() {
            return Ok(());
        }
        bar.inc(count as u64);
    }
    Ok(())
}
