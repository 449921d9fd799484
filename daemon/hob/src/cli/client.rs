//! The one HTTP client of the command line: how each destination is connected to, its errors as types, its answers line by
//! line. What the answers mean is for each verb.

use std::error::Error;
use std::io;
use std::time::Duration;

use anyhow::Context as _;
use identity::pairing::{Paired, PairingError};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Certificate, Method, StatusCode};
use serde_json::Value;

use super::destination::Destination;
use super::neighbour::Finder;
use crate::settings::Secret;

/// Why a request brought no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// Nothing listens there.
    #[error("could not connect to hob at {place}, {next}")]
    Unreachable { place: String, next: &'static str },
    /// The socket is there, and not for this user.
    #[error(
        "{place} is not open to this user\nhint: ask as root, with sudo, or as a member of the group that admin.group names"
    )]
    SocketShut { place: String },
    /// Its certificate is nobody's whom the system trusts, or names another.
    #[error(
        "{place} cannot prove who it is: {reason}\nhint: hob pair makes a box known by its ID; connect by its name then"
    )]
    Unproven { place: String, reason: String },
    /// A paired box is another one now, or somebody poses as it.
    #[error("nothing was sent: {0}\nhint: hob pair --remove forgets what was paired")]
    Changed(PairingError),
    /// The daemon refused, and said why.
    #[error("{message}")]
    Refused { status: StatusCode, message: String },
    /// The connection broke, or what came is not HTTP.
    #[error("the connection to hob failed")]
    Transport(#[source] reqwest::Error),
    /// A line of the answer is not JSON.
    #[error("hob answered something that is not JSON")]
    NotJson(#[source] serde_json::Error),
}

impl ClientError {
    pub(crate) fn is_unknown_model(&self) -> bool {
        matches!(self, Self::Refused { status, .. } if *status == StatusCode::NOT_FOUND)
    }
}

/// How long a box may take to say again who it is.
const PATIENCE: Duration = Duration::from_secs(10);

/// A daemon.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    destination: Destination,
    base: String,
    http: reqwest::Client,
    has_key: bool,
}

impl Client {
    /// `key` is sent with every request, and to nobody else; without one, a paired box gets the one that was made for it.
    ///
    /// # Errors
    /// If the key could be read on the way.
    #[expect(clippy::disallowed_methods, reason = "the daemon is no stranger")]
    pub(crate) fn new(destination: Destination, key: Option<&Secret>) -> anyhow::Result<Self> {
        anyhow::ensure!(
            key.is_none() || !destination.is_in_clear(),
            "the key would go to {} in clear, for anybody on the way to read; nothing was sent\nhint: hob pair makes the box \
             known, and --host with its name speaks TLS to it; or leave HOB_KEY out",
            destination.shown()
        );
        // A proxy set for the wide net must not stand between the user and the daemon beside them.
        let mut builder = reqwest::Client::builder().no_proxy();
        let mut key = key.map(Secret::reveal);
        let base = match &destination {
            Destination::Url(url) => {
                builder = builder.dns_resolver(Finder::default());
                if url.starts_with("http://") {
                    // Reading all of the system's certificates takes longer than most answers.
                    builder = builder.tls_certs_only([]);
                }
                url.clone()
            }
            Destination::Socket(path) => {
                builder = builder.tls_certs_only([]).unix_socket(path.as_path());
                "http://localhost".to_owned()
            }
            Destination::Paired(paired) => {
                let root = Certificate::from_der(paired.root())
                    .with_context(|| format!("what '{}' is trusted by is damaged", paired.name()))?;
                builder = builder.https_only(true).tls_certs_only([root]);
                builder = builder.dns_resolver(Finder { only: Some(paired.clone()) });
                // Another's would be known to this box from then on.
                key = paired.key().map(|key| key.expose()).or(key);
                own_url(paired)
            }
        };
        if let Some(key) = key {
            let mut bearer = HeaderValue::try_from(format!("Bearer {key}")).context("HOB_KEY is no key")?;
            bearer.set_sensitive(true);
            builder = builder.default_headers(HeaderMap::from_iter([(AUTHORIZATION, bearer)]));
            // It is for this address, wherever that may send us.
            builder = builder.redirect(reqwest::redirect::Policy::none());
        }
        let has_key = key.is_some();
        Ok(Self { destination, base, http: builder.build()?, has_key })
    }

    /// Where the daemon is, without a slash at the end.
    pub(crate) fn base(&self) -> String {
        self.destination.shown()
    }

