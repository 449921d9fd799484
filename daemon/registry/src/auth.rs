//! Who we are to a registry: challenges, tokens, and where they may go. A credential goes to the host it is for and
//! nowhere else; what a challenge says does not change that.
//!
//! Challenges: <https://distribution.github.io/distribution/spec/auth/token/>

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::Url;
use reqwest::header::HeaderValue;
use serde::Deserialize;

use crate::RegistryError;

/// A name and a password, or a token in its place.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// The name.
    pub user: String,
    /// What proves it.
    pub password: String,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").field("user", &self.user).finish_non_exhaustive()
    }
}

impl Credential {
    /// As an `Authorization` header.
    pub(crate) fn basic(&self) -> HeaderValue {
        secret(&format!("Basic {}", BASE64_STANDARD.encode(format!("{}:{}", self.user, self.password))))
    }
}

/// What a registry wants before it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    Basic,
    /// A token, to be had from `realm`.
    Bearer {
        realm: Url,
        service: Option<String>,
        scope: Option<String>,
    },
}

impl Challenge {
    /// Reads `WWW-Authenticate`.
    pub(crate) fn parse(header: &str) -> Result<Self, RegistryError> {
        let malformed = || RegistryError::Malformed("challenge");
        let (scheme, rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Ok(Self::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(malformed());
        }
        let realm = parameter(rest, "realm").ok_or_else(malformed)?;
        Ok(Self::Bearer {
            realm: Url::parse(&realm).map_err(|_| malformed())?,
            service: parameter(rest, "service"),
            scope: parameter(rest, "scope"),
        })
    }
}

/// The value of `name="value"` or `name=value` in a list of such.
fn parameter(list: &str, name: &str) -> Option<String> {
    let mut rest = list;
    while let Some((key, after)) = rest.split_once('=') {
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_once(',').unwrap_or((after, "")),
        };
        if key.trim_matches([',', ' ']).eq_ignore_ascii_case(name) {
            return Some(value.to_owned());
        }
        rest = next;
    }
    None
}

/// Where to ask for a token.
pub(crate) fn token_url(realm: &Url, service: Option<&str>, scope: Option<&str>) -> Url {
    let mut url = realm.clone();
    {
        let mut query = url.query_pairs_mut();
        if let Some(service) = service {
            query.append_pair("service", service);
        }
        for scope in scope.unwrap_or_default().split_whitespace() {
            query.append_pair("scope", scope);
        }
    }
    url
}

/// A realm's answer.
#[derive(Deserialize)]
pub(crate) struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
}

impl TokenAnswer {
    /// As an `Authorization` header.
    pub(crate) fn bearer(self) -> Result<HeaderValue, RegistryError> {
        let token = self.token.or(self.access_token).ok_or(RegistryError::Malformed("token"))?;
        HeaderValue::from_str(&format!("Bearer {token}"))
            .map(hidden)
            .map_err(|_| RegistryError::Malformed("token"))
    }
}

fn secret(text: &str) -> HeaderValue {
    hidden(HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static("")))
}

/// Kept out of logs.
fn hidden(mut value: HeaderValue) -> HeaderValue {
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_says_where_a_token_is_to_be_had() {
        let challenge = Challenge::parse(
            r#"Bearer realm="https://auth.example/token",service="registry",scope="repository:a/b:pull,push""#,
        );
        let Ok(Challenge::Bearer { realm, service, scope }) = challenge else { panic!("{challenge:?}") };
        assert_eq!(
            scope.as_deref(),
            Some("repository:a/b:pull,push"),
            "a comma inside of quotes divides nothing"
        );
        assert_eq!(
            token_url(&realm, service.as_deref(), scope.as_deref()).as_str(),
            "https://auth.example/token?service=registry&scope=repository%3Aa%2Fb%3Apull%2Cpush"
        );
        assert_eq!(Challenge::parse("Basic realm=\"x\"").unwrap(), Challenge::Basic);
        for odd in [
            "",
            "Bearer",
            "Bearer service=\"x\"",
            "Bearer realm=\"not a url\"",
            "Digest realm=\"x\"",
            "Bearer realm=\"x",
        ] {
            assert!(Challenge::parse(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        let credential = Credential { user: "ada".into(), password: "planted".into() };
        assert!(!format!("{credential:?} {:?}", credential.basic()).contains("planted"));
    }
}
