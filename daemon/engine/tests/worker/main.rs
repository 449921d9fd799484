//! The worker's half of the protocol, driven over a socketpair with real models.
#![expect(clippy::unwrap_used, reason = "a step that fails is a failed test")]

mod adapters;
mod formats;
mod harness;
mod images;
mod memories;
mod pace;
mod prompts;
mod reading;
mod sampling;
mod split;
mod tools;
mod vectors;

use protocol::request::Overflow;
use protocol::{
    CacheOptions, CacheType, CacheTypes, Done, Event, FinishReason, FromWorker, Generate, GenerateError,
    Input, LoadOptions, Message, Options, PromptProgress, RequestId, Role, Secret, ToWorker, frame,
};

use harness::*;

#[test]
fn a_question_is_answered_through_the_models_own_template() {
    let mut worker = Worker::start(2048, 1);

    let (text, done) = worker.answer(chat("Why is the sky blue?", greedy(200))).unwrap();

    assert!(text.contains("Rayleigh") || text.contains("scatter"), "{text}");
    assert!(!text.contains("<|im_end|>"), "{text}");
    assert!(done.prompt_tokens > 20, "the template adds a system message: {done:?}");
}

#[test]
fn a_question_is_read_through_the_modelfiles_template() {
    let template = "{{ if .System }}{{ .System }}: {{ end }}Q: {{ .Prompt }}\nA:{{ .Response }}\n";
    let mut worker = Worker::start_with(template).unwrap();
    let said = |role, content: &str| Message::new(role, content);
    let messages = vec![
        said(Role::System, "Short"),
        said(Role::User, "One?"),
        said(Role::Assistant, " Yes."),
        said(Role::User, "Two?"),
    ];
    let conversation = Generate { owner: ME, ..Generate::new(Input::Chat(messages), greedy(4)) };

    let (_, rendered) = worker.answer(conversation).unwrap();

    let text = "Short: Q: One?\nA: Yes.\nQ: Two?\nA:";
    let (_, plain) = worker.answer(raw(text.into(), greedy(4), Overflow::Refuse)).unwrap();
    assert_eq!(rendered.context, plain.context);
    assert_eq!(rendered.prompt_tokens, plain.prompt_tokens);
}

#[test]
fn a_template_that_refuses_a_conversation_fails_the_request_alone() {
    let mut worker =
        Worker::start_with("{{ if eq .Prompt \"no\" }}{{ index .Prompt 9 }}{{ end }}{{ .Prompt }}").unwrap();

    let refused = worker.answer(chat("no", greedy(4)));
    assert!(
        matches!(&refused, Err(GenerateError::Template { reason }) if reason.contains("index")),
        "{refused:?}"
    );
    assert!(worker.answer(chat("yes", greedy(4))).is_ok());
}

#[test]
fn a_template_that_cannot_be_read_says_where_it_is_wrong() {
    let refused = |template: &str| Worker::start_with(template).err().unwrap();

    assert_eq!(refused("a\n{{ if .Prompt }}b"), "template error: line 2, column 1: {{if}} has no {{end}}");
    assert_eq!(
        refused("{{ .Prompt | shout }}"),
        "template error: line 1, column 14: function \"shout\" not defined"
    );
}

#[test]
fn an_answer_does_not_depend_on_its_neighbours() {
    let mut worker = Worker::start(1024, 4);
    let questions = ["Why is the sky blue?", "What is a hob?", "Name three rivers."];
    let alone: Vec<_> = questions
        .iter()
        .map(|question| worker.answer(chat(question, greedy(8))).unwrap().1.generated_tokens)
        .collect();

    let requests: Vec<_> = questions.iter().map(|question| worker.begin(chat(question, greedy(8)))).collect();
    let together = worker.all(&requests);

    let together: Vec<_> = together.iter().map(|(_, done)| done.generated_tokens).collect();
    assert_eq!(together, alone);
}

#[test]
fn a_prompt_that_was_read_before_is_not_read_again() {
    let mut worker = Worker::start(2048, 2);
    let question = "Tell me about the moon. ".repeat(20);

    let (cold_text, cold) = worker.answer(chat(&question, greedy(8))).unwrap();
    let (warm_text, warm) = worker.answer(chat(&question, greedy(8))).unwrap();

    assert_eq!(cold.cached_tokens, 0);
    assert_eq!(warm.cached_tokens, warm.prompt_tokens - 1);
    assert_eq!(warm_text, cold_text);
}