    pub(crate) async fn version(&self) -> Result<String, ClientError> {
        let answer = self.get("/api/version").await?;
        Ok(answer["version"].as_str().unwrap_or_default().to_owned())
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Value, ClientError> {
        self.send(Method::GET, path, None).await?.json().await
    }

    /// An answer that is read as it comes.
    pub(crate) async fn lines(&self, path: &str) -> Result<Lines, ClientError> {
        self.send(Method::GET, path, None).await
    }

    /// An answer that is no JSON, whole.
    pub(crate) async fn text(&self, path: &str) -> Result<String, ClientError> {
        let answer = self.send(Method::GET, path, None).await?;
        answer.response.text().await.map_err(ClientError::Transport)
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value, ClientError> {
        self.send(Method::POST, path, Some(body)).await?.json().await
    }

    pub(crate) async fn head(&self, path: &str) -> Result<(), ClientError> {
        self.send(Method::HEAD, path, None).await.map(drop)
    }

    /// Whether the daemon is on this machine, as far as its address tells.
    pub(crate) fn is_local(&self) -> bool {
        self.destination.is_local()
    }

    pub(crate) async fn delete(&self, path: &str, body: &Value) -> Result<(), ClientError> {
        self.send(Method::DELETE, path, Some(body)).await.map(drop)
    }

    /// Posts, and reads the answer as it comes. Dropping [`Lines`] cancels what the daemon does for it.
    pub(crate) async fn stream(&self, path: &str, body: &Value) -> Result<Lines, ClientError> {
        self.send(Method::POST, path, Some(body)).await
    }

    /// That the daemon has room for so many bytes. It is asked before they are sent: whoever is refused while sending reads no
    /// answer, as the connection is closed under them.
    pub(crate) async fn has_room(&self, bytes: u64) -> Result<(), ClientError> {
        match self.get(&format!("/admin/api/store/room?bytes={bytes}")).await {
            // One of before tells by the upload alone.
            Err(ClientError::Refused { status: StatusCode::NOT_FOUND, .. }) => Ok(()),
            answer => answer.map(drop),
        }
    }

    /// Uploads one blob of `bytes` bytes; returns its digest.
    pub(crate) async fn upload(&self, bytes: u64, file: reqwest::Body) -> Result<String, ClientError> {
        let request = self.http.post(format!("{}/admin/api/store/blobs", self.base));
        let request = request.header(reqwest::header::CONTENT_LENGTH, bytes).body(file);
        let added = self.checked(request).await?.json().await?;
        Ok(added["digest"].as_str().unwrap_or_default().to_owned())
    }

    /// Uploads one blob of `bytes` bytes, which hash to `digest`.
    pub(crate) async fn upload_as(
        &self,
        digest: &str,
        bytes: u64,
        file: reqwest::Body,
    ) -> Result<(), ClientError> {
        let request = self.http.post(format!("{}/api/blobs/{digest}", self.base));
        let request = request.header(reqwest::header::CONTENT_LENGTH, bytes).body(file);
        self.checked(request).await.map(drop)
    }

    /// An answer whose bytes are read as they come.
    pub(crate) async fn download(&self, path: &str) -> Result<reqwest::Response, ClientError> {
        Ok(self.send(Method::GET, path, None).await?.response)
    }

    /// Puts bytes.
    pub(crate) async fn put(&self, path: &str, bytes: Vec<u8>) -> Result<(), ClientError> {
        self.checked(self.http.put(format!("{}{path}", self.base)).body(bytes)).await.map(drop)
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Lines, ClientError> {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(body) = body {
            request = request.json(body);
        }
        self.checked(request).await
    }

    async fn checked(&self, request: reqwest::RequestBuilder) -> Result<Lines, ClientError> {
        let request = request.build().map_err(ClientError::Transport)?;
        let path = request.url().path().to_owned();
        let response = match self.http.execute(request).await {
            Ok(response) => response,
            Err(error) if error.is_connect() => return Err(self.unconnected(error).await),
            Err(error) => return Err(ClientError::Transport(error)),
        };
        let status = response.status();
        if status.is_success() {
            return Ok(Lines { response, pending: Vec::new() });
        }
        let text = response.text().await.unwrap_or_default();
        let mut message = refusal(status, &text);
        // What was refused then is what it sent, and not that it is not known.
        let is_known_otherwise = path == "/claim" || path == "/pair";
        if status == StatusCode::UNAUTHORIZED && !self.has_key && !is_known_otherwise {
            message.push_str(
                "\nhint: a key is sent from HOB_KEY; whoever claims a box has one from then on, and hob pair --code gets one",
            );
        }
        Err(ClientError::Refused { status, message })
    }

    /// Why nobody answered: nobody is there, or not the right one.
    async fn unconnected(&self, error: reqwest::Error) -> ClientError {
        let place = self.destination.shown();
        let reason = cause::<rustls::Error>(&error).map(ToString::to_string);
        match (&self.destination, reason) {
            (Destination::Paired(paired), Some(reason)) => {
                let known = paired.as_ref().clone();
                let confirmed = tokio::task::spawn_blocking(move || known.confirm(PATIENCE)).await;
                match confirmed {
                    Ok(Err(changed @ PairingError::Changed { .. })) => ClientError::Changed(changed),
                    _ => ClientError::Unproven { place, reason },
                }
            }
            (Destination::Url(_), Some(reason)) => ClientError::Unproven { place, reason },
            (Destination::Socket(_), _) => {
                let denied = cause::<io::Error>(&error)
                    .is_some_and(|error| error.kind() == io::ErrorKind::PermissionDenied);
                match denied {
                    true => ClientError::SocketShut { place },
                    false => ClientError::Unreachable {
                        place,
                        next: "run 'hob serve' to start it, or set admin.socket",
                    },
                }
            }
            (destination, None) if destination.is_local() => {
                ClientError::Unreachable { place, next: "run 'hob serve' to start it" }
            }
            (Destination::Paired(_), None) => ClientError::Unreachable {
                place,
                next: "see whether it is on, and where: hob pair with its new address",
            },
            (_, None) => ClientError::Unreachable {
                place,
                next: "see whether it is on and listens there; a box elsewhere is made known by hob pair first",
            },
        }
    }
}

/// By the name that its certificate always has: a box is found by whatever address it was paired by, and whether that is in
/// its certificate just now or not, it is this box or none.
fn own_url(paired: &Paired) -> String {
    format!("https://hob-{}.local:{}", paired.id().label_letters(), paired.address().port())
}

/// The cause of this kind beneath an error, if there is one.
fn cause<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    if let Some(found) = error.downcast_ref::<E>() {
        return Some(found);
    }
    // What an I/O error carries is not its source, but what it stands for.
    let carried = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    let carried = carried.map(|carried| carried as &(dyn Error + 'static));
    carried.or(error.source()).and_then(cause)
}

/// An answer, one JSON value a line.
#[derive(Debug)]
pub(crate) struct Lines {
    response: reqwest::Response,
    pending: Vec<u8>,
}

impl Lines {
    /// A header of the answer, if it has it.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    /// The next line; `None` when the answer is over. An `error` line ends it as [`ClientError::Refused`].
    pub(crate) async fn next(&mut self) -> Result<Option<Value>, ClientError> {
        self.next_bytes().await?.map(|line| self.parse(&line)).transpose()
    }

    /// The next line as it was written, but for one that is an error.
    pub(crate) async fn next_raw(&mut self) -> Result<Option<String>, ClientError> {
        let Some(line) = self.next_bytes().await? else { return Ok(None) };
        if line.starts_with(b"{\"error\":") {
            self.parse(&line)?;
        }
        Ok(Some(String::from_utf8_lossy(line.trim_ascii_end()).into_owned()))
    }

    /// The next line that is not empty.
    async fn next_bytes(&mut self) -> Result<Option<Vec<u8>>, ClientError> {
        loop {
            if let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.pending.drain(..=end).collect();
                if line.trim_ascii().is_empty() {
                    continue;
                }
                return Ok(Some(line));
            }
            match self.response.chunk().await.map_err(ClientError::Transport)? {
                Some(bytes) => self.pending.extend_from_slice(&bytes),
                None if self.pending.trim_ascii().is_empty() => return Ok(None),
                None => return Ok(Some(std::mem::take(&mut self.pending))),
            }
        }
    }

    fn parse(&self, line: &[u8]) -> Result<Value, ClientError> {
        let value: Value = serde_json::from_slice(line).map_err(ClientError::NotJson)?;
        match value.get("error").and_then(Value::as_str) {
            Some(message) => {
                Err(ClientError::Refused { status: self.response.status(), message: message.to_owned() })
            }
            None => Ok(value),
        }
    }

    async fn json(self) -> Result<Value, ClientError> {
        let bytes = self.response.bytes().await.map_err(ClientError::Transport)?;
        if bytes.trim_ascii().is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&bytes).map_err(ClientError::NotJson)
    }
}

fn refusal(status: StatusCode, text: &str) -> String {
    let body: Option<Value> = serde_json::from_str(text).ok();
    let said = body.as_ref().and_then(|body| {
        // As most of it says it, and as a registry does.
        body["error"].as_str().or_else(|| body["errors"][0]["message"].as_str())
    });
    match said {
        Some(message) => message.to_owned(),
        None if text.trim().is_empty() => format!("hob answered {status}"),
        None if text.trim_start().starts_with('<') => {
            format!("{status}, and a page for people: something else than hob listens there")
        }
        None => text.trim().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_hob_is_told_from_one_that_refuses() {
        let told = |text: &str| refusal(StatusCode::NOT_FOUND, text);
        assert_eq!(told(r#"{"error":"no such model"}"#), "no such model");
        assert!(told("<!DOCTYPE html><h1>It works!</h1>").contains("something else than hob"));
    }

    #[test]
    fn a_key_is_not_sent_where_it_could_be_read_on_the_way() {
        let key = Secret::from("hob_planted".to_owned());
        let connect = |host: &str| Client::new(Destination::of(host, &[]), Some(&key)).map(drop);

        let error = connect("192.168.1.5").unwrap_err().to_string();

        assert!(error.contains("http://192.168.1.5:11434 in clear") && error.contains("hob pair"), "{error}");
        assert!(!error.contains("planted"));
        connect("127.0.0.1").unwrap();
        connect("https://box.example").unwrap();
        Client::new(Destination::of("192.168.1.5", &[]), None).unwrap();
    }

    #[test]
    fn what_an_io_error_carries_is_found_beneath_it() {
        let carried = rustls::Error::DecryptError;
        let error = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, carried.clone()));
        assert_eq!(cause::<rustls::Error>(&error), Some(&carried));
        assert!(cause::<rustls::Error>(&io::Error::other("else")).is_none());
    }
}
