//! The log and the audit log, as the page reads them.

use access::{Caller, Scope, audit::Outcome};
use http::{HeaderValue, Method, StatusCode};
use serde_json::{Value, json};

use super::{Answer, NOW, Rig, events::Events, request, scopes};
use crate::LogLevel;

impl Rig {
    fn log(&self, level: LogLevel, message: &str) {
        self.api.log.push(NOW, level, "hob::test".into(), message.into());
    }

    async fn by_operator(&self, path: &str) -> Answer {
        self.ask(&Caller::operator(), Method::GET, path, None).await
    }

    /// Writes something down for the audit log.
    fn note(&self, action: access::audit::Action, target: &str, outcome: Outcome) {
        self.access.record_own(action, target, outcome).unwrap();
    }

    async fn follow(&self, path: &str, last_seen: Option<&'static str>) -> Events {
        let mut asked = request(Method::GET, path, None);
        if let Some(last_seen) = last_seen {
            asked.headers_mut().insert("last-event-id", HeaderValue::from_static(last_seen));
        }
        Events::of(self, &Caller::operator(), asked).await
    }
}

fn messages(answer: &Answer) -> Vec<String> {
    let lines = answer.json()["lines"].as_array().unwrap().clone();
    lines.iter().map(|line| line["message"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_last_lines_of_the_log_are_told_by_level_and_text() {
    let rig = Rig::new();
    for (level, message) in [
        (LogLevel::Info, "one"),
        (LogLevel::Debug, "two"),
        (LogLevel::Warn, "three is Ärger"),
        (LogLevel::Info, "four"),
    ] {
        rig.log(level, message);
    }

    let all = rig.by_operator("/admin/api/logs").await;
    assert_eq!(messages(&all), ["one", "two", "three is Ärger", "four"]);
    let first = json!({"n": 1, "at": "2026-11-18T11:06:40Z", "level": "info", "target": "hob::test", "message": "one"});
    assert_eq!(all.json()["lines"][0], first);
    let told = async |query: &str| messages(&rig.by_operator(&format!("/admin/api/logs?{query}")).await);
    assert_eq!(told("level=info&text=&limit=2").await, ["three is Ärger", "four"]);
    assert_eq!(told("level=warn").await, ["three is Ärger"]);
    assert_eq!(told("text=%C3%A4RGER").await, ["three is Ärger"]);
    assert_eq!(told("text=HOB::").await.len(), 4);
    for wrong in ["level=loud", "limit=some", "colour=red"] {
        let refused = rig.by_operator(&format!("/admin/api/logs?{wrong}")).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{wrong}");
        assert!(refused.json()["error"].is_string(), "{}", refused.text);
    }

    let text = rig.by_operator("/admin/api/logs/text").await;
    assert!(text.header("content-disposition").starts_with("attachment"), "{:?}", text.headers);
    assert!(text.text.ends_with("2026-11-18T11:06:40Z info  hob::test: four\n"), "{}", text.text);
}

#[tokio::test]
async fn lines_that_come_are_told_as_they_come_and_none_is_missed_over_a_lost_connection() {
    let rig = Rig::new();
    rig.log(LogLevel::Info, "before");
    let mut live = rig.follow("/admin/api/logs/events?level=info", None).await;
    rig.log(LogLevel::Debug, "aside");
    rig.log(LogLevel::Info, "now");
    let (number, name, line) = live.next().await.unwrap();
    assert_eq!((number, name.as_str(), &line["message"]), (Some(3), "line", &json!("now")));

    let mut all = rig.follow("/admin/api/logs/events?after=0", None).await;
    assert_eq!(all.next().await.unwrap().0, Some(1));
    // A browser that comes back asks by the same address, and says what it saw last.
    let mut again = rig.follow("/admin/api/logs/events?after=0", Some("2")).await;
    assert_eq!(again.next().await.unwrap().0, Some(3));
    // And the daemon may have begun anew meanwhile.
    let mut anew = rig.follow("/admin/api/logs/events", Some("5000")).await;
    assert_eq!(anew.next().await.unwrap().0, Some(1));

    rig.api.health().stops();
    assert_eq!(live.next().await, None);
}

fn numbers(answer: &Answer) -> Vec<u64> {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer.json()["entries"].as_array().unwrap().iter().map(|entry| entry["seq"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn the_audit_log_is_read_from_its_end_on_and_by_what_is_looked_for() {
    use access::audit::Action;

    let rig = Rig::new();
    rig.note(Action::Start, "1.0", Outcome::Done);
    rig.key(scopes(&[Scope::Infer]));
    rig.note(Action::Certificate, "Box.local", Outcome::Failed);
    rig.note(Action::Stop, "1.0", Outcome::Done);

    let all = rig.by_operator("/admin/api/audit/entries").await;
    assert_eq!(numbers(&all), [4, 3, 2, 1]);
    let entry = json!({
        "seq": 3, "time": "2026-11-18T11:06:40Z", "who": "hob", "action": "certificate", "target": "Box.local", "outcome": "failed"
    });
    assert_eq!((&all.json()["entries"][1], &all.json()["next"]), (&entry, &Value::Null));
    let told = async |query: &str| rig.by_operator(&format!("/admin/api/audit/entries?{query}")).await;
    let page = told("last=2").await;
    assert_eq!((numbers(&page), &page.json()["next"]), (vec![4, 3], &json!(3)));
    assert_eq!(numbers(&told("last=2&before=3").await), [2, 1]);
    assert_eq!(numbers(&told("action=key&who=&outcome=&text=").await), [2]);
    assert_eq!(numbers(&told("action=key.make&who=operator").await), [2]);
    assert_eq!(numbers(&told("action=ke").await), [0; 0]);
    assert_eq!(numbers(&told("who=hob&outcome=done").await), [4, 1]);
    assert_eq!(numbers(&told("text=box.LOCAL").await), [3]);
    for wrong in ["outcome=fine", "last=many", "colour=red"] {
        let refused = told(wrong).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{wrong}");
        assert!(refused.json()["error"].is_string(), "{}", refused.text);
    }
}

#[tokio::test]
async fn the_audit_log_is_told_as_it_grows() {
    use access::audit::Action;

    let rig = Rig::new();
    rig.note(Action::Start, "1.0", Outcome::Done);
    let mut live = rig.follow("/admin/api/audit/events?action=stop", None).await;
    rig.note(Action::Start, "2.0", Outcome::Done);
    rig.note(Action::Stop, "2.0", Outcome::Done);
    let (number, name, entry) = live.next().await.unwrap();
    assert_eq!((number, name.as_str(), &entry["target"]), (Some(3), "entry", &json!("2.0")));

    let mut again = rig.follow("/admin/api/audit/events", Some("1")).await;
    assert_eq!(again.next().await.unwrap().0, Some(2));
    assert_eq!(again.next().await.unwrap().0, Some(3));
    rig.note(Action::Start, "3.0", Outcome::Done);
    assert_eq!(again.next().await.unwrap().0, Some(4));
}

#[tokio::test]
async fn neither_log_is_for_anybody_but_who_looks_after_the_box() {
    let rig = Rig::new();
    let writer = rig.by_key(&rig.key(scopes(&[Scope::Infer, Scope::ModelsRead, Scope::ModelsWrite])));
    for path in ["logs", "logs/events", "logs/text", "audit/entries", "audit/events"] {
        let path = format!("/admin/api/{path}");
        assert_eq!(rig.ask(&writer, Method::GET, &path, None).await.status, StatusCode::FORBIDDEN, "{path}");
        let local = rig.ask(&Caller::local(), Method::GET, &path, None).await;
        assert_eq!(local.status, StatusCode::UNAUTHORIZED, "{path}");
    }
}
