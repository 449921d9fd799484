//! Pulls that the box does by itself, over HTTP. How they go is `registry`'s own test; no registry is asked here.

use std::time::Duration;

use access::{Caller, Policy, Scope};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{Answer, Rig, events::Events, request, scopes};

/// On the inside of the network, and not trusted: the pull fails at once.
const MODEL: &str = "localhost:1/me/model:latest";

impl Rig {
    async fn pull(&self, by: &Caller, model: &str) -> Answer {
        let body = json!({"model": model, "insecure": true});
        self.ask(by, Method::POST, "/admin/api/pulls", Some(body)).await
    }

    async fn pulls(&self, by: &Caller) -> Vec<Value> {
        let listed = self.ask(by, Method::GET, "/admin/api/pulls", None).await;
        assert_eq!(listed.status, StatusCode::OK, "{}", listed.text);
        listed.json()["pulls"].as_array().unwrap().clone()
    }

    /// The only pull, once it does not run any more.
    async fn ended(&self) -> Value {
        let mut changes = self.api.pulls.follow();
        let ended = async {
            loop {
                changes.borrow_and_update();
                match &self.pulls(&Caller::operator()).await[..] {
                    [pull] if pull["state"] != "running" => return pull.clone(),
                    _ => changes.changed().await.unwrap(),
                }
            }
        };
        timeout(Duration::from_secs(30), ended).await.unwrap()
    }
}

#[tokio::test]
async fn a_pull_is_begun_written_down_and_told_with_why_it_failed() {
    let rig = Rig::new();
    let local = Caller::local();

    let begun = rig.pull(&local, MODEL).await;
    assert_eq!(begun.status, StatusCode::CREATED, "{}", begun.text);
    let begun = begun.json();
    assert_eq!((&begun["state"], &begun["by"]), (&json!("running"), &json!("local")));
    assert_eq!((&begun["model"], &begun["total"]), (&json!(MODEL), &json!(0)));
    assert_eq!(begun["started"], "2026-11-18T11:06:40Z");

    let failed = rig.ended().await;
    assert_eq!((&failed["state"], &failed["id"]), (&json!("failed"), &begun["id"]));
    let error = failed["error"].as_str().unwrap();
    assert!(error.starts_with("pull model manifest: ") && error.contains("registry.trusted"), "{error}");
    let audited: Vec<_> = rig.access.audit_entries(0).unwrap().map(Result::unwrap).collect();
    let told = |line: &String| line.contains("model.pull") && line.contains(MODEL) && line.contains("local");
    assert_eq!(audited.iter().filter(|line| told(line)).count(), 1, "{audited:?}");

    let path = format!("/admin/api/pulls/{}", failed["id"].as_str().unwrap());
    let again = rig.ask(&local, Method::POST, &format!("{path}/resume"), None).await;
    assert_eq!((again.status, &again.json()["id"]), (StatusCode::CREATED, &begun["id"]));
    rig.ended().await;
    let paused = rig.ask(&local, Method::POST, &format!("{path}/pause"), None).await;
    assert_eq!(
        (paused.status, &paused.json()["state"]),
        (StatusCode::OK, &json!("failed")),
        "it did not run"
    );

    let removed = rig.ask(&local, Method::DELETE, &format!("{path}?discard=true"), None).await;
    assert_eq!(removed.status, StatusCode::NO_CONTENT, "{}", removed.text);
    assert!(rig.pulls(&local).await.is_empty());
    for (method, path) in [
        (Method::DELETE, path.clone()),
        (Method::POST, format!("{path}/pause")),
        (Method::POST, format!("{path}/resume")),
    ] {
        let unknown = rig.ask(&local, method, &path, None).await;
        assert_eq!(unknown.status, StatusCode::NOT_FOUND);
        assert!(
            unknown.json()["error"].as_str().unwrap().starts_with("there is no pull "),
            "{}",
            unknown.text
        );
    }
}

#[tokio::test]
async fn what_cannot_be_pulled_is_refused_before_anything_is_written_down() {
    let rig = Rig::new();
    for body in [
        json!({"model": "../../etc/passwd"}),
        json!({"model": ""}),
        json!({"model": "a", "from": "not a name"}),
        json!({"model": "a", "stream": true}),
    ] {
        let refused = rig.ask(&Caller::local(), Method::POST, "/admin/api/pulls", Some(body.clone())).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{body}: {}", refused.text);
    }
    assert_eq!(rig.access.audit_entries(0).unwrap().count(), 0);
    assert!(rig.pulls(&Caller::local()).await.is_empty());
}

#[tokio::test]
async fn models_that_a_key_may_not_use_are_no_pulls_to_it_and_are_not_pulled_for_it() {
    let rig = Rig::new();
    let policy = Policy {
        models: vec!["registry.ollama.ai/library/smollm2*".parse().unwrap()],
        ..scopes(&[Scope::ModelsWrite])
    };
    let limited = rig.by_key(&rig.key(policy));
    let id = rig.pull(&Caller::operator(), MODEL).await.json()["id"].as_str().unwrap().to_owned();

    assert!(rig.pulls(&limited).await.is_empty());
    assert_eq!(rig.pulls(&Caller::operator()).await.len(), 1);
    for (method, end) in [(Method::POST, "/pause"), (Method::POST, "/resume"), (Method::DELETE, "")] {
        let path = format!("/admin/api/pulls/{id}{end}");
        assert_eq!(rig.ask(&limited, method, &path, None).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(rig.pull(&limited, MODEL).await.status, StatusCode::FORBIDDEN);
    let mut told = Events::of(&rig, &limited, request(Method::GET, "/admin/api/pulls/events", None)).await;
    assert_eq!(told.next().await.unwrap().2, json!({"pulls": []}));

    let reader = rig.by_key(&rig.key(scopes(&[Scope::ModelsRead])));
    let refused = rig.ask(&reader, Method::GET, "/admin/api/pulls", None).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn whoever_watches_is_told_of_each_change_and_of_how_it_stands_at_first() {
    let rig = Rig::new();
    let operator = Caller::operator();
    let mut told = Events::of(&rig, &operator, request(Method::GET, "/admin/api/pulls/events", None)).await;
    assert_eq!(told.next().await, Some((None, "pulls".into(), json!({"pulls": []}))));

    rig.pull(&operator, MODEL).await;
    let failed = loop {
        let (_, _, pulls) = told.next().await.unwrap();
        if pulls["pulls"][0]["state"] == "failed" {
            break pulls;
        }
    };
    assert_eq!(failed["pulls"][0]["model"], MODEL);
    rig.api.health().stops();
    assert_eq!(told.next().await, None);
}
