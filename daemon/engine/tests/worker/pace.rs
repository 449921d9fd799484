//! Answers that are held until somebody reads them.

use std::io::{ErrorKind, Read};
use std::time::Duration;

use protocol::{Done, Event, Generate, RequestId, ToWorker, frame};

use crate::harness::*;

fn story(tokens: u32) -> Generate {
    chat("Tell me a long story about a fox.", greedy(tokens))
}

fn hold(worker: &Worker, request: RequestId) {
    frame::write(&worker.socket, &ToWorker::Hold(request)).unwrap();
}

fn release(worker: &Worker, request: RequestId) {
    frame::write(&worker.socket, &ToWorker::Release(request)).unwrap();
}

/// What is said of two requests until one has ended: their texts, in order, and how many pieces of the first came after
/// `from` pieces of the second.
fn until_the_second_ends(
    worker: &Worker,
    requests: [RequestId; 2],
    text: &mut String,
) -> (String, Done, usize) {
    let (mut other, mut late) = (String::new(), 0);
    loop {
        match worker.next_event() {
            (from, Event::Said(more)) if from == requests[0] => {
                *text += &more.text;
                // What was under way when it was held.
                late += usize::from(other.len() > 40);
            }
            (from, Event::Said(more)) if from == requests[1] => other += &more.text,
            (from, Event::Done(done)) if from == requests[1] => return (other, done, late),
            other => panic!("{other:?}"),
        }
    }
}

/// The rest of the only answer that runs.
fn rest(worker: &Worker, request: RequestId, text: &mut String) -> Done {
    loop {
        match worker.next_event() {
            (from, Event::Said(more)) if from == request => *text += &more.text,
            (from, Event::Done(done)) if from == request => return done,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn an_answer_that_is_held_waits_while_another_goes_on() {
    let (alone, _) = Worker::start(512, 1).answer(story(60)).unwrap();
    let mut worker = Worker::start(512, 2);
    let held = worker.begin(story(60));
    let (from, Event::Said(first)) = worker.next_event() else { panic!("nothing is said") };
    assert_eq!(from, held);
    hold(&worker, held);
    let mut text = first.text;

    let other = worker.begin(chat("Why is the sky blue?", greedy(80)));
    let (_, done, late) = until_the_second_ends(&worker, [held, other], &mut text);

    assert_eq!((done.generated_tokens, late), (80, 0), "{text}");
    assert!(text.len() < alone.len() / 2, "{text}");
    release(&worker, held);
    let done = rest(&worker, held, &mut text);
    assert_eq!(done.generated_tokens, 60);
    // As far as rounding lets them be alike in batches of other sizes.
    assert_eq!(text[..40], alone[..40]);
}

#[test]
fn an_answer_that_is_held_keeps_nobody_from_its_place() {
    let mut worker = Worker::start(512, 1);
    let (alone, _) = worker.answer(story(60)).unwrap();
    let held = worker.begin(story(60));
    let (_, Event::Said(first)) = worker.next_event() else { panic!("nothing is said") };
    hold(&worker, held);
    let mut text = first.text;

    // Of the same owner, whom fairness would let wait.
    for tokens in [30, 20] {
        let other = worker.begin(chat("Why is the sky blue?", greedy(tokens)));
        let (_, done, late) = until_the_second_ends(&worker, [held, other], &mut text);
        assert_eq!((done.generated_tokens, late), (tokens, 0));
    }

    release(&worker, held);
    let done = rest(&worker, held, &mut text);
    assert_eq!((done.generated_tokens, text), (60, alone));
}

#[test]
fn a_worker_sleeps_when_all_of_its_answers_are_held() {
    let mut worker = Worker::start(512, 2);
    let held = worker.begin(story(60));
    let (_, Event::Said(_)) = worker.next_event() else { panic!("nothing is said") };
    hold(&worker, held);
    // Whatever was under way comes before its end.
    let mut begun = String::new();
    let other = worker.begin(chat("Why is the sky blue?", greedy(1)));
    until_the_second_ends(&worker, [held, other], &mut begun);

    // One that goes round says each second that it lives.
    worker.socket.set_read_timeout(Some(Duration::from_millis(1500))).unwrap();
    let heard = (&worker.socket).read(&mut [0]);

    assert_eq!(heard.map_err(|error| error.kind()), Err(ErrorKind::WouldBlock));
    worker.socket.set_read_timeout(None).unwrap();
    release(&worker, held);
    assert_eq!(rest(&worker, held, &mut begun).generated_tokens, 60);
}

#[test]
fn an_answer_that_is_held_can_be_given_up() {
    let mut worker = Worker::start(512, 1);
    let held = worker.begin(story(200));
    let (_, Event::Said(_)) = worker.next_event() else { panic!("nothing is said") };
    hold(&worker, held);
    worker.cancel(held);
    // Neither of them is there any more.
    hold(&worker, held);
    release(&worker, RequestId(999));

    let next = worker.begin(chat("Why is the sky blue?", greedy(4)));

    let mut stale = String::new();
    let (_, done, _) = until_the_second_ends(&worker, [held, next], &mut stale);
    assert_eq!(done.generated_tokens, 4);
}
