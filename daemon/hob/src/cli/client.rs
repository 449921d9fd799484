//! The one HTTP client of the command line: where the daemon is, its errors as types, its answers line by line.
//! What the answers mean is for each verb.

use reqwest::{Method, StatusCode};
use serde_json::Value;

const DEFAULT_PORT: u16 = 11434;

/// Why a request brought no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// Nothing listens there.
    #[error("could not connect to hob at {url}, run 'hob serve' to start it")]
    Unreachable { url: String },
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

/// A daemon at one address.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    base: String,
    http: reqwest::Client,
}

impl Client {
    #[expect(clippy::disallowed_methods, reason = "the daemon is no stranger")]
    pub(crate) fn new(host: Option<&str>) -> anyhow::Result<Self> {
        // A proxy set for the wide net must not stand between the user and the daemon beside them.
        let mut builder = reqwest::Client::builder().no_proxy();
        let base = base_url(host.unwrap_or_default());
        if base.starts_with("http://") {
            // Reading all of the system's certificates takes longer than most answers.
            builder = builder.tls_certs_only([]);
        }
        Ok(Self { base, http: builder.build()? })
    }

    /// Where the daemon is, without a slash at the end.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    pub(crate) async fn version(&self) -> Result<String, ClientError> {
        let answer = self.get("/api/version").await?;
        Ok(answer["version"].as_str().unwrap_or_default().to_owned())
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Value, ClientError> {
        self.send(Method::GET, path, None).await?.json().await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value, ClientError> {
        self.send(Method::POST, path, Some(body)).await?.json().await
    }

    pub(crate) async fn head(&self, path: &str) -> Result<(), ClientError> {
        self.send(Method::HEAD, path, None).await.map(drop)
    }

    /// Whether the daemon is on this machine, as far as its address tells.
    pub(crate) fn is_local(&self) -> bool {
        let url = reqwest::Url::parse(&self.base).ok();
        let host = url.as_ref().and_then(reqwest::Url::host_str).unwrap_or_default();
        let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
        host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }

    pub(crate) async fn delete(&self, path: &str, body: &Value) -> Result<(), ClientError> {
        self.send(Method::DELETE, path, Some(body)).await.map(drop)
    }

    /// Posts, and reads the answer as it comes. Dropping [`Lines`] cancels what the daemon does for it.
    pub(crate) async fn stream(&self, path: &str, body: &Value) -> Result<Lines, ClientError> {
        self.send(Method::POST, path, Some(body)).await
    }

    /// Uploads one blob of `bytes` bytes; returns its digest.
    pub(crate) async fn upload(&self, bytes: u64, file: reqwest::Body) -> Result<String, ClientError> {
        let request = self.http.post(format!("{}/admin/api/store/blobs", self.base));
        let request = request.header(reqwest::header::CONTENT_LENGTH, bytes).body(file);
        let added = self.checked(request).await?.json().await?;
        Ok(added["digest"].as_str().unwrap_or_default().to_owned())
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Lines, ClientError> {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(body) = body {
            request = request.json(body);
        }
        self.checked(request).await
    }

    async fn checked(&self, request: reqwest::RequestBuilder) -> Result<Lines, ClientError> {
        let response = request.send().await.map_err(|error| {
            if error.is_connect() {
                ClientError::Unreachable { url: self.base.clone() }
            } else {
                ClientError::Transport(error)
            }
        })?;
        let status = response.status();
        if status.is_success() {
            return Ok(Lines { response, pending: Vec::new() });
        }
        let text = response.text().await.unwrap_or_default();
        Err(ClientError::Refused { status, message: refusal(status, &text) })
    }
}

/// An answer, one JSON value a line.
#[derive(Debug)]
pub(crate) struct Lines {
    response: reqwest::Response,
    pending: Vec<u8>,
}

impl Lines {
    /// The next line; `None` when the answer is over. An `error` line ends it as [`ClientError::Refused`].
    pub(crate) async fn next(&mut self) -> Result<Option<Value>, ClientError> {
        loop {
            if let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.pending.drain(..=end).collect();
                if line.trim_ascii().is_empty() {
                    continue;
                }
                return self.parse(&line).map(Some);
            }
            match self.response.chunk().await.map_err(ClientError::Transport)? {
                Some(bytes) => self.pending.extend_from_slice(&bytes),
                None if self.pending.trim_ascii().is_empty() => return Ok(None),
                None => {
                    let line = std::mem::take(&mut self.pending);
                    return self.parse(&line).map(Some);
                }
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
    match body.as_ref().and_then(|body| body["error"].as_str()) {
        Some(message) => message.to_owned(),
        None if text.trim().is_empty() => format!("hob answered {status}"),
        None => text.trim().to_owned(),
    }
}

/// The base URL that `host`, `[scheme://]host[:port][/path]`, stands for. Never ends in `/`.
pub(crate) fn base_url(host: &str) -> String {
    let host = host.trim().trim_matches(['"', '\'']).trim();
    let (scheme, rest, default_port) = match host.split_once("://") {
        Some(("https", rest)) => ("https", rest, 443),
        Some((_, rest)) => ("http", rest, 80),
        None => ("http", host, DEFAULT_PORT),
    };
    let (authority, path) = rest.split_once('/').map_or((rest, ""), |(authority, path)| (authority, path));
    let (name, port) = split_port(authority);
    let port = port.and_then(|port| port.parse().ok()).unwrap_or(default_port);
    let name = match name {
        "" | "0.0.0.0" => "127.0.0.1".to_owned(),
        "::" => "[::1]".to_owned(),
        name if name.contains(':') => format!("[{name}]"),
        name => name.to_owned(),
    };
    let path = path.trim_end_matches('/');
    let slash = if path.is_empty() { "" } else { "/" };
    format!("{scheme}://{name}:{port}{slash}{path}")
}

fn split_port(authority: &str) -> (&str, Option<&str>) {
    if let Some(bracketed) = authority.strip_prefix('[') {
        let (name, rest) = bracketed.split_once(']').unwrap_or((bracketed, ""));
        return (name, rest.strip_prefix(':'));
    }
    match authority.split_once(':') {
        // More than one colon without brackets is an IPv6 address without a port.
        Some((_, rest)) if rest.contains(':') => (authority, None),
        Some((name, port)) => (name, Some(port)),
        None => (authority, None),
    }
}

#[cfg(test)]
mod tests {
    use super::base_url;

    #[test]
    fn the_scheme_decides_the_default_port() {
        assert_eq!(base_url(""), "http://127.0.0.1:11434");
        assert_eq!(base_url("box"), "http://box:11434");
        assert_eq!(base_url("http://box"), "http://box:80");
        assert_eq!(base_url("https://box/ai/"), "https://box:443/ai");
        assert_eq!(base_url("box:99999"), "http://box:11434");
    }

    #[test]
    fn an_unspecified_address_is_reached_over_loopback() {
        assert_eq!(base_url("0.0.0.0:1234"), "http://127.0.0.1:1234");
        assert_eq!(base_url("[::]:1234"), "http://[::1]:1234");
        assert_eq!(base_url("::1"), "http://[::1]:11434");
        assert_eq!(base_url(" \"[::1]:8\" "), "http://[::1]:8");
    }
}
