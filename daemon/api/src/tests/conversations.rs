//! Conversations over HTTP: what the page writes comes back to who wrote it, and to nobody else.

use access::{Caller, Policy, Scope, Way};
use futures_util::StreamExt;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Answer, Rig, request, scopes};

const ALL: &str = "/admin/api/conversations";
const ID: &str = "0123456789abcdef";
/// What a PNG begins with.
const IMAGE: &str = "data:image/png;base64,iVBORw0KGgo=";

impl Rig {
    async fn begin_talk(&self, by: &Caller, id: &str, title: &str) -> Answer {
        let body = json!({"id": id, "title": title, "model": "m", "settings": {}});
        self.ask(by, Method::POST, ALL, Some(body)).await
    }

    async fn put(&self, by: &Caller, message: &str, said: Value) -> Answer {
        self.ask(by, Method::PUT, &format!("{ALL}/{ID}/messages/{message}"), Some(said)).await
    }

    async fn get(&self, by: &Caller, path: &str) -> Answer {
        self.ask(by, Method::GET, &format!("{ALL}{path}"), None).await
    }

    fn chatter(&self) -> Caller {
        self.by_key(&self.key(scopes(&[Scope::Infer])))
    }
}

fn titles(answer: &Answer) -> Vec<String> {
    let listed = answer.json()["conversations"].as_array().unwrap().clone();
    listed.into_iter().map(|one| one["title"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn what_was_said_comes_back_as_it_was_said() {
    let rig = Rig::new();
    let by = rig.chatter();
    let settings = json!({"system": "Be kind.", "options": {"temperature": 0.5, "stop": ["x"]}, "think": "low",
        "keep_alive": -1});
    let body = json!({"id": ID, "title": "Cats", "model": "m:1b", "settings": settings});
    let begun = rig.ask(&by, Method::POST, ALL, Some(body.clone())).await;
    assert_eq!(begun.status, StatusCode::CREATED, "{}", begun.text);
    assert_eq!(begun.header("cache-control"), "no-store");
    assert_eq!(rig.ask(&by, Method::POST, ALL, Some(body)).await.status, StatusCode::OK, "sent again");

    let asked = json!({"parent": null, "role": "user", "content": "What is this?", "images": [IMAGE, IMAGE]});
    rig.put(&by, "q", asked.clone()).await;
    let mut answered = json!({"parent": "q", "role": "assistant", "content": "A", "state": "answering"});
    rig.put(&by, "a", answered.clone()).await;
    answered = json!({"parent": "q", "role": "assistant", "content": "A cat \u{1f408} </script>", "thinking": "Hm.",
        "tool_calls": [{"function": {"name": "f", "arguments": {"x": [1, null]}}}], "model": "m:1b", "state": "stopped",
        "ended": "length",
        "figures": {"prompt_tokens": 9, "tokens": 3, "tokens_per_second": 12.5, "first_token_ms": 80.0, "total_ms": 300.0},
        "side": 1});
    let mut kept = answered.clone();
    kept["leaf"] = true.into();
    let put = rig.put(&by, "a", kept).await;
    assert_eq!((put.status, &put.json()["leaf"]), (StatusCode::OK, &json!("a")), "{}", put.text);
    assert_eq!(put.json()["messages"], 2);

    let whole = rig.get(&by, &format!("/{ID}")).await;
    assert_eq!(whole.header("content-type"), "application/json");
    let mut whole = whole.json();
    for (at, said) in [asked, answered].into_iter().enumerate() {
        let message = whole["messages"][at].as_object_mut().unwrap();
        assert!(message.remove("created").unwrap().as_str().unwrap().ends_with('Z'));
        message.remove("id").unwrap();
        assert_eq!(Value::Object(message.clone()), said);
    }
    assert_eq!(
        (&whole["settings"], &whole["leaf"], &whole["title"]),
        (&settings, &json!("a"), &json!("Cats"))
    );

    let change = Some(json!({"title": "Dogs", "leaf": null}));
    let changed = rig.ask(&by, Method::PATCH, &format!("{ALL}/{ID}"), change).await.json();
    assert_eq!(
        (&changed["title"], &changed["leaf"], &changed["model"]),
        (&json!("Dogs"), &Value::Null, &json!("m:1b"))
    );
    let listed = rig.get(&by, "?search=CAT").await.json();
    let revisions = [
        &put.json()["revision"],
        &whole["revision"],
        &changed["revision"],
        &listed["conversations"][0]["revision"],
    ];
    assert_eq!(revisions, [4, 4, 5, 5], "each write is told from the one before, within a second, too");
    assert_eq!(listed["conversations"][0]["found"], "A cat \u{1f408} </script>");
}

#[tokio::test]
async fn nobody_hears_what_somebody_else_said() {
    let rig = Rig::new();
    let (one, other, local) = (rig.chatter(), rig.chatter(), Caller::local());
    rig.begin_talk(&one, ID, "secret").await;
    rig.put(&one, "q", json!({"role": "user", "content": "secret"})).await;

    for by in [&other, &local] {
        assert_eq!(titles(&rig.get(by, "?search=secret").await), [""; 0]);
        assert_eq!(rig.get(by, "/export").await.text, "");
        let (path, body) = (format!("{ALL}/{ID}"), json!({"title": "mine"}));
        assert_eq!(rig.get(by, &format!("/{ID}")).await.status, StatusCode::NOT_FOUND);
        assert_eq!(rig.ask(by, Method::PATCH, &path, Some(body)).await.status, StatusCode::NOT_FOUND);
        assert_eq!(rig.ask(by, Method::DELETE, &path, None).await.status, StatusCode::NOT_FOUND);
        assert_eq!(rig.put(by, "x", json!({"role": "user"})).await.status, StatusCode::NOT_FOUND);
        // It is not even told that the name is somebody's.
        assert_eq!(rig.begin_talk(by, ID, "own").await.status, StatusCode::CREATED);
        assert_eq!(rig.ask(by, Method::DELETE, ALL, None).await.status, StatusCode::NO_CONTENT);
    }
    assert_eq!(titles(&rig.get(&one, "").await), ["secret"]);
    let reader = rig.by_key(&rig.key(scopes(&[Scope::ModelsRead])));
    assert_eq!(rig.get(&reader, "").await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_paired_box_keeps_what_its_people_say_itself() {
    let rig = Rig::new();
    let peer = rig.by_key(&rig.key(Policy { peer: Some("AAAAAAA".into()), ..scopes(&[Scope::Infer]) }));

    let refused = rig.begin_talk(&peer, ID, "t").await;

    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text);
    assert_eq!(rig.get(&peer, "").await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_long_list_comes_page_by_page() {
    let rig = Rig::new();
    let by = rig.chatter();
    for number in 0..5 {
        rig.begin_talk(&by, &format!("{ID}{number}"), &number.to_string()).await;
    }

    let (mut seen, mut path) = (Vec::new(), "?limit=2".to_owned());
    loop {
        let page = rig.get(&by, &path).await;
        seen.extend(titles(&page));
        let page = page.json();
        let Some(next) = page.get("next") else { break };
        path = format!("?limit=2&before={}", next.as_str().unwrap());
    }

    assert_eq!(seen, ["4", "3", "2", "1", "0"]);
}

#[tokio::test]
async fn all_that_was_said_can_be_taken_along_a_line_each() {
    let rig = Rig::new();
    let by = rig.chatter();
    for (id, title) in [(ID, "first"), ("fedcba9876543210", "second")] {
        rig.begin_talk(&by, id, title).await;
    }
    rig.put(&by, "q", json!({"role": "user", "content": "a\nb", "images": [IMAGE]})).await;

    let export = rig.get(&by, "/export").await;

    let lines: Vec<Value> = export.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[1], rig.get(&by, &format!("/{ID}")).await.json());
    assert_eq!((lines.len(), &lines[0]["title"], &lines[0]["messages"]), (2, &json!("second"), &json!([])));
    let name = export.header("content-disposition");
    assert!(name.starts_with("attachment; filename=\"hob-conversations-2026-"), "{name}");
    assert_eq!(export.header("content-type"), "application/x-ndjson");
}

#[tokio::test]
async fn what_is_being_taken_along_breaks_off_when_the_key_is_revoked() {
    let rig = Rig::new();
    let by = rig.chatter();
    rig.begin_talk(&by, ID, "t").await;
    rig.put(&by, "q", json!({"role": "user", "content": "a"})).await;
    let begun = rig.begin(&by, request(Method::GET, &format!("{ALL}/export"), None)).await;
    let mut pieces = begun.into_body().into_data_stream();
    assert!(pieces.next().await.unwrap().is_ok());

    rig.revoke_all();

    let next = pieces.next().await.unwrap();
    assert!(next.is_err(), "and not as if it were the whole: {next:?}");
    assert!(pieces.next().await.is_none());
    let left = rig.api.state.conversations_of(by.owner()).ids().unwrap();
    assert!(left.is_empty(), "nobody can read it any more");
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_the_field_at_fault() {
    let rig = Rig::new();
    let by = Caller::local();
    rig.begin_talk(&by, ID, "t").await;
    let path = format!("{ALL}/{ID}");
    let message = format!("{path}/messages/q");
    let ask = async |method: Method, path: &str, body: Value| {
        let answer = rig.send(&by, Way::Loopback, request(method, path, Some(body))).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text);
        answer.json()["field"].as_str().unwrap_or_default().to_owned()
    };

    for (body, field) in [
        (json!({"id": "short"}), "id"),
        (json!({"id": "../../../../etc/passwd"}), "id"),
        (json!({"title": "t".repeat(201)}), "title"),
        (json!({"settings": {"think": 1}}), "settings.think"),
        (json!({"settings": {"keep_alive": {}}}), "settings.keep_alive"),
        (json!({"settings": {"system": "s".repeat(300 << 10)}}), "settings"),
        (json!({"settings": {"seed": 1}}), "settings.seed"),
        (json!({"owner": 1}), "owner"),
    ] {
        assert_eq!(ask(Method::POST, ALL, body).await, field);
    }
    for (said, field) in [
        (json!({"role": "root"}), "role"),
        (json!({"role": "user", "images": ["data:image/svg+xml;base64,aGk="]}), "images"),
        (json!({"role": "user", "images": ["https://elsewhere/a.png"]}), "images"),
        (json!({"role": "user", "images": ["data:image/png;base64,a?"]}), "images"),
        (json!({"role": "user", "images": ["data:image/png;base64,"]}), "images"),
        (json!({"role": "user", "images": ["data:image/png;base64,aGk="]}), "images"),
        (json!({"role": "user", "images": ["data:image/jpeg;base64,iVBORw0KGgo="]}), "images"),
        (json!({"role": "user", "images": vec![IMAGE; 17]}), "images"),
        (json!({"role": "assistant", "tool_calls": ["text"]}), "tool_calls"),
        (json!({"role": "assistant", "tool_calls": [{"function": null}]}), "tool_calls"),
        (json!({"role": "assistant", "tool_calls": [{"function": {"name": 1}}]}), "tool_calls"),
        (json!({"role": "assistant", "tool_calls": [null]}), "tool_calls"),
        (json!({"role": "user", "side": 2}), "side"),
        (json!({"role": "user", "parent": "nowhere"}), ""),
        (json!({"role": "user", "created": "now"}), "created"),
    ] {
        assert_eq!(ask(Method::PUT, &message, said).await, field);
    }
    assert_eq!(ask(Method::PATCH, &path, json!({"leaf": "q"})).await, "");
    for query in ["?limit=0", "?limit=201", "?before=x", "?owner=1"] {
        assert_eq!(rig.get(&by, query).await.status, StatusCode::BAD_REQUEST, "{query}");
    }
    assert_eq!(rig.get(&by, &format!("/{ID}")).await.json()["messages"], json!([]));
}

#[tokio::test]
async fn images_that_are_too_much_for_one_conversation_are_refused_in_words() {
    let rig = Rig::new();
    let by = Caller::local();
    rig.begin_talk(&by, ID, "t").await;
    let image = format!("data:image/png;base64,iVBORw0KGgoA{}", "AAAA".repeat(11 << 20));
    let said = json!({"role": "user", "images": [image]});

    assert_eq!(rig.put(&by, "q", said.clone()).await.status, StatusCode::OK);
    let refused = rig.put(&by, "r", said).await;

    assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(refused.text.contains("may take 64 MiB"), "{}", refused.text);
}

#[tokio::test(start_paused = true)]
async fn an_owner_reads_a_few_conversations_at_once_and_lists_them_all_the_same() {
    let rig = Rig::new();
    let (by, other) = (rig.chatter(), rig.chatter());
    rig.begin_talk(&by, ID, "t").await;
    rig.begin_talk(&other, ID, "t").await;
    let owner = by.owner();
    let held = [rig.api.readings.take(owner).unwrap(), rig.api.readings.take(owner).unwrap()];

    for path in ["/export", &format!("/{ID}"), "?search=x"] {
        let refused = rig.get(&by, path).await;
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert_eq!(refused.header("retry-after"), "1");
        assert_eq!(rig.get(&other, path).await.status, StatusCode::OK, "{path}");
    }
    assert_eq!(titles(&rig.get(&by, "").await), ["t"]);
    drop(held);
    assert_eq!(rig.get(&by, &format!("/{ID}")).await.status, StatusCode::OK);
}
