//! Prompts that are told, given as tokens, and made by a request's own template.

use protocol::{
    Ability, Event, Generate, GenerateError, Input, LoadOptions, Media, Message, NO_TOKEN, Overflow,
    PromptRead, Purpose, Role, Think, ThinkLevel,
};

use crate::harness::*;

fn said(role: Role, content: &str) -> Message {
    Message::new(role, content)
}

fn of(input: Input) -> Generate {
    Generate { owner: ME, overflow: Overflow::Refuse, ..Generate::new(input, greedy(2)) }
}

/// All kinds of input that a model without the tokens for gaps can read.
fn inputs() -> Vec<Input> {
    vec![
        Input::Chat(vec![said(Role::System, "Be brief."), said(Role::User, "Why is the sky blue?")]),
        Input::Raw("<|im_start|>user\nWhy?".into()),
        Input::Tokens(vec![1, 4093, 198, 19556]),
        Input::Continue { context: vec![1, 4093, 198], turn: vec![said(Role::User, "Go on.")] },
    ]
}

#[test]
fn a_prompt_is_told_as_a_generation_reads_it() {
    let mut worker = Worker::start(512, 1);
    for input in inputs() {
        let told = worker.render(of(input.clone())).unwrap();

        let (_, done) = worker.answer(of(input.clone())).unwrap();
        assert_eq!(told.tokens, done.context[..done.prompt_tokens as usize], "{input:?}");
        let names = worker.detokenize(told.tokens).unwrap().concat();
        assert_eq!(told.text.as_bytes(), names, "{input:?}");
    }
    let chat = worker.render(of(inputs().remove(0))).unwrap();
    let text = "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhy is the sky blue?<|im_end|>\n\
                <|im_start|>assistant\n";
    assert_eq!((&chat.text[..], chat.media), (text, 0));
}

#[test]
fn what_a_prompt_took_is_told_once_and_before_the_end() {
    let mut worker = Worker::start(512, 1);
    for input in inputs() {
        let request = worker.begin(of(input.clone()));
        let mut told = Vec::new();
        let done = loop {
            match worker.next_event() {
                (of, Event::Said(said)) if of == request => told.extend(said.read),
                (_, Event::Done(done)) => break done,
                other => panic!("{other:?}"),
            }
        };

        let read = PromptRead { prompt_tokens: done.prompt_tokens, cached_tokens: done.cached_tokens };
        assert_eq!(told, [read], "{input:?}");
    }
}

#[test]
fn where_a_model_cannot_think_it_may_be_asked_to_if_it_can() {
    let mut worker = Worker::start(512, 1);
    let question = || of(inputs().remove(0));

    let unable = worker.render(Generate { think: Think::Level(ThinkLevel::High), ..question() });
    let able = worker.render(Generate { think: Think::Able(ThinkLevel::High), ..question() });

    assert_eq!(unable, Err(GenerateError::Unable(Ability::Thinking)));
    assert_eq!(able, worker.render(question()));
}

#[test]
fn a_text_leads_to_tokens_and_back() {
    let mut worker = Worker::start(256, 1);
    let text = "Grüße — ☁ <|im_end|>";

    let told = worker.render(raw(text.into(), greedy(1), Overflow::Refuse)).unwrap();
    let pieces = worker.detokenize(told.tokens.clone()).unwrap();

    assert_eq!((told.text.as_str(), pieces.len()), (text, told.tokens.len()));
    assert_eq!(pieces.concat(), text.as_bytes());
    assert!(pieces.iter().any(|piece| std::str::from_utf8(piece).is_err()), "the cloud takes several");
    assert_eq!(worker.detokenize(Vec::new()), Ok(Vec::new()));
    for token in [-1, 49_152] {
        let unknown = GenerateError::UnknownToken { token, vocabulary: 49_152 };
        assert_eq!(worker.detokenize(vec![1, token]), Err(unknown.clone()));
        let input = Input::Tokens(vec![1, token]);
        assert_eq!(worker.render(of(input.clone())), Err(unknown.clone()));
        assert_eq!(worker.answer(of(input)), Err(unknown));
    }
}

#[test]
fn a_prompt_that_is_too_long_is_told_as_a_whole_or_as_it_is_cut() {
    let mut worker = Worker::start(64, 1);
    let long = |overflow| raw("The moon and the sun. ".repeat(40), greedy(4), overflow);

    let whole = worker.render(long(Overflow::Refuse)).unwrap();
    let cut = worker.render(long(Overflow::Truncate)).unwrap();

    assert!(whole.tokens.len() > 200 && whole.text.len() == 22 * 40, "{whole:?}");
    let (_, done) = worker.answer(long(Overflow::Truncate)).unwrap();
    assert_eq!(cut.tokens, done.context[..done.prompt_tokens as usize]);
    assert!(whole.text.starts_with(&cut.text[..10]) && cut.text.len() < whole.text.len(), "{}", cut.text);
}

