//! Who may sign in besides whoever claimed the box, over HTTP.

use access::{Caller, Way};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::admin::{PASSWORD, session};
use super::{Rig, request};

const PEOPLE: &str = "/admin/api/people";

fn somebody(name: &str, role: &str) -> Option<Value> {
    Some(json!({"name": name, "password": "first password", "role": role, "confirm": PASSWORD}))
}

impl Rig {
    /// The session of somebody who signs in.
    async fn signed_in(&self, name: &str, password: &str) -> String {
        let login = json!({"name": name, "password": password});
        let login = request(Method::POST, "/admin/api/login", Some(login));
        let answer = self.send(&Caller::nobody(), Way::Lan, login).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        session(&answer)
    }
}

#[tokio::test]
async fn a_member_is_told_what_they_may_and_may_nothing_else() {
    let (rig, ada) = Rig::claimed().await;
    let made = rig.as_person(&ada, Method::POST, PEOPLE, somebody("Bert", "member")).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    assert_eq!(made.json()["role"], "member");

    let bert = rig.signed_in("bert", "first password").await;

    let me = rig.as_person(&bert, Method::GET, "/admin/api/me", None).await.json();
    let scopes = json!(["infer", "embed", "models.read"]);
    assert_eq!(me, json!({"kind": "person", "name": "Bert", "role": "member", "scopes": scopes}));
    let me = rig.as_person(&ada, Method::GET, "/admin/api/me", None).await.json();
    assert_eq!((&me["role"], me["scopes"].as_array().unwrap().len()), (&json!("owner"), 7));
    let local = rig.ask(&Caller::local(), Method::GET, "/admin/api/me", None).await.json();
    assert_eq!(local.get("role"), None);
    for (method, path) in [
        (Method::GET, PEOPLE),
        (Method::GET, "/admin/api/keys"),
        (Method::GET, "/admin/api/audit"),
        (Method::POST, "/admin/api/people/ada/password"),
        (Method::DELETE, "/admin/api/people/ada"),
        (Method::POST, "/api/pull"),
    ] {
        let refused = rig.as_person(&bert, method, path, None).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}");
        assert!(refused.text.contains("ask one of them"), "{path}: {}", refused.text);
    }
    for path in ["/api/tags", "/admin/api/models", "/admin/api/conversations"] {
        assert_eq!(rig.as_person(&bert, Method::GET, path, None).await.status, StatusCode::OK, "{path}");
    }
    let change = |confirm: &str| Some(json!({"confirm": confirm, "password": "second password"}));
    let wrong = rig.as_person(&bert, Method::POST, "/admin/api/password", change(PASSWORD)).await;
    assert_eq!((wrong.status, &wrong.json()["field"]), (StatusCode::FORBIDDEN, &json!("confirm")));
    let changed = rig.as_person(&bert, Method::POST, "/admin/api/password", change("first password")).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
    rig.signed_in("Bert", "second password").await;
}

