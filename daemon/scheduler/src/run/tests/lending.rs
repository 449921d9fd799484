//! What is lent to other boxes, and borrowed of them.

use std::sync::Mutex;

use protocol::Lending;
use tokio::time::timeout;

use super::*;
use crate::estimate::of_part;
use crate::spread::Logits;
use crate::{Borrowed, Later, LendError, Lenders, Lent, Loan, Offer, Part};

/// For what comes at once, or not at all.
const PATIENCE: Duration = Duration::from_secs(20);

/// The next worker that is started.
async fn next(workers: Receiver<UnixStream>) -> (UnixStream, Receiver<UnixStream>) {
    tokio::task::spawn_blocking(move || (workers.recv().unwrap(), workers)).await.unwrap()
}

/// Lends so many bytes, by a worker that is willing.
async fn lent(
    scheduler: &Scheduler,
    workers: Receiver<UnixStream>,
) -> (Loan, UnixStream, Receiver<UnixStream>) {
    let lending = scheduler.clone();
    let lending = tokio::spawn(async move { lending.lend("cellar", 1000, Some(2)).await.unwrap() });
    let (worker, workers) = next(workers).await;
    let asked = hear(&worker).await;
    assert_eq!(asked, Some(ToWorker::Lend(Lending { threads: Some(2), bytes: 1000 })));
    frame::write(&worker, &FromWorker::Lending).unwrap();
    (lending.await.unwrap(), worker, workers)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_lent_is_lent_once_and_taken_back_for_a_model_of_this_box() {
    let (scheduler, workers) = scheduler(8);
    let (loan, worker, workers) = lent(&scheduler, workers).await;
    assert!(matches!(scheduler.lend("attic", 1, None).await, Err(LendError::Lent)));
    assert_eq!(scheduler.lendable(), 0);
    assert_eq!(scheduler.lent(), Some(Lent { borrower: "cellar".into(), bytes: 1000 }));

    let loading = scheduler.clone();
    let load = tokio::spawn(async move { loading.load(a_load("m")).await });

    loan.ended().await;
    assert_eq!(hear(&worker).await, None, "the worker is left alone");
    let (_worker, _workers) = loaded_worker(workers).await;
    load.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_lent_goes_before_a_model_of_this_box_that_nobody_uses() {
    let (mut config, world, workers) = parts(8);
    config.max_loaded = 2;
    let scheduler = Scheduler::in_world(config, world);
    let loading = scheduler.clone();
    let load = tokio::spawn(async move { loading.load(a_load("idle")).await });
    let (_idle, workers) = loaded_worker(workers).await;
    load.await.unwrap().unwrap();
    let (loan, _worker, workers) = lent(&scheduler, workers).await;

    let loading = scheduler.clone();
    let load = tokio::spawn(async move { loading.load(a_load("m")).await });

    let (_worker, _workers) = timeout(PATIENCE, loaded_worker(workers)).await.unwrap();
    load.await.unwrap().unwrap();
    timeout(PATIENCE, loan.ended()).await.expect("it is taken back");
    assert_eq!(scheduler.loaded().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_lent_is_free_again_when_nobody_wants_it_or_its_worker_is_gone() {
    let (scheduler, workers) = scheduler(8);

    let (loan, worker, workers) = lent(&scheduler, workers).await;
    let ended = loan.ended();
    drop(loan);
    ended.await;
    assert_eq!(hear(&worker).await, None, "the worker is left alone");

    let (loan, worker, _workers) = lent(&scheduler, workers).await;
    drop(worker);
    loan.ended().await;
    assert!(scheduler.lendable() > 0);
}

/// One box that lends what is asked of it, and what it takes to be gone.
#[derive(Debug, Default)]
struct Neighbour {
    lends: u64,
    borrowed: Mutex<Vec<(u64, UnixStream, CancellationToken)>>,
}

impl Lenders for Neighbour {
    fn offers(&self) -> Later<'_, Vec<Offer>> {
        Box::pin(async { vec![Offer { lender: "attic".into(), bytes: self.lends }] })
    }

    fn borrow<'a>(&'a self, lender: &'a str, bytes: u64) -> Later<'a, Result<Borrowed, String>> {
        assert_eq!(lender, "attic");
        let (stream, theirs) = UnixStream::pair().unwrap();
        let lost = CancellationToken::new();
        self.borrowed.lock().unwrap().push((bytes, theirs, lost.clone()));
        Box::pin(async { Ok(Borrowed { stream, lost }) })
    }
}

/// Ten blocks of ten megabytes, and a state for each that is answered.
fn ten_blocks() -> Shape {
    Shape {
        weights_bytes: 100 << 20,
        blocks: 10,
        blocks_bytes: 100 << 20,
        largest_block_bytes: 10 << 20,
        state_bytes_per_sequence: 4 << 20,
        ..Shape::default()
    }
}

/// Bytes for seven of them, and for all else.
fn enough_for_seven(shape: &Shape) -> u64 {
    shape.estimate(&a_load("m").options).total_bytes() - (30 << 20)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_is_loaded_no_larger_than_what_was_borrowed_for_it() {
    let shape = ten_blocks();
    let less = LoadOptions { sequences: 1, ..a_load("m").options };
    let lends = of_part(&shape, &less, 4, Logits::Made);
    assert!(lends < of_part(&shape, &a_load("m").options, 4, Logits::Made));
    let neighbour = Arc::new(Neighbour { lends, ..Neighbour::default() });
    let (mut config, mut world, workers) = parts(8);
    config.memory = MemoryLimit::Bytes(enough_for_seven(&shape));
    config.lenders = Some(Arc::<Neighbour>::clone(&neighbour));
    world.shape = Box::new(move |_| Ok(shape.clone()));
    let scheduler = Scheduler::in_world(config, world);

    let loading = scheduler.clone();
    let load = tokio::spawn(async move { loading.load(a_load("m")).await });

    let (worker, _workers) = next(workers).await;
    let Some(ToWorker::Load(options)) = hear(&worker).await else { panic!("no load") };
    assert_eq!((options.remote, options.sequences), (vec![4], 1), "here there would be room for two");
    assert_eq!(neighbour.borrowed.lock().unwrap()[0].0, lends);
    let facts = ModelFacts {
        context_tokens: 64,
        resident_bytes: 1,
        gpu_bytes: 0,
        parts: None,
        has_chat_template: false,
    };
    frame::write(&worker, &FromWorker::Loaded(facts)).unwrap();
    load.await.unwrap().unwrap();
    let part = Part { lender: "attic".into(), layers: 4, bytes: lends };
    assert_eq!(scheduler.loaded().await[0].parts, [part]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_too_big_for_this_box_is_loaded_with_a_part_on_another_whose_end_is_told() {
    let neighbour = Arc::new(Neighbour { lends: 1 << 30, ..Neighbour::default() });
    let (mut config, mut world, workers) = parts(8);
    let shape = ten_blocks();
    config.memory = MemoryLimit::Bytes(enough_for_seven(&shape));
    config.lenders = Some(Arc::<Neighbour>::clone(&neighbour));
    world.shape = Box::new(move |_| Ok(shape.clone()));
    let scheduler = Scheduler::in_world(config, world);
    let asking = scheduler.clone();
    let asked = tokio::spawn(async move { asking.generate(a_load("m"), a_question()).await.unwrap() });
    let (worker, _workers) = next(workers).await;
    let Some(ToWorker::Load(options)) = hear(&worker).await else { panic!("no load") };
    assert_eq!(options.remote, [4], "three blocks, and what makes the logits");
    let facts = ModelFacts {
        context_tokens: 64,
        resident_bytes: 1,
        gpu_bytes: 0,
        parts: None,
        has_chat_template: false,
    };
    frame::write(&worker, &FromWorker::Loaded(facts)).unwrap();
    let mut answer = asked.await.unwrap();

    let (bytes, _stream, lost) = neighbour.borrowed.lock().unwrap().pop().unwrap();
    assert!((30 << 20..100 << 20).contains(&bytes), "{bytes}");
    lost.cancel();
    drop(worker);

    let lender = "attic".into();
    assert_eq!(answer.next().await, Some(Event::Failed(GenerateError::LenderLost { lender })));
    // It may be in memory still for a moment.
    let crashed = |state: &State| matches!(state, State::Resting | State::Quarantined(_));
    assert!(!told_of(&scheduler).iter().any(|(_, state, ..)| crashed(state)), "it counts as no crash");
}