#[test]
fn a_stop_string_ends_the_answer_and_is_no_part_of_it() {
    let mut worker = Worker::start(1024, 1);
    let counting = || raw("1, 2, 3, 4, 5, 6,".into(), greedy(40), Overflow::Refuse);
    let (free, _) = worker.answer(counting()).unwrap();
    assert!(free.contains(" 9"), "{free}");

    let mut work = counting();
    work.options.stop = vec![" 9".into()];
    let (stopped, done) = worker.answer(work).unwrap();

    assert_eq!(stopped, free[..free.find(" 9").unwrap()]);
    assert_eq!((done.reason, done.stop.as_deref()), (FinishReason::Stop, Some(" 9")));
    let (_, done) = worker.answer(chat("Say yes.", greedy(200))).unwrap();
    assert_eq!((done.reason, done.stop), (FinishReason::Stop, None), "it ended by itself");
}

#[test]
fn the_same_seed_draws_the_same_answer() {
    let mut worker = Worker::start(1024, 1);
    let options = || Options { seed: Some(7), num_predict: Some(24), temperature: 1.5, ..Options::default() };

    let (one, _) = worker.answer(chat("Tell me a story.", options())).unwrap();
    let (two, _) = worker.answer(chat("Tell me a story.", options())).unwrap();

    assert_eq!(one, two);
}

#[test]
fn a_prompt_that_is_too_long_is_refused_or_cut_and_never_crashes() {
    let mut worker = Worker::start(256, 1);
    let long = "The moon and the sun. ".repeat(200);

    let refused = worker.answer(raw(long.clone(), greedy(4), Overflow::Refuse));
    assert!(matches!(refused, Err(GenerateError::PromptTooLong { context_tokens: 255, .. })), "{refused:?}");

    let (_, done) = worker.answer(raw(long, greedy(4), Overflow::Truncate)).unwrap();
    assert_eq!(done.prompt_tokens, 252);
}

#[test]
fn an_answer_ends_where_the_context_does() {
    let mut worker = Worker::start(64, 1);
    let options = Options { shift: false, ..greedy(1000) };
    let (_, done) = worker.answer(raw("1, 2, 3, 4, 5, 6,".into(), options, Overflow::Refuse)).unwrap();
    assert_eq!(done.reason, FinishReason::Length);
    assert_eq!(done.context.len(), 64);
}

#[test]
fn an_answer_goes_on_past_its_context_by_forgetting_the_older_half() {
    let mut worker = Worker::start(64, 2);
    let counting = || raw("1, 2, 3, 4, 5, 6,".into(), greedy(150), Overflow::Refuse);
    let requests = [worker.begin(counting()), worker.begin(counting())];

    let answers = worker.all(&requests);

    for (text, done) in answers {
        assert_eq!((done.generated_tokens, done.reason), (150, FinishReason::Length), "{text}");
        assert!(done.context.len() <= 64);
        assert!(text.starts_with(" 7, 8, 9, 10, 11"), "{text}");
    }
    let (_, after) = worker.answer(counting()).unwrap();
    assert_eq!(after.cached_tokens, 0, "what was computed with what is forgotten serves nobody");
    let endless = Options { num_predict: None, ..greedy(1) };
    let (_, done) = worker.answer(raw("la la la la".into(), endless, Overflow::Refuse)).unwrap();
    assert!(done.generated_tokens <= 640);
}

#[test]
fn cancelling_stops_a_long_prompt_and_frees_the_sequence() {
    let mut worker = Worker::start(8192, 1);
    let doomed = worker.begin(raw("The moon and the sun. ".repeat(1200), greedy(4), Overflow::Truncate));
    worker.cancel(doomed);

    let (_, done) = worker.answer(chat("Why is the sky blue?", greedy(4))).unwrap();

    assert_eq!(done.generated_tokens, 4);
}

#[test]
fn a_token_that_the_model_does_not_have_is_refused() {
    let mut worker = Worker::start(256, 1);
    let input = Input::Continue { context: vec![1, 999_999], turn: Vec::new() };
    let refused = worker.answer(Generate { owner: ME, ..Generate::new(input, greedy(4)) });
    assert!(matches!(refused, Err(GenerateError::UnknownToken { token: 999_999, .. })), "{refused:?}");
}

