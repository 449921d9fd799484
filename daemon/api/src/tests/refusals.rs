//! What each family's clients are told who may not.

use access::{Caller, Scope, Way};
use http::{Method, StatusCode};
use serde_json::json;

use super::{Rig, request, scopes};

#[tokio::test]
async fn who_presents_nothing_is_told_in_the_shape_of_each_family_what_to_do() {
    let rig = Rig::new();
    let nobody = Caller::nobody();

    let ollama = rig.ask(&nobody, Method::POST, "/api/chat", None).await;
    let openai = rig.ask(&nobody, Method::POST, "/v1/chat/completions", None).await;
    let anthropic = rig.ask(&nobody, Method::POST, "/v1/messages", None).await;
    let admin = rig.ask(&nobody, Method::GET, "/admin/api/keys", None).await;

    for answer in [&ollama, &openai, &anthropic, &admin] {
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"hob\"");
        // Nobody owns this box.
        assert!(answer.text.contains("not claimed") && answer.text.contains("hob claim"), "{}", answer.text);
    }
    assert!(ollama.json()["error"].is_string() && admin.json()["error"].is_string());
    let error = &openai.json()["error"];
    assert_eq!(
        (&error["type"], &error["code"]),
        (&json!("invalid_request_error"), &json!("invalid_api_key"))
    );
    assert_eq!(anthropic.json()["error"]["type"], "authentication_error");
}

#[tokio::test]
async fn on_this_machine_who_presents_nothing_is_told_which_key_it_takes() {
    let rig = Rig::new();

    let told = rig.ask(&Caller::local(), Method::GET, "/admin/api/keys", None).await;

    assert_eq!(told.status, StatusCode::UNAUTHORIZED);
    assert!(told.text.contains("hob key create NAME --scope admin"), "{}", told.text);
}

#[tokio::test]
async fn a_key_without_a_scope_is_told_which_one() {
    let rig = Rig::new();
    let caller = rig.by_key(&rig.key(scopes(&[Scope::Embed])));

    let ollama = rig.ask(&caller, Method::POST, "/api/chat", Some(json!({"model": "m"}))).await;
    let openai = rig.ask(&caller, Method::POST, "/v1/responses", Some(json!({"model": "m"}))).await;
    let anthropic = rig.ask(&caller, Method::POST, "/v1/messages/count_tokens", None).await;

    for answer in [&ollama, &openai, &anthropic] {
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert!(answer.text.contains("scope infer"), "{}", answer.text);
        assert_eq!(answer.header("www-authenticate"), "");
    }
    let error = &openai.json()["error"];
    assert_eq!((&error["type"], &error["code"]), (&json!("permission_error"), &json!("missing_scope")));
    assert_eq!(anthropic.json()["error"]["type"], "permission_error");
    // What it may is not refused: there is only no such model.
    let embed = json!({"model": "m", "input": "a"});
    assert_eq!(rig.ask(&caller, Method::POST, "/api/embed", Some(embed)).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn lists_of_models_are_refused_as_whoever_asks_expects_it() {
    let rig = Rig::new();
    let mut asked = request(Method::GET, "/v1/models", None);
    asked.headers_mut().insert("anthropic-version", "2023-06-01".parse().unwrap());

    let anthropic = rig.send(&Caller::nobody(), Way::Lan, asked).await;
    let openai = rig.ask(&Caller::nobody(), Method::GET, "/v1/models", None).await;

    assert_eq!(anthropic.json()["type"], "error");
    assert!(openai.json()["error"]["code"].is_string());
}

#[tokio::test]
async fn what_anybody_could_read_or_change_on_its_way_does_not_go_over_plain_http() {
    let rig = Rig::new();
    for (method, path) in [
        (Method::POST, "/claim"),
        (Method::POST, "/admin/api/login"),
        (Method::GET, "/trust"),
        (Method::GET, "/admin/api/models"),
    ] {
        let refused = rig.send(&Caller::local(), Way::Plaintext, request(method, path, None)).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}");
    }
    let health = rig.send(&Caller::nobody(), Way::Plaintext, request(Method::GET, "/healthz", None)).await;
    assert_eq!(health.status, StatusCode::OK);
}

#[tokio::test]
async fn programs_on_this_machine_may_what_they_may_with_ollama() {
    let rig = Rig::new();
    let local = Caller::local();
    for (method, path, expected) in [
        (Method::GET, "/", 200),
        (Method::HEAD, "/", 200),
        (Method::GET, "/api/tags", 200),
        (Method::HEAD, "/api/tags", 200),
        (Method::GET, "/api/ps", 200),
        (Method::GET, "/v1/models", 200),
        (Method::GET, "/openapi.json", 200),
        (Method::GET, "/admin/api/models", 200),
        (Method::POST, "/admin/api/store/prune", 200),
        (Method::GET, "/api/chat", 405),
        (Method::OPTIONS, "/api/tags", 405),
        (Method::GET, "/nowhere", 404),
    ] {
        let answer = rig.ask(&local, method.clone(), path, None).await;
        assert_eq!(answer.status.as_u16(), expected, "{method} {path}: {}", answer.text);
    }
    let refused = rig.ask(&local, Method::PUT, "/api/tags", None).await;
    assert_eq!(refused.header("allow"), "GET,HEAD");
}

#[tokio::test]
async fn what_is_wrong_with_the_box_is_told_to_those_it_knows() {
    let rig = Rig::new();
    rig.api.health().degrade("loopback", "port 11434 is ollama's");

    let nobody = rig.ask(&Caller::nobody(), Method::GET, "/readyz", None).await;
    let local = rig.ask(&Caller::local(), Method::GET, "/readyz", None).await;

    assert_eq!(nobody.json(), json!({"status": "degraded"}));
    assert_eq!(local.json()["degraded"][0]["reason"], "port 11434 is ollama's");

    rig.api.health().stops();
    let stopping = rig.ask(&Caller::local(), Method::GET, "/readyz", None).await;
    assert_eq!(stopping.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(rig.ask(&Caller::nobody(), Method::GET, "/healthz", None).await.status, StatusCode::OK);
}

#[tokio::test]
async fn which_version_runs_is_told_on_this_machine_and_on_the_network_to_those_it_knows() {
    let rig = Rig::new();
    let known = rig.by_key(&rig.key(scopes(&[Scope::Embed])));
    let version = async |by: &Caller, way| {
        rig.send(by, way, request(Method::GET, "/api/version", None)).await.status.as_u16()
    };
    assert_eq!(version(&Caller::local(), Way::Loopback).await, 200);
    for way in [Way::Lan, Way::Plaintext] {
        assert_eq!((version(&Caller::nobody(), way).await, version(&known, way).await), (401, 200));
    }
}
