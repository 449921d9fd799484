//! The sequences of events, exactly, for each way in which a response goes.

use std::time::Duration;

use protocol::{CallName, Logprob};
use serde_json::{Value, json};

use super::*;
use crate::{
    json,
    openai::responses::{request::Request, response::FailureCode, wire::CreateResponse},
};

fn begun(body: Value) -> Progress {
    let request = json::parse::<CreateResponse>(body.to_string().as_bytes()).unwrap();
    let request = Request::try_from(request).unwrap();
    let response = Response { id: "resp_1".into(), created_at: 5, ..request.response };
    let mut progress = Progress::new(response, request.telling);
    progress.create(Status::InProgress);
    progress.start();
    progress
}

fn plain() -> Progress {
    begun(json!({"model": "m", "input": "hi"}))
}

fn done(reason: FinishReason) -> End {
    End::Done(Done {
        reason,
        prompt_tokens: 9,
        cached_tokens: 2,
        generated_tokens: 4,
        thinking_tokens: 1,
        stop: None,
        prompt_time: Duration::ZERO,
        generate_time: Duration::ZERO,
        context: Vec::new(),
    })
}

fn thinking(text: &str) -> Said {
    Said { thinking: text.into(), ..Said::default() }
}

fn call(index: u32, name: Option<&str>, arguments: &str) -> Said {
    let begun = name.map(|name| CallName { id: format!("call_{index}"), name: name.into() });
    Said { calls: vec![CallPart { index, begun, arguments: arguments.into() }], ..Said::default() }
}

/// All events; the names of items are the same each time, and of responses nothing stands but what changes.
fn told(mut progress: Progress, said: Vec<Said>, end: End) -> Vec<Value> {
    said.into_iter().for_each(|said| progress.said(said));
    progress.end(end);
    progress.last();
    let mut names: Vec<String> = Vec::new();
    let events = progress.take().into_iter().enumerate().map(|(at, event)| {
        let mut sent = Vec::new();
        event.push(&mut sent);
        let sent = String::from_utf8(sent).unwrap();
        let (name, data) = sent.strip_prefix("event: ").unwrap().split_once("\ndata: ").unwrap();
        let mut data: Value = serde_json::from_str(data.strip_suffix("\n\n").unwrap()).unwrap();
        assert_eq!((data["type"].as_str(), data["sequence_number"].as_u64()), (Some(name), Some(at as u64)));
        data.as_object_mut().unwrap().shift_remove("sequence_number");
        if let Some(response) = data.get_mut("response") {
            assert_eq!((&response["id"], &response["created_at"]), (&json!("resp_1"), &json!(5)));
            let fields = ["status", "output", "error", "incomplete_details", "usage"];
            *response = fields.iter().map(|field| ((*field).to_owned(), response[*field].clone())).collect();
        }
        rename(&mut data, &mut names);
        data
    });
    events.collect()
}

/// `rs_...`, drawn anew each time, as `rs_0` by the order in which they come.
fn rename(value: &mut Value, names: &mut Vec<String>) {
    match value {
        Value::String(text) if ["rs_", "msg_", "fc_"].iter().any(|prefix| text.starts_with(prefix)) => {
            let at = names.iter().position(|name| name == text).unwrap_or_else(|| {
                names.push(text.clone());
                names.len() - 1
            });
            *text = format!("{}_{at}", text.split('_').next().unwrap());
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rename(item, names)),
        Value::Object(fields) => fields.values_mut().for_each(|field| rename(field, names)),
        _ => {}
    }
}

fn response(status: &str, output: Value) -> Value {
    let usage = match status {
        "completed" | "incomplete" => {
            json!({"input_tokens": 9, "input_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 7},
                "output_tokens": 4, "output_tokens_details": {"reasoning_tokens": 1}, "total_tokens": 13})
        }
        _ => Value::Null,
    };
    let details = if status == "incomplete" { json!({"reason": "max_output_tokens"}) } else { Value::Null };
    json!({"status": status, "output": output, "error": null, "incomplete_details": details, "usage": usage})
}

fn opening() -> Vec<Value> {
    ["response.created", "response.in_progress"]
        .map(|kind| json!({"type": kind, "response": response("in_progress", json!([]))}))
        .to_vec()
}

fn text_part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
}

fn message(id: &str, status: &str, content: Value) -> Value {
    json!({"type": "message", "id": id, "status": status, "role": "assistant", "content": content})
}

