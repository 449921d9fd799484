//! What a request says of single tokens.

use protocol::{FinishReason, Format, Generate, GenerateError, Input, LoadOptions, Options, Overflow, Said};

use crate::harness::*;

fn biased(tokens: u32, logit_bias: Vec<(i32, f32)>) -> Options {
    Options { logit_bias, ..greedy(tokens) }
}

fn counting(options: Options) -> Generate {
    raw("1, 2, 3, 4, 5, 6,".into(), options, Overflow::Refuse)
}

#[test]
fn a_token_is_forbidden_or_insisted_on() {
    let mut worker = Worker::start(512, 1);
    let (free, done) = worker.answer(counting(greedy(12))).unwrap();
    assert!(free.starts_with(" 7,"), "{free}");
    let seven = *worker.render(counting(greedy(1))).map(|it| it.tokens.last().copied()).as_ref().unwrap();
    let answer = &done.context[done.prompt_tokens as usize..];
    // Not the blank or the comma.
    let seven = *answer.iter().find(|token| **token != answer[0] && Some(**token) != seven).unwrap();

    for seed in [None, Some(3)] {
        let options = Options { temperature: if seed.is_some() { 1.0 } else { 0.0 }, seed, ..greedy(12) };
        let without = Options { logit_bias: vec![(seven, -100.0)], ..options.clone() };
        let (_, done) = worker.answer(counting(without)).unwrap();
        assert!(!done.context[done.prompt_tokens as usize..].contains(&seven), "{done:?}");
        let always = Options { logit_bias: vec![(seven, 100.0)], ..options };
        let (_, done) = worker.answer(counting(always)).unwrap();
        assert!(done.context[done.prompt_tokens as usize..].iter().all(|token| *token == seven), "{done:?}");
    }
    assert_eq!(worker.answer(counting(greedy(12))).unwrap().0, free, "nothing of it stays");
    for token in [-1, 49_152] {
        let refused = worker.answer(counting(biased(4, vec![(token, 1.0)])));
        assert!(matches!(refused, Err(GenerateError::UnknownToken { .. })), "{refused:?}");
    }
}

#[test]
fn a_guess_does_not_say_what_is_forbidden() {
    let mut worker = Worker::start(2048, 1);
    let list = "The cat sat on the mat, and the dog lay on the rug, and all was well. ".repeat(6);
    let asked = |options| raw(list.trim_end().to_owned(), options, Overflow::Refuse);
    let (_, free) = worker.answer(asked(greedy(40))).unwrap();
    let dog = worker.render(raw(" dog".into(), greedy(1), Overflow::Refuse)).unwrap().tokens[0];
    let answer = |done: &protocol::Done| done.context[done.prompt_tokens as usize..].to_vec();
    assert!(answer(&free).contains(&dog));

    let (text, done) = worker.answer(asked(biased(40, vec![(dog, -100.0)]))).unwrap();

    assert!(!answer(&done).contains(&dog), "{text}");
    let plain = LoadOptions { speculation: false, ..options(2048, 1, None) };
    let mut plain = Worker::load(plain).unwrap();
    assert_eq!(plain.answer(asked(biased(40, vec![(dog, -100.0)]))).unwrap().0, text);
}

#[test]
fn a_form_holds_whatever_is_insisted_on() {
    let mut worker = Worker::start(512, 1);
    let letter = worker.render(raw("a".into(), greedy(1), Overflow::Refuse)).unwrap().tokens[0];
    let digit = worker.render(raw("7".into(), greedy(1), Overflow::Refuse)).unwrap().tokens[0];
    let bound = |logit_bias| Generate {
        format: Some(Format::Regex("[0-9]{4}".into())),
        ..chat("Which year is it?", biased(12, logit_bias))
    };

    let (text, _) = worker.answer(bound(vec![(letter, 100.0)])).unwrap();
    assert!(text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit()), "{text}");
    let (text, _) = worker.answer(bound(vec![(digit, 100.0)])).unwrap();
    assert_eq!(text, "7777");
    let (text, _) = worker.answer(bound(vec![(digit, -100.0)])).unwrap();
    assert!(text.len() == 4 && !text.contains('7'), "{text}");
}

/// All that is said of a request, and its end.
fn whole(worker: &mut Worker, work: Generate) -> (Said, protocol::Done) {
    worker.begin(work);
    let mut said = Said::default();
    loop {
        match worker.next_event().1 {
            protocol::Event::Said(more) => said.append(more),
            protocol::Event::Done(done) => return (said, done),
            protocol::Event::Failed(error) => panic!("{error}"),
        }
    }
}

#[test]
fn how_likely_a_prompt_is_can_be_had_without_an_answer() {
    let mut worker = Worker::start(512, 1);
    let text = "The capital of France is Paris.";
    let tokens = worker.render(raw(text.into(), greedy(0), Overflow::Refuse)).unwrap().tokens;
    let mut likely = Vec::new();
    for input in [Input::Raw(text.into()), Input::Tokens(tokens.clone())] {
        let work = Generate { owner: ME, prompt_logprobs: Some(1), ..Generate::new(input, greedy(0)) };
        let (said, done) = whole(&mut worker, work);

        assert_eq!((said.text.as_str(), done.generated_tokens, done.reason), ("", 0, FinishReason::Length));
        let chosen: Vec<i32> = said.prompt_logprobs.iter().map(|token| token.chosen.token).collect();
        assert_eq!(chosen, tokens[1..]);
        assert_eq!((done.prompt_tokens as usize, done.context.as_slice()), (tokens.len(), &tokens[..]));
        likely.push(said.prompt_logprobs);
    }
    assert_eq!(likely[0], likely[1]);
    let form = Generate {
        format: Some(Format::Json),
        ..raw(text.into(), Options { num_predict: Some(0), ..greedy(0) }, Overflow::Refuse)
    };
    let said = Said { read: None, ..whole(&mut worker, form).0 };
    assert_eq!(said, Said::default(), "nothing is said for a form either");
}
