//! One model's conversation with its registry: every request, its redirects and its challenges go through here.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use reqwest::{Body, Client, Method, Response, StatusCode, Url};
use store::{Digest, ModelName};
use tokio::sync::Mutex;

use crate::auth::{self, Challenge, TokenAnswer};
use crate::{Credential, Hosts, Registry, RegistryError, Transport};

/// A repository at a registry, and what we may do there.
#[derive(Debug)]
pub(crate) struct Session {
    client: Client,
    uploads: Client,
    hosts: Hosts,
    /// `https://host/v2/namespace/model/`.
    base: Url,
    credential: Option<Credential>,
    /// The last token that the registry accepted, or a credential.
    authorization: Mutex<Option<HeaderValue>>,
}

/// One request; sent again as it is after a challenge or a redirect.
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    /// Small, or none: what is large is not sent twice.
    pub(crate) body: Option<Bytes>,
}

const MOST_REDIRECTS: usize = 5;

/// Tokens and error texts are short.
const MOST_WORDS: usize = 64 << 10;

impl Registry {
    pub(crate) fn session(&self, name: &ModelName, transport: Transport) -> Result<Session, RegistryError> {
        let hosts = self.config.hosts.clone();
        let scheme = hosts.scheme(name.host(), transport)?;
        let base = format!("{scheme}://{}/v2/{}/{}/", name.host(), name.namespace(), name.model());
        let base = Url::parse(&base).map_err(|_| RegistryError::Malformed("host"))?;
        hosts.check(&base)?;
        Ok(Session {
            client: self.client.clone(),
            uploads: self.uploads.clone(),
            hosts,
            base,
            credential: self.config.credentials.get(name.host()).cloned(),
            authorization: Mutex::default(),
        })
    }
}

impl Request {
    pub(crate) fn new(method: Method, url: Url) -> Self {
        Self { method, url, headers: HeaderMap::new(), body: None }
    }
}

impl Session {
    /// The address of something in this repository.
    pub(crate) fn url(&self, path: &str) -> Url {
        // A path of ours: digests, tags and constants, which no parser can refuse.
        self.base.join(path).unwrap_or_else(|_| self.base.clone())
    }

    /// The address of a blob.
    pub(crate) fn blob_url(&self, digest: &Digest) -> Url {
        self.url(&format!("blobs/{digest}"))
    }

    /// An address that the registry gave for uploads; it must be its own.
    pub(crate) fn own(&self, location: &str) -> Result<Url, RegistryError> {
        let url = self.base.join(location).map_err(|_| RegistryError::Malformed("location"))?;
        if url.origin() == self.base.origin() {
            return Ok(url);
        }
        Err(RegistryError::UnsafeRedirect(url.host_str().unwrap_or_default().into()))
    }

    /// Sends, following redirects, answering a challenge once. Whatever is not a success is an error.
    pub(crate) async fn send(&self, request: Request) -> Result<Response, RegistryError> {
        let mut url = request.url.clone();
        let mut challenged = false;
        for _ in 0..=MOST_REDIRECTS {
            self.hosts.check(&url)?;
            let response = self.once(&request, &url).await?;
            match response.status() {
                StatusCode::UNAUTHORIZED if !challenged && self.is_ours(&url) => {
                    challenged = true;
                    self.answer(response.headers()).await?;
                }
                status if status.is_redirection() && status != StatusCode::NOT_MODIFIED => {
                    url = redirected(&url, response.headers())?;
                    // What is ours to give is given to the registry, not to whoever it names.
                    if !self.is_ours(&url) && !matches!(request.method, Method::GET | Method::HEAD) {
                        return Err(RegistryError::UnsafeRedirect(url.host_str().unwrap_or_default().into()));
                    }
                }
                status if status.is_success() => return Ok(response),
                _ => return Err(refusal(response).await),
            }
        }
        Err(RegistryError::TooManyRedirects)
    }

    /// Sends a body that is made as it goes, which cannot be sent again. The request before it has dealt with challenges.
    pub(crate) async fn upload(
        &self,
        method: Method,
        url: Url,
        headers: HeaderMap,
        body: Body,
    ) -> Result<Response, RegistryError> {
        self.hosts.check(&url)?;
        let mut request = self.uploads.request(method, url).headers(headers).body(body);
        if let Some(authorization) = self.authorization.lock().await.clone() {
            request = request.header(AUTHORIZATION, authorization);
        }
        let response = request.send().await?;
        if response.status().is_success() { Ok(response) } else { Err(refusal(response).await) }
    }

