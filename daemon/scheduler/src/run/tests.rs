//! The scheduler against scripted workers at the other end of a socketpair.

mod asking;
mod lending;
mod pace;
mod serving;

use std::io;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};

use platform::process::WorkerProgram;
use protocol::{
    CacheOptions, Done, Embed, Embedded, Event, FinishReason, FromWorker, GenerateError, Input, Inputs,
    LoadOptions, ModelFacts, Options, Owner, RequestId, ToWorker, frame,
};
use store::Digest;

use super::*;
use crate::budget::Gauge;
use crate::worker::Connection;
use crate::{Activity, Errand, Kind, MemoryLimit, Queue, State};

const STUCK_AFTER: Duration = Duration::from_secs(60);

/// A scheduler, and the far end of each worker that it starts, in order.
fn scheduler(max_queue: usize) -> (Scheduler, Receiver<UnixStream>) {
    let (config, world, workers) = parts(max_queue);
    (Scheduler::in_world(config, world), workers)
}

/// What such a scheduler is made of.
fn parts(max_queue: usize) -> (Config, World, Receiver<UnixStream>) {
    let (started, workers) = channel();
    let spawn = move |_model| {
        let (socket, theirs) = UnixStream::pair()?;
        started.send(theirs).map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(Connection { socket, process: None })
    };
    let world = World {
        spawn: Box::new(spawn),
        shape: Box::new(|_| Ok(Shape::default())),
        gauge: Box::new(|_| Gauge::default()),
        machine: Box::new(Default::default),
    };
    let config = Config {
        worker: WorkerProgram { program: PathBuf::new(), args: Vec::new() },
        max_loaded: 1,
        memory: MemoryLimit::Free { floor_bytes: 0 },
        keep_alive: KeepAlive::Forever,
        max_queue,
        load_timeout: Duration::from_secs(5),
        stuck_after: STUCK_AFTER,
        cache_bytes: 0,
        cache_disk: None,
        lenders: None,
    };
    (config, world, workers)
}

pub(crate) fn a_load(name: &str) -> Load {
    Load {
        name: name.parse().unwrap(),
        digest: Digest::of(name.as_bytes()),
        weights: "/dev/null".into(),
        adapters: Vec::new(),
        draft: None,
        projector: None,
        options: LoadOptions {
            purpose: Purpose::Generate,
            context_tokens: 64,
            batch_tokens: 64,
            sequences: 2,
            max_step_ms: 200,
            speculation: true,
            cache_types: protocol::CacheTypes::default(),
            cache: CacheOptions::default(),
            threads: None,
            gpu_blocks: None,
            mmap: true,
            template: None,
            remote: Vec::new(),
        },
        least_context: 64,
        keep_alive: None,
        errand: Errand { who: "ada".into(), kind: Kind::Chat },
    }
}

async fn leased(scheduler: &Scheduler, load: Load, turn: Turn) -> Result<(Lease, Duration), ScheduleError> {
    let enrolled = scheduler.enrol(&load);
    scheduler.lease(load, turn, &enrolled).await
}

fn a_question() -> Generate {
    let input = Input::Raw("why?".into());
    Generate { owner: Owner(1), ..Generate::new(input, Options::default()) }
}

fn the_end(generated_tokens: u32) -> Done {
    Done {
        reason: FinishReason::Stop,
        prompt_tokens: 2,
        cached_tokens: 0,
        generated_tokens,
        thinking_tokens: 0,
        stop: None,
        prompt_time: Duration::from_millis(1),
        generate_time: Duration::from_millis(1),
        context: Vec::new(),
    }
}

/// The worker's half of a load.
fn accept_load(worker: &UnixStream) {
    assert!(matches!(frame::read(worker).unwrap(), Some(ToWorker::Load(_))));
    let facts = ModelFacts {
        context_tokens: 64,
        resident_bytes: 1,
        gpu_bytes: 0,
        parts: None,
        has_chat_template: false,
    };
    frame::write(worker, &FromWorker::Loaded(facts)).unwrap();
}

async fn loaded_worker(workers: Receiver<UnixStream>) -> (UnixStream, Receiver<UnixStream>) {
    tokio::task::spawn_blocking(move || {
        let worker = workers.recv().unwrap();
        accept_load(&worker);
        (worker, workers)
    })
    .await
    .unwrap()
}

