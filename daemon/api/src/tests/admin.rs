//! Claiming the box, signing in, and keys, over HTTP.

use std::convert::Infallible;
use std::future::{pending, ready};
use std::sync::atomic::Ordering;
use std::time::Duration;

use access::{Caller, Credential, Origin, Presented, Scope, Scopes, Way};
use axum::body::Body;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{Method, StatusCode, header::CONTENT_TYPE};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::{Answer, NOW, Rig, request, scopes};

pub(super) const PASSWORD: &str = "correct horse battery";

impl Rig {
    async fn claim(&self, body: Value) -> Answer {
        self.send(&Caller::nobody(), Way::Lan, request(Method::POST, "/claim", Some(body))).await
    }

    /// A claimed box, and its owner's session.
    pub(super) async fn claimed() -> (Self, String) {
        let rig = Self::new();
        let code = rig.access.setup_code().unwrap().reveal();
        let claimed = rig.claim(json!({"code": code, "name": "ada", "password": PASSWORD})).await;
        assert_eq!(claimed.status, StatusCode::OK, "{}", claimed.text);
        let session = session(&claimed);
        (rig, session)
    }

    /// Whoever has this session, on the network.
    pub(super) fn by_session(&self, session: &str) -> Caller {
        let origin = Origin { way: Way::Lan, address: Some([192, 168, 1, 7].into()) };
        self.access.identify(&Presented { origin, credential: Credential::Session(session) }).unwrap()
    }

