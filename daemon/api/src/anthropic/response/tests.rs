//! What is sent for the events of an answer.

use std::time::Duration;

use protocol::{CallName, GenerateError};

use super::*;

fn reply(telling: Telling) -> Reply {
    Reply::new("msg_1".into(), "m".into(), telling, 8)
}

fn done() -> Done {
    Done {
        reason: FinishReason::Stop,
        prompt_tokens: 9,
        cached_tokens: 6,
        generated_tokens: 4,
        thinking_tokens: 1,
        stop: None,
        prompt_time: Duration::ZERO,
        generate_time: Duration::ZERO,
        context: Vec::new(),
    }
}

fn call(index: u32, begun: Option<(&str, &str)>, arguments: &str) -> Event {
    let begun = begun.map(|(id, name)| CallName { id: id.into(), name: name.into() });
    let calls = vec![CallPart { index, begun, arguments: arguments.into() }];
    Event::Said(Said { calls, ..Said::default() })
}

fn thought(thinking: &str) -> Event {
    Event::Said(Said { thinking: thinking.into(), ..Said::default() })
}

/// All that is sent behind the beginning.
fn sent(reply: &mut Reply, events: impl IntoIterator<Item = Event>) -> String {
    let sent: Vec<u8> = events.into_iter().flat_map(|event| reply.events(event)).collect();
    String::from_utf8(sent).unwrap()
}

fn stream(events: &[&str]) -> String {
    let named = |data: &&str| {
        let name = data.strip_prefix(r#"{"type":""#).unwrap().split('"').next().unwrap();
        format!("event: {name}\ndata: {data}\n\n")
    };
    events.iter().map(named).collect()
}

const ENDED: &str = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null,"stop_details":null},"usage":{"input_tokens":3,"cache_creation_input_tokens":0,"cache_read_input_tokens":6,"output_tokens":4,"output_tokens_details":{"thinking_tokens":1},"service_tier":"standard"}}"#;

#[test]
fn an_answer_begins_with_what_its_prompt_took() {
    let begun = reply(Telling::default()).begin(PromptRead { prompt_tokens: 9, cached_tokens: 6 });
    let expected = stream(&[
        r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"stop_details":null,"usage":{"input_tokens":3,"cache_creation_input_tokens":0,"cache_read_input_tokens":6,"output_tokens":0,"service_tier":"standard"}}}"#,
    ]);
    assert_eq!(String::from_utf8(begun).unwrap(), expected);
}

#[test]
fn text_grows_in_one_block() {
    let events = [Event::Said("a<".into()), Event::Said("b".into()), Event::Done(done())];
    let expected = stream(&[
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
        r#"{"type":"ping"}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a<"}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"b"}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        ENDED,
        r#"{"type":"message_stop"}"#,
    ]);
    assert_eq!(sent(&mut reply(Telling::default()), events), expected);
}

#[test]
fn thoughts_are_signed_before_the_text_begins() {
    let events = [thought("h"), thought("m"), Event::Said("yes".into()), Event::Done(done())];
    let signature = Signature::of("hm");
    let signed = format!(
        r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"signature_delta","signature":"{signature}"}}}}"#
    );
    let expected = stream(&[
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
        r#"{"type":"ping"}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"h"}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"m"}}"#,
        &signed,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"yes"}}"#,
        r#"{"type":"content_block_stop","index":1}"#,
        ENDED,
        r#"{"type":"message_stop"}"#,
    ]);
    assert_eq!(sent(&mut reply(Telling::default()), events), expected);
}

#[test]
fn of_thoughts_that_are_not_to_be_told_only_the_signature_is() {
    let omitted = || Telling { display: Display::Omitted, ..Telling::default() };
    let events = sent(&mut reply(omitted()), [thought("secret"), Event::Said("yes".into())]);
    assert!(events.contains("signature_delta") && !events.contains("secret"), "{events}");
    let said = Said { thinking: "secret".into(), text: "yes".into(), ..Said::default() };
    let whole = reply(omitted()).whole(Whole::of(said, done()));
    let signature = Signature::of("secret");
    assert_eq!(whole.content[0], Content::Thinking { thinking: String::new(), signature });
}

