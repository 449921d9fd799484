//! The page in the box, and who gets it by which way.

use access::{Caller, Way};
use http::{
    HeaderValue, Method, StatusCode,
    header::{ACCEPT, IF_NONE_MATCH},
};

use super::{Rig, request};

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

#[tokio::test]
async fn a_browser_gets_the_page_where_a_program_is_told_that_somebody_is_here() {
    let rig = Rig::new();
    let root = async |accept: &'static str, way| {
        let mut request = request(Method::GET, "/", None);
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static(accept));
        rig.send(&Caller::nobody(), way, request).await
    };
    for way in [Way::Loopback, Way::Lan, Way::Forwarded] {
        assert!(root(BROWSER, way).await.text.contains("<div id=\"page\">"), "{way:?}");
        assert_eq!(root("*/*", way).await.text, "Ollama is running");
    }
    assert_eq!(root(BROWSER, Way::Plaintext).await.text, "Ollama is running");
}

#[tokio::test]
async fn the_page_is_held_to_its_own_script_and_makes_no_markup_of_strings() {
    let rig = Rig::new();
    let get = async |path, way| rig.send(&Caller::nobody(), way, request(Method::GET, path, None)).await;
    for path in ["/models", "/chat", "/chat/0123456789abcdef", "/settings"] {
        let page = get(path, Way::Lan).await;
        assert_eq!(page.status, StatusCode::OK);
        let policy = page.header("content-security-policy");
        for part in [
            "default-src 'none'",
            "script-src 'self';",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(get(path, Way::Plaintext).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    assert_eq!(get("/assets/..%2Findex.html", Way::Lan).await.status, StatusCode::NOT_FOUND);
    assert_eq!(get("/assets/no.js", Way::Lan).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_path_that_nobody_has_is_the_page_to_a_browser_and_nothing_to_a_program() {
    let rig = Rig::new();
    let get = async |path, accept: &'static str, way| {
        let mut request = request(Method::GET, path, None);
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static(accept));
        request.headers_mut().insert(IF_NONE_MATCH, HeaderValue::from_static("*"));
        rig.send(&Caller::nobody(), way, request).await
    };
    let mistyped = get("/setings", BROWSER, Way::Lan).await;
    assert_eq!(mistyped.status, StatusCode::NOT_FOUND);
    assert!(mistyped.text.contains("<div id=\"page\">"));
    let program = get("/setings", "*/*", Way::Lan).await;
    assert_eq!((program.status, program.text.as_str()), (StatusCode::NOT_FOUND, "404 page not found"));
    assert!(!get("/setings", BROWSER, Way::Plaintext).await.text.contains("<div"));
    for path in ["/api/no", "/v1/no", "/admin/api/no", "/trust/no", "/assets/no.js"] {
        let other = get(path, BROWSER, Way::Lan).await;
        assert!(other.status != StatusCode::OK && !other.text.contains("<div id"), "{path}: {}", other.text);
    }
}

#[tokio::test]
async fn a_stranger_is_told_which_box_this_is_and_not_what_runs_on_it() {
    let rig = Rig::new();
    let path = "/admin/api/box";
    let met = rig.send(&Caller::nobody(), Way::Lan, request(Method::GET, path, None)).await;
    let told = met.json();
    assert_eq!((&told["claimed"], &told["way"]), (&false.into(), &"network".into()));
    assert!(told["me"].is_null() && told["version"].is_null(), "{told}");
    let met = rig.send(&Caller::operator(), Way::AdminSocket, request(Method::GET, path, None)).await;
    assert_eq!(met.json()["me"]["kind"], "operator");
    assert_eq!(met.json()["version"], rig.api.config.version);
}

#[tokio::test]
async fn what_is_for_our_own_pages_is_taken_for_nothing_else_and_by_no_other() {
    let rig = Rig::new();
    for (path, way) in [
        ("/admin/api/box", Way::Lan),
        ("/admin/api/me", Way::Loopback),
        ("/admin/api/conversations", Way::Loopback),
        ("/admin/api/conversations/0123456789abcdef", Way::Loopback),
        ("/admin/api/logs/text", Way::AdminSocket),
        ("/admin/api/settings", Way::AdminSocket),
        ("/assets/no.js", Way::Lan),
        ("/models", Way::Lan),
    ] {
        let by = if way == Way::Loopback { Caller::local() } else { Caller::operator() };
        let answer = rig.send(&by, way, request(Method::GET, path, None)).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin", "{path}");
    }
}
