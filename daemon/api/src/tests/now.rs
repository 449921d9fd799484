//! What goes on now, the last day, and the end of a request by its owner.

use std::time::Duration;

use access::{Caller, Scope};
use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use protocol::GenerateError;
use scheduler::{Enrolled, Errand, Kind, ScheduleError};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until, timeout};

use super::{Rig, request, scopes};
use crate::{error::Error, family::Family};

/// Longer than anything here takes, on whatever clock.
const PATIENCE: Duration = Duration::from_secs(600);

impl Rig {
    /// A request that another box answers, which takes no model here.
    fn a_request(&self) -> Enrolled {
        let errand = Errand { who: "ada".into(), kind: Kind::Chat };
        self.api.scheduler.pass_on(errand, "m".parse().unwrap(), "kitchen")
    }

    async fn look(&self, path: &str) -> Value {
        let told = self.ask(&Caller::operator(), Method::GET, path, None).await;
        assert_eq!(
            (told.status, told.header("cache-control")),
            (StatusCode::OK, "no-store"),
            "{}",
            told.text
        );
        told.json()
    }

    async fn follow_now(&self, by: &Caller) -> axum::body::Body {
        let response = self.begin(by, request(Method::GET, "/admin/api/now/events", None)).await;
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        response.into_body()
    }
}

/// The next event that is told; nothing at the end.
async fn next(events: &mut axum::body::Body) -> Option<Value> {
    let frame = timeout(PATIENCE, events.frame()).await.expect("it says nothing, and does not end")?;
    let text = String::from_utf8(frame.unwrap().into_data().unwrap().to_vec()).unwrap();
    let data = text.strip_prefix("event: now\ndata: ").unwrap_or_else(|| panic!("{text:?}"));
    Some(serde_json::from_str(data.trim_end()).unwrap())
}

/// So many seconds, by a clock that stands still but for this.
async fn passes(seconds: u64) {
    sleep_until(Instant::now() + Duration::from_secs(seconds)).await;
}

#[tokio::test]
async fn what_goes_on_is_for_those_who_administer_the_box() {
    let rig = Rig::new();
    let others = [
        (Caller::nobody(), StatusCode::UNAUTHORIZED),
        (Caller::local(), StatusCode::UNAUTHORIZED),
        (rig.by_key(&rig.key(scopes(&[Scope::Infer, Scope::ModelsRead]))), StatusCode::FORBIDDEN),
    ];
    let request = rig.a_request();
    for (caller, status) in others {
        for (method, path) in [
            (Method::GET, "/admin/api/now"),
            (Method::GET, "/admin/api/now/events"),
            (Method::GET, "/admin/api/history"),
            (Method::DELETE, "/admin/api/requests/1"),
        ] {
            assert_eq!(rig.ask(&caller, method, path, None).await.status, status, "{path}");
        }
    }
    assert_eq!(rig.look("/admin/api/now").await["requests"].as_array().unwrap().len(), 1);
    drop(request);
}

#[tokio::test]
async fn a_look_tells_who_is_served_what_is_taken_and_what_there_is() {
    let rig = Rig::new();
    let request = rig.a_request();
    request.said(3);

    let now = rig.look("/admin/api/now").await;

    let told = &now["requests"][0];
    assert_eq!(
        (&told["who"], &told["kind"], &told["model"]),
        (&json!("ada"), &json!("chat"), &json!("m:latest"))
    );
    assert_eq!(
        (&told["state"], &told["peer"], &told["tokens"]),
        (&json!("passed"), &json!("kitchen"), &json!(3))
    );
    assert_eq!(now["models"], json!([]), "it is not this box's to answer");
    assert_eq!((&now["memory"]["used"], &now["memory"]["limit"]), (&json!(0), &json!(1 << 30)));
    let bytes = |of: &str, what: &str| now[of][what].as_u64().unwrap_or_else(|| panic!("{of}.{what}: {now}"));
    assert!(bytes("memory", "machine") >= bytes("memory", "available"));
    assert!(bytes("disk", "total") >= bytes("disk", "free") && bytes("disk", "free") > 0);
    assert_eq!(bytes("disk", "models"), 0);
    assert!(now["at"].as_str().unwrap() >= told["since"].as_str().unwrap());
    drop(request);
    assert_eq!(rig.look("/admin/api/now").await["requests"], json!([]));
}

