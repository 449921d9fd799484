//! Calls of tools, and thoughts, in the forms of the families.

use protocol::{
    CallPart, Event, Format, Generate, GenerateError, Input, Message, Options, Overflow, Role, Said, Think,
    Tool, ToolCall, ToolChoice, Tools,
};
use serde_json::{Value, json};

use crate::harness::{Worker, chat, files, greedy, open_model, options, raw};

const FAMILIES: [&str; 7] = ["qwen", "llama", "mistral", "deepseek", "phi", "command-r", "harmony"];

/// A model of random weights, with the template of a family.
fn family(name: &str) -> Worker {
    let model = open_model(&format!("tiny-chat-{name}.gguf"));
    Worker::load_files(options(2048, 1, None), engine::Files { model, ..files() }).unwrap()
}

fn tool(name: &str, properties: &Value) -> Tool {
    let required: Vec<&String> = properties.as_object().unwrap().keys().collect();
    let parameters = json!({"type": "object", "properties": properties, "required": required});
    let definition =
        json!({"type": "function", "function": {"name": name, "description": "", "parameters": parameters}});
    Tool { name: name.into(), parameters: parameters.to_string(), definition: definition.to_string() }
}

fn weather() -> Tool {
    tool(
        "weather",
        &json!({"city": {"enum": ["Oslo", "Rome"]}, "days": {"type": "integer", "minimum": 1, "maximum": 9}}),
    )
}

fn asked(choice: ToolChoice, options: Options) -> Generate {
    let offered = vec![weather(), tool("now", &json!({}))];
    let tools = Tools { offered, choice, parallel: false };
    Generate { tools, think: Think::Off, ..chat("What is the weather in Oslo?", options) }
}

/// All of an answer, and whether it ended by itself.
fn whole(worker: &mut Worker, work: Generate) -> Result<(Said, Vec<ToolCall>, u32), GenerateError> {
    worker.begin(work);
    let mut said = Said::default();
    loop {
        match worker.next_event().1 {
            Event::Said(more) => said.append(more),
            Event::Failed(error) => return Err(error),
            Event::Done(done) => {
                let calls = gathered(&said.calls);
                return Ok((said, calls, done.generated_tokens));
            }
        }
    }
}

fn gathered(parts: &[CallPart]) -> Vec<ToolCall> {
    let mut calls: Vec<ToolCall> = Vec::new();
    for part in parts {
        if let Some(begun) = &part.begun {
            calls.push(ToolCall { id: begun.id.clone(), name: begun.name.clone(), arguments: String::new() });
        }
        calls[part.index as usize].arguments += &part.arguments;
    }
    calls
}

fn is_right(call: &ToolCall) -> bool {
    let arguments: Value = serde_json::from_str(&call.arguments).unwrap();
    match call.name.as_str() {
        "weather" => {
            ["Oslo", "Rome"].contains(&arguments["city"].as_str().unwrap())
                && (1..=9).contains(&arguments["days"].as_i64().unwrap())
        }
        name => name == "now" && arguments == json!({}),
    }
}

#[test]
fn a_call_that_must_be_is_one_in_every_family() {
    for name in FAMILIES {
        let mut worker = family(name);
        for seed in 0..3 {
            let options = Options { temperature: 1.0, seed: Some(seed), ..greedy(400) };
            let (said, calls, _) = whole(&mut worker, asked(ToolChoice::Required, options)).expect(name);
            assert!(!calls.is_empty() && calls.iter().all(is_right), "{name}: {said:?}");
            assert_eq!(said.text.trim(), "", "{name}");
            assert!(calls.iter().all(|call| !call.id.is_empty()), "{name}");
        }
    }
}

#[test]
fn the_tool_that_is_named_is_called() {
    for name in FAMILIES {
        let options = Options { temperature: 1.0, seed: Some(7), ..greedy(400) };
        let named = asked(ToolChoice::Named("now".into()), options);
        let (_, calls, _) = whole(&mut family(name), named).expect(name);
        assert!(calls.iter().all(|call| call.name == "now") && !calls.is_empty(), "{name}: {calls:?}");
    }
}

