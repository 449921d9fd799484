//! Who may talk to us from a browser: an exact list of Hosts, which rules out DNS rebinding, and of Origins, which rules
//! out forged requests. tower-http's `csrf` lets a cookie pass that comes with neither header, knows exact origins of the web
//! alone, and has a Host match only itself.

use http::header::{HOST, HeaderMap, ORIGIN};
use http::uri::Authority;
use http::{Method, StatusCode, Uri};
use identity::Identity;

use crate::OriginPattern;

/// What is let through.
#[derive(Clone)]
pub(crate) struct Guard {
    pub(crate) ours: Ours,
    /// Host names that are ours besides; one with a port is asked for at that, as by way of a proxy.
    pub(crate) hosts: Vec<String>,
    /// Origins that are welcome besides.
    pub(crate) origins: Vec<OriginPattern>,
}

/// By which names and at which port a listener is asked for.
#[derive(Clone)]
pub(crate) enum Ours {
    /// Plaintext on this machine.
    Loopback { port: u16 },
    /// The network.
    Network { identity: Identity, scheme: Scheme, port: u16 },
    /// A file, which has no port.
    AdminSocket,
}

/// Of a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    /// The port of a URL that says none.
    fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
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

const SEC_FETCH_SITE: &str = "sec-fetch-site";

impl Guard {
    /// Whether a request may pass; with an `Origin`, it is one whose pages may read the answer. In TLS a client may have said
    /// whom it wants before it asks.
    pub(crate) fn check(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        server_name: Option<&str>,
    ) -> Result<(), Refused> {
        let host = self.host(uri, headers, self.scheme())?;
        if server_name.is_some_and(|name| !name.eq_ignore_ascii_case(split_port(host).0)) {
            return Err(Refused {
                status: StatusCode::MISDIRECTED_REQUEST,
                text: format!("the Host \"{host}\" is not the one that this connection was opened for"),
            });
        }
        if is_own_pages(uri.path()) && !self.is_of_no_other_page(uri, headers) {
            return Err(Refused {
                status: StatusCode::FORBIDDEN,
                text: "this is for hob's own pages, and for programs; other pages, however welcome, use the APIs for models"
                    .into(),
            });
        }
        let mut origins = headers.get_all(ORIGIN).iter();
        let Some(origin) = origins.next() else {
            return match headers.get(SEC_FETCH_SITE).map(|site| site.as_bytes()) {
                Some(b"cross-site" | b"same-site") if !method.is_safe() => {
                    Err(foreign_origin("a foreign page"))
                }
                _ => Ok(()),
            };
        };
        let origin = origin.to_str().unwrap_or_default();
        match self.is_welcome(origin, host) && origins.next().is_none() {
            true => Ok(()),
            false => Err(foreign_origin(origin)),
        }
    }

    /// Whether a request that may pass comes from a page of ours: the browser says so, or the page's origin does. A cookie
    /// comes along whoever made the browser ask.
    pub(crate) fn is_of_own_page(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let mut sites = headers.get_all(SEC_FETCH_SITE).iter().peekable();
        if sites.peek().is_some() {
            return sites.all(|site| site == "same-origin");
        }
        let origin = headers.get(ORIGIN).and_then(|origin| origin.to_str().ok());
        let host = self.host(uri, headers, self.scheme());
        origin.zip(host.ok()).is_some_and(|(origin, host)| self.is_own(origin, host))
    }

    /// Whether it comes from a page of ours, or from none: from a program, or from whoever typed the address.
    fn is_of_no_other_page(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let none = !headers.contains_key(ORIGIN)
            && headers.get_all(SEC_FETCH_SITE).iter().all(|site| site == "none");
        none || self.is_of_own_page(uri, headers)
    }

