//! The name of a request, by which its client, the log and its answer speak of it. Ours to make if the client has none.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use rand::distr::{Alphanumeric, SampleString as _};
// The type is shared with whoever answers; the layers beside it would take any id that a client sends.
use tower_http::request_id::RequestId;

/// OpenAI's name for it, and what proxies send.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Anthropic's.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

const LONGEST: usize = 128;

/// The client's, if it can stand in a log; else a new one.
pub(crate) fn of(headers: &HeaderMap) -> RequestId {
    let usable = |id: &&HeaderValue| {
        (1..=LONGEST).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic)
    };
    RequestId::new(headers.get(X_REQUEST_ID).filter(usable).cloned().unwrap_or_else(new))
}

/// Puts it on an answer, by both its names.
pub(crate) fn put(headers: &mut HeaderMap, id: &RequestId) {
    headers.insert(X_REQUEST_ID, id.header_value().clone());
    headers.insert(REQUEST_ID, id.header_value().clone());
}

fn new() -> HeaderValue {
    let id = format!("req_{}", Alphanumeric.sample_string(&mut rand::rng(), 24));
    HeaderValue::from_str(&id).expect("letters, digits and _ may stand in a header")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(sent: Option<&[u8]>) -> String {
        let sent = sent.map(|sent| (X_REQUEST_ID, HeaderValue::from_bytes(sent).unwrap()));
        let id = of(&HeaderMap::from_iter(sent));
        id.header_value().to_str().unwrap().to_owned()
    }

    #[test]
    fn a_client_may_name_its_request_and_others_are_named() {
        assert_eq!(id(Some(b"abc-1")), "abc-1");
        assert_eq!(id(Some(&[b'a'; 128])).len(), 128);
        for unusable in [&b""[..], b"two words", b"caf\xc3\xa9", &[b'a'; 129]] {
            let made = id(Some(unusable));
            assert!(made.starts_with("req_") && made.len() == 28, "{made}");
        }
        assert_ne!(id(None), id(None));
    }
}