/// Those of a message that is said in these pieces.
fn message_events(id: &str, at: usize, status: &str, pieces: &[&str]) -> Vec<Value> {
    let text = pieces.concat();
    let of = |kind: &str, extra: Value| {
        let mut event = json!({"type": kind, "item_id": id, "output_index": at, "content_index": 0});
        event.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        event
    };
    let mut events = vec![
        json!({"type": "response.output_item.added", "output_index": at, "item": message(id, "in_progress", json!([]))}),
        of("response.content_part.added", json!({"part": text_part("")})),
    ];
    events.extend(
        pieces.iter().map(|piece| of("response.output_text.delta", json!({"delta": piece, "logprobs": []}))),
    );
    events.push(of("response.output_text.done", json!({"text": text, "logprobs": []})));
    events.push(of("response.content_part.done", json!({"part": text_part(&text)})));
    let item = message(id, status, json!([text_part(&text)]));
    events.push(json!({"type": "response.output_item.done", "output_index": at, "item": item}));
    events
}

#[track_caller]
fn assert_events(told: &[Value], expected: &[Value]) {
    for (at, (told, expected)) in told.iter().zip(expected).enumerate() {
        assert_eq!(told, expected, "event {at}");
    }
    assert_eq!(told.len(), expected.len());
}

#[test]
fn text_comes_in_pieces_between_the_events_of_its_message() {
    let told = told(plain(), vec!["He".into(), "llo".into()], done(FinishReason::Stop));

    let mut expected = opening();
    expected.extend(message_events("msg_0", 0, "completed", &["He", "llo"]));
    let output = json!([message("msg_0", "completed", json!([text_part("Hello")]))]);
    expected.push(json!({"type": "response.completed", "response": response("completed", output)}));
    assert_events(&told, &expected);
}

#[test]
fn thoughts_are_an_item_of_their_own_before_the_text() {
    let both = Said { thinking: "m".into(), text: "Yes".into(), ..Said::default() };
    let told = told(plain(), vec![thinking("h"), both], done(FinishReason::Stop));

    let item = |status: &str, content: Value| json!({"type": "reasoning", "id": "rs_0", "summary": [], "content": content, "status": status});
    let part = |text: &str| json!({"type": "reasoning_text", "text": text});
    let of = |kind: &str, name: &str, value: Value| json!({"type": kind, "item_id": "rs_0", "output_index": 0, "content_index": 0, name: value});
    let mut expected = opening();
    expected.extend([
        json!({"type": "response.output_item.added", "output_index": 0, "item": item("in_progress", json!([]))}),
        of("response.content_part.added", "part", part("")),
        of("response.reasoning_text.delta", "delta", json!("h")),
        of("response.reasoning_text.delta", "delta", json!("m")),
        of("response.reasoning_text.done", "text", json!("hm")),
        of("response.content_part.done", "part", part("hm")),
        json!({"type": "response.output_item.done", "output_index": 0, "item": item("completed", json!([part("hm")]))}),
    ]);
    expected.extend(message_events("msg_1", 1, "completed", &["Yes"]));
    let output = json!([
        item("completed", json!([part("hm")])),
        message("msg_1", "completed", json!([text_part("Yes")]))
    ]);
    expected.push(json!({"type": "response.completed", "response": response("completed", output)}));
    assert_events(&told, &expected);
}

#[test]
fn thoughts_are_told_as_a_summary_where_one_is_asked_for_and_sealed_too() {
    let progress = begun(json!({"model": "m", "input": "hi", "reasoning": {"summary": "auto"},
        "include": ["reasoning.encrypted_content"]}));
    let told = told(progress, vec![thinking("hm")], done(FinishReason::Stop));

    let part = |text: &str| json!({"type": "summary_text", "text": text});
    let of = |kind: &str, name: &str, value: Value| {
        json!({"type": format!("response.reasoning_summary_{kind}"), "item_id": "rs_0", "output_index": 0, "summary_index": 0,
            name: value})
    };
    let whole = json!({"type": "reasoning", "id": "rs_0", "summary": [part("hm")], "encrypted_content": "hob1.aG0",
        "status": "completed"});
    let mut expected = opening();
    let begun = json!({"type": "reasoning", "id": "rs_0", "summary": [], "status": "in_progress"});
    expected.extend([
        json!({"type": "response.output_item.added", "output_index": 0, "item": begun}),
        of("part.added", "part", part("")),
        of("text.delta", "delta", json!("hm")),
        of("text.done", "text", json!("hm")),
        of("part.done", "part", part("hm")),
        json!({"type": "response.output_item.done", "output_index": 0, "item": whole}),
        json!({"type": "response.completed", "response": response("completed", json!([whole]))}),
    ]);
    assert_events(&told, &expected);
}

