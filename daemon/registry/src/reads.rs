//! What is read of a paired box: whether it has a model or a blob, a manifest, a part of a blob. It is on the same network, so
//! it is given less time than a registry, and what it says of itself is not believed where that can be checked.

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT, CONTENT_RANGE, HeaderName, HeaderValue, RANGE};
use reqwest::{Method, Response, StatusCode};
use store::{BlobRef, Digest, InvalidManifest, Manifest, ModelName};
use tokio::time::{Instant, timeout};

use crate::session::{limited, refusal};
use crate::{Peer, RegistryError};

/// A box that says nothing for so long has other things to do, or is gone.
const STALL: Duration = Duration::from_secs(5);

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

impl Peer {
    /// Whether it has this blob, and as long as it should be.
    pub(crate) async fn has_blob(&self, blob: &BlobRef) -> Result<bool, RegistryError> {
        let head = self.request(Method::HEAD, &blob_path(&blob.digest))?;
        match self.began(head).await {
            Ok(response) => Ok(length(&response) == Some(blob.size)),
            Err(RegistryError::Refused { status: StatusCode::NOT_FOUND, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether it has a model of this very name.
    pub(crate) async fn has_model(&self, name: &ModelName) -> bool {
        let Ok(head) = self.request(Method::HEAD, &manifest_path(name)) else { return false };
        self.began(head).await.is_ok()
    }

    /// The manifest that it has of this name. It is what it says it is, and no more is known of it than that.
    pub(crate) async fn manifest(&self, name: &ModelName) -> Result<Manifest, RegistryError> {
        let mut request = self.request(Method::GET, &manifest_path(name))?;
        for media_type in Manifest::MEDIA_TYPES {
            request = request.header(ACCEPT, HeaderValue::from_static(media_type));
        }
        let response = match self.began(request).await {
            Err(RegistryError::Refused { status: StatusCode::NOT_FOUND, .. }) => {
                return Err(RegistryError::PeerLacks(Box::new(name.clone())));
            }
            other => other?,
        };
        let digest = response.headers().get(CONTENT_DIGEST).and_then(|value| value.to_str().ok());
        let digest: Option<Digest> = digest.and_then(|text| text.parse().ok());
        let most = usize::try_from(Manifest::MAX_BYTES).unwrap_or(usize::MAX);
        let bytes = timeout(STALL, limited(response, most)).await.map_err(|_| RegistryError::Stalled)??;
        let manifest = Manifest::parse(bytes.ok_or(InvalidManifest::TooLong)?)?;
        // Cut short or mixed up on its way through that box.
        if digest != Some(manifest.digest()) {
            return Err(RegistryError::Malformed("manifest digest"));
        }
        Ok(manifest)
    }

    /// Begins to read these bytes of a blob of so many.
    pub(crate) async fn part(
        &self,
        digest: &Digest,
        bytes: &Range<u64>,
        total: u64,
    ) -> Result<Response, RegistryError> {
        let last = bytes.end - 1;
        let request = self
            .request(Method::GET, &blob_path(digest))?
            .header(RANGE, format!("bytes={}-{last}", bytes.start));
        let response = self.began(request).await.map_err(|error| match error {
            RegistryError::Refused { status: StatusCode::NOT_FOUND, .. } => {
                RegistryError::UnknownBlob(*digest)
            }
            other => other,
        })?;
        let range = response.headers().get(CONTENT_RANGE).and_then(|value| value.to_str().ok());
        let right = range == Some(format!("bytes {}-{last}/{total}", bytes.start).as_str());
        if response.status() == StatusCode::PARTIAL_CONTENT && right {
            return Ok(response);
        }
        Err(RegistryError::WrongLength(*digest))
    }

    async fn began(&self, request: reqwest::RequestBuilder) -> Result<Response, RegistryError> {
        let response = timeout(STALL, request.send()).await.map_err(|_| RegistryError::Stalled)??;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(timeout(STALL, refusal(response)).await.unwrap_or(RegistryError::Stalled))
    }
}

/// The next bytes of an answer of a paired box; `None` at its end.
pub(crate) async fn next_piece(response: &mut Response) -> Result<Option<Bytes>, RegistryError> {
    Ok(timeout(STALL, response.chunk()).await.map_err(|_| RegistryError::Stalled)??)
}

/// That a part comes at all fast: a box from which it trickles holds up a pull as much as one from which it does not come.
pub(crate) struct Flow {
    since: Instant,
    bytes: u64,
}

/// In so long there are at least so many bytes of a part, over the slowest of radio links.
const LOOK: Duration = Duration::from_secs(10);
const LEAST: u64 = 64 << 10;

impl Flow {
    pub(crate) fn begin() -> Self {
        Self { since: Instant::now(), bytes: 0 }
    }

    /// Notes what came.
    ///
    /// # Errors
    /// [`RegistryError::Stalled`] if that is not worth waiting for.
    pub(crate) fn note(&mut self, bytes: usize) -> Result<(), RegistryError> {
        self.bytes += bytes as u64;
        if self.since.elapsed() < LOOK {
            return Ok(());
        }
        let enough = self.bytes >= LEAST;
        *self = Self::begin();
        if enough { Ok(()) } else { Err(RegistryError::Stalled) }
    }
}

/// As it says. The body of an answer to HEAD has none.
fn length(response: &Response) -> Option<u64> {
    response.headers().get(reqwest::header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// In whatever model that box has it.
fn blob_path(digest: &Digest) -> String {
    format!("/v2/-/blobs/{digest}")
}

fn manifest_path(name: &ModelName) -> String {
    format!("/v2/{}/manifests/{}", name.repository(), name.tag())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_part_that_trickles_is_given_up_and_one_that_is_slow_is_not() {
        let (mut trickle, mut slow) = (Flow::begin(), Flow::begin());
        for second in 1..=30 {
            tokio::time::advance(Duration::from_secs(1)).await;
            assert_eq!(trickle.note(1).is_err(), second % 10 == 0, "{second}");
            assert!(slow.note(7 << 10).is_ok(), "{second}");
        }
    }
}
