//! Questions and answers over HTTP, in both families, streamed and not.

use std::io::BufRead;

use behaviour::Hob;
use serde_json::{Value, json};

fn question() -> Value {
    json!([{"role": "user", "content": "Why is the sky blue?"}])
}

fn is_right(text: &str) -> bool {
    text.contains("Rayleigh") || text.contains("scatter")
}

#[test]
fn every_way_to_ask_gives_the_same_greedy_answer() {
    let hob = Hob::start();
    let options = json!({"temperature": 0, "num_predict": 60});

    let whole = hob.post(
        "/api/chat",
        &json!({"model": "smollm2", "messages": question(), "stream": false, "options": options}),
    );
    let whole = whole.json()["message"]["content"].as_str().unwrap().to_owned();
    assert!(is_right(&whole), "{whole}");

    let lines = hob
        .post("/api/chat", &json!({"model": "smollm2", "messages": question(), "options": options}))
        .lines();
    let joined: String = lines.iter().filter_map(|line| line["message"]["content"].as_str()).collect();
    assert_eq!(joined, whole);

    assert_eq!(hob.ask("Why is the sky blue?", 60)["response"], whole);

    let openai = |stream: bool| {
        let body = json!({"model": "smollm2", "messages": question(), "temperature": 0, "max_tokens": 60, "stream": stream});
        hob.post("/v1/chat/completions", &body)
    };
    assert_eq!(openai(false).json()["choices"][0]["message"]["content"], whole);
    let events = openai(true).events();
    let joined: String =
        events.iter().filter_map(|event| event["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(joined, whole);
    assert_eq!(events[0]["choices"][0]["delta"]["role"], "assistant");
    assert_eq!(events.last().unwrap()["choices"][0]["finish_reason"], "length");
}

#[test]
fn the_last_line_counts_and_times_what_was_done() {
    let hob = Hob::start();

    let last = hob.ask("Why is the sky blue?", 5);

    assert_eq!(last["done"], true);
    assert_eq!(last["done_reason"], "length");
    assert_eq!(last["eval_count"], 5);
    for field in
        ["total_duration", "load_duration", "prompt_eval_count", "prompt_eval_duration", "eval_duration"]
    {
        assert!(last[field].as_u64().unwrap() > 0, "{field} in {last}");
    }
}

#[test]
fn a_conversation_goes_on_by_its_context() {
    let hob = Hob::start();
    let first = hob.ask("My name is Ada. What is my name?", 20);

    let body = json!({"model": "smollm2", "prompt": "Say it again.", "context": first["context"], "stream": false,
        "options": {"temperature": 0, "num_predict": 5}});
    let second = hob.post("/api/generate", &body).json();

    let (before, after) =
        (first["context"].as_array().unwrap().len(), second["prompt_eval_count"].as_u64().unwrap());
    assert!(after as usize > before, "{second}");
}

#[test]
fn the_same_seed_gives_the_same_answer_and_a_stop_string_ends_it() {
    let hob = Hob::start();
    let ask = |options: Value| {
        let body =
            json!({"model": "smollm2", "prompt": "Tell me a story.", "stream": false, "options": options});
        hob.post("/api/generate", &body).json()
    };
    let seeded = || ask(json!({"seed": 42, "num_predict": 20, "temperature": 1.2}));
    assert_eq!(seeded()["response"], seeded()["response"]);

    let free = ask(json!({"temperature": 0, "num_predict": 20}))["response"].as_str().unwrap().to_owned();
    let stop = free.split_whitespace().nth(4).unwrap();
    let stopped = ask(json!({"temperature": 0, "num_predict": 20, "stop": [stop]}));
    assert_eq!(stopped["response"], free[..free.find(stop).unwrap()]);
    assert_eq!(stopped["done_reason"], "stop");
}

#[test]
fn two_requests_at_once_are_both_answered() {
    let hob = Hob::start();
    std::thread::scope(|scope| {
        let one = scope.spawn(|| hob.ask("Why is the sky blue?", 30));
        let two = scope.spawn(|| hob.ask("Name three rivers.", 30));
        assert_eq!(one.join().unwrap()["eval_count"], 30);
        assert!(two.join().unwrap()["eval_count"].as_u64().unwrap() > 0);
    });
    assert_eq!(hob.workers().len(), 1, "one model is one worker");
}

#[test]
fn a_client_that_goes_away_frees_its_sequence() {
    let hob = Hob::start_with(&[("HOB_MODELS__PARALLEL", "1")]);
    let endless = json!({"model": "smollm2", "prompt": "Count to a million.", "raw": true,
        "options": {"num_predict": 100_000, "num_ctx": 8192, "temperature": 0}});
    let mut stream = hob.stream("/api/generate", &endless);
    let mut line = String::new();
    stream.read_line(&mut line).unwrap();
    assert!(line.contains("\"done\":false"), "{line}");

    drop(stream);

    // With one sequence, an answer can only come if the first one stopped.
    assert_eq!(hob.ask("Hi", 3)["eval_count"], 3);
}

#[test]
fn a_model_is_loaded_and_unloaded_by_an_empty_request() {
    let hob = Hob::start();
    let load = hob.post("/api/generate", &json!({"model": "smollm2"})).json();
    assert_eq!((&load["done"], &load["done_reason"]), (&json!(true), &json!("load")));
    let loaded = hob.get("/api/ps").json();
    assert_eq!(loaded["models"][0]["name"], "smollm2:latest");
    assert_eq!(loaded["models"][0]["context_length"], 4096);

    let unload = hob.post("/api/generate", &json!({"model": "smollm2", "keep_alive": 0})).json();
    assert_eq!(unload["done_reason"], "unload");
    assert_eq!(hob.get("/api/ps").json(), json!({"models": []}));
}

#[test]
fn a_modelfile_changes_what_a_model_is() {
    let hob = Hob::start();
    let modelfile = hob.home.path().join("Pirate");
    let text = "FROM smollm2\nPARAMETER temperature 0\nPARAMETER num_predict 7\nSYSTEM You are a pirate.\nMESSAGE user Ahoy\n\
                MESSAGE assistant Arr!\n";
    std::fs::write(&modelfile, text).unwrap();
    let made = hob.cli(&["create", "pirate", "-f", modelfile.to_str().unwrap()]);
    assert!(made.status.success(), "{made:?}");

    let body = json!({"model": "pirate", "messages": [{"role": "user", "content": "Who are you?"}], "stream": false});
    let answer = hob.post("/api/chat", &body).json();
    let shown = hob.post("/api/show", &json!({"model": "pirate"})).json();

    assert_eq!(answer["eval_count"], 7);
    assert_eq!(shown["system"], "You are a pirate.");
    assert!(shown["modelfile"].as_str().unwrap().contains("MESSAGE assistant Arr!"), "{shown}");
}

#[test]
fn a_modelfiles_template_is_how_a_model_reads() {
    let hob = Hob::start();
    let create = |name: &str, template: &str| {
        let body = json!({"model": name, "from": "smollm2", "template": template, "stream": false});
        assert_eq!(hob.post("/api/create", &body).json()["status"], "success");
    };
    create("quiz", "Q: {{ .Prompt }}\nA:");
    create("broken", "Q: {{ .Prompt }}\n{{ if .System }}");
    let ask = |body: Value| hob.post("/api/generate", &body);
    let options = json!({"temperature": 0, "num_predict": 4});

    let read = ask(json!({"model": "quiz", "prompt": "Why?", "stream": false, "options": options}));
    let plain = ask(
        json!({"model": "smollm2", "prompt": "Q: Why?\nA:", "raw": true, "stream": false, "options": options}),
    );
    let broken = ask(json!({"model": "broken", "prompt": "Why?"}));

    let (read, plain) = (read.json(), plain.json());
    assert_eq!(read["prompt_eval_count"], plain["prompt_eval_count"], "{read}");
    assert_eq!(read["response"], plain["response"]);
    assert_eq!(broken.status, 500);
    let said = broken.json()["error"].to_string();
    assert!(said.contains("template error: line 2, column 1: {{if}} has no {{end}}"), "{said}");
}
