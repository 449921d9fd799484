//! What of a request is taken, and what is refused.

use protocol::{Message, Role, ToolCall};

use super::*;
use crate::json;

/// A question with these fields.
fn messages(fields: Value) -> Result<Request, Invalid> {
    let mut body = json!({"model": "m", "max_tokens": 2048, "messages": [{"role": "user", "content": "hi"}]});
    let fields = fields.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(fields);
    json::parse::<MessagesRequest>(body.to_string().as_bytes())?.try_into()
}

fn said(turns: Value) -> Result<Vec<Message>, Invalid> {
    let request = messages(json!({"messages": turns}))?;
    let Input::Chat(messages) = request.asked.input else { panic!("a conversation") };
    Ok(messages)
}

/// Of one turn of the user's.
fn of_user(blocks: Value) -> Result<Vec<Message>, Invalid> {
    said(json!([{"role": "user", "content": blocks}]))
}

fn why(refused: Result<impl std::fmt::Debug, Invalid>) -> String {
    refused.unwrap_err().message
}

#[test]
fn what_is_said_goes_on_and_what_is_not_is_left_to_the_modelfile() {
    let options = messages(json!({})).unwrap().asked.options;
    assert_eq!(options, OptionPatch { num_predict: Some(2048), ..OptionPatch::default() });

    let fields = json!({"temperature": 0.5, "top_p": 0.25, "top_k": 7, "stop_sequences": ["a"], "stream": true, "options": {
        "num_ctx": 512, "temperature": 2}});
    let request = messages(fields).unwrap();
    let options = &request.asked.options;
    assert_eq!((options.temperature, options.top_p, options.top_k), (Some(0.5), Some(0.25), Some(7)));
    assert_eq!((options.num_ctx, options.stop.as_deref()), (Some(512), Some(&["a".to_owned()][..])));
    assert_eq!((request.framing, request.telling.stops), (Framing::Events, vec!["a".to_owned()]));
}

#[test]
fn a_prompt_that_does_not_fit_is_refused_and_a_full_context_ends_an_answer() {
    let asked = messages(json!({})).unwrap().asked;
    assert_eq!((asked.overflow, asked.shift), (Overflow::Refuse, false));
}

#[test]
fn what_cannot_be_honoured_is_refused_by_name() {
    for (field, value) in [
        ("max_tokens", json!(-1)),
        ("temperature", json!(1.5)),
        ("top_p", json!(2)),
        ("top_k", json!(-1)),
        ("stop_sequences", json!([""])),
        ("stop_sequences", json!(vec!["a"; 65])),
        ("messages", json!([])),
        ("options", json!({"warmth": 1})),
        ("container", json!("c")),
        ("mcp_servers", json!([{}])),
        ("compaction", json!({})),
        ("thread", json!({"type": "create"})),
        ("tool_choice", json!({"type": "any"})),
        ("output_config.task_budget", json!({"task_budget": {}})),
        ("warmth", json!(9)),
    ] {
        let refused = messages(json!({field.split('.').next().unwrap(): value})).unwrap_err();
        assert_eq!(refused.field.as_deref(), Some(field), "{refused:?}");
        assert!(refused.message.contains(field.rsplit('.').next().unwrap()), "{refused:?}");
    }
}

#[test]
fn what_makes_no_difference_is_taken() {
    let harmless = json!({"metadata": {"user_id": "u"}, "service_tier": "auto", "speed": "fast", "inference_geo": "eu",
        "cache_control": {"type": "ephemeral"}, "diagnostics": {}, "fallbacks": "default", "container": null,
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}});
    let request = messages(harmless).unwrap();
    assert_eq!(request.asked, messages(json!({})).unwrap().asked);
    assert!(request.telling.edits);
}