#[test]
fn nothing_that_was_read_for_one_owner_serves_another() {
    let mut worker = Worker::start(2048, 2);
    let question = || chat(&"Tell me about the moon. ".repeat(20), greedy(4));
    worker.answer(question()).unwrap();

    let (_, theirs) = worker.answer(Generate { owner: THEM, ..question() }).unwrap();
    let (_, mine) = worker.answer(question()).unwrap();

    assert_eq!(theirs.cached_tokens, 0);
    assert_eq!(mine.cached_tokens, mine.prompt_tokens - 1);
}

#[test]
fn a_beginning_that_many_share_is_read_once() {
    let mut worker = Worker::start(2048, 4);
    let beginning = "The moon and the sun and the stars above. ".repeat(30);
    let asked = |last: &str| raw(format!("{beginning}{last}"), greedy(8), Overflow::Refuse);
    let questions = ["They are far.", "Who sees them at night?", "One, two, three.", "Birds fly."];

    let requests: Vec<_> = questions.iter().map(|last| worker.begin(asked(last))).collect();
    let together = worker.all(&requests);

    let read: u32 = together.iter().map(|(_, done)| done.prompt_tokens - done.cached_tokens).sum();
    // One that comes when the first is nearly through reads the little that is left by itself.
    let whole = together[0].1.prompt_tokens;
    assert!(read < whole + 3 * 70, "{read} tokens were read of {whole}");
    let mut alone = Worker::start(2048, 1);
    // In batches of other sizes a near tie may fall otherwise; what was computed for another text would never fit.
    let alike = questions.iter().zip(together).filter(|(last, (text, _))| {
        let (other, _) = alone.answer(asked(last)).unwrap();
        other[..8] == text[..8]
    });
    assert!(alike.count() >= 3);
}

#[test]
fn an_edit_in_the_middle_costs_only_what_comes_after_it() {
    let mut worker = Worker::start(2048, 2);
    let text = |middle: &str| {
        let half = "The moon and the sun and the stars above. ".repeat(20);
        raw(format!("{half}{middle} {half}"), greedy(1), Overflow::Refuse)
    };
    let (_, first) = worker.answer(text("One")).unwrap();

    let (_, edited) = worker.answer(text("Two")).unwrap();
    let (_, again) = worker.answer(text("One")).unwrap();

    let half = first.prompt_tokens / 2;
    assert!((half - 5..=half + 5).contains(&edited.cached_tokens), "{edited:?}");
    assert_eq!(again.cached_tokens, again.prompt_tokens - 1, "the first version is still there");
}

#[test]
fn an_owner_with_many_requests_does_not_keep_another_waiting() {
    let mut worker = Worker::start(512, 2);
    let story = |owner| Generate { owner, ..chat("Tell me a long story about a fox.", greedy(50)) };
    let mine: Vec<_> = (0..6).map(|_| worker.begin(story(ME))).collect();
    // All of mine are there, and two of them run.
    assert!(mine.contains(&worker.next_event().0));

    let theirs = worker.begin(story(THEM));

    let mut ended = Vec::new();
    while ended.len() < mine.len() + 1 {
        if let (request, Event::Done(done)) = worker.next_event() {
            assert_eq!(done.generated_tokens, 50);
            ended.push(request);
        }
    }
    let place = ended.iter().position(|request| *request == theirs).unwrap();
    assert!(place < 2, "it ended as number {place}");
}

#[test]
fn what_was_paused_goes_on_as_if_it_had_not_been() {
    let story = |owner| Generate { owner, ..chat("Tell me a story about a fox.", greedy(60)) };
    let (alone, _) = Worker::start(512, 1).answer(story(ME)).unwrap();
    let mut worker = Worker::start(512, 2);
    let mine: Vec<_> = (0..2).map(|_| worker.begin(story(ME))).collect();
    let (first, begun) = worker.next_event();
    let theirs = worker.begin(story(THEM));

    let requests = [mine[0], mine[1], theirs];
    let mut answers = worker.all(&requests);
    let Event::Said(begun) = begun else { panic!("{begun:?}") };
    let at = requests.iter().position(|request| *request == first).unwrap();
    answers[at].0.insert_str(0, &begun.text);

    // As far as rounding lets them be alike in batches of other sizes.
    assert!(answers.iter().all(|(text, _)| text[..40] == alone[..40]), "{answers:?}");
}

