//! Answers that are bound to a form.

use protocol::{Format, Generate, GenerateError, Options};
use serde_json::Value;

use crate::harness::{Worker, chat, greedy, options};
use crate::{rest, told};

fn bound(question: &str, format: Format, options: Options) -> Generate {
    Generate { format: Some(format), ..chat(question, options) }
}

fn person() -> Format {
    let schema = r#"{"type": "object", "required": ["name", "occupation", "years"], "properties": {
        "name": {"type": "string", "maxLength": 20}, "occupation": {"enum": ["baker", "sailor", "schoolteacher"]},
        "years": {"type": "integer", "minimum": 1, "maximum": 99}}}"#;
    Format::Schema(schema.into())
}

#[test]
fn an_answer_has_the_form_that_was_asked_for() {
    let mut worker = Worker::start(1024, 2);
    let mut answer = |question: &str, format| worker.answer(bound(question, format, greedy(250))).unwrap().0;

    let made_up: Value = serde_json::from_str(&answer("Make up a person.", person())).unwrap();
    let any: Value =
        serde_json::from_str(&answer("Give me {\"name\": \"Ann\"} again, and nothing else.", Format::Json))
            .unwrap();
    let date = answer("When did the war end?", Format::Regex("19[0-9]{2}-[0-9]{2}-[0-9]{2}".into()));
    let list = answer(
        "Name some fruits.",
        Format::Lark("start: WORD (\", \" WORD){2}\nWORD: /[a-z]{3,9}/\n".into()),
    );

    assert!(["baker", "sailor", "schoolteacher"].contains(&made_up["occupation"].as_str().unwrap()));
    assert!((1..=99).contains(&made_up["years"].as_u64().unwrap()));
    assert_eq!(made_up.as_object().unwrap().len(), 3, "{made_up}");
    assert!(any.is_object(), "{any}");
    assert!(date.len() == 10 && date.starts_with("19"), "{date}");
    assert_eq!(list.split(", ").count(), 3, "{list}");
}

#[test]
fn what_must_follow_is_not_sampled() {
    let mut worker = Worker::start(1024, 1);

    let (pieces, _, done) = told(&mut worker, bound("Make up a person.", person(), greedy(80)));

    let steps = pieces.len() as u32 + 1;
    assert!(steps + 8 < done.generated_tokens, "{steps} steps for {} tokens", done.generated_tokens);
}

#[test]
fn another_worker_goes_on_within_the_form() {
    for options in [greedy(80), Options { seed: Some(3), temperature: 1.5, ..greedy(80) }] {
        let work = || bound("Make up a person.", person(), options.clone());
        let (pieces, last, whole) = told(&mut Worker::start(512, 1), work());
        let mut worker = Worker::start(512, 1);
        for said in 1..=pieces.len() {
            let tokens: Vec<i32> = pieces[..said].iter().flat_map(|(_, tokens)| tokens.clone()).collect();
            let left: String = pieces[said..].iter().map(|(text, _)| text.as_str()).chain([&*last]).collect();

            let (text, done) = rest(&mut worker, work(), tokens);

            assert_eq!((text, &done.context), (left, &whole.context), "after {said} pieces of {options:?}");
        }
    }
}

#[test]
fn a_form_that_cannot_be_had_is_refused_with_its_reason() {
    let mut worker = Worker::start(512, 1);
    let mut refused = |format| match worker.answer(bound("Hi", format, greedy(8))) {
        Err(GenerateError::Format { reason }) => reason,
        other => panic!("{other:?}"),
    };
    let schema = |text: &str| Format::Schema(text.into());

    for (format, word) in [
        (schema(r#"{"type": "array", "uniqueItems": true}"#), "uniqueItems"),
        (schema(r#"{"type": "string", "minLength": 5, "maxLength": 2}"#), "minLength"),
        (schema(r#"{"type": "nothing"}"#), "nothing"),
        (schema(r##"{"$ref": "#/$defs/none"}"##), "none"),
        (schema("["), "EOF"),
        (schema(&format!(r#"{{"description": "{}"}}"#, "x".repeat(300 << 10))), "262144"),
        (schema(&format!(r#"{{"enum": [{}1]}}"#, "[".repeat(500))), "recursion"),
        (Format::Regex("(".into()), "regex"),
        (Format::Lark("begin: \"a\"".into()), "start"),
    ] {
        let reason = refused(format.clone());
        assert!(reason.contains(word), "{format:?}: {reason}");
        assert!(reason.len() < 500, "{reason}");
    }
    // It is answered or refused, by how far its states are known.
    let explodes = Format::Regex("(((a{1,1000}){1,1000}){1,1000}){1,1000}".into());
    match worker.answer(bound("Hi", explodes, greedy(8))) {
        Ok(_) | Err(GenerateError::Format { .. }) => {}
        Err(other) => panic!("{other:?}"),
    }
    assert!(worker.answer(chat("Hi", greedy(8))).is_ok(), "others are not disturbed");
}

#[test]
fn bound_and_free_answers_run_beside_each_other() {
    let mut worker =
        Worker::load(protocol::LoadOptions { speculation: true, ..options(1024, 3, None) }).unwrap();
    let requests = [
        worker.begin(bound("Make up a person.", person(), greedy(80))),
        worker.begin(chat("Why is the sky blue?", greedy(40))),
        worker.begin(bound("Say yes or no.", Format::Regex("yes|no".into()), greedy(80))),
    ];

    let answers = worker.all(&requests);

    assert!(serde_json::from_str::<Value>(&answers[0].0).is_ok(), "{}", answers[0].0);
    assert!(answers[1].1.generated_tokens == 40 && !answers[1].0.starts_with('{'));
    assert!(["yes", "no"].contains(&answers[2].0.as_str()), "{}", answers[2].0);
}
