//! Models of each kind of memory: one that keeps every token, one with a window, one state of all, and both at once. What
//! is reused of it changes no answer.

use protocol::request::Overflow;
use protocol::{CacheOptions, Done, LoadOptions};

use crate::harness::{Worker, files, greedy, open_model, options, raw};

/// Models by file, and whether their memory can be cut anywhere. `scripts/test` makes them.
const MODELS: [(&str, bool); 4] = [
    ("SmolLM2-135M-Instruct.Q4_1.gguf", true),
    ("tiny-windowed.gguf", true),
    ("tiny-recurrent.gguf", false),
    ("tiny-hybrid.gguf", false),
];

const ABOUT: [&str; 3] = ["fox", "bear", "hare"];

fn start(model: &str, cache_bytes: u64) -> Worker {
    let cache = CacheOptions { bytes: cache_bytes, ..Default::default() };
    let options = LoadOptions { cache, ..options(1024, 2, None) };
    Worker::load_files(options, engine::Files { model: open_model(model), ..files() }).unwrap()
}

/// Two tokens, of which the KV cache has the first.
fn ask(worker: &mut Worker, text: &str) -> (String, Done) {
    worker.answer(raw(text.to_owned(), greedy(2), Overflow::Refuse)).unwrap()
}

fn story(about: &str) -> String {
    let sentence = format!("Once upon a time there was a {about} that lived by the river.");
    [sentence.as_str(); 12].join(" ")
}

/// That the texts were answered as by a worker that has read nothing before. One of them may be a near tie, which falls
/// either way by the order in which numbers are added.
fn assert_as_if_fresh(model: &str, answers: &[(String, String)]) {
    let mut worker = start(model, 0);
    let mut same = 0;
    for (text, answer) in answers {
        // So that nothing of it is reused.
        ask(&mut worker, "Nothing that the others begin with.");
        same += usize::from(ask(&mut worker, text).0 == *answer);
    }
    assert!(same + 1 >= answers.len(), "{model}: {same} of {}", answers.len());
}

#[test]
fn a_text_that_goes_on_is_not_read_again() {
    for (model, _) in MODELS {
        let mut worker = start(model, 0);
        let answers = ABOUT.map(|about| {
            let (_, first) = worker.answer(raw(story(about), greedy(1), Overflow::Refuse)).unwrap();
            let longer = story(about) + " And then it went";
            let (answer, done) = ask(&mut worker, &longer);
            assert_eq!(done.cached_tokens, first.prompt_tokens, "{model}");
            (longer, answer)
        });
        assert_as_if_fresh(model, &answers);
    }
}

#[test]
fn an_edit_in_the_middle_keeps_what_comes_before_it_where_the_memory_can_be_cut() {
    for (model, parts) in MODELS {
        let mut worker = start(model, 0);
        let answers = ABOUT.map(|about| {
            let whole = story(about);
            ask(&mut worker, &whole);
            let edited = format!("{} the end", &whole[..whole.len() / 2]);
            let (answer, done) = ask(&mut worker, &edited);
            assert_eq!(done.cached_tokens > 50, parts, "{model}: {} tokens", done.cached_tokens);
            (edited, answer)
        });
        assert_as_if_fresh(model, &answers);
    }
}

#[test]
fn those_that_run_at_once_do_not_mix() {
    for (model, _) in MODELS {
        let mut worker = start(model, 0);
        let requests = ABOUT.map(|about| worker.begin(raw(story(about), greedy(2), Overflow::Refuse)));

        let answers = worker.all(&requests);

        let answers: Vec<_> =
            ABOUT.iter().map(|about| story(about)).zip(answers.into_iter().map(|it| it.0)).collect();
        assert_as_if_fresh(model, &answers);
    }
}

#[test]
fn what_left_the_kv_cache_comes_back_as_it_was() {
    for (model, _) in MODELS {
        let mut worker = start(model, 100 << 20);
        let first = ABOUT.map(|about| {
            worker.answer(raw(story(about), greedy(1), Overflow::Refuse)).unwrap().1.prompt_tokens
        });
        for about in ["wolf", "crow", "mouse", "snail"] {
            ask(&mut worker, &story(about));
        }
        let mut first = first.into_iter();
        let answers = ABOUT.map(|about| {
            let longer = story(about) + " And then it went";
            let (answer, done) = ask(&mut worker, &longer);
            assert_eq!(Some(done.cached_tokens), first.next(), "{model}");
            (longer, answer)
        });
        assert_as_if_fresh(model, &answers);
    }
}

#[test]
fn what_cannot_be_cut_is_kept_at_the_end_of_the_prompt() {
    for (model, parts) in MODELS {
        let mut worker = start(model, 100 << 20);
        let answers = ABOUT.map(|about| {
            let (_, first) = worker.answer(raw(story(about), greedy(8), Overflow::Refuse)).unwrap();
            let longer = story(about) + " And then it went";
            let (answer, done) = ask(&mut worker, &longer);
            assert!(done.cached_tokens >= first.prompt_tokens, "{model}: {} tokens", done.cached_tokens);
            assert!(parts || done.cached_tokens == first.prompt_tokens, "{model}");
            (longer, answer)
        });
        assert_as_if_fresh(model, &answers);
    }
}