#[test]
fn instructions_come_as_text_or_in_blocks_and_without_the_note_to_who_bills() {
    let system = |system| {
        let Input::Chat(messages) = messages(json!({"system": system})).unwrap().asked.input else {
            panic!()
        };
        messages.into_iter().filter(|message| message.role == Role::System).map(|it| it.content).next()
    };
    let text = |text: &str| json!({"type": "text", "text": text, "cache_control": {"type": "ephemeral"}});
    assert_eq!(system(json!("be brief")).unwrap(), "be brief");
    let note = "x-anthropic-billing-header: cc_version=2; cch=1f;";
    assert_eq!(system(json!([text(note), text("a"), text("b")])).unwrap(), "a\nb");
    assert_eq!(system(json!([])), None);
    assert!(messages(json!({"system": [{"type": "image", "source": {}}]})).is_err());
}

#[test]
fn whoever_speaks_twice_is_heard_once() {
    let turns = json!([
        {"role": "user", "content": "a"}, {"role": "user", "content": [{"type": "text", "text": "b"}]},
        {"role": "assistant", "content": "c"}, {"role": "assistant", "content": [{"type": "text", "text": "d"}]},
        {"role": "user", "content": "e"}]);
    let expected = [(Role::User, "a\nb"), (Role::Assistant, "c\nd"), (Role::User, "e")]
        .map(|(role, text)| Message::new(role, text));
    assert_eq!(said(turns).unwrap(), expected);
}

#[test]
fn the_system_may_speak_in_between_until_the_next_turn_of_the_user() {
    let system =
        |text: &str, clear_at: Option<&str>| json!({"role": "system", "content": text, "clear_at": clear_at});
    let user = |text: &str| json!({"role": "user", "content": text});
    let first = said(json!([system("a", None), user("b")])).unwrap();
    assert_eq!(first, [Message::new(Role::System, "a"), Message::new(Role::User, "b")]);

    let model = json!({"role": "assistant", "content": "c"});
    let now = said(json!([user("b"), system("x", Some("next_user_message"))])).unwrap();
    assert_eq!(now, [Message::new(Role::User, "b\n<system>\nx\n</system>")]);
    let later = said(json!([
        user("b"),
        system("x", Some("next_user_message")),
        system("y", Some("never")),
        model,
        user("d")
    ]));
    assert_eq!(later.unwrap()[0], Message::new(Role::User, "b\n<system>\ny\n</system>"));
    assert!(why(said(json!([{"role": "user", "content": "a", "clear_at": "never"}]))).contains("clear_at"));
}

#[test]
fn the_model_cannot_go_on_within_its_own_turn() {
    let turns = json!([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]);
    assert!(why(said(turns)).starts_with("This model does not support assistant message prefill."));
    assert!(why(of_user(json!([]))).contains("non-empty content"));
}

#[test]
fn calls_and_thoughts_are_the_models_and_results_know_their_tool() {
    let turns = json!([
        {"role": "user", "content": "weather?"},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "redacted_thinking", "data": "x"},
            {"type": "text", "text": "I look", "citations": null},
            {"type": "tool_use", "id": "toolu_call_1", "name": "weather", "input": {"city": "Oslo"}, "caller": {"type": "direct"}}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "toolu_call_1", "is_error": true, "content": [
                {"type": "text", "text": "no net"}, {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}]},
            {"type": "text", "text": "and now?"}]}]);
    let call =
        ToolCall { id: "call_1".into(), name: "weather".into(), arguments: r#"{"city":"Oslo"}"#.into() };
    let expected = [
        Message::new(Role::User, "weather?"),
        Message { thinking: "hm".into(), calls: vec![call], ..Message::new(Role::Assistant, "I look") },
        Message {
            media: 1,
            tool_name: "weather".into(),
            call_id: "call_1".into(),
            ..Message::new(Role::Tool, "The tool failed: no net")
        },
        Message::new(Role::User, "and now?"),
    ];
    assert_eq!(said(turns).unwrap(), expected);

    let unknown = of_user(json!([{"type": "tool_result", "tool_use_id": "toolu_2", "content": "x"}]));
    assert!(why(unknown).contains("unexpected `tool_use_id` found in `tool_result` blocks: toolu_2"));
}

