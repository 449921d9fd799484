//! A key's limits, and what each family's clients are told of them.

use std::num::NonZeroU32;
use std::num::NonZeroU64;
use std::time::Duration;

use access::{Limits, Policy, Scope, Usage};
use http::{Method, StatusCode};
use serde_json::json;

use super::{Rig, scopes};

fn limited(limits: Limits) -> Policy {
    Policy { limits, ..scopes(&[Scope::Infer, Scope::ModelsRead]) }
}

#[tokio::test]
async fn a_key_that_asks_too_often_is_told_when_to_come_again() {
    let rig = Rig::new();
    let limits = Limits { requests_per_minute: NonZeroU32::new(1), ..Limits::default() };
    let caller = rig.by_key(&rig.key(limited(limits)));
    let body = || Some(json!({"model": "m", "messages": [], "max_tokens": 1}));

    let first = rig.ask(&caller, Method::POST, "/v1/chat/completions", body()).await;
    assert_ne!(first.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(first.header("x-ratelimit-limit-requests"), "1");
    assert_eq!(first.header("x-ratelimit-remaining-requests"), "0");

    let openai = rig.ask(&caller, Method::POST, "/v1/chat/completions", body()).await;
    let anthropic = rig.ask(&caller, Method::POST, "/v1/messages", body()).await;
    let ollama = rig.ask(&caller, Method::POST, "/api/chat", body()).await;
    for answer in [&openai, &anthropic, &ollama] {
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(answer.header("retry-after"), "60");
        assert!(answer.text.contains("1 requests a minute"), "{}", answer.text);
    }
    let error = &openai.json()["error"];
    assert_eq!((&error["type"], &error["code"]), (&json!("requests"), &json!("rate_limit_exceeded")));
    assert_eq!(openai.header("x-ratelimit-remaining-requests"), "0");
    assert_eq!(anthropic.json()["error"]["type"], "rate_limit_error");
    assert!(anthropic.header("anthropic-ratelimit-requests-reset").ends_with('Z'));
    assert!(ollama.json()["error"].is_string());
    // What puts no model to work is free.
    assert_eq!(rig.ask(&caller, Method::GET, "/v1/models", None).await.status, StatusCode::OK);

    rig.pass(Duration::from_secs(61));
    let later = rig.ask(&caller, Method::POST, "/v1/chat/completions", body()).await;
    assert_ne!(later.status, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn a_key_whose_tokens_are_used_up_is_told_not_to_wait_for_them() {
    let rig = Rig::new();
    let limits = Limits { tokens_per_day: NonZeroU64::new(10), ..Limits::default() };
    let caller = rig.by_key(&rig.key(limited(limits)));
    caller.count(Usage { prompt_tokens: 7, completion_tokens: 3 });

    let refused = rig.ask(&caller, Method::POST, "/v1/chat/completions", None).await;

    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.json()["error"]["type"], "tokens");
    assert!(refused.header("retry-after").parse::<u64>().unwrap() > 60);
    assert_eq!(refused.header("x-should-retry"), "false");
    assert_eq!(refused.header("x-ratelimit-remaining-tokens"), "0");
}

#[tokio::test]
async fn an_answer_that_nobody_reads_any_more_gives_its_place_back() {
    let rig = Rig::new();
    let limits = Limits { concurrent: NonZeroU32::new(1), ..Limits::default() };
    let caller = rig.by_key(&rig.key(limited(limits)));
    let asked = || super::request(Method::POST, "/api/chat", Some(json!({"model": "m"})));

    let held = rig.begin(&caller, asked()).await;
    let refused = rig.begin(&caller, asked()).await.status();
    drop(held);
    let later = rig.begin(&caller, asked()).await.status();

    assert_eq!((refused, later), (StatusCode::TOO_MANY_REQUESTS, StatusCode::NOT_FOUND));
}