#[test]
fn two_calls_are_two_items_whose_arguments_come_in_pieces() {
    let agents = json!({"type": "namespace", "name": "agents", "description": "",
        "tools": [{"type": "function", "name": "spawn", "parameters": {}}]});
    let now = json!({"type": "function", "name": "now", "parameters": {}});
    let progress = begun(json!({"model": "m", "input": "hi", "tools": [now, agents]}));
    let said = vec![
        call(0, Some("now"), ""),
        call(0, None, "{\"a\":"),
        call(0, None, "1}"),
        call(1, Some("agents__spawn"), "{}"),
    ];
    let told = told(progress, said, done(FinishReason::Stop));

    let first = |status: &str, arguments: &str| {
        json!({"type": "function_call", "id": "fc_0", "status": status, "call_id": "call_0", "name": "now",
            "arguments": arguments})
    };
    let second = |status: &str, arguments: &str| {
        json!({"type": "function_call", "id": "fc_1", "status": status, "call_id": "call_1", "name": "spawn",
            "namespace": "agents", "arguments": arguments})
    };
    let of = |kind: &str, at: usize| json!({"type": format!("response.function_call_arguments.{kind}"), "item_id": format!("fc_{at}"), "output_index": at});
    let delta = |at: usize, delta: &str| {
        let mut event = of("delta", at);
        event["delta"] = json!(delta);
        event
    };
    let arguments_done = |at: usize, name: &str, arguments: &str| {
        let mut event = of("done", at);
        (event["name"], event["arguments"]) = (json!(name), json!(arguments));
        event
    };
    let mut expected = opening();
    expected.extend([
        json!({"type": "response.output_item.added", "output_index": 0, "item": first("in_progress", "")}),
        delta(0, "{\"a\":"),
        delta(0, "1}"),
        arguments_done(0, "now", "{\"a\":1}"),
        json!({"type": "response.output_item.done", "output_index": 0, "item": first("completed", "{\"a\":1}")}),
        json!({"type": "response.output_item.added", "output_index": 1, "item": second("in_progress", "")}),
        delta(1, "{}"),
        arguments_done(1, "spawn", "{}"),
        json!({"type": "response.output_item.done", "output_index": 1, "item": second("completed", "{}")}),
    ]);
    let output = json!([first("completed", "{\"a\":1}"), second("completed", "{}")]);
    expected.push(json!({"type": "response.completed", "response": response("completed", output)}));
    assert_events(&told, &expected);
}

#[test]
fn what_is_cut_by_its_length_is_incomplete() {
    let told = told(plain(), vec!["On and".into()], done(FinishReason::Length));

    let mut expected = opening();
    expected.extend(message_events("msg_0", 0, "incomplete", &["On and"]));
    let output = json!([message("msg_0", "incomplete", json!([text_part("On and")]))]);
    expected.push(json!({"type": "response.incomplete", "response": response("incomplete", output)}));
    assert_events(&told, &expected);
}

#[test]
fn a_failure_under_way_is_the_last_event_and_what_was_said_stands() {
    let failure = Failure { code: FailureCode::ServerError, message: "gone".into() };
    let told = told(plain(), vec!["He".into()], End::Failed(failure));

    let mut expected = opening();
    expected.extend(message_events("msg_0", 0, "completed", &["He"]).into_iter().take(3));
    let output = json!([message("msg_0", "incomplete", json!([text_part("He")]))]);
    let mut failed = response("failed", output);
    failed["error"] = json!({"code": "server_error", "message": "gone"});
    expected.push(json!({"type": "response.failed", "response": failed}));
    assert_events(&told, &expected);
}

#[test]
fn what_waits_is_queued_and_what_is_cancelled_just_ends() {
    let mut progress = plain();
    progress.take();
    let mut progress = Progress::new(progress.response, Telling::default());
    progress.create(Status::Queued);
    progress.start();
    progress.said("a".into());
    progress.end(End::Cancelled);
    progress.last();

    let kinds: Vec<&str> = progress.events.iter().map(|event| event.event.name()).collect();
    assert_eq!(kinds[..3], ["response.created", "response.queued", "response.in_progress"]);
    assert_eq!(kinds.last(), Some(&"response.output_text.delta"));
    assert_eq!(progress.response().status, Status::Cancelled);
}

