//! What a worker tells of its memory, and of a prompt while it is read.

use super::*;

/// What is told of a prompt before anything is said.
fn told_of_reading(worker: &mut Worker, work: Generate) -> Vec<PromptProgress> {
    let asked = worker.begin(work);
    let mut told = Vec::new();
    loop {
        match frame::read(&worker.socket).unwrap().unwrap() {
            FromWorker::Reading(request, prompt) => {
                assert_eq!(request, asked);
                told.push(prompt);
            }
            FromWorker::Done(..) => return told,
            FromWorker::Said(..) | FromWorker::Alive => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_prompt_of_several_steps_is_told_of_from_what_the_cache_has_on() {
    let mut worker = Worker::start(2048, 1);
    let text: String = (0..300).map(|number| format!("{number}, ")).collect();
    let work = || raw(text.clone(), greedy(3), Overflow::Refuse);

    let first = told_of_reading(&mut worker, work());
    let again = told_of_reading(&mut worker, work());

    let tokens = first[0].tokens;
    assert!(tokens > 600, "{first:?}");
    assert_eq!(first[0].read, 0);
    assert!(first.len() >= 2, "more than one step: {first:?}");
    assert!(first.is_sorted_by(|one, next| one.read < next.read && one.tokens == next.tokens), "{first:?}");
    assert!(first.iter().all(|prompt| prompt.read <= tokens));
    assert_eq!(again[0], PromptProgress { tokens, read: tokens - 1 });
}

#[test]
fn what_a_model_takes_is_told_by_what_for() {
    let (short, long) = (Worker::start(512, 1), Worker::start(2048, 2));
    let parts = |worker: &Worker| worker.facts.parts.unwrap();

    let file = files().model.metadata().unwrap().len();
    let weights = parts(&short).weights_bytes;
    assert!(weights > file / 10 * 9 && weights < file / 10 * 12, "{weights} of a file of {file}");
    // K and V of 30 blocks with 3 heads of 64 numbers, at 16 bits.
    assert_eq!(parts(&long).cache_bytes - parts(&short).cache_bytes, (4096 - 512) * 2 * 2 * 30 * 3 * 64);
    assert!(parts(&short).compute_bytes > 1 << 20);
}