#[test]
fn guesses_change_nothing_but_the_time() {
    let mut worker = Worker::start(2048, 1);
    let list = "The cat sat on the mat, and the dog lay on the rug, and all was well. ".repeat(6);
    let asked = || raw(list.trim_end().to_owned(), greedy(64), Overflow::Refuse);
    let request = worker.begin(asked());
    let (mut text, mut pieces) = (String::new(), 0);
    let done = loop {
        match worker.next_event() {
            (_, Event::Said(more)) => (text, pieces) = (text + &more.text, pieces + 1),
            (from, Event::Done(done)) if from == request => break done,
            (_, other) => panic!("{other:?}"),
        }
    };

    assert_eq!(text.trim_start()[..list.len() / 6], list[..list.len() / 6]);
    assert_eq!(done.generated_tokens, 64);
    assert!(pieces < 40, "64 tokens came in {pieces} pieces");
    let plain = LoadOptions { speculation: false, ..options(2048, 1, None) };
    assert_eq!(Worker::load(plain).unwrap().answer(asked()).unwrap().0, text);
}

#[test]
fn a_prefix_that_left_the_cache_comes_back() {
    let cache = CacheOptions { bytes: 100 << 20, ..Default::default() };
    let mut worker = Worker::load(LoadOptions { cache, ..options(1024, 1, None) }).unwrap();
    let about = |what: &str| raw(format!("All about the {what}. ").repeat(100), greedy(8), Overflow::Refuse);
    let (text, first) = worker.answer(about("moon")).unwrap();
    // Each of them takes most of the cache.
    worker.answer(about("sun")).unwrap();
    worker.answer(about("sea")).unwrap();

    let (again, warm) = worker.answer(about("moon")).unwrap();

    assert_eq!((first.cached_tokens, warm.cached_tokens), (0, warm.prompt_tokens - 1));
    assert_eq!(again, text);
}

#[test]
fn a_prefix_on_the_disk_outlives_the_worker() {
    let file = tempfile::tempfile().unwrap();
    let cache = CacheOptions { bytes: 100 << 20, file_bytes: 100 << 20, secret: Secret(vec![7; 32]) };
    let start = || {
        let options = LoadOptions { cache: cache.clone(), ..options(1024, 1, None) };
        Worker::load_with(options, Some(file.try_clone().unwrap())).unwrap()
    };
    let about = || raw("All about the moon. ".repeat(100), greedy(8), Overflow::Refuse);
    let (text, first) = start().answer(about()).unwrap();

    let (again, warm) = start().answer(about()).unwrap();

    assert_eq!((first.cached_tokens, warm.cached_tokens), (0, warm.prompt_tokens - 1));
    assert_eq!(again, text);
    let other = Secret(vec![8; 32]);
    let cache = CacheOptions { secret: other, ..cache.clone() };
    let options = LoadOptions { cache, ..options(1024, 1, None) };
    let mut stranger = Worker::load_with(options, Some(file.try_clone().unwrap())).unwrap();
    assert_eq!(stranger.answer(about()).unwrap().1.cached_tokens, 0, "it is sealed by another box");
}

#[test]
fn a_draft_model_says_what_comes_and_changes_nothing() {
    let options = || options(512, 1, None);
    let alphabet = |draft_tokens| {
        let text = "The letters of the alphabet are: A, B, C, D, E,";
        raw(text.into(), Options { draft_tokens, ..greedy(48) }, Overflow::Refuse)
    };
    // Of the same weights, so that it is right but for a rounding.
    let draft = Some(open_model("SmolLM2-135M-Instruct.Q4_1.gguf"));
    let mut worker = Worker::load_files(options(), engine::Files { draft, ..files() }).unwrap();

    let (asked, last, _) = told(&mut worker, alphabet(4));

    let (not_asked, _, _) = told(&mut worker, alphabet(0));
    assert!(asked.len() + 10 < not_asked.len(), "{} pieces and {}", asked.len(), not_asked.len());
    let text: String = asked.into_iter().map(|(text, _)| text).chain([last]).collect();
    assert_eq!(text, Worker::load(options()).unwrap().answer(alphabet(4)).unwrap().0);
}