async fn hear(worker: &UnixStream) -> Option<ToWorker> {
    let worker = worker.try_clone().unwrap();
    tokio::task::spawn_blocking(move || frame::read(&worker).unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_requests_for_one_model_load_it_once() {
    let (scheduler, workers) = scheduler(8);
    let (one, two) = (scheduler.clone(), scheduler.clone());
    let one = tokio::spawn(async move { one.load(a_load("m")).await });
    let two = tokio::spawn(async move { two.load(a_load("m")).await });

    let (_worker, workers) = loaded_worker(workers).await;

    one.await.unwrap().unwrap();
    two.await.unwrap().unwrap();
    assert!(workers.try_recv().is_err(), "a second worker was started");
    assert_eq!(scheduler.loaded().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_dies_fails_its_requests_and_the_next_request_gets_another() {
    let (scheduler, workers) = scheduler(8);
    let asking = scheduler.clone();
    let asked = tokio::spawn(async move { asking.generate(a_load("m"), a_question()).await.unwrap() });
    let (worker, workers) = loaded_worker(workers).await;
    let mut answer = asked.await.unwrap();

    drop(worker);

    assert_eq!(answer.next().await, Some(Event::Failed(GenerateError::WorkerDied)));
    drop(answer);
    let again = tokio::spawn(async move { scheduler.load(a_load("m")).await });
    let (_worker, _workers) = loaded_worker(workers).await;
    again.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_an_answer_cancels_it() {
    let (scheduler, workers) = scheduler(8);
    let asked = tokio::spawn(async move { scheduler.generate(a_load("m"), a_question()).await.unwrap() });
    let (worker, _workers) = loaded_worker(workers).await;
    let answer = asked.await.unwrap();
    let Some(ToWorker::Generate(request, _)) = hear(&worker).await else { panic!("no request") };

    drop(answer);

    assert_eq!(hear(&worker).await, Some(ToWorker::Cancel(request)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_kept_for_no_time_goes_with_its_answer() {
    let (scheduler, workers) = scheduler(8);
    let asking = scheduler.clone();
    let load = Load { keep_alive: Some(KeepAlive::For(Duration::ZERO)), ..a_load("m") };
    let asked = tokio::spawn(async move { asking.generate(load, a_question()).await.unwrap() });
    let (worker, _workers) = loaded_worker(workers).await;

    drop(asked.await.unwrap());

    assert!(scheduler.loaded().await.is_empty());
    while hear(&worker).await.is_some() {}
}

#[tokio::test(flavor = "multi_thread")]
async fn models_at_rest_go_by_the_owners_new_word_and_those_with_a_word_of_their_own_do_not() {
    for (own, stays) in [(None, false), (Some(KeepAlive::Forever), true)] {
        let (scheduler, workers) = scheduler(8);
        let asking = scheduler.clone();
        let load = Load { keep_alive: own, ..a_load("m") };
        let asked = tokio::spawn(async move { asking.load(load).await });
        let (worker, _workers) = loaded_worker(workers).await;
        asked.await.unwrap().unwrap();
        assert_eq!(scheduler.loaded().await[0].expires_at, None);

        scheduler.keep_models_for(KeepAlive::For(Duration::ZERO));

        if stays {
            assert_eq!(scheduler.loaded().await[0].expires_at, None);
        } else {
            while hear(&worker).await.is_some() {}
            assert!(scheduler.loaded().await.is_empty());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_cannot_be_loaded_is_told_with_its_reason() {
    let (scheduler, workers) = scheduler(8);
    let asked = tokio::spawn(async move { scheduler.load(a_load("m")).await });
    tokio::task::spawn_blocking(move || {
        let worker = workers.recv().unwrap();
        let _load: Option<ToWorker> = frame::read(&worker).unwrap();
        frame::write(&worker, &FromWorker::LoadFailed { reason: "bad magic".into() }).unwrap();
    })
    .await
    .unwrap();

    let error = asked.await.unwrap().unwrap_err();

    assert_eq!(error.to_string(), "model 'm:latest' cannot be loaded: bad magic");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_model_makes_room_for_another() {
    let (scheduler, workers) = scheduler(8);
    let asking = scheduler.clone();
    let first = tokio::spawn(async move { asking.load(a_load("one")).await });
    let (_one, workers) = loaded_worker(workers).await;
    first.await.unwrap().unwrap();

    let asking = scheduler.clone();
    let second = tokio::spawn(async move { asking.load(a_load("two")).await });
    let (_two, _workers) = loaded_worker(workers).await;
    second.await.unwrap().unwrap();

    let names: Vec<String> = scheduler.loaded().await.iter().map(|model| model.name.to_string()).collect();
    assert_eq!(names, ["two:latest"]);
}

/// Workers that load whatever they are given, counted; they end with the scheduler.
fn willing(workers: Receiver<UnixStream>) -> std::thread::JoinHandle<usize> {
    std::thread::spawn(move || {
        let mut started = Vec::new();
        for worker in workers {
            // A worker may be stopped before it hears or says anything.
            if let Ok(Some(ToWorker::Load(_))) = frame::read::<ToWorker>(&worker) {
                let facts = ModelFacts {
                    context_tokens: 64,
                    resident_bytes: 1,
                    gpu_bytes: 0,
                    parts: None,
                    has_chat_template: false,
                };
                let _stopped = frame::write(&worker, &FromWorker::Loaded(facts));
            }
            started.push(worker);
        }
        started.len()
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_model_that_is_waited_for_is_not_evicted_for_another() {
    let (scheduler, workers) = scheduler(64);
    let workers = willing(workers);
    let asked = ["a", "b", "c", "d"].map(|name| {
        let scheduler = scheduler.clone();
        tokio::spawn(async move { scheduler.load(a_load(name)).await })
    });
    for asked in asked {
        asked.await.unwrap().unwrap();
    }

    scheduler.shutdown().await;
    drop(scheduler);

    assert_eq!(workers.join().unwrap(), 4, "each model is loaded once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_unloaded_while_it_loads_starts_no_second_worker_and_goes_after_its_answer() {
    let (scheduler, workers) = scheduler(8);
    let asking = scheduler.clone();
    let asked = tokio::spawn(async move { asking.generate(a_load("m"), a_question()).await.unwrap() });
    let (worker, workers) =
        tokio::task::spawn_blocking(move || (workers.recv().unwrap(), workers)).await.unwrap();

    assert!(scheduler.unload(&a_load("m").name).await);
    let loading = tokio::task::spawn_blocking(move || {
        accept_load(&worker);
        worker
    });
    let (_worker, answer) = (loading.await.unwrap(), asked.await.unwrap());

    assert!(workers.try_recv().is_err(), "a second worker was started");
    drop(answer);
    assert!(scheduler.loaded().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_model_that_is_told_to_go_does_not_keep_the_clock_awake() {
    let (scheduler, workers) = scheduler(8);
    let asking = scheduler.clone();
    let asked = tokio::spawn(async move { asking.generate(a_load("m"), a_question()).await.unwrap() });
    let (_worker, _workers) = loaded_worker(workers).await;
    let _answer = asked.await.unwrap();

    scheduler.unload(&a_load("m").name).await;

    assert_eq!(scheduler.shared.table().next_expiry(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loaded_model_is_used_however_many_wait_for_others() {
    let (scheduler, workers) = scheduler(1);
    let asking = scheduler.clone();
    let asked = tokio::spawn(async move { asking.generate(a_load("m"), a_question()).await.unwrap() });
    let (_worker, _workers) = loaded_worker(workers).await;
    let _answer = asked.await.unwrap();
    let mut other = std::pin::pin!(scheduler.load(a_load("n")));
    assert!(is_pending(other.as_mut()).await, "there is no room for another model");

    assert!(scheduler.generate(a_load("m"), a_question()).await.is_ok());
    assert!(matches!(scheduler.load(a_load("o")).await, Err(ScheduleError::Busy)));
    assert_eq!(scheduler.queue(), Queue { limit: 1, waiting: 1 });
}

/// Polls once; whether there is no result yet.
async fn is_pending<F: Future>(mut future: std::pin::Pin<&mut F>) -> bool {
    std::future::poll_fn(|context| std::task::Poll::Ready(future.as_mut().poll(context).is_pending())).await
}

/// What the scheduler tells of each model: its name, how it stands, who has it and who waits.
fn told_of(scheduler: &Scheduler) -> Vec<(String, State, usize, usize)> {
    let told = |it: Activity| (it.name.to_string(), it.state, it.running, it.waiting);
    scheduler.activity().into_iter().map(told).collect()
}

#[tokio::test]
async fn a_request_that_has_waited_long_for_room_gets_it_though_others_keep_coming() {
    let (scheduler, workers) = scheduler(8);
    let _workers = willing(workers);
    let (first, _) = leased(&scheduler, a_load("busy"), Turn::Slot).await.unwrap();
    let asking = scheduler.clone();
    let waiting = tokio::spawn(async move { leased(&asking, a_load("starved"), Turn::Slot).await });
    tokio::task::yield_now().await;
    // One that ends late is followed by another that began before.
    let (second, _) = leased(&scheduler, a_load("busy"), Turn::Slot).await.unwrap();
    drop(first);
    let busy = ("busy:latest".to_owned(), State::Loaded, 1, 0);
    assert_eq!(told_of(&scheduler), [busy, ("starved:latest".to_owned(), State::Absent, 0, 1)]);

    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(61)).await;
    let mut third = std::pin::pin!(leased(&scheduler, a_load("busy"), Turn::Slot));
    assert!(is_pending(third.as_mut()).await, "it goes on without an end");
    assert!(scheduler.activity()[1].longest_wait >= Some(Duration::from_secs(61)));
    tokio::time::resume();
    drop(second);

    let (lease, _) = waiting.await.unwrap().unwrap();
    assert_eq!(told_of(&scheduler)[1], ("starved:latest".to_owned(), State::Loaded, 1, 0));
    drop(lease);
    third.await.unwrap();
}

#[tokio::test]
async fn a_request_that_is_given_up_waits_no_more() {
    let (scheduler, workers) = scheduler(8);
    let _workers = willing(workers);
    let _lease = leased(&scheduler, a_load("busy"), Turn::Slot).await.unwrap();
    let asking = scheduler.clone();
    let waiting = tokio::spawn(async move { leased(&asking, a_load("other"), Turn::Slot).await.is_ok() });
    tokio::task::yield_now().await;
    assert_eq!(scheduler.activity().len(), 2);

    waiting.abort();
    waiting.await.unwrap_err();

    assert_eq!(told_of(&scheduler), [("busy:latest".to_owned(), State::Loaded, 1, 0)]);
}

#[tokio::test]
async fn more_requests_than_may_wait_for_a_loaded_models_slots_are_refused() {
    let (scheduler, workers) = scheduler(2);
    let _workers = willing(workers);
    let asked = async || scheduler.generate(a_load("m"), a_question()).await;
    let waiting = || scheduler.queue().waiting;
    // Two slots, and two that wait for them.
    let mut answers = vec![asked().await.unwrap(), asked().await.unwrap()];
    assert_eq!(waiting(), 0);
    answers.push(asked().await.unwrap());
    answers.push(asked().await.unwrap());
    assert_eq!(waiting(), 2);

    assert!(matches!(asked().await, Err(ScheduleError::Busy)));
    assert!(matches!(scheduler.embed(a_load("m"), texts(1)).await, Err(ScheduleError::Busy)));
    assert!(matches!(scheduler.load(a_load("other")).await, Err(ScheduleError::Busy)), "one queue for all");
    let mut question = std::pin::pin!(scheduler.detokenize(a_load("m"), vec![1]));
    assert!(is_pending(question.as_mut()).await, "what needs no slot is asked");
    scheduler.load(a_load("m")).await.unwrap();
    assert_eq!(waiting(), 2);

    answers.pop();
    assert_eq!(waiting(), 1);
    answers.push(asked().await.unwrap());
    drop(answers);
    assert_eq!(waiting(), 0);
}

#[tokio::test]
async fn answers_that_go_on_with_another_worker_are_not_refused() {
    let (scheduler, workers) = scheduler(1);
    let _workers = willing(workers);
    let mut answers = Vec::new();
    for _ in 0..3 {
        answers.push(scheduler.generate(a_load("m"), a_question()).await.unwrap());
    }
    assert!(matches!(leased(&scheduler, a_load("m"), Turn::Slot).await, Err(ScheduleError::Busy)));
    assert!(matches!(leased(&scheduler, a_load("other"), Turn::Slot).await, Err(ScheduleError::Busy)));

    assert!(leased(&scheduler, a_load("m"), Turn::Resumed).await.is_ok());
    let mut other = std::pin::pin!(leased(&scheduler, a_load("other"), Turn::Resumed));
    assert!(is_pending(other.as_mut()).await, "it may wait for a model as well");
    assert_eq!(scheduler.queue(), Queue { limit: 1, waiting: 2 });
}

#[tokio::test(flavor = "multi_thread")]
async fn more_requests_than_may_wait_are_refused() {
    let (scheduler, _workers) = scheduler(0);
    assert!(matches!(scheduler.load(a_load("m")).await, Err(ScheduleError::Busy)));
}

/// Lets time pass on the fake clock, and tasks see it.
#[expect(clippy::disallowed_methods, reason = "on the fake clock, it is an event")]
async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

#[tokio::test]
async fn a_worker_that_falls_silent_is_ended_and_one_that_works_is_not() {
    let (scheduler, workers) = scheduler(8);
    let asking = scheduler.clone();
    let asked = tokio::spawn(async move { asking.generate(a_load("m"), a_question()).await.unwrap() });
    let (worker, _workers) = loaded_worker(workers).await;
    let mut answer = asked.await.unwrap();
    let Some(ToWorker::Generate(request, _)) = hear(&worker).await else { panic!("no request") };
    tokio::time::pause();

    for _ in 0..8 {
        pass(STUCK_AFTER / 3 * 2).await;
        frame::write(&worker, &FromWorker::Alive).unwrap();
    }
    frame::write(&worker, &FromWorker::Said(request, "Well".into(), vec![1])).unwrap();
    assert_eq!(answer.next().await, Some(Event::Said("Well".into())));
    let silent = Instant::now();
    assert_eq!(answer.next().await, Some(Event::Failed(GenerateError::WorkerStuck)));

    let waited = silent.elapsed();
    assert!((STUCK_AFTER / 2..STUCK_AFTER * 2).contains(&waited), "{waited:?}");
    assert!(scheduler.loaded().await.is_empty(), "the next request gets another worker");
}

#[tokio::test]
async fn a_worker_of_which_nobody_wants_anything_may_be_silent() {
    let (scheduler, workers) = scheduler(8);
    let asking = scheduler.clone();
    let asked = tokio::spawn(async move { asking.load(a_load("m")).await });
    let (_worker, _workers) = loaded_worker(workers).await;
    asked.await.unwrap().unwrap();
    tokio::time::pause();

    pass(STUCK_AFTER * 10).await;
    let mut answer = scheduler.generate(a_load("m"), a_question()).await.unwrap();
    let begun = Instant::now();

    assert_eq!(answer.next().await, Some(Event::Failed(GenerateError::WorkerStuck)));
    assert!((STUCK_AFTER..STUCK_AFTER + Duration::from_secs(1)).contains(&begun.elapsed()));
}

/// The next worker that is started, however long that takes on the fake clock.
async fn started(workers: &Receiver<UnixStream>) -> UnixStream {
    loop {
        match workers.try_recv() {
            Ok(worker) => return worker,
            Err(_) => pass(Duration::from_millis(10)).await,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_model_that_keeps_crashing_waits_and_is_then_not_loaded_until_it_is_unloaded() {
    let (scheduler, workers) = scheduler(8);
    let load = || {
        let scheduler = scheduler.clone();
        tokio::spawn(async move { scheduler.load(a_load("m")).await })
    };
    let mut rests = Vec::new();
    for _ in 0..3 {
        let (asked, begun) = (load(), Instant::now());
        drop(started(&workers).await);
        rests.push(begun.elapsed().as_secs());
        assert!(matches!(asked.await.unwrap(), Err(ScheduleError::LoadFailed { .. })));
    }
    assert_eq!(rests, [0, 0, 1]);

    let refused = load().await.unwrap().unwrap_err();
    assert!(workers.try_recv().is_err(), "a worker was started");
    let told = "model 'm:latest' crashed three times in ten minutes and is not loaded any more; the last time, the worker \
                hung up. To let it try again: hob stop m:latest";
    assert_eq!(refused.to_string(), told);

    scheduler.unload(&a_load("m").name).await;
    let asked = load();
    let (_worker, _workers) = loaded_worker(workers).await;
    asked.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_model_that_is_refused_for_a_reason_has_not_crashed() {
    let (scheduler, workers) = scheduler(8);
    let refusing = tokio::task::spawn_blocking(move || {
        for worker in workers.iter().take(4) {
            let _load: Option<ToWorker> = frame::read(&worker).unwrap();
            frame::write(&worker, &FromWorker::LoadFailed { reason: "bad magic".into() }).unwrap();
        }
    });
    for _ in 0..4 {
        let refused = scheduler.load(a_load("m")).await;
        assert!(matches!(refused, Err(ScheduleError::LoadFailed { .. })), "{refused:?}");
    }
    refusing.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_an_answer_comes_after_its_last_text() {
    let (scheduler, workers) = scheduler(8);
    let asked = tokio::spawn(async move { scheduler.generate(a_load("m"), a_question()).await.unwrap() });
    let (worker, _workers) = loaded_worker(workers).await;
    let mut answer = asked.await.unwrap();
    let Some(ToWorker::Generate(request, _)) = hear(&worker).await else { panic!("no request") };

    frame::write(&worker, &FromWorker::Done(request, "Well".into(), the_end(1))).unwrap();

    assert_eq!(answer.next().await, Some(Event::Said("Well".into())));
    assert_eq!(answer.next().await, Some(Event::Done(the_end(1))));
    assert_eq!(answer.next().await, None);
}

/// The next worker, with its model loaded.
async fn ready(workers: &Receiver<UnixStream>) -> UnixStream {
    let worker = started(workers).await;
    let loading = tokio::task::spawn_blocking(move || {
        accept_load(&worker);
        worker
    });
    loading.await.unwrap()
}

/// The next worker, the answer that it is to go on with, and which tokens of it were told.
async fn resumed(workers: &Receiver<UnixStream>) -> (UnixStream, RequestId, Vec<i32>) {
    let worker = ready(workers).await;
    match hear(&worker).await {
        Some(ToWorker::Resume(request, _, told)) => (worker, request, told),
        other => panic!("nothing is resumed: {other:?}"),
    }
}

fn a_greedy_question() -> Generate {
    Generate { options: Options { temperature: 0.0, ..Options::default() }, ..a_question() }
}

/// All of an answer's text, and its end.
async fn whole(mut answer: Answer) -> (String, Event) {
    let mut text = String::new();
    loop {
        match answer.next().await.unwrap() {
            Event::Said(more) => text += &more.text,
            end => return (text, end),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_certain_answer_is_gone_on_with_by_the_next_worker() {
    let (scheduler, workers) = scheduler(8);
    let asked =
        tokio::spawn(async move { scheduler.generate(a_load("m"), a_greedy_question()).await.unwrap() });
    let worker = ready(&workers).await;
    let answer = tokio::spawn(whole(asked.await.unwrap()));
    let Some(ToWorker::Generate(request, _)) = hear(&worker).await else { panic!("no request") };
    frame::write(&worker, &FromWorker::Said(request, "Well".into(), vec![1])).unwrap();
    frame::write(&worker, &FromWorker::Said(request, protocol::Said::default(), vec![2, 3])).unwrap();
    drop(worker);
    let (worker, request, told) = resumed(&workers).await;
    assert_eq!(told, [1, 2, 3]);
    frame::write(&worker, &FromWorker::Said(request, ", wel".into(), vec![4])).unwrap();
    drop(worker);
    let crashed = Instant::now();
    let (worker, request, told) = resumed(&workers).await;
    assert_eq!(told, [1, 2, 3, 4]);
    assert!(crashed.elapsed() >= Duration::from_secs(1), "the second crash was noted before it was told");
    frame::write(&worker, &FromWorker::Done(request, "l.".into(), the_end(5))).unwrap();

    let (text, end) = answer.await.unwrap();

    assert_eq!(text, "Well, well.");
    let Event::Done(done) = end else { panic!("{end:?}") };
    assert_eq!((done.prompt_tokens, done.generated_tokens), (2, 5));
    assert!(done.generate_time >= Duration::from_secs(1), "the time of all workers: {done:?}");
}

#[tokio::test(start_paused = true)]
async fn what_kills_two_workers_at_one_place_gets_no_third() {
    let (scheduler, workers) = scheduler(8);
    let asked =
        tokio::spawn(async move { scheduler.generate(a_load("m"), a_greedy_question()).await.unwrap() });
    let worker = ready(&workers).await;
    let answer = tokio::spawn(whole(asked.await.unwrap()));
    let Some(ToWorker::Generate(request, _)) = hear(&worker).await else { panic!("no request") };
    frame::write(&worker, &FromWorker::Said(request, "Well".into(), vec![1])).unwrap();
    drop(worker);
    let (worker, _, told) = resumed(&workers).await;
    assert_eq!(told, [1]);
    drop(worker);

    assert_eq!(answer.await.unwrap(), ("Well".into(), Event::Failed(GenerateError::WorkerDied)));
    assert!(workers.try_recv().is_err(), "a third worker was started");
}

fn texts(count: usize) -> Embed {
    let inputs = Inputs::Texts((0..count).map(|number| number.to_string()).collect());
    Embed { owner: Owner(1), inputs, overflow: protocol::Overflow::Truncate }
}

/// The next vectors that a worker is asked for: the first input, and how many.
async fn asked_for(worker: &UnixStream) -> (RequestId, String, usize) {
    match hear(worker).await {
        Some(ToWorker::Embed(request, work)) => match work.inputs {
            Inputs::Texts(texts) => (request, texts[0].clone(), texts.len()),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_inputs_go_in_pieces_and_come_back_in_order() {
    let (scheduler, workers) = scheduler(8);
    let asking = scheduler.clone();
    let asked =
        tokio::spawn(async move { asking.embed(a_load("m"), texts(300)).await.unwrap().finish().await });
    let (worker, _workers) = loaded_worker(workers).await;

    for first in ["0", "128", "256"] {
        let (request, text, count) = asked_for(&worker).await;
        assert_eq!(text, first);
        let number: f32 = text.parse().unwrap();
        let vectors = (0..count).map(|at| vec![number + at as f32]).collect();
        frame::write(&worker, &FromWorker::Embedded(request, Embedded { vectors, prompt_tokens: 5 }))
            .unwrap();
    }

    let whole = asked.await.unwrap().unwrap();
    assert_eq!(whole.prompt_tokens, 15);
    assert!(whole.vectors.into_iter().flatten().eq((0..300_u16).map(f32::from)));
}

#[tokio::test(flavor = "multi_thread")]
async fn vectors_that_nobody_waits_for_are_cancelled_and_those_of_a_dead_worker_fail() {
    let (scheduler, workers) = scheduler(8);
    let asking = scheduler.clone();
    let asked =
        tokio::spawn(async move { asking.embed(a_load("m"), texts(1)).await.unwrap().finish().await });
    let (worker, _workers) = loaded_worker(workers).await;
    let (request, ..) = asked_for(&worker).await;

    asked.abort();

    assert_eq!(hear(&worker).await, Some(ToWorker::Cancel(request)));
    let again =
        tokio::spawn(async move { scheduler.embed(a_load("m"), texts(1)).await.unwrap().finish().await });
    asked_for(&worker).await;
    drop(worker);
    assert_eq!(again.await.unwrap(), Err(GenerateError::WorkerDied));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_generates_is_loaded_anew_to_make_vectors() {
    let (scheduler, workers) = scheduler(8);
    let workers = willing(workers);
    scheduler.load(a_load("m")).await.unwrap();
    scheduler.load(a_load("m").for_vectors()).await.unwrap();
    scheduler.load(a_load("m").for_vectors()).await.unwrap();
    scheduler.shutdown().await;
    drop(scheduler);
    assert_eq!(workers.join().unwrap(), 2);
}