    /// The Host that is asked for, which is one of ours.
    pub(crate) fn host<'a>(
        &self,
        uri: &'a Uri,
        headers: &'a HeaderMap,
        scheme: Scheme,
    ) -> Result<&'a str, Refused> {
        let mut hosts = headers.get_all(HOST).iter();
        let header = hosts.next().and_then(|host| host.to_str().ok());
        // HTTP/2 says it in `:authority`; a Host beside it must say the same.
        let authority = uri.authority().map(Authority::as_str);
        let host = authority.or(header).unwrap_or_default();
        let twofold = hosts.next().is_some() || header.is_some_and(|header| header != host);
        if host.is_empty() || twofold {
            return Err(Refused {
                status: StatusCode::BAD_REQUEST,
                text: "the request must name one Host".into(),
            });
        }
        let (name, port) = split_port(host);
        let port = port.unwrap_or(scheme.port());
        let own_port = self.port().is_none_or(|ours| port == ours);
        let listed = self.hosts.iter().map(|ours| split_port(ours)).any(|(ours, its_port)| {
            name.eq_ignore_ascii_case(ours) && its_port.map_or(own_port, |its_port| port == its_port)
        });
        if listed || own_port && self.is_ours(name) {
            return Ok(host);
        }
        let text = format!(
            "this hob does not answer to the Host \"{host}\"; if it is its name, add it to `hosts` in the settings, with the \
             port if that is another than hob's own"
        );
        Err(Refused { status: StatusCode::FORBIDDEN, text })
    }

    fn is_ours(&self, name: &str) -> bool {
        match &self.ours {
            Ours::Loopback { .. } | Ours::AdminSocket => {
                LOCAL.iter().any(|local| name.eq_ignore_ascii_case(local))
            }
            Ours::Network { identity, .. } => identity.is_ours(name),
        }
    }

    fn port(&self) -> Option<u16> {
        match &self.ours {
            Ours::Loopback { port } | Ours::Network { port, .. } => Some(*port),
            Ours::AdminSocket => None,
        }
    }

    fn scheme(&self) -> Scheme {
        match &self.ours {
            Ours::Network { scheme, .. } => *scheme,
            Ours::Loopback { .. } | Ours::AdminSocket => Scheme::Http,
        }
    }

    fn is_welcome(&self, origin: &str, host: &str) -> bool {
        if self.is_own(origin, host) || self.origins.iter().any(|ours| ours.matches(origin)) {
            return true;
        }
        // On the network, what calls itself so is some other machine's.
        let local = !matches!(self.ours, Ours::Network { .. });
        let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        local && host.is_some_and(|host| matches!(split_port(host).0, "localhost" | "127.0.0.1" | "[::1]"))
    }

    /// Whether it is that of the pages that we serve by this Host.
    fn is_own(&self, origin: &str, host: &str) -> bool {
        let (prefix, default) = match self.scheme() {
            Scheme::Http => ("http://", Scheme::Http.port()),
            Scheme::Https => ("https://", Scheme::Https.port()),
        };
        let parts = |host| {
            let (name, port): (&str, Option<u16>) = split_port(host);
            (name.to_ascii_lowercase(), port.unwrap_or(default))
        };
        origin.strip_prefix(prefix).is_some_and(|origin| parts(origin) == parts(host))
    }
}

