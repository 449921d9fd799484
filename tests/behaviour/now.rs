//! What goes on in a box, for whoever owns it, and the end that they put to a request.

use std::io::BufRead;
use std::time::{Duration, Instant};

use behaviour::Hob;
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(60);

/// Whoever may administer the box.
struct Owner<'a> {
    hob: &'a Hob,
    key: String,
    client: reqwest::blocking::Client,
}

impl<'a> Owner<'a> {
    fn of(hob: &'a Hob) -> Self {
        let made = hob.cli(&["key", "create", "owner", "--scope", "admin"]);
        assert!(made.status.success(), "{made:?}");
        let key = String::from_utf8(made.stdout).unwrap().trim().to_owned();
        let client = reqwest::blocking::Client::builder().timeout(PATIENCE).no_proxy().build().unwrap();
        Self { hob, key, client }
    }

    fn ask(&self, method: reqwest::Method, path: &str) -> reqwest::blocking::Response {
        let request = self.client.request(method, format!("{}/admin/api/{path}", self.hob.url));
        request.bearer_auth(&self.key).send().unwrap()
    }

    fn now(&self) -> Value {
        self.ask(reqwest::Method::GET, "now").json().unwrap()
    }

    /// Looks until it is so.
    fn await_now(&self, is_so: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let now = self.now();
            if is_so(&now) {
                return now;
            }
            assert!(begun.elapsed() < PATIENCE, "{now:#}");
        }
    }

    fn stop(&self, request: &Value) {
        let stopped =
            self.ask(reqwest::Method::DELETE, &format!("requests/{}", request["id"].as_str().unwrap()));
        assert_eq!(stopped.status(), 204, "{:?}", stopped.text());
    }
}

fn count(now: &Value, state: &str) -> usize {
    now["requests"].as_array().unwrap().iter().filter(|request| request["state"] == state).count()
}

#[test]
fn a_request_that_the_owner_ends_tells_its_client_so_in_the_words_of_its_family() {
    let hob = Hob::start_scripted();
    let owner = Owner::of(&hob);
    let script = r#"{"tokens": 100000, "every_us": 50000}"#;
    let chat = json!({"model": "smollm2", "stream": true, "max_tokens": 9,
        "messages": [{"role": "user", "content": script}]});
    let ollama = json!({"model": "smollm2", "prompt": script, "raw": true});
    let streams = [
        (hob.stream("/api/generate", &ollama), "{\"error\":\""),
        (hob.stream("/v1/chat/completions", &chat), "data: {\"error\":{\"message\":\""),
        (hob.stream("/v1/messages", &chat), "data: {\"type\":\"error\",\"error\":{"),
    ];

    let now = owner.await_now(|now| count(now, "answering") == 3);
    assert_eq!(
        (&now["models"][0]["name"], &now["models"][0]["running"]),
        (&json!("smollm2:latest"), &json!(3))
    );
    for request in now["requests"].as_array().unwrap() {
        assert_eq!((&request["who"], &request["model"]), (&json!("local"), &json!("smollm2:latest")));
        owner.stop(request);
    }

    for (stream, expected) in streams {
        let lines: Vec<String> = stream.lines().map(Result::unwrap).filter(|line| !line.is_empty()).collect();
        let last = lines.iter().rfind(|line| line.contains("error")).unwrap_or_else(|| panic!("{lines:?}"));
        assert!(last.contains(expected) && last.contains("the owner of this box stopped"), "{last}");
        assert!(lines.len() > 1, "{lines:?}");
    }
    let after = owner.await_now(|now| count(now, "answering") == 0);
    assert_eq!(after["models"][0]["running"], 0);
    assert_eq!(
        hob.post("/api/generate", &json!({"model": "smollm2", "prompt": "more", "stream": false})).status,
        200
    );
}

#[test]
fn who_looks_on_sees_a_model_load_and_what_it_takes_and_the_box_stops_under_them() {
    let mut hob = Hob::start();
    let owner = Owner::of(&hob);
    let mut events = std::io::BufReader::new(owner.ask(reqwest::Method::GET, "now/events")).lines();
    let mut next = || -> Option<Value> {
        let data = events
            .by_ref()
            .map(Result::unwrap)
            .find_map(|line| Some(line.strip_prefix("data: ")?.to_owned()));
        data.map(|data| serde_json::from_str(&data).unwrap())
    };
    assert_eq!(next().unwrap()["models"], json!([]));

    let answer = hob.stream(
        "/api/generate",
        &json!({"model": "smollm2", "prompt": "Count: 1, 2, 3,", "raw": true,
        "options": {"num_predict": 2000, "temperature": 0}}),
    );
    let loaded = loop {
        let now = next().unwrap();
        if count(&now, "answering") == 1 && now["rate"]["answer"].as_f64().unwrap() > 0.0 {
            break now;
        }
    };

    let memory = &loaded["memory"];
    let taken = &memory["models"][0];
    assert_eq!((&taken["by"], &taken["state"]), (&json!("measured"), &json!("loaded")));
    let parts = ["weights", "cache", "compute", "prefixes", "rest"].map(|part| taken[part].as_u64().unwrap());
    assert_eq!(parts.iter().sum::<u64>(), memory["used"].as_u64().unwrap(), "{memory:#}");
    assert!(parts[0] > 80 << 20 && parts[1] > 1 << 20 && parts[2] > 1 << 20, "{memory:#}");
    let request = &loaded["requests"][0];
    assert!(
        request["prompt_tokens"].as_u64().unwrap() > 5 && request["tokens"].as_u64().unwrap() > 0,
        "{request}"
    );

    drop(answer);
    drop(owner);
    let begun = Instant::now();
    hob.terminate();
    assert!(next().is_none_or(|_| std::iter::from_fn(&mut next).count() < 100));
    assert!(begun.elapsed() < Duration::from_secs(20), "an open page held it up");
}
