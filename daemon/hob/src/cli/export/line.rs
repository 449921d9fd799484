//! Blobs as they come from the daemon, for a thread that may block: with a bar for each, hashed, and until somebody stops it.

use std::io::{self, Read};

use bytes::Bytes;
use indicatif::{MultiProgress, ProgressBar};
use registry::bundle::BlobEntry;
use reqwest::Response;
use store::HashingReader;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::Parcel;
use crate::cli::{client::Client, progress};

/// The daemon, as a thread sees it.
pub(super) struct Line {
    client: Client,
    runtime: Handle,
    stop: CancellationToken,
    bars: MultiProgress,
}

impl Line {
    pub(super) fn to(client: Client, stop: CancellationToken) -> Self {
        Self { client, runtime: Handle::current(), stop, bars: MultiProgress::new() }
    }

    /// Has `keep` write a blob somewhere; what it read is hashed, and must be what was asked for.
    pub(super) fn fetch<T>(
        &self,
        parcel: &Parcel,
        entry: &BlobEntry,
        keep: impl FnOnce(&mut dyn Read) -> io::Result<T>,
    ) -> anyhow::Result<T> {
        let response = self.runtime.block_on(self.client.download(&parcel.path(entry)))?;
        let bar = self.bar("exporting", entry);
        let coming = Coming { line: self, response, pending: Bytes::new(), bar: bar.clone() };
        let mut hashed = HashingReader::new(coming.take(entry.bytes.saturating_add(1)));
        let kept = keep(&mut hashed)?;
        let found = hashed.digest();
        anyhow::ensure!(
            found == entry.digest,
            "hob sent {found} in place of {}\nhint: hob doctor --store tells whether its store is whole",
            entry.digest
        );
        bar.finish();
        Ok(kept)
    }

    /// Reads a file that is there already, for its digest.
    pub(super) fn check(&self, entry: &BlobEntry, file: impl Read) -> io::Result<bool> {
        let bar = self.bar("checking", entry);
        let (found, _) = store::Digest::of_reader(Watched { reader: file, bar: &bar, stop: &self.stop })?;
        bar.finish();
        Ok(found == entry.digest)
    }

    fn bar(&self, verb: &str, entry: &BlobEntry) -> ProgressBar {
        let text = format!("{verb} {}", &entry.digest.hex()[..12]);
        self.bars.add(progress::transfer(&text, entry.bytes))
    }
}

/// An answer that is on its way.
struct Coming<'a> {
    line: &'a Line,
    response: Response,
    pending: Bytes,
    bar: ProgressBar,
}

impl Read for Coming<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.pending.is_empty() {
            let Self { line, response, .. } = self;
            let next = line.runtime.block_on(async {
                tokio::select! {
                    biased;
                    () = line.stop.cancelled() => Err(Broken::Stopped),
                    next = response.chunk() => next.map_err(|error| Broken::Line(error.without_url())),
                }
            });
            self.pending = next.map_err(io::Error::other)?.unwrap_or_default();
        }
        let count = buffer.len().min(self.pending.len());
        buffer[..count].copy_from_slice(&self.pending.split_to(count));
        self.bar.inc(count as u64);
        Ok(count)
    }
}

struct Watched<'a, R> {
    reader: R,
    bar: &'a ProgressBar,
    stop: &'a CancellationToken,
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stop.is_cancelled() {
            return Err(io::Error::other(Broken::Stopped));
        }
        let count = self.reader.read(buffer)?;
        self.bar.inc(count as u64);
        Ok(count)
    }
}

/// Why no more comes, which is nothing of the disk's.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    /// Not as an interruption, after which readers go on.
    #[error("stopped before its end; the same again goes on where a folder was left")]
    Stopped,
    #[error("the connection to hob failed; the same again goes on where a folder was left")]
    Line(#[source] reqwest::Error),
}