/// Whether it is asked for by our own pages alone: what people keep here, and who may what. On this machine a caller needs no key
/// for it, so that any page that some program serves here could read it.
fn is_own_pages(path: &str) -> bool {
    ["/admin", "/claim", "/pair"]
        .iter()
        .any(|own| path.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
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

    fn loopback() -> Guard {
        Guard {
            ours: Ours::Loopback { port: 11434 },
            hosts: vec!["box.lan".into(), "hob.example:443".into()],
            origins: vec!["https://home.example".parse().unwrap()],
        }
    }

    fn ask(method: Method, headers: &[(&'static str, &'static str)]) -> Result<(), StatusCode> {
        let guard = loopback();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        guard.check(&method, &"/api/chat".parse().unwrap(), &map, None).map_err(|refused| refused.status)
    }

    #[test]
    fn only_our_own_names_are_answered_to() {
        for host in [
            "localhost:11434",
            "LOCALHOST:11434",
            "127.0.0.1:11434",
            "[::1]:11434",
            "box.lan:11434",
            "hob.example:443",
        ] {
            assert_eq!(ask(Method::POST, &[("host", host)]), Ok(()), "{host}");
        }
        let foreign = [
            "evil.example:11434",
            "localhost",
            "localhost:80",
            "localhost:443",
            "box.lan:443",
            "hob.example:11434",
            "hob.example",
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
        let guard = loopback();
        let check = |uri: &str, host: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.extend(host.map(|host| (HOST, host.parse().unwrap())));
            guard.check(&Method::GET, &uri.parse().unwrap(), &headers, None).map_err(|refused| refused.status)
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

    #[test]
    fn what_is_for_our_own_pages_is_for_no_other_however_welcome() {
        let foreign = StatusCode::FORBIDDEN;
        let check = |path: &str, method: Method, lines: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, "localhost:11434".parse().unwrap());
            for (name, value) in lines {
                headers.append(*name, value.parse().unwrap());
            }
            let checked = loopback().check(&method, &path.parse().unwrap(), &headers, None);
            checked.map_err(|refused| refused.status)
        };
        let own =
            ["/admin/api/conversations", "/admin/api/pulls?x", "/admin", "/claim", "/pair", "/pair/proof"];
        let methods = [Method::GET, Method::POST, Method::OPTIONS];
        for (path, method) in own.iter().flat_map(|path| methods.iter().map(move |method| (path, method))) {
            for lines in [
                &[("origin", "http://localhost:3000")][..],
                &[("origin", "https://home.example")],
                &[("origin", "http://127.0.0.1:11434")],
                &[("sec-fetch-site", "same-site")],
                &[("sec-fetch-site", "cross-site")],
                &[("sec-fetch-site", "none"), ("sec-fetch-site", "cross-site")],
                &[("sec-fetch-site", "same-site"), ("origin", "http://localhost:11434")],
                &[("sec-fetch-site", "none"), ("origin", "http://localhost:3000")],
            ] {
                assert_eq!(check(path, method.clone(), lines), Err(foreign), "{method} {path} {lines:?}");
            }
            for lines in [
                &[][..],
                &[("sec-fetch-site", "none")],
                &[("sec-fetch-site", "same-origin")],
                &[("origin", "http://localhost:11434")],
                // Through a proxy that speaks TLS.
                &[("sec-fetch-site", "same-origin"), ("origin", "https://home.example")],
            ] {
                assert_eq!(check(path, method.clone(), lines), Ok(()), "{method} {path} {lines:?}");
            }
        }
        for path in ["/", "/api/tags", "/administration", "/claims"] {
            assert_eq!(check(path, Method::GET, &[("sec-fetch-site", "cross-site")]), Ok(()), "{path}");
        }
    }

    #[test]
    fn a_cookie_is_that_of_a_page_of_ours_if_the_browser_says_so() {
        let of_own_page = |lines: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, "localhost:11434".parse().unwrap());
            for (name, value) in lines {
                headers.append(*name, value.parse().unwrap());
            }
            loopback().is_of_own_page(&"/admin/api/keys".parse().unwrap(), &headers)
        };
        assert!(of_own_page(&[("sec-fetch-site", "same-origin")]));
        assert!(of_own_page(&[("origin", "http://localhost:11434")]));
        for lines in [
            &[][..],
            &[("origin", "http://localhost:3000")],
            &[("origin", "https://localhost:11434")],
            &[("origin", "null")],
            &[("sec-fetch-site", "none")],
            &[("sec-fetch-site", "same-site"), ("origin", "http://localhost:11434")],
            &[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")],
        ] {
            assert!(!of_own_page(lines), "{lines:?}");
        }
    }
}
