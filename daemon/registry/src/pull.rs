//! Pulling: the manifest, then what it names and is not here, then the manifest into the store. The manifest is the registry's,
//! or that of the paired box that was named, and nobody else's; bytes of what it names may come from any paired box.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use identity::pairing::BoxName;
use reqwest::header::{ACCEPT, HeaderValue};
use reqwest::{Method, StatusCode};
use store::{BlobRef, Digest, HeldBlob, Manifest, ModelName};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::download::{Download, Origin, held};
use crate::progress::{Amount, ProgressSender, say};
use crate::retry::Tries;
use crate::session::{Request, Session, limited};
use crate::suppliers::Suppliers;
use crate::{Authority, Neighbourhood, Progress, Registry, RegistryError, Transfer};

/// How often a download says how far it is.
const TICK: Duration = Duration::from_millis(60);

/// How long a registry that cannot be reached may take to be asked a second time before paired boxes are asked.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long paired boxes get to say that they have a model, where the registry cannot be reached.
const NEARBY: Duration = Duration::from_secs(1);

impl Registry {
    /// Brings a model, or what is missing of it. The model of that name, if there is one, is replaced at the very end.
    pub fn pull(&self, name: ModelName, from: Authority) -> Transfer {
        let (registry, amount) = (self.clone(), Amount::default());
        let told = amount.clone();
        Transfer::of(amount, move |words| async move { registry.bring(&name, from, &words, &told).await })
    }

    async fn bring(
        &self,
        name: &ModelName,
        from: Authority,
        words: &ProgressSender,
        amount: &Amount,
    ) -> Result<(), Arc<RegistryError>> {
        say(words, Progress::Step("pulling manifest")).await;
        let source = from.noted();
        let (manifest, holder) = self.manifest(name, from).await?;
        let (mut holding, downloads) = self.admit(holder, &manifest, name, source).await?;
        amount.is(holding.iter().map(HeldBlob::bytes).sum(), &downloads);
        for blob in manifest.blobs() {
            match downloads.iter().find(|download| download.digest == blob.digest) {
                Some(download) => follow(download, words).await?,
                None => {
                    let (digest, total) = (blob.digest, blob.size);
                    let here =
                        Progress::Blob { verb: "pulling", digest, total, completed: total, from: vec![] };
                    say(words, here).await;
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

    /// The manifest, by whoever's it is to say what goes by this name.
    async fn manifest(&self, name: &ModelName, from: Authority) -> Result<(Manifest, Holder), RegistryError> {
        match from {
            Authority::Registry(transport) => {
                let session = Arc::new(self.session(name, transport)?);
                let manifest = self.manifest_of_registry(&session, name).await?;
                Ok((manifest, Holder::Registry(session)))
            }
            Authority::Peer(named) => {
                let peer = self.neighbourhood.as_ref().and_then(|all| all.named(&named));
                let peer = peer.ok_or_else(|| RegistryError::UnknownPeer(named.clone()))?;
                let manifest = peer.manifest(name).await;
                let of = |source| RegistryError::Peer { name: named.clone(), source: Box::new(source) };
                Ok((manifest.map_err(of)?, Holder::Peer(named)))
            }
        }
    }

    async fn manifest_of_registry(
        &self,
        session: &Session,
        name: &ModelName,
    ) -> Result<Manifest, RegistryError> {
        let (mut tries, begun) = (Tries::default(), Instant::now());
        loop {
            let error = match session.manifest(name.tag()).await {
                Err(RegistryError::Refused { status: StatusCode::NOT_FOUND, .. }) => {
                    return Err(RegistryError::UnknownModel);
                }
                Err(error) => error,
                found => return found,
            };
            // A line that only blinked is there again the next time. What a name stands for is not taken from a neighbour by itself,
            // but whoever asks may decide so.
            let enough = tries.any() || begun.elapsed() > PATIENCE;
            if error.is_unreachable()
                && enough
                && let Some(peer) = self.who_has(name).await
            {
                let model = Box::new(name.clone());
                return Err(RegistryError::OnlyNearby { model, peer, source: Box::new(error) });
            }
            tries.pause(error).await.map_err(RegistryError::of_registry)?;
        }
    }

    /// A paired box that has a model of this name, if one says so soon.
    async fn who_has(&self, name: &ModelName) -> Option<BoxName> {
        let peers = self.neighbourhood.as_ref().map(Neighbourhood::peers).unwrap_or_default();
        let mut asked: FuturesUnordered<_> =
            peers.iter().map(async |peer| peer.has_model(name).await.then(|| peer.name().clone())).collect();
        let first = async {
            while let Some(answer) = asked.next().await {
                if answer.is_some() {
                    return answer;
                }
            }
            None
        };
        timeout(NEARBY, first).await.ok().flatten()
    }

    /// Holds what is here, and begins the download of the rest; all of it has its room before the first byte comes.
    async fn admit(
        &self,
        holder: Holder,
        manifest: &Manifest,
        name: &ModelName,
        source: Option<String>,
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
        let origin = self.origin(holder, source, missing.iter().map(|blob| (*blob).clone()).collect());
        let mut downloads: Vec<Arc<Download>> = Vec::new();
        for blob in missing {
            downloads.push(self.download(&origin, blob, name).await?);
        }
        Ok((holding, downloads))
    }

    /// Begins to ask paired boxes for what is missing.
    fn origin(&self, holder: Holder, noted: Option<String>, missing: Vec<BlobRef>) -> Origin {
        let peers = match &self.neighbourhood {
            Some(neighbourhood) if !missing.is_empty() => neighbourhood.peers(),
            _ => Vec::new(),
        };
        let (session, named) = match holder {
            Holder::Registry(session) => (Some(session), None),
            Holder::Peer(named) => (None, Some(named)),
        };
        Origin { session, noted, suppliers: Arc::new(Suppliers::asked(peers, named.as_ref(), &missing)) }
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
        from: download.from(),
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

/// Who has the manifest, and so all that it names.
enum Holder {
    Registry(Arc<Session>),
    Peer(BoxName),
}

impl Session {
    /// The manifest of this tag, checked.
    async fn manifest(&self, tag: &str) -> Result<Manifest, RegistryError> {
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