    pub(super) async fn as_person(
        &self,
        session: &str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Answer {
        self.send(&self.by_session(session), Way::Lan, request(method, path, body)).await
    }
}

pub(super) fn session(answer: &Answer) -> String {
    let cookie = answer.header("set-cookie");
    cookie.strip_prefix("__Host-hob=").unwrap().split_once(';').unwrap().0.to_owned()
}

#[tokio::test]
async fn a_box_is_claimed_with_its_code_once_and_by_nothing_else() {
    let rig = Rig::new();
    let code = rig.access.setup_code().unwrap().reveal();
    let body = |code: &str| json!({"code": code, "name": "ada", "password": PASSWORD, "key_name": "laptop"});

    let wrong = rig.claim(body("AAAA-AAAA")).await;
    assert_eq!((wrong.status, wrong.header("set-cookie")), (StatusCode::UNAUTHORIZED, ""));
    let short = rig.claim(json!({"code": code, "name": "ada", "password": "short"})).await;
    assert_eq!(short.status, StatusCode::BAD_REQUEST);

    let claimed = rig.claim(body(&code)).await;
    assert_eq!(claimed.status, StatusCode::OK, "{}", claimed.text);
    assert_eq!(claimed.json()["person"], "ada");
    let cookie = claimed.header("set-cookie");
    for part in ["__Host-hob=", "; Path=/", "; Secure", "; HttpOnly", "; SameSite=Strict"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Domain"));
    assert_eq!(claimed.header("cache-control"), "no-store");
    // The key may do everything.
    let key = claimed.json()["key"].as_str().unwrap().to_owned();
    assert_eq!(rig.ask(&rig.by_key(&key), Method::GET, "/admin/api/keys", None).await.status, StatusCode::OK);

    let again = rig.claim(body(&code)).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn who_tries_codes_is_told_to_wait() {
    let rig = Rig::new();
    let code = rig.access.setup_code().unwrap().reveal();
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses
            .push(rig.claim(json!({"code": "AAAA-AAAA", "name": "ada", "password": PASSWORD})).await.status);
    }
    assert_eq!(statuses.last(), Some(&StatusCode::TOO_MANY_REQUESTS), "{statuses:?}");

    let paused = rig.claim(json!({"code": code, "name": "ada", "password": PASSWORD})).await;

    assert_eq!(paused.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(paused.header("retry-after").parse::<u64>().unwrap() > 0);
}

#[tokio::test]
async fn what_no_page_of_another_site_can_send_without_asking_is_all_that_is_taken() {
    let rig = Rig::new();
    let code = rig.access.setup_code().unwrap().reveal();
    let body = json!({"code": code, "name": "ada", "password": PASSWORD});
    for kind in ["text/plain", "application/x-www-form-urlencoded", ""] {
        let mut form = request(Method::POST, "/claim", Some(body.clone()));
        form.headers_mut().insert(CONTENT_TYPE, kind.parse().unwrap());
        let refused = rig.send(&Caller::nobody(), Way::Lan, form).await;
        assert_eq!(refused.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind}");
    }
    assert!(!rig.access.is_claimed());
}

#[tokio::test]
async fn somebody_signs_in_is_known_and_signs_out() {
    let (rig, _) = Rig::claimed().await;
    let login = |password: &str| {
        request(Method::POST, "/admin/api/login", Some(json!({"name": "ada", "password": password})))
    };

    let wrong = rig.send(&Caller::nobody(), Way::Lan, login("wrong horse battery")).await;
    let no_password = rig.send(&Caller::nobody(), Way::Lan, login("x")).await;
    assert_eq!((wrong.status, no_password.status), (StatusCode::UNAUTHORIZED, StatusCode::UNAUTHORIZED));
    assert_eq!(wrong.text, no_password.text);

    let signed_in = rig.send(&Caller::nobody(), Way::Lan, login(PASSWORD)).await;
    assert_eq!(signed_in.status, StatusCode::OK, "{}", signed_in.text);
    let session = session(&signed_in);
    let me = rig.as_person(&session, Method::GET, "/admin/api/me", None).await;
    assert_eq!((&me.json()["kind"], &me.json()["name"]), (&json!("person"), &json!("ada")));
    let sessions = rig.as_person(&session, Method::GET, "/admin/api/sessions", None).await.json();
    let current: Vec<_> =
        sessions["sessions"].as_array().unwrap().iter().map(|s| s["current"] == true).collect();
    assert_eq!(current.iter().map(|is: &bool| u32::from(*is)).sum::<u32>(), 1, "of two, one asks");
    assert_eq!(current.len(), 2);

    let out = rig.as_person(&session, Method::POST, "/admin/api/logout", None).await;
    assert!(
        out.header("set-cookie").starts_with("__Host-hob=; ")
            && out.header("set-cookie").contains("Max-Age=0")
    );
    let me = rig.as_person(&session, Method::GET, "/admin/api/me", None).await;
    assert_eq!(me.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn whoever_sits_down_at_a_signed_in_browser_makes_no_key() {
    let (rig, session) = Rig::claimed().await;
    let body = |confirm: Option<&str>| {
        let mut body = json!({"name": "n", "scopes": ["infer"]});
        if let Some(confirm) = confirm {
            body["confirm"] = confirm.into();
        }
        Some(body)
    };

    let without = rig.as_person(&session, Method::POST, "/admin/api/keys", body(None)).await;
    let wrong =
        rig.as_person(&session, Method::POST, "/admin/api/keys", body(Some("wrong horse battery"))).await;
    let right = rig.as_person(&session, Method::POST, "/admin/api/keys", body(Some(PASSWORD))).await;

    assert_eq!(without.status, StatusCode::BAD_REQUEST, "{}", without.text);
    assert_eq!(wrong.status, StatusCode::FORBIDDEN, "{}", wrong.text);
    assert_eq!(right.status, StatusCode::CREATED, "{}", right.text);
    let id = right.json()["id"].as_str().unwrap().to_owned();
    let rotate = format!("/admin/api/keys/{id}/rotate");
    let unconfirmed = rig.as_person(&session, Method::POST, &rotate, Some(json!({}))).await;
    assert_eq!(unconfirmed.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_key_is_told_once_and_ends_when_it_is_revoked() {
    let rig = Rig::new();
    let operator = Caller::operator();
    let wanted = json!({
        "name": "laptop", "scopes": ["infer", "models.read"], "models": ["smollm2*"], "requests_per_minute": 60,
        "tokens_per_day": 1000, "max_output": 64, "priority": "high", "networks": ["127.0.0.0/8"], "expires": "30d",
    });

    let made = rig.ask(&operator, Method::POST, "/admin/api/keys", Some(wanted)).await;
    assert_eq!(
        (made.status, made.header("cache-control")),
        (StatusCode::CREATED, "no-store"),
        "{}",
        made.text
    );
    let (id, key) =
        (made.json()["id"].as_str().unwrap().to_owned(), made.json()["key"].as_str().unwrap().to_owned());
    let listed = rig.ask(&operator, Method::GET, "/admin/api/keys", None).await;
    assert!(!listed.text.contains(&key));
    let listed = &listed.json()["keys"][0];
    assert_eq!(listed["models"], json!(["registry.ollama.ai/library/smollm2*"]));
    assert_eq!((&listed["priority"], &listed["max_output"]), (&json!("high"), &json!(64)));

    let caller = rig.by_key(&key);
    let rotated =
        rig.ask(&operator, Method::POST, &format!("/admin/api/keys/{id}/rotate"), Some(json!({}))).await;
    assert_ne!(rotated.json()["key"], key.as_str());
    caller.ended().await;
    let revoked = rig.ask(&operator, Method::DELETE, &format!("/admin/api/keys/{id}"), None).await;
    assert_eq!(revoked.status, StatusCode::NO_CONTENT);
    let unknown = rig.ask(&operator, Method::DELETE, "/admin/api/keys/nonsense", None).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_key_that_makes_no_sense_is_refused_with_the_field_at_fault() {
    let rig = Rig::new();
    for (wanted, field) in [
        (json!({"name": "n", "scopes": ["root"]}), "root"),
        (json!({"name": "n", "scopes": []}), "scopes"),
        (json!({"name": "n", "scopes": ["infer"], "networks": ["here"]}), "here"),
        (json!({"name": "n", "scopes": ["infer"], "expires": "soon"}), "soon"),
        (json!({"name": "n", "scopes": ["infer"], "priority": "first"}), "first"),
        (json!({"name": "n", "scopes": ["infer"], "requests_per_minute": 0}), "requests_per_minute"),
        (json!({"name": "n", "scopes": ["infer"], "owner": 0}), "owner"),
    ] {
        let refused =
            rig.ask(&Caller::operator(), Method::POST, "/admin/api/keys", Some(wanted.clone())).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{wanted}");
        assert!(refused.text.contains(field), "{wanted}: {}", refused.text);
    }
}

#[tokio::test]
async fn a_password_is_reset_by_the_operator_alone_who_alone_sees_the_code() {
    let rig = Rig::new();
    let admin = rig.by_key(&rig.key(access::Policy::new(Scopes::all())));
    let status = |answer: &Answer| answer.json()["setup_code"].is_string();
    assert!(status(&rig.ask(&Caller::operator(), Method::GET, "/admin/api/status", None).await));
    assert!(!status(&rig.ask(&admin, Method::GET, "/admin/api/status", None).await));

    let (rig, session) = Rig::claimed().await;
    let admin = rig.by_key(&rig.key(access::Policy::new(Scopes::all())));
    let reset = json!({"name": "ada", "password": "another horse battery"});
    let refused = rig.ask(&admin, Method::POST, "/admin/api/reset-password", Some(reset.clone())).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let done = rig.ask(&Caller::operator(), Method::POST, "/admin/api/reset-password", Some(reset)).await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.text);
    let me = rig.as_person(&session, Method::GET, "/admin/api/me", None).await;
    assert_eq!(me.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_claim_and_what_is_removed_is_in_the_audit_log_and_no_secret_is() {
    let (rig, _) = Rig::claimed().await;
    let writer = rig.by_key(&rig.key(scopes(&[Scope::ModelsWrite])));
    rig.put_damaged_model("gone");
    for _ in 0..2 {
        rig.ask(&writer, Method::DELETE, "/api/delete", Some(json!({"model": "gone"}))).await;
    }

    let log = rig.ask(&Caller::operator(), Method::GET, "/admin/api/audit", None).await;
    assert_eq!(log.header("content-type"), "application/x-ndjson");
    let lines: Vec<Value> = log.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<_> = lines
        .iter()
        .map(|line| format!("{} {} {}", line["action"], line["target"], line["outcome"]))
        .collect();
    for expected in ["\"claim\" \"ada\" \"done\"", "\"model.remove\" \"gone:latest\" \"done\""] {
        assert_eq!(told.iter().filter(|line| *line == expected).count(), 1, "{expected}: {told:#?}");
    }
    assert!(!told.iter().any(|line| line.contains("failed")), "what is not here is not asked for: {told:#?}");
    assert!(!log.text.contains(PASSWORD) && !log.text.contains("hob_"));
    // Both ends are told apart from the lines, so that a line that is cut off is missed.
    let zeros = "0".repeat(64);
    assert_eq!(log.header("x-audit-removed"), format!("0:{zeros}"));
    let last = lines.last().unwrap();
    assert_eq!(log.header("x-audit-last"), format!("{}:{}", last["seq"], last["hash"].as_str().unwrap()));
    let after = format!("/admin/api/audit?after={}", lines[0]["seq"]);
    let rest = rig.ask(&Caller::operator(), Method::GET, &after, None).await;
    assert_eq!(rest.text.lines().count(), lines.len() - 1);
}

#[tokio::test]
async fn how_long_a_key_lasts_is_counted_by_the_clock_that_judges_it() {
    let rig = Rig::new();
    rig.key(scopes(&[Scope::Infer]));
    // A box without a battery, which knows only when it was used last.
    rig.now.store(5, Ordering::Relaxed);

    let new = json!({"name": "laptop", "scopes": ["infer"], "expires": "1h"});
    let made = rig.ask(&Caller::operator(), Method::POST, "/admin/api/keys", Some(new)).await.json();

    assert_eq!(made["expires"], Timestamp::from_second(NOW + 3600).unwrap().to_string());
    let caller = rig.by_key(made["key"].as_str().unwrap());
    assert!(caller.may(Scope::Infer));
    let used = rig.ask(&Caller::operator(), Method::GET, "/admin/api/usage", None).await.json();
    assert_eq!(used["to"], Timestamp::from_second(NOW).unwrap().strftime("%F").to_string());
}

#[tokio::test]
async fn an_upload_ends_with_its_key_and_nothing_of_it_is_kept() {
    let rig = Rig::new();
    let caller = rig.by_key(&rig.key(scopes(&[Scope::ModelsWrite])));
    let (reached, under_way) = oneshot::channel();
    let first = stream::once(ready(Ok::<_, Infallible>(Bytes::from_static(b"GGUF"))));
    let never = stream::once(async {
        reached.send(()).unwrap();
        pending().await
    });
    let path = format!("/api/blobs/sha256:{}", "0".repeat(64));
    let mut upload = request(Method::POST, &path, None);
    *upload.body_mut() = Body::from_stream(first.chain(never));

    let revoking = async {
        under_way.await.unwrap();
        rig.revoke_all();
    };
    let (answer, ()) = tokio::join!(rig.send(&caller, Way::Loopback, upload), revoking);

    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", answer.text);
    let kept = rig.ask(&Caller::operator(), Method::HEAD, &path, None).await;
    assert_eq!(kept.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_was_used_is_told_by_day_and_key() {
    let rig = Rig::new();
    let caller = rig.by_key(&rig.key(scopes(&[Scope::Infer])));
    caller.count(access::Usage { prompt_tokens: 7, completion_tokens: 3 });

    let used = rig
        .ask(&Caller::operator(), Method::GET, "/admin/api/usage?from=2026-11-01&to=2026-11-30", None)
        .await;

    let used = &used.json()["usage"][0];
    assert_eq!((&used["prompt_tokens"], &used["completion_tokens"]), (&json!(7), &json!(3)));
    assert!(used["who"].as_str().unwrap().starts_with("key_"));
    let wrong = rig.ask(&Caller::operator(), Method::GET, "/admin/api/usage?from=yesterday", None).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn what_anybody_may_send_is_short() {
    let rig = Rig::new();
    for path in ["/claim", "/admin/api/login"] {
        let body = json!({"name": "ada", "password": "x".repeat(4 << 10)});
        let refused = rig.send(&Caller::nobody(), Way::Lan, request(Method::POST, path, Some(body))).await;
        assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE, "{path}: {}", refused.text);
    }
}

#[tokio::test]
async fn a_key_that_is_revoked_while_the_body_is_on_its_way_does_nothing_and_is_told_by_each_family() {
    let rig = Rig::new();
    let asked = [
        ("/admin/api/keys", json!({"name": "late", "scopes": ["admin"]})),
        ("/api/copy", json!({"source": "a", "destination": "b"})),
        ("/v1/embeddings", json!({"model": "a", "input": "b"})),
        ("/v1/chat/completions", json!({"model": "a", "messages": []})),
        ("/v1/messages", json!({"model": "a", "max_tokens": 1, "messages": []})),
    ];
    for (path, body) in asked {
        let caller = rig.by_key(&rig.key(scopes(&Scope::ALL)));
        let (sender, mut body_of) = (body.to_string(), request(Method::POST, path, Some(json!({}))));
        let (revoking, revoked) = oneshot::channel::<()>();
        let late = stream::once(async move {
            revoked.await.unwrap();
            Ok::<_, Infallible>(sender)
        });
        *body_of.body_mut() = Body::from_stream(late);
        let asking = rig.send(&caller, Way::Lan, body_of);
        let ending = async {
            tokio::task::yield_now().await;
            rig.revoke_all();
            revoking.send(()).unwrap();
        };
        let (answer, ()) = tokio::join!(asking, ending);

        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}: {}", answer.text);
        assert!(answer.text.contains("ended"), "{path}: {}", answer.text);
        assert!(answer.json()["error"].is_object() == path.starts_with("/v1/"), "{path}: {}", answer.text);
        assert!(rig.access.keys().is_empty(), "{path}");
    }
}

#[tokio::test]
async fn who_only_writes_models_does_not_drive_out_what_else_is_in_the_audit_log() {
    let (rig, _) = Rig::claimed().await;
    rig.put_damaged_model("broken");
    let local = Caller::local();
    let copy = async |source: &str| {
        let body = json!({"source": source, "destination": "other"});
        rig.ask(&local, Method::POST, "/api/copy", Some(body)).await.status
    };
    let told = || {
        let lines = rig.access.audit_entries(0).unwrap().map(Result::unwrap);
        lines.filter(|line| line.contains("model.")).collect::<Vec<_>>()
    };

    for _ in 0..100 {
        assert_eq!(copy("missing").await, StatusCode::NOT_FOUND);
        rig.ask(&local, Method::POST, "/api/push", Some(json!({"model": "missing"}))).await;
        rig.ask(&local, Method::DELETE, "/v1/models/missing", None).await;
    }
    assert_eq!(told(), Vec::<String>::new(), "of what is not here nothing is told");
    for _ in 0..100 {
        assert_eq!(copy("broken").await, StatusCode::INTERNAL_SERVER_ERROR);
    }
    assert_eq!(told().len(), 60, "that thirty were to be, and failed");
    rig.pass(Duration::from_secs(3600));
    rig.access.flush().unwrap();
    let last = told().pop().unwrap();
    assert!(last.contains("70 more in an hour") && last.contains("local"), "{last}");
}