#[test]
fn how_likely_tokens_were_is_told_with_the_text() {
    let likely = |text: &str| Logprob { token: 1, bytes: text.into(), logprob: -0.5 };
    let logprobs = vec![protocol::TokenLogprob { chosen: likely("a"), top: vec![likely("b")] }];
    let told = told(plain(), vec![Said { logprobs, ..Said::from("a") }], done(FinishReason::Stop));

    let likely = json!([{"token": "a", "logprob": -0.5, "bytes": [97],
        "top_logprobs": [{"token": "b", "logprob": -0.5, "bytes": [98]}]}]);
    assert_eq!(told[4]["logprobs"], likely);
    assert_eq!(told[5]["logprobs"], likely);
    assert_eq!(told[6]["part"]["logprobs"], likely);
}

/// These tokens, each of which was as likely as the others.
fn tokens(texts: &[&[u8]]) -> Vec<protocol::TokenLogprob> {
    let chosen = |bytes: &[u8]| Logprob { token: 1, bytes: bytes.to_vec(), logprob: -0.5 };
    texts.iter().map(|text| protocol::TokenLogprob { chosen: chosen(text), top: Vec::new() }).collect()
}

/// The bytes of those that are told with each piece of text, and with all of it.
fn told_tokens(said: Vec<Said>) -> (Vec<Value>, Value) {
    let told = told(plain(), said, done(FinishReason::Stop));
    let of = |kind: &str| {
        let events = told.iter().filter(|event| event["type"] == format!("response.output_text.{kind}"));
        let bytes = |event: &Value| {
            event["logprobs"].as_array().unwrap().iter().map(|token| token["bytes"].clone()).collect()
        };
        events.map(bytes).collect::<Vec<Value>>()
    };
    let mut whole = of("done");
    (of("delta"), whole.pop().unwrap())
}

#[test]
fn tokens_that_come_before_their_text_are_told_with_it() {
    let said = vec![
        Said { logprobs: tokens(&[b"\xe2\x82"]), ..Said::default() },
        Said { logprobs: tokens(&[b"\xac"]), ..Said::from("\u{20ac}") },
        Said { logprobs: tokens(&[b"!"]), ..Said::default() },
        Said { logprobs: tokens(&[b"?"]), ..Said::from("!?") },
    ];

    let (pieces, whole) = told_tokens(said);

    assert_eq!(pieces, [json!([[0xe2, 0x82], [0xac]]), json!([[b'!'], [b'?']])]);
    assert_eq!(whole, json!([[0xe2, 0x82], [0xac], [b'!'], [b'?']]));
}

#[test]
fn tokens_of_thoughts_and_of_calls_are_not_told_as_the_texts() {
    let both =
        Said { logprobs: tokens(&[b"a", b"</think>", b"a", b"b"]), text: "ab".into(), ..thinking("a") };
    let said = vec![
        Said { logprobs: tokens(&[b"<think>", b"a"]), ..thinking("a") },
        both,
        Said { logprobs: tokens(&[b"<call>"]), ..Said::default() },
        Said { logprobs: tokens(&[b"{}"]), ..call(0, Some("now"), "{}") },
        Said { logprobs: tokens(&[b"\n", b"c"]), ..Said::from("c") },
    ];
    let (pieces, _) = told_tokens(said);
    assert_eq!(pieces, [json!([[b'a'], [b'b']]), json!([[b'c']])]);

    let mark = Said { logprobs: tokens(&[b"</think>"]), ..Said::default() };
    let (pieces, _) =
        told_tokens(vec![thinking("a"), mark, Said { logprobs: tokens(&[b"b"]), ..Said::from("b") }]);
    assert_eq!(pieces, [json!([[b'b']])]);
}

#[test]
fn arguments_do_not_end_up_in_another_call() {
    let said =
        vec![call(0, Some("now"), "{}"), call(1, Some("then"), "{"), call(0, None, "x"), call(1, None, "}")];
    let told = told(plain(), said, done(FinishReason::Stop));
    let output = &told.last().unwrap()["response"]["output"];
    assert_eq!([&output[0]["arguments"], &output[1]["arguments"]], ["{}", "{}"]);
}