#[test]
fn a_packed_cache_answers_shares_and_restores_and_is_not_taken_for_another() {
    let file = tempfile::tempfile().unwrap();
    let cache = CacheOptions { bytes: 100 << 20, file_bytes: 100 << 20, secret: Secret(vec![7; 32]) };
    let start = |k, v| {
        let cache_types = CacheTypes { k, v };
        let options = LoadOptions { cache: cache.clone(), cache_types, ..options(1024, 1, None) };
        Worker::load_with(options, Some(file.try_clone().unwrap())).unwrap()
    };
    let packed = || start(CacheType::Q8_0, CacheType::Q4_0);
    let counting = || {
        let numbers: Vec<String> = (1..100).map(|number| number.to_string()).collect();
        raw(numbers.join(", ") + ",", greedy(12), Overflow::Refuse)
    };
    let (text, first) = packed().answer(counting()).unwrap();
    assert!(text.starts_with(" 100, 101"), "{text}");

    let (again, warm) = packed().answer(counting()).unwrap();

    assert_eq!((first.cached_tokens, warm.cached_tokens), (0, warm.prompt_tokens - 1));
    assert_eq!(again, text);
    let mut other = start(CacheType::F16, CacheType::F16);
    assert_eq!(other.answer(counting()).unwrap().1.cached_tokens, 0);
}

/// What a worker tells of one answer, piece by piece, and its last piece with its end.
fn told(worker: &mut Worker, work: Generate) -> (Vec<(String, Vec<i32>)>, String, Done) {
    worker.begin(work);
    let mut pieces = Vec::new();
    loop {
        match frame::read(&worker.socket).unwrap().unwrap() {
            FromWorker::Said(_, said, tokens) => pieces.push((said.text, tokens)),
            FromWorker::Done(_, last, done) => return (pieces, last.text, done),
            FromWorker::Alive | FromWorker::Reading(..) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// The rest of an answer of which another worker told these tokens.
fn rest(worker: &mut Worker, work: Generate, told: Vec<i32>) -> (String, Done) {
    worker.next += 1;
    let request = RequestId(worker.next);
    frame::write(&worker.socket, &ToWorker::Resume(request, Box::new(work), told)).unwrap();
    worker.all(&[request]).remove(0)
}

#[test]
fn another_worker_goes_on_from_any_token() {
    let story = |options| chat("Tell me a story about a fox. Use emoji.", options);
    let seeded = Options { seed: Some(5), temperature: 1.2, repeat_penalty: 1.3, ..greedy(24) };
    let stopped = Options { stop: vec![" who lived".into(), ". ".into()], ..greedy(40) };
    for options in [greedy(24), seeded, stopped] {
        // One at a time, or a guess that was checked with it may round a token the other way.
        let load = || LoadOptions { speculation: false, ..self::options(512, 1, None) };
        let (pieces, last, whole) = told(&mut Worker::load(load()).unwrap(), story(options.clone()));
        let mut worker = Worker::load(load()).unwrap();
        for said in 1..=pieces.len() {
            let tokens: Vec<i32> = pieces[..said].iter().flat_map(|(_, tokens)| tokens.clone()).collect();
            let left: String = pieces[said..].iter().map(|(text, _)| text.as_str()).chain([&*last]).collect();

            let (text, done) = rest(&mut worker, story(options.clone()), tokens);

            assert_eq!((text, &done.context), (left, &whole.context), "after {said} pieces of {options:?}");
            assert_eq!((done.generated_tokens, done.reason), (whole.generated_tokens, whole.reason));
            assert_eq!(done.prompt_tokens, whole.prompt_tokens);
        }
    }
}

#[test]
fn another_worker_goes_on_with_what_is_longer_than_its_context() {
    let mut worker = Worker::start(64, 1);
    let counting = || raw("1, 2, 3, 4, 5, 6,".into(), greedy(150), Overflow::Refuse);
    let (pieces, _, whole) = told(&mut worker, counting());
    let tokens: Vec<i32> = pieces.into_iter().flat_map(|(_, tokens)| tokens).take(120).collect();

    let (_, done) = rest(&mut worker, counting(), tokens);

    assert_eq!((done.generated_tokens, done.prompt_tokens), (150, whole.prompt_tokens));
    assert_eq!(done.context.len(), whole.context.len());
}