    /// Whether the registry has asked who we are. What it was told then may be out of date by now.
    pub(crate) async fn is_authorized(&self) -> bool {
        self.authorization.lock().await.is_some()
    }

    async fn once(&self, request: &Request, url: &Url) -> Result<Response, RegistryError> {
        let mut builder =
            self.client.request(request.method.clone(), url.clone()).headers(request.headers.clone());
        if let Some(body) = &request.body {
            builder = builder.body(body.clone());
        }
        // What we are is the registry's to know, not that of whoever it sends us on to.
        if self.is_ours(url)
            && let Some(authorization) = self.authorization.lock().await.clone()
        {
            builder = builder.header(AUTHORIZATION, authorization);
        }
        Ok(builder.send().await?)
    }

    fn is_ours(&self, url: &Url) -> bool {
        url.origin() == self.base.origin()
    }

    /// Gets what the registry wants to see.
    async fn answer(&self, headers: &HeaderMap) -> Result<(), RegistryError> {
        let header = headers.get(WWW_AUTHENTICATE).ok_or(RegistryError::Unauthorized)?;
        let header = header.to_str().map_err(|_| RegistryError::Malformed("challenge"))?;
        let authorization = match Challenge::parse(header)? {
            Challenge::Basic => self.credential.as_ref().ok_or(RegistryError::Unauthorized)?.basic(),
            Challenge::Bearer { realm, service, scope } => {
                self.token(&realm, service.as_deref(), scope.as_deref()).await?
            }
        };
        *self.authorization.lock().await = Some(authorization);
        Ok(())
    }

    /// A token. The realm may be anywhere if we are nobody; who we are goes to the registry's own host only.
    async fn token(
        &self,
        realm: &Url,
        service: Option<&str>,
        scope: Option<&str>,
    ) -> Result<HeaderValue, RegistryError> {
        self.hosts.check(realm)?;
        let mut request = self.client.get(auth::token_url(realm, service, scope));
        if let Some(credential) = &self.credential {
            let host = |url: &Url| url.authority().to_owned();
            // The scheme too, or a realm without TLS would hear it in plain text.
            if realm.origin() != self.base.origin() {
                return Err(RegistryError::ForeignRealm { realm: host(realm), host: host(&self.base) });
            }
            request = request.header(AUTHORIZATION, credential.basic());
        }
        let response = request.send().await?;
        if !response.status().is_success() {
            return Err(refusal(response).await);
        }
        let answer = limited(response, MOST_WORDS).await?.ok_or(RegistryError::Malformed("token"))?;
        let answer: TokenAnswer =
            serde_json::from_slice(&answer).map_err(|_| RegistryError::Malformed("token"))?;
        answer.bearer()
    }
}

fn redirected(from: &Url, headers: &HeaderMap) -> Result<Url, RegistryError> {
    let malformed = RegistryError::Malformed("redirect");
    let Some(location) = headers.get(LOCATION).and_then(|value| value.to_str().ok()) else {
        return Err(malformed);
    };
    let to = from.join(location).map_err(|_| malformed)?;
    // Never from TLS to plain text.
    if from.scheme() == "https" && to.scheme() != "https" {
        return Err(RegistryError::UnsafeRedirect(to.host_str().unwrap_or_default().into()));
    }
    Ok(to)
}

/// The body, unless it is longer than `most` bytes.
pub(crate) async fn limited(mut response: Response, most: usize) -> Result<Option<Vec<u8>>, RegistryError> {
    let mut body = BytesMut::new();
    while let Some(piece) = response.chunk().await? {
        if body.len() + piece.len() > most {
            return Ok(None);
        }
        body.extend_from_slice(&piece);
    }
    Ok(Some(body.into()))
}

pub(crate) async fn refusal(response: Response) -> RegistryError {
    let status = response.status();
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after = retry_after.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => RegistryError::Unauthorized,
        _ => {
            let body = limited(response, MOST_WORDS).await.ok().flatten().unwrap_or_default();
            RegistryError::Refused { status, detail: detail(&body), retry_after }
        }
    }
}

/// The first message of `{"errors": [{"message": …}]}`; a stranger's words, so not too many and no controls.
fn detail(body: &[u8]) -> String {
    let value: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let message = value["errors"][0]["message"].as_str().unwrap_or_default();
    let message: String = message.chars().filter(|c| !c.is_control()).take(200).collect();
    if message.is_empty() { message } else { format!(": {message}") }
}
