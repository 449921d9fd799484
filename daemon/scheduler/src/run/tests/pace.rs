//! Answers that nobody reads.

use super::*;

/// An answer under way, whose worker has said `pieces` of it.
pub(super) async fn said(
    scheduler: &Scheduler,
    workers: Receiver<UnixStream>,
    pieces: i32,
) -> (Answer, UnixStream, RequestId) {
    let asking = scheduler.clone();
    let asked = tokio::spawn(async move { asking.generate(a_load("m"), a_question()).await.unwrap() });
    let (worker, _workers) = loaded_worker(workers).await;
    let answer = asked.await.unwrap();
    let Some(ToWorker::Generate(request, _)) = hear(&worker).await else { panic!("no request") };
    for piece in 0..pieces {
        say(&worker, request, piece);
    }
    (answer, worker, request)
}

fn say(worker: &UnixStream, request: RequestId, piece: i32) {
    frame::write(worker, &FromWorker::Said(request, piece.to_string().as_str().into(), vec![piece])).unwrap();
}

fn held(scheduler: &Scheduler) -> usize {
    scheduler.activity()[0].held
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_is_held_while_nobody_reads_and_released_when_somebody_does() {
    let (scheduler, workers) = scheduler(8);
    let (mut answer, worker, request) = said(&scheduler, workers, 100).await;

    assert_eq!(hear(&worker).await, Some(ToWorker::Hold(request)));
    assert_eq!(held(&scheduler), 1);
    for piece in 0..100 {
        assert_eq!(answer.next().await, Some(Event::Said(piece.to_string().as_str().into())));
    }
    assert_eq!(hear(&worker).await, Some(ToWorker::Release(request)));
    assert_eq!(held(&scheduler), 0);

    // Again, and then its reader goes away.
    (100..200).for_each(|piece| say(&worker, request, piece));
    assert_eq!(hear(&worker).await, Some(ToWorker::Hold(request)));
    drop(answer);
    assert_eq!(hear(&worker).await, Some(ToWorker::Cancel(request)));
    assert_eq!(held(&scheduler), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_read_as_it_comes_is_never_held() {
    let (scheduler, workers) = scheduler(8);
    let (mut answer, worker, request) = said(&scheduler, workers, 0).await;

    for piece in 0..200 {
        say(&worker, request, piece);
        answer.next().await.unwrap();
    }
    drop(answer);

    assert_eq!(hear(&worker).await, Some(ToWorker::Cancel(request)));
}

#[tokio::test]
async fn a_worker_that_is_held_may_be_silent_until_it_is_released() {
    let (scheduler, workers) = scheduler(8);
    let (mut answer, worker, request) = said(&scheduler, workers, 64).await;
    assert_eq!(hear(&worker).await, Some(ToWorker::Hold(request)));
    tokio::time::pause();

    pass(STUCK_AFTER * 10).await;
    assert_eq!(scheduler.loaded().await.len(), 1);
    for _ in 0..64 {
        assert!(matches!(answer.next().await, Some(Event::Said(_))));
    }
    let released = Instant::now();

    assert_eq!(
        answer.next().await,
        Some(Event::Failed(GenerateError::WorkerStuck)),
        "it is not heard of again"
    );
    let waited = released.elapsed();
    assert!((STUCK_AFTER..STUCK_AFTER * 2).contains(&waited), "{waited:?}");
}

#[tokio::test]
async fn one_that_waits_for_a_worker_beside_one_that_is_held_finds_it_stuck() {
    let (scheduler, workers) = scheduler(8);
    let (_answer, worker, request) = said(&scheduler, workers, 64).await;
    assert_eq!(hear(&worker).await, Some(ToWorker::Hold(request)));
    tokio::time::pause();
    pass(STUCK_AFTER * 3).await;

    let mut other = scheduler.generate(a_load("m"), a_question()).await.unwrap();
    let begun = Instant::now();

    assert_eq!(other.next().await, Some(Event::Failed(GenerateError::WorkerStuck)));
    assert!((STUCK_AFTER..STUCK_AFTER * 2).contains(&begun.elapsed()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_held_counts_neither_as_having_a_slot_nor_as_waiting_for_one() {
    let (scheduler, workers) = scheduler(1);
    let (_answer, worker, request) = said(&scheduler, workers, 100).await;
    assert_eq!(hear(&worker).await, Some(ToWorker::Hold(request)));

    let asked = async || scheduler.generate(a_load("m"), a_question()).await;
    let _others = [asked().await.unwrap(), asked().await.unwrap()];
    assert_eq!(scheduler.queue().waiting, 0);

    let _third = asked().await.unwrap();
    assert_eq!(scheduler.queue().waiting, 1);
    assert!(matches!(asked().await, Err(ScheduleError::Busy)));
}
