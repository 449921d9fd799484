//! Who may talk to us from a browser: an exact list of Hosts, which rules out DNS rebinding, and of Origins, which rules
//! out forged requests. Pure.

use http::header::{HOST, HeaderMap, ORIGIN};
use http::{Method, StatusCode, Uri};

use crate::OriginPattern;

/// What is let through.
#[derive(Clone, Debug, Default)]
pub(crate) struct Guard {
    /// Host names that are ours besides the loopback's.
    pub(crate) hosts: Vec<String>,
    /// Origins that are welcome besides the loopback's.
    pub(crate) origins: Vec<OriginPattern>,
    /// The port that was bound.
    pub(crate) port: u16,
}

/// Why a request is turned away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) status: StatusCode,
    pub(crate) text: String,
}

/// Names of the loopback, and those that containers have for their host. `0.0.0.0` is not among them.
const LOCAL: &[&str] =
    &["localhost", "127.0.0.1", "[::1]", "host.docker.internal", "host.containers.internal"];

impl Guard {
    /// Whether a request may pass; with an `Origin`, it is one whose pages may read the answer.
    pub(crate) fn check(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), Refused> {
        self.check_host(uri, headers)?;
        let mut origins = headers.get_all(ORIGIN).iter();
        let Some(origin) = origins.next() else {
            return match headers.get("sec-fetch-site").map(|site| site.as_bytes()) {
                Some(b"cross-site" | b"same-site") if !method.is_safe() => {
                    Err(foreign_origin("a foreign page"))
                }
                _ => Ok(()),
            };
        };
        let origin = origin.to_str().unwrap_or_default();
        match self.is_welcome(origin) && origins.next().is_none() {
            true => Ok(()),
            false => Err(foreign_origin(origin)),
        }
    }

    fn check_host(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Refused> {
        let mut hosts = headers.get_all(HOST).iter();
        let header = hosts.next().and_then(|host| host.to_str().ok());
        // HTTP/2 says it in `:authority`; a Host beside it must say the same.
        let authority = uri.authority().map(http::uri::Authority::as_str);
        let host = authority.or(header).unwrap_or_default();
        let twofold = hosts.next().is_some() || header.is_some_and(|header| header != host);
        if host.is_empty() || twofold {
            return Err(Refused {
                status: StatusCode::BAD_REQUEST,
                text: "the request must name one Host".into(),
            });
        }
        let (name, port) = split_port(host);
        let known = LOCAL.iter().any(|local| name.eq_ignore_ascii_case(local))
            || self.hosts.iter().any(|ours| name.eq_ignore_ascii_case(ours));
        if known && port.unwrap_or(80) == self.port {
            return Ok(());
        }
        let text = format!(
            "this hob does not answer to the Host \"{host}\"; if it is its name, add it to `hosts` in the settings"
        );
        Err(Refused { status: StatusCode::FORBIDDEN, text })
    }

    fn is_welcome(&self, origin: &str) -> bool {
        if self.origins.iter().any(|ours| ours.matches(origin)) {
            return true;
        }
        let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        host.is_some_and(|host| matches!(split_port(host).0, "localhost" | "127.0.0.1" | "[::1]"))
    }
}

fn foreign_origin(origin: &str) -> Refused {
    let text = format!(
        "requests of pages from {origin} are not accepted; if the page is yours, add it to `origins` in the settings"
    );
    Refused { status: StatusCode::FORBIDDEN, text }
}

/// A port that is no number makes the whole text the name, which then is nobody's.
fn split_port(host: &str) -> (&str, Option<u16>) {
    match host.rsplit_once(':') {
        Some((name, port)) if !name.is_empty() && !port.contains(']') => match port.parse() {
            Ok(port) => (name, Some(port)),
            Err(_) => (host, None),
        },
        _ => (host, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(method: Method, headers: &[(&'static str, &'static str)]) -> Result<(), StatusCode> {
        let guard = Guard {
            hosts: vec!["box.lan".into()],
            origins: vec!["https://home.example".parse().unwrap()],
            port: 11434,
        };
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        guard.check(&method, &"/api/chat".parse().unwrap(), &map).map_err(|refused| refused.status)
    }

    #[test]
    fn only_our_own_names_are_answered_to() {
        for host in ["localhost:11434", "LOCALHOST:11434", "127.0.0.1:11434", "[::1]:11434", "box.lan:11434"]
        {
            assert_eq!(ask(Method::POST, &[("host", host)]), Ok(()), "{host}");
        }
        let foreign = [
            "evil.example:11434",
            "localhost",
            "localhost:80",
            "0.0.0.0:11434",
            "localhost.evil.example:11434",
            "[::1]:x",
        ];
        for host in foreign {
            assert_eq!(ask(Method::GET, &[("host", host)]), Err(StatusCode::FORBIDDEN), "{host}");
        }
        assert_eq!(ask(Method::GET, &[]), Err(StatusCode::BAD_REQUEST));
        assert_eq!(ask(Method::GET, &[("host", "")]), Err(StatusCode::BAD_REQUEST));
        let two = [("host", "localhost:11434"), ("host", "evil.example")];
        assert_eq!(ask(Method::GET, &two), Err(StatusCode::BAD_REQUEST));
    }

    #[test]
    fn what_http_2_calls_authority_is_the_host() {
        let guard = Guard { port: 11434, ..Guard::default() };
        let check = |uri: &str, host: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.extend(host.map(|host| (HOST, host.parse().unwrap())));
            guard.check(&Method::GET, &uri.parse().unwrap(), &headers).map_err(|refused| refused.status)
        };
        assert_eq!(check("http://localhost:11434/", None), Ok(()));
        assert_eq!(check("http://localhost:11434/", Some("localhost:11434")), Ok(()));
        assert_eq!(check("http://evil.example:11434/", None), Err(StatusCode::FORBIDDEN));
        assert_eq!(
            check("http://evil.example:11434/", Some("localhost:11434")),
            Err(StatusCode::BAD_REQUEST)
        );
    }

    #[test]
    fn a_foreign_page_changes_nothing() {
        let host = ("host", "localhost:11434");
        let foreign = Err(StatusCode::FORBIDDEN);
        for origin in [
            "https://evil.example",
            "null",
            "file://",
            "http://localhost.evil.example",
            "http://127.0.0.1.evil.example",
        ] {
            assert_eq!(ask(Method::POST, &[host, ("origin", origin)]), foreign, "{origin}");
        }
        assert_eq!(ask(Method::POST, &[host, ("sec-fetch-site", "cross-site")]), foreign);
        assert_eq!(ask(Method::GET, &[host, ("sec-fetch-site", "cross-site")]), Ok(()));
        let welcome = ("origin", "https://home.example");
        assert_eq!(ask(Method::POST, &[host, welcome, ("origin", "https://evil.example")]), foreign);
        for origin in ["http://localhost:3000", "https://home.example"] {
            assert_eq!(ask(Method::POST, &[host, ("origin", origin)]), Ok(()));
        }
    }
}
