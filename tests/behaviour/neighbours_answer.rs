//! A box that lets a paired box answer: which requests, when, and what becomes of them when either is gone. `near` is where a
//! client asks, `far` where its request goes.

use std::io::{BufRead, Lines};
use std::process::{Output, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use behaviour::lan::{Lan, Street};
use behaviour::pairs::{House, PASSWORD, USUAL};
use behaviour::{Hob, PATIENCE, model_file};
use serde_json::{Value, json};

/// Requests are passed on.
const ROUTED: &[(&str, &str)] = &[("HOB_LAN__ROUTE", "neighbours"), ("HOB_LAN__ANNOUNCE", "off")];
/// They are not.
const PLAIN: &[(&str, &str)] = &[("HOB_LAN__ANNOUNCE", "off")];

/// A box with a model that is in memory, and answers by scripts.
fn far(lan: &Lan) -> Hob {
    let far = Hob::start_scripted_on(lan, PLAIN);
    load(&far);
    far
}

/// A box that passes requests on to `far`, and has no model.
fn near(lan: &Lan, far: &Hob) -> Hob {
    let near = Hob::start_on(lan, ROUTED);
    pair(&near, far, "far", &[]);
    near
}

fn with_model(hob: Hob) -> Hob {
    let made = hob.create("smollm2", &model_file());
    assert!(made.status.success(), "{made:?}");
    hob
}

fn load(hob: &Hob) {
    let loaded = hob.post("/api/generate", &json!({"model": "smollm2"}));
    assert_eq!(loaded.status, 200, "{loaded:?}");
}

/// Pairs a box with another, by an invitation of the other's.
fn pair(near: &Hob, far: &Hob, name: &str, scopes: &[&str]) {
    for hob in [near, far] {
        if hob.cli(&["status"]).stdout.windows(10).any(|words| words == b"Setup code") {
            let claimed = hob.cli_saying(&["claim", "--name", "ada", "--password-file", "-"], PASSWORD);
            assert!(claimed.status.success(), "{claimed:?}");
        }
    }
    let invited = far.cli(&[&["pair", "--invite"], scopes].concat());
    assert!(invited.status.success(), "{invited:?}");
    let (code, id) = invitation(&invited);
    let address = far.lan_url.as_deref().unwrap();
    let paired = near.cli(&["pair", address, "--code", &code, "--id", &id, "--name", name]);
    assert!(paired.status.success(), "{paired:?}");
}

/// The code, and the ID of who made it.
fn invitation(invited: &Output) -> (String, String) {
    let (code, told) = (text(&invited.stdout), text(&invited.stderr));
    let id = told.lines().find(|line| line.starts_with("    ") && !line.contains("hob")).unwrap();
    (code.trim().to_owned(), id.trim().to_owned())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A script that a worker answers by.
fn script(script: Value) -> Value {
    json!({"model": "smollm2", "prompt": script.to_string(), "raw": true})
}

/// The same question as each family asks it, in pieces.
fn in_pieces(script: &Value) -> [(&'static str, Value); 4] {
    let said = json!([{"role": "user", "content": script.to_string()}]);
    [
        ("/api/chat", json!({"model": "smollm2", "messages": said})),
        ("/v1/chat/completions", json!({"model": "smollm2", "messages": said, "stream": true})),
        ("/v1/messages", json!({"model": "smollm2", "messages": said, "stream": true, "max_tokens": 5000})),
        ("/v1/responses", json!({"model": "smollm2", "input": said, "stream": true, "store": false})),
    ]
}

/// Requests that a box's model has to answer.
fn running(hob: &Hob) -> u64 {
    let models = hob.get("/admin/api/models").json();
    models["models"].as_array().unwrap().iter().filter_map(|model| model["running"].as_u64()).sum()
}

fn await_running(hob: &Hob, count: u64) {
    let until = Instant::now() + PATIENCE;
    // Each look is a request of its own, so nothing spins.
    while running(hob) != count {
        assert!(Instant::now() < until, "{} are running, not {count}", running(hob));
    }
}

fn answered_by(hob: &Hob, path: &str, body: &Value) -> (Option<String>, String) {
    let (headers, text) = asked(hob, None, path, body);
    (headers.get("hob-answered-by").map(|name| name.to_str().unwrap().to_owned()), text)
}

fn asked(hob: &Hob, key: Option<&str>, path: &str, body: &Value) -> (reqwest::header::HeaderMap, String) {
    let client = reqwest::blocking::Client::builder().timeout(PATIENCE).no_proxy().build().unwrap();
    let mut request = client.post(format!("{}{path}", hob.url)).body(body.to_string());
    if let Some(key) = key {
        request = request.bearer_auth(key);
    }
    let response = request.send().unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let text = response.text().unwrap();
    assert!(status.is_success(), "{status} {text}");
    (headers, text)
}

fn key(hob: &Hob, more: &[&str]) -> String {
    let made = hob.cli(&[&["key", "create"], more].concat());
    assert!(made.status.success(), "{made:?}");
    text(&made.stdout).trim().to_owned()
}

#[test]
fn a_model_that_only_a_paired_box_has_is_asked_there_in_all_families() {
    let lan = Lan::new();
    let far = far(&lan);
    let near = near(&lan, &far);

    for (path, body) in in_pieces(&json!({"tokens": 3})) {
        let mut whole = body.clone();
        whole["stream"] = json!(false);
        for body in [body, whole] {
            let (by, text) = answered_by(&near, path, &body);
            assert!(by.as_deref() == Some("far") && text.contains(" word"), "{path}: {text}");
        }
    }
    let prompt = json!({"model": "smollm2", "prompt": "a", "input": "a"});
    for path in ["/api/generate", "/v1/completions", "/api/embed", "/v1/embeddings"] {
        let mut body = prompt.clone();
        let other = if path.contains("embed") { "prompt" } else { "input" };
        body.as_object_mut().unwrap().remove(other);
        assert_eq!(answered_by(&near, path, &body).0.as_deref(), Some("far"), "{path}");
    }
    near.await_log("passed to a paired box", 12);
    // What is kept is kept here, where there is no such model.
    let kept = near.post("/v1/responses", &json!({"model": "smollm2", "input": "a"}));
    assert_eq!(kept.status, 404, "{kept:?}");
    let wrong = near.post(
        "/v1/chat/completions",
        &json!({"model": "smollm2", "messages": [{"role": "user", "content": "a"}], "n": -1}),
    );
    assert_eq!(wrong.status, 400, "{wrong:?}");
}

#[test]
fn nothing_is_passed_on_unless_the_owner_wants_it() {
    let lan = Lan::new();
    let far = far(&lan);
    let near = Hob::start_on(&lan, PLAIN);
    pair(&near, &far, "far", &[]);

    assert_eq!(near.post("/api/generate", &script(json!({"tokens": 1}))).status, 404);
    assert_eq!(running(&far), 0);
    assert!(!near.log().contains("passed"), "{}", near.log());
}

#[test]
fn an_answer_comes_piece_by_piece() {
    let lan = Lan::new();
    let far = far(&lan);
    let near = near(&lan, &far);

    // The second would take longer than any test.
    for (path, body) in in_pieces(&json!({"tokens": 9, "every_us": 900_000_000})) {
        let mut lines = near.stream(path, &body).lines();
        let first = lines.by_ref().map(Result::unwrap).find(|line| line.contains(" word"));
        assert!(first.is_some(), "{path}");
        assert_eq!(running(&far), 1, "{path}");
        drop(lines);
        await_running(&far, 0);
    }
}

#[test]
fn who_goes_away_ends_the_answer_where_it_is_made_also_before_its_first_token() {
    let lan = Lan::new();
    let far = far(&lan);
    let near = near(&lan, &far);
    let body = script(json!({"first_ms": 900_000_000}));

    let mut curl = lan_free_curl(&format!("{}/api/generate", near.url), &body);
    await_running(&far, 1);
    curl.kill().unwrap();
    curl.wait().unwrap();

    await_running(&far, 0);
}

#[expect(clippy::disallowed_methods, reason = "a client that can be killed")]
fn lan_free_curl(url: &str, body: &Value) -> std::process::Child {
    let mut curl = std::process::Command::new("curl");
    curl.args(["--silent", "--max-time", "120", "--data", &body.to_string(), url])
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn a_box_that_dies_before_it_said_anything_is_as_if_it_had_not_been_asked() {
    let lan = Lan::new();
    let far = far(&lan);
    let near = with_model(near(&lan, &far));
    let mut slow = script(json!({"first_ms": 900_000_000}));
    slow["options"] = json!({"num_predict": 3, "temperature": 0});

    let mut whole = slow.clone();
    whole["stream"] = json!(false);
    let (head, head_is_here) = channel();
    std::thread::scope(|scope| {
        let streamed = scope.spawn(|| {
            let lines = near.stream("/api/generate", &slow).lines();
            head.send(()).unwrap();
            lines.map(Result::unwrap).collect::<Vec<_>>()
        });
        let whole = scope.spawn(|| near.post("/api/generate", &whole));
        await_running(&far, 2);
        // It takes so long that the client is told that something will come.
        head_is_here.recv_timeout(PATIENCE).unwrap();
        drop(far);

        let whole = whole.join().unwrap();
        assert_eq!((whole.status, &whole.json()["eval_count"]), (200, &json!(3)), "{whole:?}");
        let lines = streamed.join().unwrap();
        let last: Value = serde_json::from_str(lines.last().unwrap()).unwrap();
        assert_eq!((&last["done"], &last["eval_count"]), (&json!(true), &json!(3)), "{lines:?}");
    });
    near.await_log("nothing is passed to this paired box", 1);
}

#[test]
fn another_paired_box_answers_for_one_that_dies() {
    let lan = Lan::new();
    let first = far(&lan);
    let near = near(&lan, &first);
    let second = with_model(Hob::start_on(&lan, PLAIN));
    pair(&near, &second, "second", &[]);
    let mut slow = script(json!({"first_ms": 900_000_000}));
    slow["options"] = json!({"num_predict": 3});
    slow["stream"] = json!(false);

    std::thread::scope(|scope| {
        let answer = scope.spawn(|| answered_by(&near, "/api/generate", &slow));
        // It has the model in memory, where the other has it on the disk.
        await_running(&first, 1);
        drop(first);
        let (by, text) = answer.join().unwrap();
        assert_eq!(by.as_deref(), Some("second"), "{text}");
    });
    drop(second);
    let none = near.post("/api/generate", &slow);
    assert!(none.status == 503 || none.status == 404, "{none:?}");
}

#[test]
fn a_box_whose_cable_is_pulled_is_noticed_although_it_says_nothing() {
    let mut street = Street::new();
    let (near, far) = (House::claimed(&mut street, ROUTED), House::scripted(&mut street, PLAIN));
    for house in [&near, &far] {
        house.create("smollm2", &model_file());
    }
    let paired = near.redeem(&far, &far.invite(USUAL));
    assert!(paired.status.success(), "{paired:?}");
    let post = |house: &House, body: &Value| {
        let mut curl = house.machine.command("curl");
        let url = format!("{}/api/generate", house.hob.url);
        curl.args(["--silent", "--max-time", "120", "--data", &body.to_string(), &url]);
        curl.stdout(Stdio::piped()).spawn().unwrap()
    };
    let loaded = post(&far, &json!({"model": "smollm2"})).wait_with_output().unwrap();
    assert!(loaded.status.success(), "{loaded:?}");
    let mut slow = script(json!({"first_ms": 900_000_000}));
    slow["options"] = json!({"num_predict": 2});
    slow["stream"] = json!(false);

    let answer = post(&near, &slow);
    near.hob.await_log("passed to a paired box", 1);
    far.machine.unplug();

    let answer: Value = serde_json::from_slice(&answer.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!(answer["eval_count"], 2, "{answer}");
}

/// Answers of all families that have begun.
fn begun(near: &Hob) -> Vec<(&'static str, Lines<impl BufRead>)> {
    let asked = in_pieces(&json!({"tokens": 9, "every_us": 900_000_000})).into_iter();
    let begun = asked.map(|(path, body)| {
        let mut lines = near.stream(path, &body).lines();
        lines.by_ref().map(Result::unwrap).find(|line| line.contains(" word")).unwrap();
        (path, lines)
    });
    begun.collect()
}

/// They end, and each family says so in its own words.
fn assert_are_broken_off(begun: Vec<(&'static str, Lines<impl BufRead>)>) {
    for (path, lines) in begun {
        let rest: Vec<String> = lines.map(Result::unwrap).filter(|line| !line.is_empty()).collect();
        let last: Value = serde_json::from_str(rest.last().unwrap().trim_start_matches("data: ")).unwrap();
        let message = match path {
            "/api/chat" => &last["error"],
            "/v1/responses" => &last["message"],
            _ => &last["error"]["message"],
        };
        assert!(message.as_str().is_some_and(|message| message.contains("is gone")), "{path}: {rest:?}");
        let named = matches!(path, "/v1/messages" | "/v1/responses");
        assert_eq!(rest.iter().any(|line| line == "event: error"), named, "{path}: {rest:?}");
    }
}

#[test]
fn a_box_that_dies_in_mid_answer_is_told_in_the_words_of_each_family() {
    let lan = Lan::new();
    let far = far(&lan);
    let near = near(&lan, &far);
    let begun = begun(&near);

    drop(far);

    assert_are_broken_off(begun);
}

#[test]
fn a_box_that_hangs_is_noticed_although_its_system_keeps_its_connections() {
    let lan = Lan::new();
    let far = far(&lan);
    let near = with_model(near(&lan, &far));
    let begun = begun(&near);
    let mut slow = script(json!({"first_ms": 900_000_000}));
    slow["options"] = json!({"num_predict": 3});
    slow["stream"] = json!(false);

    std::thread::scope(|scope| {
        let whole = scope.spawn(|| near.post("/api/generate", &slow));
        await_running(&far, 5);
        far.hang();

        let whole = whole.join().unwrap();
        assert_eq!((whole.status, &whole.json()["eval_count"]), (200, &json!(3)), "{whole:?}");
    });
    assert_are_broken_off(begun);
}

#[test]
fn a_model_that_only_a_paired_box_has_is_run_and_not_pulled() {
    let lan = Lan::new();
    let far = far(&lan);
    let near = near(&lan, &far);

    let shown = near.post("/api/show", &json!({"model": "smollm2"}));
    let run = near.cli(&["run", "smollm2", &json!({"tokens": 2}).to_string()]);

    assert_eq!(shown.status, 200, "{shown:?}");
    assert!(run.status.success() && text(&run.stdout).contains("word"), "{run:?}");
    assert!(!near.log().contains("pull"), "{}", near.log());
    assert_eq!(near.post("/api/show", &json!({"model": "smollm3"})).status, 404);
}

#[test]
fn a_box_answers_itself_unless_another_does_so_sooner() {
    let lan = Lan::new();
    let far = far(&lan);
    let near = with_model(near(&lan, &far));
    let mut body = script(json!({"tokens": 2}));
    body["options"] = json!({"num_predict": 2});

    assert_eq!(answered_by(&near, "/api/generate", &body).0.as_deref(), Some("far"), "it has it in memory");
    load(&near);
    assert_eq!(answered_by(&near, "/api/generate", &body).0, None, "now this one has it as well");
}

#[test]
fn a_model_of_the_same_name_is_not_the_same() {
    let lan = Lan::new();
    let far = far(&lan);
    let near = near(&lan, &far);
    let modelfile = near.home.path().join("Modelfile");
    std::fs::write(&modelfile, format!("FROM {}\nPARAMETER seed 7\n", model_file().display())).unwrap();
    let made = near.cli(&["create", "smollm2", "-f", modelfile.to_str().unwrap()]);
    assert!(made.status.success(), "{made:?}");

    let (by, text) = answered_by(
        &near,
        "/api/generate",
        &json!({"model": "smollm2", "prompt": "Hi", "options": {"num_predict": 1}}),
    );

    assert_eq!(by, None, "{text}");
}

#[test]
fn a_request_that_was_passed_on_is_not_passed_on_again() {
    let lan = Lan::new();
    let far = far(&lan);
    let near = near(&lan, &far);
    let client = reqwest::blocking::Client::builder().timeout(PATIENCE).no_proxy().build().unwrap();
    let body = script(json!({"tokens": 1})).to_string();
    let url = format!("{}/api/generate", near.url);

    let passed = client.post(&url).body(body.clone()).send().unwrap();
    let last = client.post(&url).body(body).header("hob-hop", "1").send().unwrap();

    assert_eq!((passed.status().as_u16(), last.status().as_u16()), (200, 404));
}

#[test]
fn what_an_answer_took_is_counted_where_its_client_is_known() {
    let lan = Lan::new();
    let far = far(&lan);
    let near = near(&lan, &far);
    let key = key(&near, &["laptop", "--scope", "infer,embed", "--tokens-per-day", "100000"]);
    let said = json!([{"role": "user", "content": json!({"tokens": 5}).to_string()}]);
    let left = || -> i64 {
        let body = json!({"model": "absent", "messages": [{"role": "user", "content": "a"}]}).to_string();
        let client = reqwest::blocking::Client::builder().timeout(PATIENCE).no_proxy().build().unwrap();
        let asked = client.post(format!("{}/v1/chat/completions", near.url)).bearer_auth(&key).body(body);
        let answer = asked.send().unwrap();
        answer.headers()["x-ratelimit-remaining-tokens"].to_str().unwrap().parse().unwrap()
    };
    assert_eq!(left(), 100_000);

    // 8 of the prompt, as scripts have it.
    let mut expected = 100_000;
    for (path, stream) in
        [("/v1/chat/completions", true), ("/v1/chat/completions", false), ("/api/chat", true)]
    {
        let body = json!({"model": "smollm2", "messages": said, "stream": stream});
        asked(&near, Some(&key), path, &body);
        expected -= 8 + 5;
        assert_eq!(left(), expected, "{path} {stream}");
    }
    asked(&near, Some(&key), "/v1/embeddings", &json!({"model": "smollm2", "input": ["a", "b"]}));
    expected -= 2;
    assert_eq!(left(), expected, "as many as inputs");
}

#[test]
fn what_was_computed_for_one_of_its_people_serves_no_other_there() {
    let lan = Lan::new();
    let far = with_model(Hob::start_on(&lan, PLAIN));
    let near = near(&lan, &far);
    let (ada, eve) = (key(&near, &["ada", "--scope", "infer"]), key(&near, &["eve", "--scope", "infer"]));
    let prompt =
        "The sea is wide and the night is long, and nobody knows what the morning brings. ".repeat(4);
    let cached = |key: &str| -> u64 {
        let body = json!({"model": "smollm2", "prompt": prompt, "max_tokens": 1, "temperature": 0});
        let (_, text) = asked(&near, Some(key), "/v1/completions", &body);
        let answer: Value = serde_json::from_str(&text).unwrap();
        answer["usage"]["prompt_tokens_details"]["cached_tokens"].as_u64().unwrap_or(0)
    };

    assert_eq!(cached(&ada), 0);
    assert!(cached(&ada) > 0, "what is hers is found again");
    assert_eq!(cached(&eve), 0);
}

#[test]
fn a_box_that_may_not_ask_another_does_not_and_says_so_once() {
    let lan = Lan::new();
    let far = far(&lan);
    let near = Hob::start_on(&lan, ROUTED);
    pair(&near, &far, "far", &["--scope", "models.read"]);

    // For longer than it is left alone after that.
    let until = Instant::now() + Duration::from_secs(3);
    while Instant::now() < until {
        assert_eq!(near.post("/api/generate", &script(json!({"tokens": 1}))).status, 404);
    }
    near.await_log("does not have the scope infer", 1);
    assert_eq!(near.log().matches("does not have the scope infer").count(), 1);
}

#[test]
fn a_key_for_some_models_gets_no_others_by_way_of_another_box() {
    let lan = Lan::new();
    let far = far(&lan);
    assert!(far.create("other", &model_file()).status.success());
    let near = near(&lan, &far);
    let key = key(&near, &["laptop", "--scope", "infer", "--model", "other*"]);
    let client =
        reqwest::blocking::Client::builder().timeout(Duration::from_secs(60)).no_proxy().build().unwrap();

    for body in [
        script(json!({"tokens": 1})).to_string(),
        r#"{"model": "other", "model": "smollm2", "prompt": "a"}"#.to_owned(),
        r#"{"model": "other", "Model": "smollm2", "prompt": "a"}"#.to_owned(),
    ] {
        let asked = client.post(format!("{}/api/generate", near.url)).bearer_auth(&key).body(body.clone());
        assert_eq!(asked.send().unwrap().status().as_u16(), 404, "{body}");
    }
    assert!(!near.log().contains("passed to a paired box"), "{}", near.log());
    asked(&near, Some(&key), "/api/generate", &json!({"model": "other", "prompt": "a"}));
}