#[test]
fn what_nobody_insists_on_is_free_text() {
    for name in FAMILIES {
        let mut worker = family(name);
        for choice in [ToolChoice::Auto, ToolChoice::None] {
            let (_, _, tokens) = whole(&mut worker, asked(choice, greedy(30))).expect(name);
            assert!(tokens > 0, "{name}");
        }
    }
}

#[test]
fn an_answer_behind_thoughts_has_its_form() {
    let schema =
        json!({"type": "object", "properties": {"sky": {"enum": ["blue", "grey"]}}, "required": ["sky"]});
    for name in ["qwen", "deepseek", "command-r", "harmony"] {
        let mut worker = family(name);
        // What these random weights would think has no end.
        let hasty = Generate {
            think: Think::Off,
            format: Some(Format::Schema(schema.to_string())),
            ..chat("What colour is the sky?", Options { temperature: 1.0, seed: Some(4), ..greedy(600) })
        };
        let (said, ..) = whole(&mut worker, hasty).expect(name);
        let answer: Value =
            serde_json::from_str(said.text.trim()).unwrap_or_else(|_| panic!("{name}: {said:?}"));
        assert!(["blue", "grey"].contains(&answer["sky"].as_str().unwrap()), "{name}");
        assert_eq!(said.thinking, "", "it was not asked for");
    }
}

#[test]
fn a_modelfiles_template_shows_what_calls_look_like() {
    for template in [
        include_str!("../templates/qwen2.5.gotmpl"),
        include_str!("../templates/llama3.1.gotmpl"),
        include_str!("../templates/mistral.gotmpl"),
    ] {
        let mut worker = Worker::load(options(1024, 1, Some(template.into()))).unwrap();
        let (said, calls, _) = whole(&mut worker, asked(ToolChoice::Required, greedy(100))).unwrap();
        assert!(calls.len() == 1 && is_right(&calls[0]), "{said:?}");
        assert_eq!(said.text, "");
        assert!(whole(&mut worker, asked(ToolChoice::Auto, greedy(20))).is_ok());
    }
}

#[test]
fn a_model_whose_template_knows_no_tools_is_told_in_words_and_goes_round() {
    let mut worker = Worker::start(2048, 1);
    let required = asked(ToolChoice::Required, greedy(100));
    let (_, calls, _) = whole(&mut worker, required.clone()).unwrap();
    assert!(calls.len() == 1 && is_right(&calls[0]), "{calls:?}");

    let Input::Chat(mut messages) = required.input.clone() else { panic!() };
    messages.push(Message { calls: calls.clone(), ..Message::new(Role::Assistant, "") });
    let result = Message::new(Role::Tool, "It rains, 7 degrees.");
    messages.push(Message { call_id: calls[0].id.clone(), tool_name: calls[0].name.clone(), ..result });
    let tools = Tools { choice: ToolChoice::None, ..required.tools };
    let (said, calls, _) =
        whole(&mut worker, Generate { input: Input::Chat(messages), tools, ..required }).unwrap();
    assert!(said.text.contains('7') && calls.is_empty(), "{said:?}");
}

#[test]
fn a_call_comes_name_first_and_then_as_it_grows() {
    let mut worker = Worker::start(2048, 1);
    worker.begin(asked(ToolChoice::Required, greedy(100)));
    let mut parts = Vec::new();
    while let (_, Event::Said(said)) = worker.next_event() {
        parts.extend(said.calls);
    }
    assert!(parts[0].begun.is_some() && parts[1..].iter().all(|part| part.begun.is_none()), "{parts:?}");
    assert!(parts.len() > 1, "{parts:?}");
}

#[test]
fn thinking_is_refused_by_a_model_that_cannot() {
    let mut worker = Worker::start(512, 1);
    let refused = whole(&mut worker, Generate { think: Think::On, ..chat("Why?", greedy(3)) });
    assert!(matches!(refused, Err(GenerateError::Unable(protocol::Ability::Thinking))), "{refused:?}");
    let refused = whole(
        &mut worker,
        Generate {
            input: Input::Infill { prefix: "a".into(), suffix: "b".into(), system: None },
            ..chat("", greedy(3))
        },
    );
    assert!(matches!(refused, Err(GenerateError::Unable(protocol::Ability::Insert))), "{refused:?}");
}

