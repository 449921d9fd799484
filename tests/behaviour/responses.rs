//! `/v1/responses`: what is kept and for how long, in which order its events come, and what goes on without anybody waiting.

use std::io::BufRead;

use behaviour::{Hob, PATIENCE};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

/// So many tokens of an answer, the likeliest ones.
fn asked(input: impl Into<Value>, tokens: u32) -> Value {
    json!({"model": "smollm2", "input": input.into(), "temperature": 0, "max_output_tokens": tokens})
}

fn with(mut body: Value, more: Value) -> Value {
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

#[track_caller]
fn answer(hob: &Hob, body: &Value) -> Value {
    let answer = hob.post("/v1/responses", body);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

fn text(response: &Value) -> &str {
    response["output"][0]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{response}"))
}

/// The events of a stream, each under its name.
fn events(stream: &str) -> Vec<Value> {
    // A comment says that the connection is alive.
    let events =
        stream.split("\n\n").filter(|event| !event.is_empty() && !event.starts_with(':')).map(|event| {
            let (name, data) = event.strip_prefix("event: ").unwrap().split_once("\ndata: ").unwrap();
            let data: Value = serde_json::from_str(data).unwrap();
            assert_eq!(data["type"], name);
            data
        });
    events.collect()
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

/// An answer that goes on for as long as the context lasts.
fn endless() -> Value {
    let numbers = json!({"type": "array", "items": {"type": "integer"}, "minItems": 10_000});
    let format = json!({"type": "json_schema", "name": "numbers", "schema": numbers});
    with(asked("Count to a million.", 4000), json!({"text": {"format": format}}))
}

/// The same, in the background.
fn endless_in_background(hob: &Hob) -> String {
    let queued = answer(hob, &with(endless(), json!({"background": true})));
    assert_eq!((&queued["status"], &queued["background"]), (&json!("queued"), &json!(true)));
    queued["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_response_is_gone_on_from_after_a_power_cut() {
    let hob = Hob::start();
    let said = json!([{"role": "user", "content": "My name is Ada."}]);
    let first = answer(&hob, &with(asked(said, 12), json!({"instructions": "You are a poet."})));
    let id = first["id"].as_str().unwrap();
    let alone = answer(&hob, &asked("What is my name?", 12));

    let hob = hob.killed_and_restarted();
    let kept = hob.get(&format!("/v1/responses/{id}"));
    let second = answer(&hob, &with(asked("What is my name?", 12), json!({"previous_response_id": id})));

    assert_eq!(kept.json(), first);
    assert_eq!(second["previous_response_id"], id);
    // The whole conversation is read, but not the instructions of before.
    let said = json!([{"role": "user", "content": "My name is Ada."}, {"role": "assistant", "content": text(&first)},
        {"role": "user", "content": "What is my name?"}]);
    let spelled_out = answer(&hob, &asked(said, 12));
    assert_eq!(text(&second), text(&spelled_out));
    assert_eq!(second["usage"]["input_tokens"], spelled_out["usage"]["input_tokens"]);
    assert_ne!(second["usage"]["input_tokens"], alone["usage"]["input_tokens"]);
}

#[test]
fn events_come_in_order_and_the_last_one_tells_what_is_kept() {
    let hob = Hob::start();
    let whole = answer(&hob, &asked("Why is the sky blue?", 6));

    let stream = hob.post("/v1/responses", &with(asked("Why is the sky blue?", 6), json!({"stream": true})));

    let events = events(&stream.text);
    let kinds = kinds(&events);
    let opening = [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
    ];
    let closing = [
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.incomplete",
    ];
    assert_eq!((&kinds[..4], &kinds[kinds.len() - 4..]), (&opening[..], &closing[..]));
    let deltas = &events[4..events.len() - 4];
    assert!(deltas.len() > 1 && deltas.iter().all(|event| event["type"] == "response.output_text.delta"));
    assert!((0_u64..).zip(&events).all(|(at, event)| event["sequence_number"] == at), "{events:?}");
    let told: String = deltas.iter().map(|event| event["delta"].as_str().unwrap()).collect();
    let last = &events.last().unwrap()["response"];
    assert_eq!((text(last), &told[..]), (text(&whole), text(&whole)));
    assert_eq!(last["incomplete_details"]["reason"], "max_output_tokens");
    let id = last["id"].as_str().unwrap();
    assert_eq!(hob.get(&format!("/v1/responses/{id}")).json(), *last);
}

#[test]
fn what_is_not_to_be_kept_and_what_was_deleted_is_not_there() {
    let hob = Hob::start();
    let missing = |id: &str| {
        let previous =
            hob.post("/v1/responses", &with(asked("And?", 2), json!({"previous_response_id": id})));
        let error = &previous.json()["error"];
        assert_eq!(
            (previous.status, &error["code"]),
            (400, &json!("previous_response_not_found")),
            "{error}"
        );
        assert_eq!(error["param"], "previous_response_id");
        let path = format!("/v1/responses/{id}");
        for answer in [
            hob.get(&path),
            hob.get(&format!("{path}/input_items")),
            hob.delete(&path, &json!({})),
            hob.post(&format!("{path}/cancel"), &json!({})),
        ] {
            assert_eq!(answer.status, 404, "{answer:?}");
            assert_eq!(answer.json()["error"]["message"], format!("Response with id '{id}' not found."));
        }
    };

    let told = answer(&hob, &with(asked("Hi", 2), json!({"store": false})));
    missing(told["id"].as_str().unwrap());

    let first = answer(&hob, &asked("Hi", 2));
    let id = first["id"].as_str().unwrap();
    let second = answer(&hob, &with(asked("And?", 2), json!({"previous_response_id": id})));
    let deleted = hob.delete(&format!("/v1/responses/{id}"), &json!({}));
    assert_eq!(deleted.json(), json!({"id": id, "object": "response", "deleted": true}));
    missing(id);

    // What goes on from it still does.
    let second = second["id"].as_str().unwrap();
    let third = answer(&hob, &with(asked("And?", 2), json!({"previous_response_id": second})));
    assert!(third["usage"]["input_tokens"].as_u64() > first["usage"]["input_tokens"].as_u64());
}

#[test]
fn a_client_that_goes_away_leaves_nothing_behind() {
    let hob = Hob::start_with(&[("HOB_MODELS__PARALLEL", "1")]);
    let body = with(endless(), json!({"stream": true}));
    let mut lines = hob.stream("/v1/responses", &body).lines();
    let created: Value =
        serde_json::from_str(lines.nth(1).unwrap().unwrap().strip_prefix("data: ").unwrap()).unwrap();
    let id = created["response"]["id"].as_str().unwrap();

    drop(lines);

    // The one place of the model is free again, which it is not as long as somebody is answered.
    assert!(!text(&answer(&hob, &asked("Hi", 1))).is_empty());
    assert_eq!(hob.get(&format!("/v1/responses/{id}")).status, 404);
}

#[test]
fn a_call_and_its_result_are_two_responses() {
    let hob = Hob::start();
    let weather = json!({"type": "function", "name": "weather", "parameters": {"type": "object", "required": ["city"],
        "properties": {"city": {"enum": ["Oslo", "Rome"]}}}});
    let tools = json!({"tools": [{"type": "namespace", "name": "sky", "description": "Outside.", "tools": [weather]}]});
    let body = with(asked("What is the weather in Oslo?", 60), tools.clone());

    let called = answer(&hob, &with(body.clone(), json!({"tool_choice": "required"})));

    let call = &called["output"][0];
    assert_eq!((&call["type"], &call["name"]), (&json!("function_call"), &json!("weather")), "{called}");
    assert_eq!((&call["namespace"], &call["status"]), (&json!("sky"), &json!("completed")));
    let arguments: Value = serde_json::from_str(call["arguments"].as_str().unwrap()).unwrap();
    assert!(["Oslo", "Rome"].iter().any(|city| arguments["city"] == *city), "{arguments}");

    let result =
        json!([{"type": "function_call_output", "call_id": call["call_id"], "output": "Sunny, 21 degrees."}]);
    let previous = json!({"previous_response_id": called["id"], "tool_choice": "none", "input": result});
    let told = answer(&hob, &with(with(body, previous), json!({"max_output_tokens": 40})));
    assert!(text(&told).contains("21"), "{told}");
    let listed = hob.get(&format!("/v1/responses/{}/input_items", told["id"].as_str().unwrap())).json();
    assert_eq!(
        (listed["data"].as_array().unwrap().len(), &listed["data"][0]["output"]),
        (1, &json!("Sunny, 21 degrees."))
    );

    let nobodys = hob.post("/v1/responses", &asked(result_of("call_nobody"), 2));
    assert_eq!((nobodys.status, &nobodys.json()["error"]["param"]), (400, &json!("input")), "{nobodys:?}");
}

fn result_of(call: &str) -> Value {
    json!([{"type": "function_call_output", "call_id": call, "output": "a"}])
}

#[test]
fn an_item_stands_for_what_it_names() {
    let hob = Hob::start();
    let first = answer(&hob, &asked("Say a word.", 4));
    let item = &first["output"][0]["id"];

    let by_name = json!([{"type": "item_reference", "id": item}, {"role": "user", "content": "Another."}]);
    let spelled_out =
        json!([{"role": "assistant", "content": text(&first)}, {"role": "user", "content": "Another."}]);
    let by_name = answer(&hob, &asked(by_name, 4));

    assert_eq!(text(&by_name), text(&answer(&hob, &asked(spelled_out, 4))));
    let refused =
        hob.post("/v1/responses", &asked(json!([{"type": "item_reference", "id": "msg_nobody"}]), 4));
    assert_eq!(refused.status, 400);
    assert_eq!(refused.json()["error"]["message"], "Item with id 'msg_nobody' not found.");
}

#[test]
fn what_a_request_refers_to_takes_no_more_than_a_body_may() {
    let hob = Hob::start();
    let item = json!({"role": "user", "content": "a".repeat(20 << 20), "id": "msg_long"});
    // It is kept, and fails without being read.
    let body = json!({"model": "nobody", "input": [item], "background": true});
    let long = answer(&hob, &body);
    let refer = |times: usize| vec![json!({"type": "item_reference", "id": "msg_long"}); times];
    let refused = |body: Value| {
        let answer = hob.post("/v1/responses", &body);
        assert_eq!(answer.status, 400, "{answer:?}");
        answer.json()["error"].clone()
    };

    let too_long = refused(asked(refer(4), 1));
    assert_eq!(too_long["param"], "input");
    assert!(too_long["message"].as_str().unwrap().contains("too long"), "{too_long}");
    assert_eq!(refused(asked(refer(1001), 1))["param"], "input");
    // Followed to its end.
    let failed = hob.get(&format!("/v1/responses/{}?stream=true", long["id"].as_str().unwrap()));
    assert_eq!(kinds(&events(&failed.text)).last(), Some(&"response.failed"));
    let going_on = json!({"previous_response_id": long["id"]});
    assert_eq!(refused(with(asked(refer(3), 1), going_on))["param"], "previous_response_id");
}

#[test]
fn a_conversation_that_is_too_long_is_refused_unless_it_may_be_cut() {
    let hob = Hob::start();
    let small = json!({"options": {"num_ctx": 128}});
    let long = with(asked("word ".repeat(400), 4), small.clone());
    let counted = with(asked("word ".repeat(400), 4), json!({}));
    let count = |body: &Value| {
        let body = json!({"model": body["model"], "input": body["input"]});
        hob.post("/v1/responses/input_tokens", &body).json()
    };

    let refused = hob.post("/v1/responses", &long);
    assert_eq!((refused.status, &refused.json()["error"]["code"]), (400, &json!("context_length_exceeded")));
    let cut = answer(&hob, &with(long, json!({"truncation": "auto"})));
    assert!(cut["usage"]["input_tokens"].as_u64().unwrap() <= 128, "{cut}");

    // Without leave to cut, an answer ends where the context does.
    let full = answer(&hob, &with(endless(), small));
    assert_eq!(full["incomplete_details"]["reason"], "max_output_tokens");
    assert_eq!(full["usage"]["total_tokens"], 128, "{full}");

    let counted = count(&counted);
    assert_eq!(counted["object"], "response.input_tokens");
    assert!(counted["input_tokens"].as_u64().unwrap() > 400);
    let hi = answer(&hob, &asked("Hi", 1));
    assert_eq!(count(&asked("Hi", 1))["input_tokens"], hi["usage"]["input_tokens"]);
}

#[test]
fn a_background_response_is_followed_from_any_event_on() {
    let hob = Hob::start();
    let body = with(asked("Why is the sky blue?", 8), json!({"background": true, "stream": true}));

    let told = events(&hob.post("/v1/responses", &body).text);

    let kinds = kinds(&told);
    assert_eq!(kinds[..3], ["response.created", "response.queued", "response.in_progress"]);
    let last = told.last().unwrap();
    let path = format!("/v1/responses/{}", last["response"]["id"].as_str().unwrap());
    assert_eq!(
        (kinds.last().unwrap(), &last["response"]["background"]),
        (&"response.incomplete", &json!(true))
    );
    assert_eq!(hob.get(&path).json(), last["response"]);
    let rest = hob.get(&format!("{path}?stream=true&starting_after=2"));
    assert_eq!(events(&rest.text), told[3..]);
    // It has ended, so there is nothing to cancel.
    assert_eq!(hob.post(&format!("{path}/cancel"), &json!({})).json(), last["response"]);
    assert_eq!(text(&last["response"]), text(&answer(&hob, &asked("Why is the sky blue?", 8))));
}

#[test]
fn only_a_background_response_is_cancelled_and_what_it_said_stands() {
    let hob = Hob::start();
    let id = endless_in_background(&hob);
    let path = format!("/v1/responses/{id}");
    let mut lines = hob.follow(&format!("{path}?stream=true")).lines();
    lines.find(|line| line.as_ref().unwrap() == "event: response.output_text.delta").unwrap().unwrap();

    let cancelled = hob.post(&format!("{path}/cancel"), &json!({}));

    let cancelled = cancelled.json();
    assert_eq!((&cancelled["status"], &cancelled["id"]), (&json!("cancelled"), &json!(id)));
    assert!(!text(&cancelled).is_empty() && cancelled["output"][0]["status"] == "incomplete", "{cancelled}");
    assert!(lines.map_while(Result::ok).all(|line| line != "event: response.completed"));
    assert_eq!(hob.get(&path).json(), cancelled);
    assert_eq!(hob.killed_and_restarted().get(&path).json(), cancelled);

    let hob = Hob::start();
    let foreground = answer(&hob, &asked("Hi", 1));
    let path = format!("/v1/responses/{}", foreground["id"].as_str().unwrap());
    let refused = hob.post(&format!("{path}/cancel"), &json!({}));
    assert_eq!(refused.status, 400);
    assert_eq!(refused.json()["error"]["message"], "Cannot cancel a synchronous response.");
    assert_eq!(hob.get(&format!("{path}?stream=true")).status, 400);
    let unkept =
        hob.post("/v1/responses", &with(asked("Hi", 1), json!({"background": true, "store": false})));
    assert_eq!((unkept.status, &unkept.json()["error"]["param"]), (400, &json!("background")));
}

#[test]
fn a_background_response_that_the_daemon_did_not_live_to_end_has_failed() {
    let hob = Hob::start();
    let id = endless_in_background(&hob);
    let path = format!("/v1/responses/{id}");
    assert!(["queued", "in_progress"].iter().any(|status| hob.get(&path).json()["status"] == *status));

    let hob = hob.killed_and_restarted();

    let failed = hob.get(&path).json();
    assert_eq!((&failed["status"], &failed["error"]["code"]), (&json!("failed"), &json!("server_error")));
    let refused = hob.post("/v1/responses", &with(asked("And?", 1), json!({"previous_response_id": id})));
    assert_eq!((refused.status, &refused.json()["error"]["param"]), (400, &json!("previous_response_id")));
}

#[test]
fn a_failure_in_the_background_is_told_by_the_response() {
    let hob = Hob::start();
    let body = with(asked("Hi", 1), json!({"background": true, "model": "nobody"}));
    let queued = answer(&hob, &body);
    let told = hob.get(&format!("/v1/responses/{}?stream=true", queued["id"].as_str().unwrap()));
    let told = events(&told.text);
    assert_eq!(kinds(&told), ["response.created", "response.queued", "response.failed"]);
    let error = &told[2]["response"]["error"];
    assert_eq!(error, &json!({"code": "invalid_prompt", "message": "model 'nobody' not found"}));
}

#[test]
fn a_worker_killed_in_mid_answer_is_a_failed_response_that_is_kept() {
    let hob = Hob::start();
    // Drawn by no known seed, so nobody else can go on with it.
    let body = with(endless(), json!({"stream": true, "temperature": 0.01}));
    let mut lines = hob.stream("/v1/responses", &body).lines();
    lines.find(|line| line.as_ref().unwrap() == "event: response.output_text.delta").unwrap().unwrap();

    kill(Pid::from_raw(hob.workers()[0]), Signal::SIGKILL).unwrap();

    let lines: Vec<String> = lines.map_while(Result::ok).filter(|line| !line.is_empty()).collect();
    let [.., name, data] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!(name, "event: response.failed");
    let failed: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
    let response = &failed["response"];
    assert_eq!((&response["status"], &response["error"]["code"]), (&json!("failed"), &json!("server_error")));
    let kept = hob.get(&format!("/v1/responses/{}", response["id"].as_str().unwrap()));
    assert_eq!(kept.json(), *response);
}

#[test]
fn a_daemon_that_is_told_to_end_writes_down_what_it_stops() {
    let mut hob = Hob::start();
    let id = endless_in_background(&hob);
    let begun = std::time::Instant::now();

    let ended = hob.terminate();

    assert!(ended.success() && begun.elapsed() < PATIENCE);
    let told = hob.killed_and_restarted().get(&format!("/v1/responses/{id}")).json();
    // It had time to come to the end of its context, or it had not.
    assert!(["failed", "incomplete"].iter().any(|status| told["status"] == *status), "{told}");
}

#[cfg(unix)]
#[test]
fn what_is_kept_is_nobody_elses_to_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let hob = Hob::start();
    answer(&hob, &asked("Hi", 1));
    let state = hob.home.path().join(".local/share/hob/state.db");
    assert_eq!(std::fs::metadata(state).unwrap().permissions().mode() & 0o777, 0o600);
}
