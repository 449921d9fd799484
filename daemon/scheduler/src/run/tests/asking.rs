//! Questions that are answered at once.

use std::sync::Arc;

use protocol::{Media, Rendered};

use super::*;
use crate::AskError;

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_is_told_with_its_files_sent_ahead() {
    let (scheduler, workers) = scheduler(8);
    let files = Media(Arc::new(vec![b"one".to_vec(), b"two".to_vec()]));
    let work = Generate { media: files, ..a_question() };
    let asking = scheduler.clone();
    let asked = tokio::spawn(async move { asking.render(a_load("m"), work).await });
    let (worker, _workers) = loaded_worker(workers).await;

    for file in [b"one", b"two"] {
        assert!(matches!(hear(&worker).await, Some(ToWorker::Media(_, part, true)) if part == file));
    }
    let Some(ToWorker::Render(request, work)) = hear(&worker).await else { panic!("no question") };
    assert_eq!(work.input, a_question().input);
    let rendered = Rendered { text: "[img-0]".into(), tokens: vec![-1], media: 1 };
    frame::write(&worker, &FromWorker::Rendered(request, rendered.clone())).unwrap();

    assert_eq!(asked.await.unwrap().unwrap(), rendered);
    // What is there is used, and what cannot be is said.
    let asked = tokio::spawn(async move { scheduler.detokenize(a_load("m"), vec![7, -7]).await });
    let Some(ToWorker::Detokenize(request, tokens)) = hear(&worker).await else { panic!("no question") };
    assert_eq!(tokens, [7, -7]);
    let unknown = GenerateError::UnknownToken { token: -7, vocabulary: 8 };
    frame::write(&worker, &FromWorker::Failed(request, unknown.clone())).unwrap();
    assert!(matches!(asked.await.unwrap(), Err(AskError::Generate(error)) if error == unknown));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_nobody_waits_for_is_taken_back_and_one_to_a_dead_worker_fails() {
    let (scheduler, workers) = scheduler(8);
    let asking = scheduler.clone();
    let asked = tokio::spawn(async move { asking.detokenize(a_load("m"), vec![1]).await });
    let (worker, _workers) = loaded_worker(workers).await;
    let Some(ToWorker::Detokenize(request, _)) = hear(&worker).await else { panic!("no question") };

    asked.abort();

    assert_eq!(hear(&worker).await, Some(ToWorker::Cancel(request)));
    let asked = tokio::spawn(async move { scheduler.render(a_load("m"), a_question()).await });
    hear(&worker).await;
    drop(worker);
    assert!(matches!(asked.await.unwrap(), Err(AskError::Generate(GenerateError::WorkerDied))));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_long_for_a_frame_is_refused_and_disturbs_nobody() {
    let (scheduler, workers) = scheduler(8);
    let asking = scheduler.clone();
    let too_many = vec![i32::MAX; 4 << 20];
    let asked = tokio::spawn(async move { asking.detokenize(a_load("m"), too_many).await });
    let (worker, _workers) = loaded_worker(workers).await;

    let refused = asked.await.unwrap();

    assert!(matches!(refused, Err(AskError::Generate(GenerateError::TooLarge { .. }))), "{refused:?}");
    let asking = scheduler.clone();
    let asked = tokio::spawn(async move { asking.detokenize(a_load("m"), vec![1]).await });
    let Some(ToWorker::Detokenize(request, _)) = hear(&worker).await else { panic!("no question") };
    frame::write(&worker, &FromWorker::Detokenized(request, vec![b"a".to_vec()])).unwrap();
    assert_eq!(asked.await.unwrap().unwrap(), [b"a"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_files_of_a_request_that_is_too_long_for_a_frame_are_taken_back() {
    let (scheduler, workers) = scheduler(8);
    let files = Media(Arc::new(vec![b"one".to_vec()]));
    let input = Input::Raw("a".repeat(frame::MAX_FRAME_BYTES));
    let work = Generate { media: files, input, ..a_question() };
    let asked = tokio::spawn(async move { scheduler.render(a_load("m"), work).await });
    let (worker, _workers) = loaded_worker(workers).await;

    let Some(ToWorker::Media(request, ..)) = hear(&worker).await else { panic!("no file") };
    assert_eq!(hear(&worker).await, Some(ToWorker::Cancel(request)));
    let refused = asked.await.unwrap();
    assert!(matches!(refused, Err(AskError::Generate(GenerateError::TooLarge { .. }))), "{refused:?}");
}
