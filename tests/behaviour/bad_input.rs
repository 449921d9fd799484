//! What clients and files get wrong: each a clear error in the family's shape, and the daemon lives.

use std::process::Stdio;

use behaviour::{Answer, Hob, command, model_file};
use serde_json::{Value, json};

#[track_caller]
fn assert_error(answer: &Answer, status: u16, text: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert!(answer.json()["error"].as_str().unwrap().contains(text), "{answer:?}");
}

#[track_caller]
fn assert_openai_error(answer: &Answer, status: u16, kind: &str, text: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    let error = &answer.json()["error"];
    assert_eq!(error["type"], kind, "{answer:?}");
    assert!(error["message"].as_str().unwrap().contains(text), "{answer:?}");
}

fn chat(model: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": "Hi"}]})
}

#[test]
fn an_unknown_model_is_named() {
    let hob = Hob::start_empty(&[]);
    assert_error(&hob.post("/api/chat", &chat("nope")), 404, "model 'nope' not found");
    assert_error(&hob.post("/api/generate", &json!({"model": "nope"})), 404, "model 'nope' not found");
    assert_error(&hob.post("/api/show", &json!({"model": "nope"})), 404, "not found");
    assert_openai_error(&hob.post("/v1/chat/completions", &chat("nope")), 404, "not_found_error", "nope");
    assert_error(&hob.post("/api/chat", &chat("../../etc/passwd")), 400, "invalid model name");
}

#[test]
fn json_that_is_none_or_of_the_wrong_type_is_refused() {
    let hob = Hob::start();
    for path in ["/api/chat", "/api/generate"] {
        assert_error(&hob.post_text(path, ""), 400, "missing request body");
        assert_eq!(hob.post_text(path, "{\"model\":").status, 400);
        assert_eq!(hob.post_text(path, "not json").status, 400);
        assert_error(&hob.post_text(path, "{\"model\":\"smollm2\",\"stream\":\"yes\"}"), 400, "stream");
    }
    assert_openai_error(&hob.post_text("/v1/chat/completions", "{"), 400, "invalid_request_error", "");
    let wrong = json!({"model": "smollm2", "messages": "Hi"});
    assert_openai_error(&hob.post("/v1/chat/completions", &wrong), 400, "invalid_request_error", "messages");
    hob.assert_alive();
}

#[test]
fn a_name_in_a_path_that_is_no_text_is_refused_in_the_familys_shape() {
    let hob = Hob::start_empty(&[]);
    for path in ["/v1/models/%ff", "/v1/responses/%ff"] {
        assert_openai_error(&hob.get(path), 400, "invalid_request_error", "UTF-8");
    }
}

#[test]
fn options_out_of_range_are_refused_by_name() {
    let hob = Hob::start();
    let with = |options: Value| {
        hob.post("/api/generate", &json!({"model": "smollm2", "prompt": "Hi", "options": options}))
    };
    assert_error(&with(json!({"num_ctx": 2_000_000_000})), 400, "num_ctx");
    assert_error(&with(json!({"temperature": "hot"})), 400, "option \"temperature\" must be of type float32");
    assert_error(&with(json!({"top_p": 7})), 400, "top_p");
    hob.assert_alive();
}

#[test]
fn what_cannot_be_had_is_refused_and_not_ignored() {
    let hob = Hob::start();
    for field in ["web_search_options", "warmth"] {
        let mut body = chat("smollm2");
        body[field] = json!({});
        assert_openai_error(&hob.post("/v1/chat/completions", &body), 400, "invalid_request_error", field);
    }
    let unfinished = json!({"model": "smollm2", "prompt": "Hi", "template": "{{ .Prompt"});
    assert_error(&hob.post("/api/generate", &unfinished), 400, "template");
}

#[test]
fn tools_that_cannot_be_are_refused_in_words() {
    let hob = Hob::start();
    let refused = |tools: Value, choice: Value, words: &str| {
        let mut body = chat("smollm2");
        (body["tools"], body["tool_choice"]) = (tools, choice);
        assert_error(&hob.post("/api/chat", &body), 400, words);
    };
    let named = |name: &str, parameters: Value| json!({"type": "function", "function": {"name": name, "parameters": parameters}});
    refused(json!([{"type": "function"}]), Value::Null, "function.name");
    refused(json!([named("a", json!({})), named("a", json!({}))]), Value::Null, "two tools have the name");
    refused(json!([named("a", json!([]))]), Value::Null, "JSON Schema object");
    refused(json!([named("a", json!({}))]), json!("b"), "tool_choice");
    // Without an end, beyond all bounds, and of a kind that there is not.
    let endless = json!({"properties": {"a": {"$ref": "#/properties/a"}}, "required": ["a"]});
    refused(json!([named("a", endless)]), json!("required"), "");
    let names: Vec<String> = (0..40_000).map(|number| format!("property_{number}")).collect();
    refused(json!([named("a", json!({"required": names}))]), json!("required"), "bytes");
    refused(json!([named("a", json!({"type": "thing"}))]), json!("required"), "thing");
    hob.assert_alive();
}