#[tokio::test]
async fn who_owns_the_box_ends_a_request_which_is_on_record_and_once() {
    let rig = Rig::new();
    let (request, other) = (rig.a_request(), rig.a_request());
    let id = rig.look("/admin/api/now").await["requests"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/admin/api/requests/{id}");
    let operator = Caller::operator();

    let ended = rig.ask(&operator, Method::DELETE, &path, None).await;

    assert_eq!(ended.status, StatusCode::NO_CONTENT, "{}", ended.text);
    timeout(PATIENCE, request.stopped()).await.unwrap();
    assert!(!other.stop().is_cancelled());
    for path in [&*path, "/admin/api/requests/nonsense", "/admin/api/requests/99999999999999999999"] {
        let again = rig.ask(&operator, Method::DELETE, path, None).await;
        assert_eq!(again.status, StatusCode::NOT_FOUND);
        assert!(again.json()["error"].as_str().unwrap().contains("no request"), "{}", again.text);
    }
    let log = rig.ask(&operator, Method::GET, "/admin/api/audit", None).await.text;
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("request.stop")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(lines[0].contains("chat with m:latest for ada") && lines[0].contains("operator"), "{}", lines[0]);
}

#[tokio::test(start_paused = true)]
async fn who_looks_on_is_told_at_once_each_second_and_soon_after_a_change() {
    let rig = Rig::new();
    let mut events = rig.follow_now(&Caller::operator()).await;
    assert_eq!(next(&mut events).await.unwrap()["requests"], json!([]));
    let begun = Instant::now();
    let passed = || begun.elapsed().as_millis();

    next(&mut events).await.unwrap();
    assert!((1000..1100).contains(&passed()), "{}", passed());
    let (one, two) = (rig.a_request(), rig.a_request());
    let told = next(&mut events).await.unwrap();
    assert!((1250..1350).contains(&passed()), "{}", passed());
    assert_eq!(told["requests"].as_array().unwrap().len(), 2, "what comes together is told together");
    // How many tokens there are is not news enough.
    one.said(1);
    assert_eq!(next(&mut events).await.unwrap()["requests"][0]["tokens"], 1);
    assert!((2250..2450).contains(&passed()), "{}", passed());
    drop((one, two));
}

#[tokio::test(start_paused = true)]
async fn who_looks_on_does_so_until_they_may_not_any_more_or_the_box_stops() {
    let rig = Rig::new();
    let key = rig.key(scopes(&[Scope::Admin]));
    let mut by_key = rig.follow_now(&rig.by_key(&key)).await;
    let mut by_operator = rig.follow_now(&Caller::operator()).await;
    next(&mut by_key).await.unwrap();
    next(&mut by_operator).await.unwrap();

    rig.revoke_all();
    assert_eq!(next(&mut by_key).await, None);
    next(&mut by_operator).await.unwrap();
    // Not only when it gives up waiting for those who are answered.
    rig.api.health().stops();
    assert_eq!(next(&mut by_operator).await, None);
}

#[tokio::test(start_paused = true)]
async fn the_last_day_has_a_row_for_each_minute_until_the_box_stops() {
    let rig = Rig::new();
    let api = rig.api.clone();
    let keeping = tokio::spawn(async move { api.keep_history().await });
    assert_eq!(rig.look("/admin/api/history").await, json!({"step": 60, "rows": []}));
    passes(30).await;
    let request = rig.a_request();
    passes(2).await;
    request.said(120);
    passes(90).await;

    let history = rig.look("/admin/api/history").await;

    let rows = history["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 2, "{history}");
    assert_eq!((&rows[0]["answer_rate"], &rows[0]["requests"]), (&json!(2.0), &json!(1)));
    let first = rows[0]["first_token_ms_p95"].as_f64().unwrap();
    assert!((1800.0..2200.0).contains(&first), "{first}");
    assert_eq!((&rows[1]["answer_rate"], &rows[1]["requests"]), (&json!(0.0), &json!(0)));
    assert!(rows[1].get("first_token_ms_p50").is_none());
    rig.api.health().stops();
    timeout(PATIENCE, keeping).await.unwrap().unwrap();
}

#[tokio::test]
async fn each_family_says_that_the_owner_ended_a_request_so_that_no_client_asks_again_by_itself() {
    for family in [Family::Ollama, Family::OpenAi, Family::Anthropic] {
        for error in [Error::from(GenerateError::Ended), ScheduleError::Ended.into()] {
            let response = family.refuse(error);

            assert_eq!(response.status(), StatusCode::GONE);
            assert!(!response.headers().contains_key("retry-after"));
            let body = response.into_body().collect().await.unwrap().to_bytes();
            let told: Value = serde_json::from_slice(&body).unwrap();
            let words = if family == Family::Ollama { &told["error"] } else { &told["error"]["message"] };
            assert!(words.as_str().unwrap().contains("the owner of this box stopped"), "{told}");
        }
    }
}
