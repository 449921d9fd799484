//! What pages in browsers may ask: preflights, and the headers that let them read an answer.

use crate::harness::{Door, app};

/// What the SDKs of the three families send from a browser, and a few that are to come.
const SENT: &str = "authorization, content-type, accept, user-agent, x-requested-with, x-request-id, idempotency-key, \
     openai-beta, openai-organization, openai-project, anthropic-version, anthropic-beta, \
     anthropic-dangerous-direct-browser-access, x-api-key, x-stainless-arch, x-stainless-async, x-stainless-lang, \
     x-stainless-helper, x-stainless-helper-method, x-stainless-os, x-stainless-package-version, x-stainless-retry-count, \
     x-stainless-runtime, x-stainless-runtime-version, x-stainless-timeout, x-stainless-poll-helper, x-stainless-tomorrow";

fn preflight(origin: &str) -> String {
    format!(
        "Origin: {origin}\r\nAccess-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: {SENT}\r\n"
    )
}

#[tokio::test]
async fn a_welcome_page_may_send_what_the_sdks_send() {
    let door = Door::open(app());
    for origin in ["http://localhost:3000", "https://home.example", "vscode-webview://1abc"] {
        let answer = door.ask("OPTIONS /v1/messages", &preflight(origin), b"").await;
        assert!((200..300).contains(&answer.status), "{answer:?}");
        assert_eq!(answer.header("access-control-allow-origin").as_deref(), Some(origin));
        let methods = answer.header("access-control-allow-methods").unwrap();
        assert!(["get", "head", "post", "delete"].iter().all(|method| methods.contains(method)), "{methods}");
        let allowed = answer.header("access-control-allow-headers").unwrap();
        let lacks =
            SENT.split(',').find(|sent| !allowed.split(',').any(|allowed| allowed.trim() == sent.trim()));
        assert_eq!(lacks, None, "{allowed}");
        assert!(answer.header("vary").unwrap().contains("origin"));
        assert!(answer.header("x-request-id").is_some());
    }
}

#[tokio::test]
async fn a_welcome_page_reads_answers_and_refusals_and_what_names_them() {
    let door = Door::open(app());
    for (request, status) in [("GET /", 200), ("GET /nowhere", 404), ("POST /v1/panic", 500), ("PUT /", 405)]
    {
        let answer = door.ask(request, "Origin: https://home.example\r\n", b"").await;
        assert_eq!(answer.status, status);
        assert_eq!(
            answer.header("access-control-allow-origin").unwrap(),
            "https://home.example",
            "{request}"
        );
        let exposed = answer.header("access-control-expose-headers").unwrap();
        for header in [
            "x-request-id",
            "request-id",
            "retry-after",
            "x-ratelimit-remaining-requests",
            "anthropic-ratelimit-requests-reset",
        ] {
            assert!(exposed.split(',').any(|exposed| exposed.trim() == header), "{header}: {exposed}");
        }
    }
}

#[tokio::test]
async fn a_foreign_page_is_told_nothing_and_may_nothing() {
    let door = Door::open(app());
    for origin in ["https://evil.example", "null", "app://obsidian.md", "https://home.example.evil.example"] {
        for (request, headers) in [
            ("OPTIONS /api/chat", preflight(origin)),
            ("GET /", format!("Origin: {origin}\r\n")),
            ("POST /echo", format!("Origin: {origin}\r\n")),
        ] {
            let answer = door.ask(request, &headers, b"").await;
            assert_eq!(answer.status, 403, "{request} {origin}");
            assert_eq!(answer.header("access-control-allow-origin"), None, "{request} {origin}");
        }
    }
}

#[tokio::test]
async fn who_is_no_page_is_told_of_no_origin() {
    let door = Door::open(app());
    assert_eq!(door.ask("GET /", "", b"").await.header("access-control-allow-origin"), None);
}
