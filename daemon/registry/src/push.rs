//! Pushing: what the registry lacks, in pieces that can be gone on with, then the manifest.

use bytes::Bytes;
use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RANGE};
use reqwest::{Body, Method, Response, StatusCode, Url};
use store::{BlobRef, HeldBlob, Manifest, ModelName};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio::task::spawn_blocking;
use tokio_util::io::ReaderStream;

use crate::progress::{ProgressSender, say};
use crate::retry::Tries;
use crate::session::{Request, Session};
use crate::{Progress, Registry, RegistryError, Transfer, Transport};

/// Bytes of a blob that are sent at once: what is lost when the line is.
const CHUNK: u64 = 32 << 20;

impl Registry {
    /// Sends a model, or what the registry lacks of it.
    pub fn push(&self, name: ModelName, transport: Transport) -> Transfer {
        let registry = self.clone();
        Transfer::start(move |words| async move { Ok(registry.send(&name, transport, &words).await?) })
    }

    async fn send(
        &self,
        name: &ModelName,
        transport: Transport,
        words: &ProgressSender,
    ) -> Result<(), RegistryError> {
        say(words, Progress::Step("retrieving manifest")).await;
        let (store, asked) = (self.store.clone(), name.clone());
        // Held, so that nothing of it is removed meanwhile.
        let (manifest, held) = spawn_blocking(move || store.hold_model(&asked)).await??;
        let session = self.session(name, transport)?;
        for blob in manifest.blobs() {
            let held = held.iter().find(|held| held.digest() == blob.digest);
            let held = held.ok_or(RegistryError::UnknownBlob(blob.digest))?;
            Upload { session: &session, blob, held, words }.run().await?;
        }
        say(words, Progress::Step("pushing manifest")).await;
        let mut tries = Tries::default();
        while let Err(error) = session.put_manifest(name.tag(), &manifest).await {
            tries.pause(error).await?;
        }
        say(words, Progress::Step("success")).await;
        Ok(())
    }
}

/// One blob on its way out.
struct Upload<'a> {
    session: &'a Session,
    blob: &'a BlobRef,
    held: &'a HeldBlob,
    words: &'a ProgressSender,
}

impl Upload<'_> {
    async fn run(&self) -> Result<(), RegistryError> {
        self.tell(0).await;
        let mut tries = Tries::default();
        let mut resumable = None;
        while let Err(error) = self.attempt(&mut resumable, &mut tries).await {
            tries.pause(error).await?;
        }
        self.tell(self.blob.size).await;
        Ok(())
    }

    /// Goes on with the upload at `resumable`, or begins one.
    async fn attempt(&self, resumable: &mut Option<Url>, tries: &mut Tries) -> Result<(), RegistryError> {
        let begun = match resumable.clone() {
            Some(url) => self.status(url).await?,
            None => None,
        };
        let (mut url, mut done) = match begun {
            Some(begun) => begun,
            None => match self.begin().await? {
                None => return Ok(()),
                Some(url) => (url, 0),
            },
        };
        loop {
            *resumable = Some(url.clone());
            if done > 0 && self.session.is_authorized().await {
                // Tokens last for minutes; this small request gets a new one if need be, which the next could not.
                (url, done) = self.status(url).await?.ok_or(RegistryError::Malformed("upload"))?;
            }
            let count = CHUNK.min(self.blob.size.saturating_sub(done));
            if count == 0 {
                break;
            }
            let response = self.chunk(url, done, count).await?;
            tries.succeeded();
            url = location(self.session, &response)?;
            done += count;
            self.tell(done).await;
        }
        url.query_pairs_mut().append_pair("digest", &self.blob.digest.to_string());
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        self.session.upload(Method::PUT, url, headers, Body::from("")).await?;
        *resumable = None;
        Ok(())
    }

    /// Where an upload goes on, and after how many bytes; `None` if the registry has forgotten it.
    async fn status(&self, url: Url) -> Result<Option<(Url, u64)>, RegistryError> {
        match self.session.send(Request::new(Method::GET, url.clone())).await {
            Ok(status) => Ok(Some((location(self.session, &status).unwrap_or(url), received(&status)))),
            Err(RegistryError::Refused { status: StatusCode::NOT_FOUND, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Where to send the blob; `None` if the registry has it already, or took it over from another model.
    async fn begin(&self) -> Result<Option<Url>, RegistryError> {
        let probe = Request::new(Method::HEAD, self.session.blob_url(&self.blob.digest));
        match self.session.send(probe).await {
            Ok(_) => return Ok(None),
            Err(RegistryError::Refused { status: StatusCode::NOT_FOUND, .. }) => {}
            Err(error) => return Err(error),
        }
        let mut url = self.session.url("blobs/uploads/");
        if let Some(from) = self.blob.from.as_deref().and_then(|from| from.parse::<ModelName>().ok()) {
            let repository = format!("{}/{}", from.namespace(), from.model());
            url.query_pairs_mut()
                .append_pair("mount", &self.blob.digest.to_string())
                .append_pair("from", &repository);
        }
        let mut request = Request::new(Method::POST, url);
        request.headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        request.body = Some(Bytes::new());
        let response = self.session.send(request).await?;
        match response.status() {
            StatusCode::CREATED => Ok(None),
            _ => location(self.session, &response).map(Some),
        }
    }

    async fn chunk(&self, url: Url, from: u64, count: u64) -> Result<Response, RegistryError> {
        let mut file = tokio::fs::File::from_std(self.held.reader()?);
        file.seek(std::io::SeekFrom::Start(from)).await?;
        let mut headers = HeaderMap::new();
        let range = HeaderValue::from_str(&format!("{from}-{}", from + count - 1));
        headers.insert(CONTENT_RANGE, range.map_err(|_| RegistryError::Malformed("range"))?);
        headers.insert(CONTENT_LENGTH, HeaderValue::from(count));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        let body = Body::wrap_stream(ReaderStream::with_capacity(file.take(count), 1 << 18));
        self.session.upload(Method::PATCH, url, headers, body).await
    }

    async fn tell(&self, completed: u64) {
        let (digest, total) = (self.blob.digest, self.blob.size);
        say(self.words, Progress::Blob { verb: "pushing", digest, total, completed, from: vec![] }).await;
    }
}

impl Session {
    async fn put_manifest(&self, tag: &str, manifest: &Manifest) -> Result<(), RegistryError> {
        let mut request = Request::new(Method::PUT, self.url(&format!("manifests/{tag}")));
        let media_type = HeaderValue::from_str(manifest.media_type());
        request.headers.insert(CONTENT_TYPE, media_type.map_err(|_| RegistryError::Malformed("media type"))?);
        request.body = Some(Bytes::copy_from_slice(manifest.bytes()));
        self.send(request).await.map(drop)
    }
}

/// Where to go on.
fn location(session: &Session, response: &Response) -> Result<Url, RegistryError> {
    let header =
        response.headers().get("docker-upload-location").or_else(|| response.headers().get(LOCATION));
    let location =
        header.and_then(|value| value.to_str().ok()).ok_or(RegistryError::Malformed("location"))?;
    session.own(location)
}

/// Bytes that the registry says it has, of `Range: 0-99`.
fn received(status: &Response) -> u64 {
    let range = status.headers().get(RANGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let last: Option<u64> =
        range.trim_start_matches("bytes=").strip_prefix("0-").and_then(|end| end.parse().ok());
    // `0-0` is what a registry says that has nothing yet.
    last.filter(|last| *last > 0).map_or(0, |last| last + 1)
}
