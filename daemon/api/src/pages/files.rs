//! The files of the page, as they were built: found by path, sent in the smallest form that the client takes, and not sent again to
//! who has them.

use std::collections::HashMap;
use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY},
};

use super::headers::{Policy, secured};

/// One file, and its compressed forms where these are smaller.
struct File {
    path: &'static str,
    kind: &'static str,
    plain: &'static [u8],
    brotli: Option<&'static [u8]>,
    gzip: Option<&'static [u8]>,
}

/// All that was built.
const FILES: &[File] = include!(concat!(env!("OUT_DIR"), "/page.rs"));

/// By path, each with what names its content.
static BY_PATH: LazyLock<HashMap<&str, (&File, HeaderValue)>> = LazyLock::new(|| {
    let tagged = |file: &'static File| {
        let tag = format!("\"{}\"", &blake3::hash(file.plain).to_hex()[..16]);
        (file, HeaderValue::from_str(&tag).expect("hexadecimal digits in quotes"))
    };
    FILES.iter().map(|file| (file.path, tagged(file))).collect()
});

/// The page itself.
pub(super) fn index(headers: &HeaderMap) -> Response {
    named("/index.html", headers).unwrap_or_else(|| StatusCode::NOT_FOUND.into_response())
}

/// A file by its path, as a client with these headers takes it.
pub(super) fn named(path: &str, headers: &HeaderMap) -> Option<Response> {
    let (file, tag) = BY_PATH.get(path)?;
    let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|tags| tags.to_str().ok());
    let mut response = if known.flat_map(|tags| tags.split(',')).any(|known| is_tag(known, tag)) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        file.sent(headers)
    };
    let answered = response.headers_mut();
    // The name of what is built says what is in it; the others keep theirs.
    let keep = if path.starts_with("/assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    answered.insert(CACHE_CONTROL, HeaderValue::from_static(keep));
    answered.insert(VARY, HeaderValue::from_static("accept, accept-encoding"));
    answered.insert(ETAG, tag.clone());
    Some(secured(Policy::Page, response))
}

/// A form that is compressed is the same to us, so a tag that somebody weakened counts.
fn is_tag(known: &str, tag: &HeaderValue) -> bool {
    let known = known.trim();
    known == "*" || known.trim_start_matches("W/").as_bytes() == tag.as_bytes()
}

impl File {
    fn sent(&self, headers: &HeaderMap) -> Response {
        let (encoding, bytes) = match (self.brotli, self.gzip) {
            (Some(brotli), _) if takes(headers, "br") => (Some("br"), brotli),
            (_, Some(gzip)) if takes(headers, "gzip") => (Some("gzip"), gzip),
            _ => (None, self.plain),
        };
        let mut response = ([(CONTENT_TYPE, self.kind)], bytes).into_response();
        if let Some(encoding) = encoding {
            response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        response
    }
}

/// Whether the client takes what is compressed so: it names it, and not with `q=0`.
fn takes(headers: &HeaderMap, encoding: &str) -> bool {
    let named = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    named.flat_map(|value| value.split(',')).any(|offer| {
        let (name, weight) = offer.split_once(';').unwrap_or((offer, "q=1"));
        let refused = weight.trim().strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0));
        name.trim().eq_ignore_ascii_case(encoding) && !refused
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(path: &str, lines: &[(&'static str, &str)]) -> Response {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        named(path, &headers).unwrap()
    }

    fn header<'a>(response: &'a Response, name: &str) -> &'a str {
        response.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[test]
    fn a_file_comes_in_the_smallest_form_that_is_taken() {
        let encoding = |accepted: &str| {
            header(&asked("/index.html", &[("accept-encoding", accepted)]), "content-encoding").to_owned()
        };
        assert_eq!(encoding("gzip, deflate, br"), "br");
        assert_eq!(encoding("gzip, br;q=0"), "gzip");
        assert_eq!(encoding("br; q=0.0, identity"), "");
        assert_eq!(header(&asked("/index.html", &[]), "content-encoding"), "");
    }

    #[test]
    fn who_has_a_file_is_not_sent_it_again() {
        let tag = header(&asked("/index.html", &[]), "etag").to_owned();
        for known in [tag.clone(), format!("\"other\", W/{tag}"), "*".to_owned()] {
            let again = asked("/index.html", &[("if-none-match", &known)]);
            assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{known}");
            assert_eq!(header(&again, "etag"), tag);
        }
        assert_eq!(asked("/index.html", &[("if-none-match", "\"other\"")]).status(), StatusCode::OK);
    }

    #[test]
    fn what_is_named_after_its_content_is_kept_for_ever_and_the_page_is_asked_for_anew() {
        let asset = FILES.iter().find(|file| file.path.starts_with("/assets/")).unwrap();
        assert!(header(&asked(asset.path, &[]), "cache-control").contains("immutable"));
        assert_eq!(header(&asked("/index.html", &[]), "cache-control"), "no-cache");
    }

    #[test]
    fn no_script_or_style_stands_in_the_page_itself() {
        let page =
            String::from_utf8(FILES.iter().find(|file| file.path == "/index.html").unwrap().plain.into());
        let page = page.unwrap();
        assert!(!page.contains("style=") && !page.contains("<style") && !page.contains(" on"), "{page}");
        for script in page.split("<script").skip(1) {
            assert!(script.split('>').next().unwrap().contains("src=\"/assets/"), "{script}");
        }
    }
}
