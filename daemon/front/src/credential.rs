//! What a request presents to be known by, and what says that it was forwarded. What either is worth is `access`'s to say. A
//! query is never looked at: it would stand in logs and histories.

use access::{Credential, Way};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::{AUTHORIZATION, COOKIE, FORWARDED, HeaderName, VIA};
use http::{HeaderMap, HeaderValue};

/// A browser's session. By its prefix, browsers see to it that no other host and no plaintext sets it.
const SESSION_COOKIE: &str = "__Host-hob";
const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// What is presented. SDKs want a key, and send any that was set for another service beside ours.
pub(crate) fn of(headers: &HeaderMap) -> Credential<'_> {
    let bearer = headers.get_all(AUTHORIZATION).iter().filter_map(|value| bearer(value.to_str().ok()?));
    let keys = headers.get_all(X_API_KEY).iter().filter_map(|value| value.to_str().ok());
    let keys: Vec<&str> = bearer.chain(keys).map(str::trim).filter(|key| !key.is_empty()).collect();
    if let Some(key) = keys.iter().find(|key| access::is_hob_key(key)).or(keys.first()) {
        return Credential::Key(key);
    }
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let cookies =
        cookies.flat_map(|value| value.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
    let mut session = cookies.filter(|(name, _)| *name == SESSION_COOKIE);
    match session.next() {
        Some((_, session)) => Credential::Session(session),
        None => Credential::None,
    }
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, key) = value.trim_start().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(key)
}

/// Clients of registries know a name and a password, and no key: with them a key is the password, whatever the name.
pub(crate) fn take_password_for_key(headers: &mut HeaderMap) {
    let presented = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(password);
    let Some(mut bearer) = presented.and_then(|key| HeaderValue::try_from(format!("Bearer {key}")).ok())
    else {
        return;
    };
    bearer.set_sensitive(true);
    headers.insert(AUTHORIZATION, bearer);
}

fn password(value: &str) -> Option<String> {
    let (scheme, encoded) = value.trim_start().split_once(' ')?;
    let decoded =
        BASE64_STANDARD.decode(encoded.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    Some(String::from_utf8(decoded).ok()?.split_once(':')?.1.to_owned())
}

/// Takes them off a request: nobody behind the door needs them, or could let them slip into a log.
pub(crate) fn take_off(headers: &mut HeaderMap) {
    for name in [AUTHORIZATION, COOKIE, X_API_KEY] {
        headers.remove(name);
    }
}

/// Whether a request on the loopback comes from there. That it was forwarded is believed, and of its sender nothing is.
pub(crate) fn loopback(headers: &HeaderMap) -> Way {
    let forwarded = headers.keys().any(|name| {
        *name == FORWARDED || *name == VIA || name.as_str().starts_with("x-forwarded") || name == "x-real-ip"
    });
    if forwarded { Way::Forwarded } else { Way::Loopback }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_key_comes_in_two_headers_and_ours_goes_first() {
        let key = |lines: &[(&'static str, &'static str)]| match of(&headers(lines)) {
            Credential::Key(key) => key.to_owned(),
            other => format!("{other:?}"),
        };
        assert_eq!(key(&[("authorization", "Bearer hob_1")]), "hob_1");
        assert_eq!(key(&[("authorization", "bearer  hob_1 ")]), "hob_1");
        assert_eq!(key(&[("x-api-key", "hob_2")]), "hob_2");
        assert_eq!(key(&[("authorization", "Bearer ollama"), ("x-api-key", "hob_2")]), "hob_2");
        assert_eq!(key(&[("authorization", "Bearer ollama"), ("x-api-key", "other")]), "ollama");
        assert_eq!(key(&[("x-api-key", "hob_2"), ("cookie", "__Host-hob=s")]), "hob_2");
        for nothing in [
            ("authorization", "Basic aG9iOmhvYg=="),
            ("authorization", "Bearer "),
            ("x-api-key", ""),
            ("cookie", "hob=s"),
        ] {
            assert_eq!(key(&[nothing]), "None", "{nothing:?}");
        }
    }

    #[test]
    fn a_registrys_client_has_its_key_for_a_password() {
        let key = |authorization: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, authorization.parse().unwrap());
            take_password_for_key(&mut headers);
            match of(&headers) {
                Credential::Key(key) => key.to_owned(),
                other => format!("{other:?}"),
            }
        };
        assert_eq!(key(&format!("Basic {}", BASE64_STANDARD.encode("anybody:hob_1"))), "hob_1");
        assert_eq!(key("Bearer hob_2"), "hob_2");
        for nothing in
            ["Basic", "Basic !", "Basic aG9i", &format!("Basic {}", BASE64_STANDARD.encode("a:b\n"))]
        {
            assert_eq!(key(nothing), "None", "{nothing}");
        }
    }

    #[test]
    fn a_session_is_one_of_many_cookies() {
        let headers = headers(&[("cookie", "theme=dark; __Host-hob=abc=; x=y")]);
        assert!(of(&headers) == Credential::Session("abc="));
    }

    #[test]
    fn whatever_a_proxy_adds_says_that_it_was_there() {
        for header in ["forwarded", "via", "x-forwarded-for", "x-forwarded-proto", "x-real-ip"] {
            assert_eq!(loopback(&headers(&[(header, "")])), Way::Forwarded, "{header}");
        }
        assert_eq!(loopback(&headers(&[("x-request-id", "1"), ("accept", "*/*")])), Way::Loopback);
    }
}