#[test]
fn what_would_be_refused_is_not_told_and_what_is_too_long_for_a_frame_is_said_to_be() {
    let mut worker = Worker::start(64, 1);
    let question = Message { media: 1, ..said(Role::User, "What is it?") };
    let shown = Generate {
        media: Media(std::sync::Arc::new(vec![b"BM".to_vec()])),
        ..of(Input::Chat(vec![question]))
    };
    assert_eq!(worker.render(shown), Err(GenerateError::Unable(Ability::Vision)));

    // A byte each there, and twelve back.
    let refused = worker.detokenize(vec![1; 2 << 20]);
    assert!(matches!(refused, Err(GenerateError::TooLarge { bytes: 17_000_000.. })), "{refused:?}");
    assert!(worker.detokenize(vec![1]).is_ok());
}

#[test]
fn a_request_brings_its_own_template() {
    let mut worker = Worker::start_with("Q: {{ .Prompt }}\nA:").unwrap();
    let asked = |template: &str| Generate {
        template: Some(template.into()),
        ..of(Input::Chat(vec![said(Role::User, "Why?")]))
    };

    for _ in 0..2 {
        let other = worker.render(asked("[{{ .Prompt }}]")).unwrap();
        assert_eq!(other.text, "[Why?]");
        let (_, done) = worker.answer(asked("[{{ .Prompt }}]")).unwrap();
        assert_eq!(done.context[..done.prompt_tokens as usize], other.tokens);
    }
    let own = worker.render(of(Input::Chat(vec![said(Role::User, "Why?")]))).unwrap();
    assert_eq!(own.text, "Q: Why?\nA:");
    let gap = Input::Infill { prefix: "a".into(), suffix: "b".into(), system: None };
    let gap = Generate { template: Some("{{ .Prompt }}|{{ .Suffix }}".into()), ..of(gap) };
    assert_eq!(worker.render(gap).unwrap().text, "a|b");
    for bad in ["{{ if .Prompt }}", "{{ shout .Prompt }}"] {
        let refused = worker.answer(asked(bad));
        assert!(matches!(refused, Err(GenerateError::Template { .. })), "{refused:?}");
    }
    // More than are kept.
    for number in 0..9 {
        let template = format!("{number} {{{{ .Prompt }}}}");
        assert_eq!(worker.render(asked(&template)).unwrap().text, format!("{number} Why?"));
    }
}

#[test]
fn a_worker_that_makes_vectors_tells_texts_and_tokens() {
    let options = LoadOptions { purpose: Purpose::Embed, ..options(256, 2, None) };
    let model = open_model("all-MiniLM-L6-v2.F16.gguf");
    let mut worker = Worker::load_files(options, engine::Files { model, ..files() }).unwrap();

    let told = worker.render(of(Input::Raw("the moon".into()))).unwrap();
    let names = worker.detokenize(told.tokens.clone()).unwrap();

    assert_eq!((told.tokens.len(), told.text.as_str()), (4, "the moon"));
    assert_eq!((names[0].as_slice(), names[3].as_slice()), (&b"[CLS]"[..], &b"[SEP]"[..]));
    let tokens = worker.render(of(Input::Tokens(told.tokens.clone()))).unwrap();
    assert_eq!((&tokens.tokens, tokens.text.as_bytes()), (&told.tokens, &names.concat()[..]));
    assert!(matches!(worker.detokenize(vec![-1]), Err(GenerateError::UnknownToken { .. })));
    let refused = worker.render(of(inputs().remove(0)));
    assert!(matches!(refused, Err(GenerateError::Engine { .. })), "{refused:?}");
}

#[test]
fn the_places_of_a_picture_count_and_its_mark_stays_a_secret() {
    let projector = Some(open_model("SmolLM2-135M-Instruct.projector.gguf"));
    let mut worker =
        Worker::load_files(options(1024, 2, None), engine::Files { projector, ..files() }).unwrap();
    let question = Message { media: 1, ..said(Role::User, "What is it?") };
    let shown = || Generate {
        media: Media(std::sync::Arc::new(vec![crate::images::picture(crate::images::RED)])),
        ..of(Input::Chat(vec![question.clone()]))
    };

    let told = worker.render(shown()).unwrap();

    let (_, done) = worker.answer(shown()).unwrap();
    assert_eq!((told.tokens.len(), told.media), (done.prompt_tokens as usize, 1));
    assert!(told.tokens.contains(&NO_TOKEN), "{:?}", told.tokens);
    assert!(told.text.contains("[img-0]What is it?") && !told.text.contains("__media"), "{}", told.text);
    let broken = Generate { media: Media(std::sync::Arc::new(vec![b"BM".to_vec()])), ..shown() };
    assert!(matches!(worker.render(broken), Err(GenerateError::Media { .. })));

    // Files that were taken back are not there for what has their number.
    let request = worker.announce(&shown());
    assert_eq!(worker.render_as(request, shown()).unwrap(), told);
    let request = worker.announce(&shown());
    worker.cancel(request);
    let without = worker.render_as(request, shown());
    assert!(without.as_ref().map_or(true, |rendered| rendered.media == 0), "{without:?}");
}