#[tokio::test]
async fn people_are_listed_given_another_password_and_removed() {
    let (rig, ada) = Rig::claimed().await;
    rig.as_person(&ada, Method::POST, PEOPLE, somebody("bert", "member")).await;
    let lists = async || rig.as_person(&ada, Method::GET, PEOPLE, None).await.json()["people"].clone();
    let before = lists().await;
    let told = |at: usize| [&before[at]["name"], &before[at]["role"], &before[at]["you"]];
    assert_eq!(told(0), [&json!("ada"), &json!("owner"), &json!(true)]);
    assert_eq!(told(1), [&json!("bert"), &json!("member"), &json!(false)]);
    assert!(before[0]["last_seen"].is_string() && before[1].get("last_seen").is_none());

    let bert = rig.signed_in("bert", "first password").await;
    let caller = rig.by_session(&bert);
    let reset = Some(json!({"password": "second password", "confirm": PASSWORD}));
    let reset = rig.as_person(&ada, Method::POST, "/admin/api/people/BERT/password", reset).await;
    assert_eq!(reset.status, StatusCode::OK, "{}", reset.text);
    assert!(caller.is_over());
    let bert = rig.signed_in("bert", "second password").await;
    let caller = rig.by_session(&bert);
    let talk = Some(json!({"id": "0123456789abcdef", "title": "t", "model": "m"}));
    let talk = rig.as_person(&bert, Method::POST, "/admin/api/conversations", talk).await;
    assert_eq!(talk.status, StatusCode::CREATED);
    assert!(lists().await[1]["last_seen"].is_string());

    for (body, status) in
        [(None, StatusCode::BAD_REQUEST), (Some(json!({"confirm": "wrong password"})), StatusCode::FORBIDDEN)]
    {
        let refused = rig.as_person(&ada, Method::DELETE, "/admin/api/people/bert", body).await;
        assert_eq!((refused.status, &refused.json()["field"]), (status, &json!("confirm")));
    }
    assert!(!caller.is_over());
    let again = Some(json!({"confirm": PASSWORD}));
    let removed = rig.as_person(&ada, Method::DELETE, "/admin/api/people/bert", again).await;

    assert_eq!(removed.status, StatusCode::NO_CONTENT);
    assert!(caller.is_over());
    assert_eq!(lists().await.as_array().unwrap().len(), 1);
    assert!(rig.api.state.conversations_of(caller.owner()).ids().unwrap().is_empty());
}

#[tokio::test]
async fn whoever_sits_down_at_a_signed_in_browser_makes_nobody_and_resets_no_password() {
    let (rig, ada) = Rig::claimed().await;
    for path in [PEOPLE, "/admin/api/people/ada/password"] {
        let mut body = somebody("bert", "owner").unwrap();
        if path != PEOPLE {
            body = json!({"password": "second password"});
        }
        body["confirm"] = Value::Null;
        let without = rig.as_person(&ada, Method::POST, path, Some(body.clone())).await;
        body["confirm"] = json!("wrong password");
        let wrong = rig.as_person(&ada, Method::POST, path, Some(body)).await;
        assert_eq!(
            (without.status, wrong.status),
            (StatusCode::BAD_REQUEST, StatusCode::FORBIDDEN),
            "{path}"
        );
        assert_eq!(
            (&without.json()["field"], &wrong.json()["field"]),
            (&json!("confirm"), &json!("confirm"))
        );
    }
    assert_eq!(rig.access.people().len(), 1);
    rig.signed_in("ada", PASSWORD).await;
}

#[tokio::test]
async fn what_cannot_be_done_with_people_is_said_with_its_reason() {
    let (rig, ada) = Rig::claimed().await;
    let operator = Caller::operator();
    let ask = async |method, path: &str, body| {
        let answer = rig.send(&operator, Way::AdminSocket, request(method, path, body)).await;
        (answer.status, answer.json()["field"].clone())
    };

    assert_eq!(
        ask(Method::POST, PEOPLE, somebody("ADA", "member")).await,
        (StatusCode::CONFLICT, json!("name"))
    );
    assert_eq!(
        ask(Method::POST, PEOPLE, somebody("x", "king")).await,
        (StatusCode::BAD_REQUEST, json!("role"))
    );
    assert_eq!(
        ask(Method::POST, PEOPLE, somebody(" x", "owner")).await,
        (StatusCode::BAD_REQUEST, json!("name"))
    );
    assert_eq!(ask(Method::DELETE, "/admin/api/people/ada", None).await, (StatusCode::CONFLICT, Value::Null));
    assert_eq!(
        ask(Method::DELETE, "/admin/api/people/nobody", None).await,
        (StatusCode::NOT_FOUND, Value::Null)
    );
    let again = Some(json!({"confirm": PASSWORD}));
    let oneself = rig.as_person(&ada, Method::DELETE, "/admin/api/people/ada", again).await;
    assert_eq!(oneself.status, StatusCode::CONFLICT);
    let unclaimed = Rig::new();
    let nobody = unclaimed.ask(&operator, Method::POST, PEOPLE, somebody("x", "owner")).await;
    assert_eq!(nobody.status, StatusCode::CONFLICT, "the claim is how the first one comes");
}
