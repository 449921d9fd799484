//! Anthropic's API over HTTP, as it stands on the wire; its own clients are in `clients`.

use behaviour::{Answer, Hob, cache};
use serde_json::{Value, json};

fn ask(fields: Value) -> Value {
    let mut body = json!({"model": "smollm2", "max_tokens": 20, "temperature": 0,
        "messages": [{"role": "user", "content": "Why is the sky blue?"}]});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    body
}

/// The same, to be counted.
fn count(fields: Value) -> Value {
    let mut body = ask(fields);
    body.as_object_mut().unwrap().retain(|field, _| field != "max_tokens" && field != "temperature");
    body
}

/// The events of a stream, each of which is named as its type is.
fn events(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{answer:?}");
    let named = |event: &str| {
        let (name, data) = event.split_once('\n').unwrap();
        let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(Some(data["type"].as_str().unwrap()), name.strip_prefix("event: "), "{event}");
        data
    };
    answer.text.split_terminator("\n\n").map(named).collect()
}

#[track_caller]
fn assert_refused(answer: &Answer, status: u16, kind: &str, words: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    let body = answer.json();
    assert_eq!((&body["type"], &body["error"]["type"]), (&json!("error"), &json!(kind)), "{answer:?}");
    assert!(body["error"]["message"].as_str().unwrap().contains(words), "{answer:?}");
    assert!(body.as_object().unwrap().contains_key("request_id"), "{answer:?}");
}

#[test]
fn an_answer_is_the_same_whole_and_as_it_grows_and_as_in_the_other_families() {
    let hob = Hob::start();

    let whole = hob.post("/v1/messages", &ask(json!({}))).json();
    let events = events(&hob.post("/v1/messages?beta=true", &ask(json!({"stream": true}))));

    let text = whole["content"][0]["text"].as_str().unwrap();
    assert_eq!(hob.ask("Why is the sky blue?", 20)["response"], text);
    let types: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(types[..4], ["message_start", "content_block_start", "ping", "content_block_delta"]);
    assert_eq!(types[types.len() - 3..], ["content_block_stop", "message_delta", "message_stop"]);
    let parts = events.iter().filter_map(|event| event["delta"]["text"].as_str());
    assert_eq!(parts.collect::<String>(), text);
    let prompt = |usage: &Value| {
        usage["input_tokens"].as_u64().unwrap() + usage["cache_read_input_tokens"].as_u64().unwrap()
    };
    let (start, end) = (&events[0]["message"]["usage"], &events[types.len() - 2]["usage"]);
    assert_eq!(prompt(start), prompt(&whole["usage"]));
    assert!(start["cache_read_input_tokens"].as_u64().unwrap() > 0, "it was read before: {start}");
    assert_eq!((&end["input_tokens"], &end["output_tokens"]), (&start["input_tokens"], &json!(20)));
}

#[test]
fn what_is_counted_is_what_is_read() {
    let hob = Hob::start();
    let tools = json!([{"name": "now", "description": "The time.", "input_schema": {"type": "object"}}]);
    for fields in [json!({}), json!({"system": "Be brief."}), json!({"tools": tools})] {
        let counted =
            hob.post("/v1/messages/count_tokens", &count(fields.clone())).json()["input_tokens"].clone();
        let usage = hob.post("/v1/messages", &ask(fields)).json()["usage"].clone();
        let read = ["input_tokens", "cache_read_input_tokens"].map(|field| usage[field].as_u64().unwrap());
        assert_eq!(counted, read.iter().sum::<u64>(), "{usage}");
    }
}

#[test]
fn what_goes_wrong_has_anthropics_shape() {
    let hob = Hob::start();
    let refused = |fields: Value| hob.post("/v1/messages", &ask(fields));

    assert_refused(&refused(json!({"model": "nope"})), 404, "not_found_error", "model 'nope' not found");
    assert_refused(&refused(json!({"warmth": 1})), 400, "invalid_request_error", "warmth");
    assert_refused(&hob.post_text("/v1/messages", "{"), 400, "invalid_request_error", "EOF");
    assert_refused(&hob.post_text("/v1/messages", ""), 400, "invalid_request_error", "missing request body");
    assert_refused(&hob.get("/v1/messages/batches"), 404, "not_found_error", "/v1/messages/batches");
    assert_refused(&hob.get("/v1/messages"), 405, "invalid_request_error", "GET /v1/messages");
    let unlimited = json!({"model": "smollm2", "messages": []});
    let without = hob.post("/v1/messages", &unlimited);
    assert_refused(&without, 400, "invalid_request_error", "missing field `max_tokens`");
}

#[test]
fn a_model_that_thinks_may_be_told_to_and_one_that_cannot_says_so() {
    let hob = Hob::start();
    let thinker = cache().join("models/tiny-chat-qwen.gguf");
    assert!(hob.create("thinker", &thinker).status.success());
    let thinking = json!({"type": "enabled", "budget_tokens": 1024});
    let asked = |model: &str, thinking: &Value| {
        hob.post("/v1/messages/count_tokens", &count(json!({"model": model, "thinking": thinking})))
    };

    assert_refused(&asked("smollm2", &thinking), 400, "invalid_request_error", "does not support thinking");

    let adaptive = json!({"type": "adaptive"});
    assert_eq!(asked("smollm2", &adaptive).status, 200);
    assert_eq!(asked("thinker", &thinking).json(), asked("thinker", &adaptive).json());
    assert_ne!(asked("thinker", &thinking).json(), asked("thinker", &json!({"type": "disabled"})).json());
}

#[test]
fn both_ways_to_list_models_are_described_and_so_is_every_event() {
    let hob = Hob::start_empty(&[]);

    let document = hob.get("/openapi.json").json();

    for (path, method) in [("/v1/messages", "post"), ("/v1/messages/count_tokens", "post")] {
        assert_eq!(document["paths"][path][method]["tags"], json!(["Anthropic"]), "{path}");
    }
    let list = &document["paths"]["/v1/models"]["get"];
    let schema = &list["responses"]["200"]["content"]["application/json"]["schema"];
    assert_eq!(schema["anyOf"].as_array().unwrap().len(), 2, "{list}");
    assert!(list["parameters"].as_array().unwrap().iter().any(|it| it["name"] == "after_id"), "{list}");
    for named in document.to_string().split("\"$ref\":\"#").skip(1) {
        let pointer = named.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer} is named and not there");
    }
    let events = document["components"]["schemas"]["Anthropic.StreamEvent"].to_string();
    for name in ["message_start", "content_block_delta", "message_delta", "ping", "error"] {
        assert!(events.contains(name), "{name}");
    }
}