#[test]
fn each_call_has_a_block_of_its_own_in_which_its_input_grows() {
    let events = [
        Event::Said("I look".into()),
        call(0, Some(("call_1", "weather")), ""),
        call(0, None, r#"{"city":"#),
        call(0, None, r#""Oslo"}"#),
        call(1, Some(("call_2", "now")), "{}"),
        Event::Done(done()),
    ];
    let ended = ENDED.replace("end_turn", "tool_use");
    let expected = stream(&[
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
        r#"{"type":"ping"}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"I look"}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"toolu_call_1","name":"weather","input":{},"caller":{"type":"direct"}}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"city\":"}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"\"Oslo\"}"}}"#,
        r#"{"type":"content_block_stop","index":1}"#,
        r#"{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"toolu_call_2","name":"now","input":{},"caller":{"type":"direct"}}}"#,
        r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{}"}}"#,
        r#"{"type":"content_block_stop","index":2}"#,
        &ended,
        r#"{"type":"message_stop"}"#,
    ]);
    assert_eq!(sent(&mut reply(Telling::default()), events), expected);
}

#[test]
fn a_failure_under_way_is_the_last_event() {
    let mut reply = reply(Telling::default()).to(Some("req_1".into()));
    let expected = stream(&[
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"the prompt is empty"},"request_id":"req_1"}"#,
    ]);
    assert_eq!(sent(&mut reply, [Event::Failed(GenerateError::EmptyPrompt)]), expected);
}

#[test]
fn a_whole_answer_is_one_object() {
    let said = Said { thinking: "hm".into(), text: "yes".into(), ..Said::default() };
    let call = ToolCall { id: "c".into(), name: "now".into(), arguments: r#"{"a":1}"#.into() };
    let whole = Whole { calls: vec![call], ..Whole::of(said, done()) };
    let telling = Telling { edits: true, ..Telling::default() };
    let signature = Signature::of("hm");
    let expected = format!(
        r#"{{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{{"type":"thinking","thinking":"hm","signature":"{signature}"}},{{"type":"text","text":"yes"}},{{"type":"tool_use","id":"toolu_c","name":"now","input":{{"a":1}},"caller":{{"type":"direct"}}}}],"stop_reason":"tool_use","stop_sequence":null,"stop_details":null,"usage":{{"input_tokens":3,"cache_creation_input_tokens":0,"cache_read_input_tokens":6,"output_tokens":4,"output_tokens_details":{{"thinking_tokens":1}},"service_tier":"standard"}},"context_management":{{"applied_edits":[]}}}}"#
    );
    assert_eq!(serde_json::to_string(&reply(telling).whole(whole)).unwrap(), expected);
}

#[test]
fn input_that_was_cut_off_is_given_as_text() {
    let call = |arguments: &str| {
        let call = ToolCall { id: "c".into(), name: "now".into(), arguments: arguments.into() };
        let Content::ToolUse { input, .. } = called(call) else { panic!("a call") };
        Value::Object(input)
    };
    assert_eq!(call(r#"{"a": [1"#), json!({"INVALID_JSON": r#"{"a": [1"#}));
    assert_eq!(call(""), json!({}));
}

#[test]
fn why_an_answer_ended_is_told_apart() {
    let telling = Telling { stops: vec!["END".into()], ..Telling::default() };
    let ended = |done: &Done| reply(telling.clone()).ended(done);
    let stopped = |stop: &str| ended(&Done { stop: Some(stop.into()), ..done() });
    assert_eq!(ended(&done()), (StopReason::EndTurn, None));
    assert_eq!(stopped("END"), (StopReason::StopSequence, Some("END".into())));
    // Of the Modelfile.
    assert_eq!(stopped("<|im_end|>"), (StopReason::EndTurn, None));
    let length =
        |generated_tokens| ended(&Done { reason: FinishReason::Length, generated_tokens, ..done() }).0;
    assert_eq!(length(8), StopReason::MaxTokens);
    assert_eq!(length(7), StopReason::ModelContextWindowExceeded);
}