#[test]
fn a_prompt_longer_than_the_context_is_cut_or_refused() {
    let hob = Hob::start();
    let ask = |truncate: bool| {
        let body = json!({"model": "smollm2", "prompt": "The moon and the sun. ".repeat(400), "truncate": truncate,
            "stream": false, "options": {"num_ctx": 512, "num_predict": 3}});
        hob.post("/api/generate", &body)
    };

    // The context that counts is the loaded model's.
    let cut = ask(true);
    assert_eq!(cut.status, 200, "{cut:?}");
    assert!(cut.json()["prompt_eval_count"].as_u64().unwrap() < 512, "{cut:?}");
    assert_error(&ask(false), 400, "the prompt is longer than the context length");
    hob.assert_alive();
}

#[test]
fn a_gguf_that_is_cut_short_or_garbage_makes_no_model() {
    let hob = Hob::start_empty(&[]);
    let whole = std::fs::read(model_file()).unwrap();
    let cases: [(&str, &[u8], &str); 3] = [
        ("garbage", b"not a model at all, just some text", "not in GGUF format"),
        ("half", &whole[..whole.len() / 2], "cut short"),
        ("header", &whole[..1000], "cut short"),
    ];
    for (name, bytes, reason) in cases {
        let file = hob.home.path().join(format!("{name}.gguf"));
        std::fs::write(&file, bytes).unwrap();

        let made = hob.create(name, &file);

        assert!(!made.status.success());
        let said = String::from_utf8_lossy(&made.stderr).into_owned();
        assert!(said.contains(reason), "{name}: {said}");
    }
    assert_eq!(hob.get("/api/tags").json(), json!({"models": []}));
}

#[test]
fn a_blob_that_is_not_what_it_was_said_to_be_is_not_kept() {
    let hob = Hob::start_empty(&[]);
    let digest = format!("sha256:{}", "0".repeat(64));
    assert_error(&hob.post_text(&format!("/api/blobs/{digest}"), "hello"), 400, "digest mismatch");
    assert_eq!(hob.post_text("/api/blobs/sha256:..%2F..%2Fetc%2Fpasswd", "hello").status, 400);
    let blobs = hob.home.path().join(".local/share/hob/models/blobs");
    assert_eq!(std::fs::read_dir(blobs).unwrap().count(), 0);
}

#[test]
fn a_port_in_use_is_named_with_the_remedy() {
    let hob = Hob::start_empty(&[]);
    let taken = hob.url.strip_prefix("http://").unwrap();
    let home = tempfile::TempDir::new().unwrap();

    let second =
        command(home.path()).arg("serve").env("HOB_LISTEN", taken).stderr(Stdio::piped()).output().unwrap();

    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(!second.status.success());
    assert!(said.contains(taken) && said.contains("in use") && said.contains("HOB_LISTEN"), "{said}");
}

#[test]
fn a_models_folder_that_cannot_be_written_is_named() {
    let home = tempfile::TempDir::new().unwrap();
    let file = home.path().join("file");
    std::fs::write(&file, "").unwrap();
    let folder = file.join("models");

    let started = command(home.path())
        .arg("serve")
        .env("HOB_LISTEN", "127.0.0.1:0")
        .env("HOB_MODELS__DIR", &folder)
        .stderr(Stdio::piped())
        .output()
        .unwrap();

    let said = String::from_utf8_lossy(&started.stderr).into_owned();
    assert!(!started.status.success());
    assert!(said.contains(folder.to_str().unwrap()) && said.contains("cannot be written"), "{said}");
}

#[test]
fn paths_that_are_none_and_methods_that_are_wrong_are_told_so() {
    let hob = Hob::start_empty(&[]);
    let answer = hob.get("/api/nothing");
    assert_eq!((answer.status, answer.text.as_str()), (404, "404 page not found"));
    assert_eq!(hob.get("/api/chat").status, 405);
}

#[test]
fn however_much_is_wrong_the_answer_and_the_log_are_short() {
    let hob = Hob::start();
    let long = "x".repeat(1 << 20);
    let wrong = json!({"model": "smollm2", "prompt": "Hi", "n": long});
    let answer = hob.post("/v1/completions", &wrong);
    assert!(answer.status == 400 && answer.text.len() < 1000, "{} bytes", answer.text.len());
    let answer = hob.post("/api/generate", &json!({"model": "smollm2", "prompt": "Hi", "format": long}));
    assert!(answer.status == 400 && answer.text.len() < 1000, "{} bytes", answer.text.len());

    let unknown: serde_json::Map<String, Value> =
        (0..1000).map(|at| (format!("{long:.100}{at}"), json!(1))).collect();
    let message = json!({"role": "user", "content": "Hi", "mood\n": "good"});
    let mut body = json!({"model": "smollm2", "messages": [message.clone(), message], "stream": false});
    body["options"] = unknown.into();
    body["options"]["num_predict"] = json!(1);
    assert_eq!(hob.post("/api/chat", &body).status, 200);
    hob.await_log("fields that do not exist here have no effect", 1);
    assert!(hob.log().len() < 1 << 16, "{} bytes", hob.log().len());
}

#[test]
fn a_prompt_that_no_worker_would_take_is_refused_before_it_is_copied() {
    let hob = Hob::start();
    let with = |bytes: usize, answers: u32| {
        let prompt = "x".repeat(bytes);
        hob.post(
            "/v1/completions",
            &json!({"model": "smollm2", "prompt": prompt, "n": answers, "max_tokens": 1}),
        )
    };
    for refused in [with(17 << 20, 1), with(17 << 20, 128), with(8 << 20, 128)] {
        assert_openai_error(&refused, 413, "invalid_request_error", "are too many for one request");
    }
    assert!(hob.workers().is_empty(), "no model was loaded for it");
}
