//! Origins that an operator lets in, as they are written in the settings. Which request comes from where is `guard`'s. Pure.

use std::str::FromStr;

/// An origin, as in `https://home.example`; or all of a kind, as in `vscode-webview://*` and `http://home.example:*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginPattern {
    /// What an origin is, or begins with.
    text: String,
    rest: Rest,
}

/// What may follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    Nothing,
    /// Whatever a program's own scheme calls its pages; an extension has another name in each browser.
    Name,
    Port,
}

/// What is no origin that could be let in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidOrigin {
    /// It has no scheme, or more than an origin has.
    #[error("\"{0}\" is no origin; write it like https://home.example or vscode-webview://*")]
    Malformed(String),
    /// It lets in whoever one happens to visit.
    #[error(
        "\"{0}\" is every page of the web, each of which could then use and remove your models; name the pages that are \
         yours, like https://home.example or chrome-extension://*"
    )]
    Everybody(String),
    /// It lets in hosts that only look like ours.
    #[error(
        "\"{0}\" has its * where a stranger's name could stand; it may follow :// or the : before a port"
    )]
    Stranger(String),
}

impl FromStr for OriginPattern {
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        let Some((scheme, host)) = text.split_once("://") else {
            // Pages of no origin say `null`, and so can every page from within a frame.
            let everybody = matches!(text, "*" | "null");
            return Err(match everybody {
                true => InvalidOrigin::Everybody(text.into()),
                false => InvalidOrigin::Malformed(text.into()),
            });
        };
        // What is copied from an address bar ends in a slash.
        let host = host.strip_suffix('/').unwrap_or(host);
        let known = scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.' | '*'));
        if scheme.is_empty() || !known || host.contains(['/', '?', '#', '@', ' ']) {
            return Err(InvalidOrigin::Malformed(text.into()));
        }
        let of_the_web = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
        if of_the_web && host.is_empty() {
            return Err(InvalidOrigin::Malformed(text.into()));
        }
        let (host, rest) = match host.strip_suffix('*') {
            Some("") if of_the_web || scheme.contains('*') => {
                return Err(InvalidOrigin::Everybody(text.into()));
            }
            Some("") => ("", Rest::Name),
            Some(host) if host.ends_with(':') => (host, Rest::Port),
            Some(_) => return Err(InvalidOrigin::Stranger(text.into())),
            None => (host, Rest::Nothing),
        };
        if scheme.contains('*') || host.contains('*') {
            return Err(InvalidOrigin::Stranger(text.into()));
        }
        // Browsers write both in lower case.
        Ok(Self { text: format!("{scheme}://{host}").to_ascii_lowercase(), rest })
    }
}

impl OriginPattern {
    /// Whether an `Origin` header names it.
    pub(crate) fn matches(&self, origin: &str) -> bool {
        match (origin.strip_prefix(&self.text), self.rest) {
            (Some(rest), Rest::Nothing) => rest.is_empty(),
            (Some(rest), Rest::Name) => !rest.is_empty(),
            (Some(rest), Rest::Port) => rest.parse::<u16>().is_ok(),
            (None, _) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_let_in_exactly_or_by_the_end_of_its_name() {
        let matches = |pattern: &str, origin| pattern.parse::<OriginPattern>().unwrap().matches(origin);
        assert!(matches("https://home.example/", "https://home.example"));
        assert!(matches("vscode-webview://*", "vscode-webview://1k2j3h"));
        assert!(matches("chrome-extension://*", "chrome-extension://abcdefgh"));
        assert!(matches("app://obsidian.md", "app://obsidian.md"));
        assert!(matches("http://box.lan:*", "http://box.lan:3000"));
        assert!(matches("file://", "file://"));
        for (pattern, origin) in [
            ("https://home.example", "https://home.example.evil.example"),
            ("https://home.example", "http://home.example"),
            ("http://box.lan:*", "http://box.lan:3000.evil.example"),
            ("http://box.lan:*", "http://box.lan"),
            ("app://*", "app://"),
            ("app://*", "https://app"),
        ] {
            assert!(!matches(pattern, origin), "{pattern} {origin}");
        }
    }

    #[test]
    fn what_would_let_in_strangers_is_refused() {
        let error = |text: &str| text.parse::<OriginPattern>().unwrap_err();
        for everybody in ["*", "null", "http://*", "HTTPS://*", "*://*"] {
            assert_eq!(error(everybody), InvalidOrigin::Everybody(everybody.into()));
        }
        for stranger in ["https://home.*", "https://*.example", "https://home*", "*://home.example"] {
            assert_eq!(error(stranger), InvalidOrigin::Stranger(stranger.into()));
        }
        for malformed in ["home.example", "https://", "https://home.example/page", "://x", "a b://x"] {
            assert_eq!(error(malformed), InvalidOrigin::Malformed(malformed.into()));
        }
    }
}