#[test]
fn documents_and_search_results_are_told_as_text() {
    let text = json!({"type": "text", "media_type": "text/plain", "data": "Once."});
    let document = json!({"type": "document", "source": text, "title": "Tale", "context": "old", "citations": {"enabled": false}});
    let parts = json!({"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "Twice."}]}});
    let found = json!({"type": "search_result", "source": "s", "title": "t", "content": [{"type": "text", "text": "c"}]});
    let expected = [Message::new(Role::User, "Tale\nold\nOnce.\nTwice.\nt\ns\nc")];
    assert_eq!(of_user(json!([document, parts, found])).unwrap(), expected);
}

#[test]
fn what_no_model_here_can_read_is_refused_with_the_reason() {
    let image = |source: Value| why(of_user(json!([{"type": "image", "source": source}])));
    assert!(
        image(json!({"type": "url", "url": "http://169.254.169.254/"})).contains("not fetched from URLs")
    );
    assert!(image(json!({"type": "file", "file_id": "f"})).contains("no files are kept"));
    assert!(image(json!({"type": "base64", "data": "?"})).contains("illegal base64"));
    let document = |source: Value| why(of_user(json!([{"type": "document", "source": source}])));
    assert!(document(json!({"type": "base64", "data": "", "media_type": "application/pdf"})).contains("PDF"));
    assert!(document(json!({"type": "url", "url": "u"})).contains("not fetched"));
    let cited =
        json!({"type": "document", "source": {"type": "text", "data": "a"}, "citations": {"enabled": true}});
    assert!(why(of_user(json!([cited]))).contains("citations.enabled"));
    let search = json!([{"type": "web_search_tool_result", "tool_use_id": "t", "content": []}]);
    assert!(why(of_user(search)).contains("unknown variant `web_search_tool_result`"));
    let thought = json!([{"type": "thinking", "thinking": "t", "signature": ""}]);
    assert!(why(of_user(thought)).contains("a block of type thinking cannot stand there"));
}

#[test]
fn tools_are_offered_in_the_form_that_templates_know() {
    let tool = json!({"name": "now", "description": "The time.", "input_schema": {"type": "object"}, "type": "custom",
        "strict": true, "cache_control": {"type": "ephemeral"}, "eager_input_streaming": true, "input_examples": [{"zone": "UTC"}]});
    let choice = json!({"type": "tool", "name": "now", "disable_parallel_tool_use": true});
    let tools = messages(json!({"tools": [tool], "tool_choice": choice})).unwrap().asked.tools;
    assert_eq!((tools.choice, tools.parallel), (ToolChoice::Named("now".into()), false));
    let expected = r#"{"type":"function","function":{"name":"now","parameters":{"type":"object"},"description":"The time.\nExamples of its input:\n{\"zone\":\"UTC\"}"}}"#;
    assert_eq!(tools.offered[0].definition, expected);
    assert_eq!(tools.offered[0].parameters, r#"{"type":"object"}"#);
}

#[test]
fn tools_that_cannot_be_had_are_refused_by_name() {
    let refused = |tool: Value| why(messages(json!({"tools": [tool]})));
    let search = json!({"type": "web_search_20250305", "name": "web_search", "max_uses": 5});
    assert!(refused(search).contains("\"web_search_20250305\""));
    assert!(refused(json!({"name": "a"})).contains("input_schema"));
    assert!(refused(json!({"name": "a", "input_schema": {}, "warm": 1})).contains("`warm`"));
    let coded = json!({"name": "a", "input_schema": {}, "allowed_callers": ["code_execution_20250825"]});
    assert!(refused(coded).contains("allowed_callers"));
    let named =
        json!({"tools": [{"name": "a", "input_schema": {}}], "tool_choice": {"type": "tool", "name": "b"}});
    assert!(why(messages(named)).contains("\"b\""));
}

#[test]
fn a_deferred_tool_is_told_of_once_it_was_found_and_until_it_is_removed() {
    let tool =
        |name: &str, deferred: bool| json!({"name": name, "input_schema": {}, "defer_loading": deferred});
    let tools = json!([tool("find", false), tool("now", true)]);
    let offered = |turns: Value| {
        let tools = messages(json!({"tools": tools, "messages": turns})).unwrap().asked.tools;
        tools.offered.into_iter().map(|tool| tool.name).collect::<Vec<_>>()
    };
    let question = json!({"role": "user", "content": "time?"});
    assert_eq!(offered(json!([question])), ["find"]);

    let call = json!({"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "find", "input": {}}]});
    let found = json!([{"type": "tool_result", "tool_use_id": "t", "content": [{"type": "tool_reference", "tool_name": "now"}]}]);
    assert_eq!(offered(json!([question, call, {"role": "user", "content": found}])), ["find", "now"]);
    let change =
        |kind: &str, name: &str| json!({"type": kind, "tool": {"type": "tool_reference", "name": name}});
    let changes = json!([change("tool_addition", "now"), change("tool_removal", "find")]);
    assert_eq!(offered(json!([question, {"role": "system", "content": changes}])), ["now"]);
}

#[test]
fn who_insists_on_thoughts_is_told_when_there_are_none_and_who_does_not_is_not() {
    let think =
        |fields: Value| messages(fields).map(|request| (request.asked.think, request.telling.display));
    let of = |thinking: Value| think(json!({"thinking": thinking}));
    let told = Display::Summarized;
    assert_eq!(think(json!({})).unwrap(), (Think::Unsaid, told));
    assert_eq!(
        of(json!({"type": "adaptive", "display": "omitted"})).unwrap(),
        (Think::Unsaid, Display::Omitted)
    );
    assert_eq!(of(json!({"type": "enabled", "budget_tokens": 1024})).unwrap(), (Think::On, told));
    assert_eq!(of(json!({"type": "disabled"})).unwrap().0, Think::Off);
    assert_eq!(of(json!({"type": "between_tools"})).unwrap().0, Think::Off);
    assert!(why(of(json!({"type": "enabled", "budget_tokens": 1023}))).contains("at least 1024"));
    assert!(why(of(json!({"type": "enabled", "budget_tokens": 2048}))).contains("less than max_tokens"));

    let effort = |effort: &str, thinking: Value| {
        think(json!({"output_config": {"effort": effort}, "thinking": thinking}))
    };
    assert_eq!(effort("xhigh", json!({"type": "adaptive"})).unwrap().0, Think::Able(ThinkLevel::Max));
    assert_eq!(effort("low", Value::Null).unwrap().0, Think::Able(ThinkLevel::Low));
    assert_eq!(effort("low", json!({"type": "disabled"})).unwrap().0, Think::Off);
    let enabled = json!({"type": "enabled", "budget_tokens": 1024});
    assert_eq!(effort("medium", enabled).unwrap().0, Think::Level(ThinkLevel::Medium));
    let turns =
        json!([{"role": "user", "content": "a"}, {"role": "system", "output_config": {"effort": "low"}}]);
    let later = think(json!({"output_config": {"effort": "max"}, "messages": turns}));
    assert_eq!(later.unwrap().0, Think::Able(ThinkLevel::Low));
}

#[test]
fn an_answer_may_be_bound_to_a_schema_by_either_name() {
    let format = json!({"type": "json_schema", "schema": {"type": "object"}});
    let expected = Some(Format::Schema(r#"{"type":"object"}"#.into()));
    for fields in [json!({"output_config": {"format": format}}), json!({"output_format": format})] {
        assert_eq!(messages(fields).unwrap().asked.format, expected);
    }
}
