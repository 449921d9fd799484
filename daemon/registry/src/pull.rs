//! Pulling: the manifest, then what it names and is not here, then the manifest into the store.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, HeaderValue};
use reqwest::{Method, StatusCode};
use store::{Digest, HeldBlob, Manifest, ModelName};
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

use crate::download::{Download, held};
use crate::progress::{ProgressSender, say};
use crate::retry::Tries;
use crate::session::{Request, Session, limited};
use crate::{Progress, Registry, RegistryError, Transfer, Transport};

/// How often a download says how far it is.
const TICK: Duration = Duration::from_millis(60);

impl Registry {
    /// Brings a model, or what is missing of it. The model of that name, if there is one, is replaced at the very end.
    pub fn pull(&self, name: ModelName, transport: Transport) -> Transfer {
        let registry = self.clone();
        Transfer::start(move |words| async move { registry.bring(&name, transport, &words).await })
    }

    async fn bring(
        &self,
        name: &ModelName,
        transport: Transport,
        words: &ProgressSender,
    ) -> Result<(), Arc<RegistryError>> {
        say(words, Progress::Step("pulling manifest")).await;
        let session = Arc::new(self.session(name, transport)?);
        let manifest = session.manifest(name.tag()).await?;
        let (mut holding, downloads) = self.admit(&session, &manifest, name).await?;
        for blob in manifest.blobs() {
            match downloads.iter().find(|download| download.digest == blob.digest) {
                Some(download) => follow(download, words).await?,
                None => {
                    let (digest, total) = (blob.digest, blob.size);
                    say(words, Progress::Blob { verb: "pulling", digest, total, completed: total }).await;
                }
            }
        }
        say(words, Progress::Step("verifying sha256 digest")).await;
        for download in &downloads {
            // They were hashed while they came. Held by the download until now, and by us from here on.
            holding.extend(self.hold(download.digest).await?);
        }
        let manifest = self.joined(manifest, &mut holding, words).await?;
        say(words, Progress::Step("writing manifest")).await;
        let (store, name) = (self.store.clone(), name.clone());
        let published = spawn_blocking(move || store.publish(&name, &manifest, &holding)).await;
        published.map_err(RegistryError::from)?.map_err(RegistryError::from)?;
        say(words, Progress::Step("removing unused layers")).await;
        say(words, Progress::Step("success")).await;
        Ok(())
    }

    /// Holds what is here, and begins the download of the rest; all of it has its room before the first byte comes.
    async fn admit(
        &self,
        session: &Arc<Session>,
        manifest: &Manifest,
        name: &ModelName,
    ) -> Result<(Vec<HeldBlob>, Vec<Arc<Download>>), RegistryError> {
        let (mut holding, mut missing) = (Vec::new(), Vec::new());
        for blob in manifest.distinct_blobs() {
            match held(&self.store, blob).await? {
                Some(here) => holding.push(here),
                None => missing.push(blob),
            }
        }
        // All of them together, before any of them begins.
        let sizes: Vec<(Digest, u64)> = missing.iter().map(|blob| (blob.digest, blob.size)).collect();
        let store = self.store.clone();
        spawn_blocking(move || store.check_downloads(&sizes)).await??;
        let mut downloads: Vec<Arc<Download>> = Vec::new();
        for blob in missing {
            downloads.push(self.download(session, blob, name).await?);
        }
        Ok((holding, downloads))
    }

    /// A model of several files becomes one of one file.
    async fn joined(
        &self,
        manifest: Manifest,
        holding: &mut Vec<HeldBlob>,
        words: &ProgressSender,
    ) -> Result<Manifest, RegistryError> {
        if !manifest.is_split() {
            return Ok(manifest);
        }
        say(words, Progress::Step("merging split GGUF")).await;
        let (store, split) = (self.store.clone(), manifest.clone());
        match spawn_blocking(move || store.joined(&split)).await?? {
            None => Ok(manifest),
            Some((joined, whole)) => {
                holding.push(whole);
                Ok(joined)
            }
        }
    }

    async fn hold(&self, digest: Digest) -> Result<Option<HeldBlob>, RegistryError> {
        let store = self.store.clone();
        Ok(spawn_blocking(move || store.hold(&digest)).await??)
    }
}

/// Tells how far a download is until it is done.
async fn follow(download: &Download, words: &ProgressSender) -> Result<(), Arc<RegistryError>> {
    let word = || Progress::Blob {
        verb: "pulling",
        digest: download.digest,
        total: download.total,
        completed: download.completed(),
    };
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let finished = download.finished();
    tokio::pin!(finished);
    loop {
        tokio::select! {
            biased;
            outcome = &mut finished => {
                outcome?;
                say(words, word()).await;
                return Ok(());
            }
            _ = ticks.tick() => say(words, word()).await,
        }
    }
}

impl Session {
    /// The manifest of this tag, checked.
    pub(crate) async fn manifest(&self, tag: &str) -> Result<Manifest, RegistryError> {
        let mut tries = Tries::default();
        loop {
            match self.manifest_once(tag).await {
                Ok(manifest) => return Ok(manifest),
                Err(RegistryError::Refused { status: StatusCode::NOT_FOUND, .. }) => {
                    return Err(RegistryError::UnknownModel);
                }
                Err(error) => tries.pause(error).await?,
            }
        }
    }

    async fn manifest_once(&self, tag: &str) -> Result<Manifest, RegistryError> {
        let mut request = Request::new(Method::GET, self.url(&format!("manifests/{tag}")));
        for media_type in Manifest::MEDIA_TYPES {
            request.headers.append(ACCEPT, HeaderValue::from_static(media_type));
        }
        let response = self.send(request).await?;
        let most = usize::try_from(Manifest::MAX_BYTES).unwrap_or(usize::MAX);
        let bytes = limited(response, most).await?.ok_or(store::InvalidManifest::TooLong)?;
        Ok(Manifest::parse(bytes)?)
    }
}
