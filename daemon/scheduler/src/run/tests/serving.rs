//! What is told of requests under way, and how one is ended.

use protocol::{MemoryParts, PromptProgress, PromptRead, Said};

use super::*;
use crate::{AskError, Request, Source, Stage};

const WITHIN: Duration = Duration::from_secs(30);

/// The one request, once it is at this stage.
async fn at(scheduler: &Scheduler, stage: Stage) -> Request {
    let reached = async {
        loop {
            let changed = scheduler.changed();
            match &scheduler.requests()[..] {
                [request] if request.stage == stage => return request.clone(),
                _ => changed.await,
            }
        }
    };
    tokio::time::timeout(WITHIN, reached).await.expect("it never came there")
}

async fn started(workers: Receiver<UnixStream>) -> (UnixStream, Receiver<UnixStream>) {
    tokio::task::spawn_blocking(move || (workers.recv().unwrap(), workers)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_told_of_from_the_load_of_its_model_to_its_last_token() {
    let (scheduler, workers) = scheduler(8);
    let asking = scheduler.clone();
    let asked = tokio::spawn(async move { asking.generate(a_load("m"), a_question()).await.unwrap() });

    let (worker, _workers) = started(workers).await;
    let loading = at(&scheduler, Stage::Loading).await;
    assert_eq!((loading.model.to_string().as_str(), &*loading.errand.who), ("m:latest", "ada"));
    accept_load(&worker);
    let mut answer = asked.await.unwrap();
    let Some(ToWorker::Generate(request, _)) = hear(&worker).await else { panic!("no request") };
    let reading = PromptProgress { tokens: 80, read: 30 };
    frame::write(&worker, &FromWorker::Reading(request, reading)).unwrap();
    assert_eq!(at(&scheduler, Stage::Reading).await.prompt, Some(reading));

    let read = Some(PromptRead { prompt_tokens: 80, cached_tokens: 30 });
    let said = Said { read, ..Said::from("Well") };
    frame::write(&worker, &FromWorker::Said(request, said, vec![1, 2])).unwrap();
    answer.next().await.unwrap();
    let told = at(&scheduler, Stage::Answering).await;
    assert_eq!((told.tokens, told.prompt), (2, Some(PromptProgress { tokens: 80, read: 80 })));
    frame::write(&worker, &FromWorker::Done(request, Said::default(), the_end(5))).unwrap();
    while answer.next().await.is_some() {}
    drop(answer);
    assert!(scheduler.requests().is_empty());
    let totals = scheduler.take_totals();
    assert_eq!((totals.requests, totals.prompt_tokens, totals.answer_tokens), (1, 50, 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_whose_reader_is_behind_is_told_of_as_held() {
    let (scheduler, workers) = scheduler(8);
    let (mut answer, worker, request) = pace::said(&scheduler, workers, 100).await;

    assert_eq!(hear(&worker).await, Some(ToWorker::Hold(request)));
    let held = at(&scheduler, Stage::Held).await;
    assert!(held.tokens >= 64, "{held:?}");
    for _ in 0..100 {
        answer.next().await.unwrap();
    }
    assert_eq!(scheduler.requests()[0].stage, Stage::Answering);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_stopped_says_so_at_once_and_its_worker_stops() {
    let (scheduler, workers) = scheduler(8);
    let (mut answer, worker, request) = pace::said(&scheduler, workers, 3).await;
    answer.next().await.unwrap();

    assert!(scheduler.stop_request(scheduler.requests()[0].id));

    assert_eq!(answer.next().await, Some(Event::Failed(GenerateError::Ended)));
    assert_eq!(answer.next().await, None);
    assert_eq!(hear(&worker).await, Some(ToWorker::Cancel(request)));
    assert!(scheduler.requests().is_empty());
    drop(answer);
    assert_eq!(scheduler.activity()[0].running, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_waits_for_its_model_can_be_stopped_and_leaves_nothing_behind() {
    let (scheduler, workers) = scheduler(8);
    let asking = scheduler.clone();
    let asked = tokio::spawn(async move { asking.generate(a_load("m"), a_question()).await.map(drop) });
    let (_worker, _workers) = started(workers).await;
    let waiting = at(&scheduler, Stage::Loading).await;

    assert!(scheduler.stop_request(waiting.id));

    assert!(matches!(asked.await.unwrap(), Err(ScheduleError::Ended)));
    assert_eq!(scheduler.queue().waiting, 0);
    assert!(!scheduler.stop_request(waiting.id));
}

#[tokio::test(flavor = "multi_thread")]
async fn vectors_and_questions_can_be_stopped_as_well() {
    let (scheduler, workers) = scheduler(8);
    let (asking, counting) = (scheduler.clone(), scheduler.clone());
    let asked =
        tokio::spawn(async move { asking.embed(a_load("m"), texts(1)).await.unwrap().finish().await });
    let (worker, _workers) = loaded_worker(workers).await;
    assert!(matches!(hear(&worker).await, Some(ToWorker::Embed(..))));
    let vectors = at(&scheduler, Stage::Reading).await;
    assert!(scheduler.stop_request(vectors.id));
    assert_eq!(asked.await.unwrap(), Err(GenerateError::Ended));

    let vectors_load = a_load("m").for_vectors();
    let counted = tokio::spawn(async move { counting.detokenize(vectors_load, vec![1]).await });
    assert!(matches!(hear(&worker).await, Some(ToWorker::Cancel(_))));
    assert!(matches!(hear(&worker).await, Some(ToWorker::Detokenize(..))));
    let question = at(&scheduler, Stage::Reading).await;
    assert!(scheduler.stop_request(question.id));
    assert!(matches!(counted.await.unwrap(), Err(AskError::Generate(GenerateError::Ended))));
    assert!(matches!(hear(&worker).await, Some(ToWorker::Cancel(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_whose_worker_died_can_be_stopped_while_another_is_loaded() {
    let (scheduler, workers) = scheduler(8);
    let asking = scheduler.clone();
    let asked = tokio::spawn(async move { asking.generate(a_load("m"), a_greedy_question()).await.unwrap() });
    let (worker, workers) = loaded_worker(workers).await;
    let mut answer = asked.await.unwrap();
    drop(worker);
    let last = tokio::spawn(async move { answer.next().await });
    let (_another, _workers) = started(workers).await;
    let resuming = at(&scheduler, Stage::Loading).await;

    scheduler.stop_request(resuming.id);

    assert_eq!(last.await.unwrap(), Some(Event::Failed(GenerateError::Ended)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_memory_of_a_model_is_told_by_what_its_worker_has_of_it_once_it_says_so() {
    let (config, mut world, workers) = parts(8);
    world.shape = Box::new(|_| Ok(Shape { weights_bytes: 70, ..Shape::default() }));
    world.gauge = Box::new(|_| Gauge { available_bytes: Some(1 << 40), ours_bytes: 5 });
    let scheduler = Scheduler::in_world(config, world);
    let asking = scheduler.clone();
    let asked = tokio::spawn(async move { asking.load(a_load("m")).await });
    let (worker, _workers) = started(workers).await;
    at(&scheduler, Stage::Loading).await;

    let estimated = scheduler.memory();
    assert_eq!(estimated.limit_bytes, Some((1 << 40) + 5));
    assert_eq!(estimated.models[0].parts.weights, 70);
    assert_eq!(
        (estimated.models[0].parts.source, &estimated.models[0].state),
        (Source::Estimated, &State::Loading)
    );
    assert_eq!(estimated.used_bytes(), estimated.models[0].bytes);

    assert!(matches!(frame::read(&worker).unwrap(), Some(ToWorker::Load(_))));
    let parts = MemoryParts { weights_bytes: 100, cache_bytes: 20, compute_bytes: 3 };
    let facts = ModelFacts {
        context_tokens: 64,
        resident_bytes: 1000,
        gpu_bytes: 0,
        parts: Some(parts),
        has_chat_template: false,
    };
    frame::write(&worker, &FromWorker::Loaded(facts)).unwrap();
    asked.await.unwrap().unwrap();

    let measured = scheduler.memory();
    let share = &measured.models[0];
    assert_eq!((share.parts.weights, share.parts.cache, share.parts.compute), (100, 20, 3));
    assert_eq!((share.parts.source, &share.state), (Source::Measured, &State::Loaded));
    assert!(share.bytes >= 1000, "{share:?}");
}
