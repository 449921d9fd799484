//! Models that are there before anybody asks, and requests that wait for those that are not.

use std::io::Write;
use std::net::TcpStream;

use behaviour::Hob;
use serde_json::{Value, json};

#[test]
fn models_of_the_settings_are_there_from_the_start_and_stay() {
    let hob = Hob::start_with(&[("HOB_MODELS__PRELOAD", "nowhere, smollm2")]);
    hob.await_log("setting models.preload: the model is not loaded", 2);

    let hob = hob.killed_and_restarted();

    hob.await_log("model loaded", 1);
    let loaded = hob.get("/api/ps").json()["models"].as_array().unwrap().clone();
    assert_eq!(loaded.len(), 1);
    assert_eq!(loaded[0]["model"], "smollm2:latest");
    let text = String::from_utf8(hob.cli(&["ps"]).stdout).unwrap();
    assert!(text.contains("Forever"), "{text}");
    assert!(hob.log().contains("nowhere"), "the one that is missing is named");
}

/// A connection on which this was asked, and nothing is read.
fn asked(hob: &Hob, path: &str, body: &Value) -> TcpStream {
    let (address, body) = (hob.url.trim_start_matches("http://"), body.to_string());
    let mut connection = TcpStream::connect(address).unwrap();
    let length = body.len();
    write!(connection, "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {length}\r\n\r\n{body}")
        .unwrap();
    connection
}

fn long_story(model: &str) -> Value {
    let options = json!({"num_predict": 2000, "temperature": 0});
    json!({"model": model, "prompt": "Count to a thousand: 1, 2, 3,", "raw": true, "options": options})
}

/// What is told of a model; null if nothing is.
fn told_of(hob: &Hob, name: &str) -> Value {
    let models = hob.get("/admin/api/models").json()["models"].as_array().unwrap().clone();
    models.into_iter().find(|model| model["name"] == name).unwrap_or_default()
}

/// Asks until it is so.
fn await_told(hob: &Hob, name: &str, is_so: impl Fn(&Value) -> bool) {
    let begun = std::time::Instant::now();
    while !is_so(&told_of(hob, name)) {
        assert!(begun.elapsed().as_secs() < 60, "{}", told_of(hob, name));
    }
}

#[test]
fn who_is_answered_and_who_waits_is_told_and_who_leaves_waits_no_more() {
    let hob = Hob::start_with(&[("HOB_MODELS__MAX_LOADED", "1")]);
    hob.post("/api/copy", &json!({"source": "smollm2", "destination": "other"}));
    let answer = hob.stream("/api/generate", &long_story("smollm2"));

    let waiting = asked(&hob, "/api/generate", &long_story("other"));
    await_told(&hob, "other:latest", |model| model["waiting"] == 1);
    assert_eq!(told_of(&hob, "other:latest")["state"], "absent");
    assert_eq!(told_of(&hob, "smollm2:latest")["running"], 1);
    let text = String::from_utf8(hob.cli(&["ps"]).stdout).unwrap();
    assert!(text.contains("1 answering") && text.contains("1 waiting"), "{text}");

    drop(waiting);
    await_told(&hob, "other:latest", Value::is_null);

    drop(answer);
    await_told(&hob, "smollm2:latest", |model| model["running"] == 0);
    assert!(!String::from_utf8(hob.cli(&["ps"]).stdout).unwrap().contains("STATE"));
}

#[test]
fn who_comes_to_a_loaded_model_while_the_queue_is_full_is_refused() {
    let hob = Hob::start_with(&[("HOB_MODELS__MAX_QUEUE", "1"), ("HOB_MODELS__PARALLEL", "1")]);
    let answer = hob.stream("/api/generate", &long_story("smollm2"));
    let waiting = asked(&hob, "/api/generate", &long_story("smollm2"));
    await_told(&hob, "smollm2:latest", |model| model["running"] == 2);

    let refused = hob.post("/api/generate", &long_story("smollm2"));

    assert_eq!(refused.status, 503, "{refused:?}");
    let words = "server busy, please try again.  maximum pending requests exceeded";
    assert_eq!(refused.json(), json!({"error": words}));
    let question = json!({"model": "smollm2", "messages": [{"role": "user", "content": "Hi"}]});
    let counted = hob.post("/v1/messages/count_tokens", &question);
    assert_eq!(counted.status, 200, "a question needs no slot: {counted:?}");

    drop((answer, waiting));
    await_told(&hob, "smollm2:latest", |model| model["running"] == 0);
    assert_eq!(hob.ask("Hi", 2)["done"], true);
}