#[test]
fn a_gap_is_filled_by_the_tokens_that_the_model_has_for_it() {
    let gap = |prefix: &str, suffix: &str| {
        let input = Input::Infill { prefix: prefix.into(), suffix: suffix.into(), system: None };
        Generate { input, ..chat("", greedy(2)) }
    };
    let (_, done) = family("qwen").answer(gap("a", "b")).unwrap();
    let marks: Vec<usize> =
        (49140..49143).filter_map(|mark| done.context.iter().position(|token| *token == mark)).collect();
    assert!(marks.len() == 3 && marks.is_sorted() && done.prompt_tokens == 5, "{:?}", done.context);

    let mut worker = Worker::start_with("<{{ .Prompt }}|{{ .Suffix }}>").unwrap();
    let (_, done) = worker.answer(gap("one", "two")).unwrap();
    let read = |worker: &mut Worker, text: &str| {
        worker.answer(raw(text.into(), greedy(2), Overflow::Refuse)).unwrap().1.context
    };
    assert_eq!(done.context, read(&mut worker, "<one|two>"));
}

#[test]
fn parameters_that_cannot_be_had_are_refused_where_a_call_must_be() {
    let mut worker = Worker::start(512, 1);
    let offered = vec![tool("t", &json!({"a": {"type": "no such type"}}))];
    let of = |choice| Generate {
        tools: Tools { offered: offered.clone(), choice, parallel: false },
        ..chat("Call it.", greedy(3))
    };
    let refused = whole(&mut worker, of(ToolChoice::Required));
    assert!(matches!(refused, Err(GenerateError::Format { .. })), "{refused:?}");
    assert!(whole(&mut worker, of(ToolChoice::Auto)).is_ok(), "the model may still call it as it likes");
}

#[test]
fn how_likely_a_prompt_is_is_told_token_by_token() {
    let mut worker = Worker::start(512, 2);
    let text = "The capital of France is Paris, and the capital of Italy is Rome. ".repeat(6);
    let work = Generate { prompt_logprobs: Some(2), ..raw(text.clone(), greedy(3), Overflow::Refuse) };
    for _ in 0..2 {
        let (said, _, _) = whole(&mut worker, work.clone()).unwrap();
        let bytes: Vec<u8> =
            said.prompt_logprobs.iter().flat_map(|token| token.chosen.bytes.clone()).collect();
        let told = String::from_utf8(bytes).unwrap();
        assert!(text.ends_with(&told) && text.len() - told.len() < 8, "all but the first: {told}");
        let likely: Vec<f32> = said.prompt_logprobs.iter().map(|token| token.chosen.logprob).collect();
        let (first, last) = likely.split_at(likely.len() / 6);
        let mean = |part: &[f32]| part.iter().sum::<f32>() / part.len() as f32;
        assert!(mean(first) < -1.0 && mean(last) > -0.5, "what is said again is likely: {likely:?}");
    }
}

#[test]
fn how_likely_tokens_were_is_told_with_the_text_they_make() {
    let mut worker = Worker::start(512, 1);
    let work = Generate { top_logprobs: Some(3), ..chat("Why is the sky blue?", greedy(12)) };
    let (said, ..) = whole(&mut worker, work.clone()).unwrap();
    let bytes: Vec<u8> = said.logprobs.iter().flat_map(|token| token.chosen.bytes.clone()).collect();
    assert_eq!(String::from_utf8(bytes).unwrap(), said.text);
    for token in &said.logprobs {
        assert_eq!(token.top.len(), 3);
        assert_eq!(token.top[0], token.chosen, "the likeliest was chosen");
        assert!(token.top.windows(2).all(|two| two[0].logprob >= two[1].logprob));
        let sum: f32 = token.top.iter().map(|other| other.logprob.exp()).sum();
        assert!(token.chosen.logprob <= 0.0 && sum <= 1.001);
    }
    // Within a form, each token is chosen, and as likely as the model thinks without it.
    let bound = Generate { format: Some(Format::Regex("[0-9]{4}".into())), ..work };
    let (said, ..) = whole(&mut worker, bound).unwrap();
    let bytes: Vec<u8> = said.logprobs.iter().flat_map(|token| token.chosen.bytes.clone()).collect();
    assert_eq!(String::from_utf8(bytes).unwrap(), said.text);
    assert!(said.logprobs[0].top[0].logprob > said.logprobs[0].chosen.logprob);
}
