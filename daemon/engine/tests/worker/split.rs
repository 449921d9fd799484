//! One model in two workers: the one that lends itself computes the last layers.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use protocol::{FromWorker, Lending, LoadOptions, ToWorker, frame};

use crate::harness::*;

/// A lender on a thread, and a stream to it that counts what comes by.
fn lender(bytes: u64) -> (UnixStream, Arc<AtomicU64>, JoinHandle<()>) {
    let (socket, theirs) = UnixStream::pair().unwrap();
    let (there, stream) = UnixStream::pair().unwrap();
    let lending = std::thread::spawn(move || engine::lend(theirs, stream.into(), |_| true).unwrap());
    frame::write(&socket, &ToWorker::Lend(Lending { threads: Some(1), bytes })).unwrap();
    assert_eq!(frame::read(&socket).unwrap(), Some(FromWorker::Lending));
    let (here, between) = UnixStream::pair().unwrap();
    let count = Arc::new(AtomicU64::new(0));
    carry(between.try_clone().unwrap(), there.try_clone().unwrap(), Arc::clone(&count));
    carry(there, between, Arc::clone(&count));
    (here, count, lending)
}

fn carry(mut from: UnixStream, mut to: UnixStream, count: Arc<AtomicU64>) {
    std::thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            count.fetch_add(read as u64, Ordering::Relaxed);
            if to.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        let _gone = to.shutdown(std::net::Shutdown::Both);
    });
}

#[test]
fn a_model_in_two_workers_says_what_it_says_in_one() {
    let alone = || LoadOptions { speculation: false, ..options(1024, 2, None) };
    let question = || chat("Why is the sky blue?", greedy(60));
    let (said, _) = Worker::load(alone()).unwrap().answer(question()).unwrap();

    let (stream, count, _lending) = lender(1 << 30);
    // Ten blocks of thirty, and what makes the logits.
    let options = LoadOptions { remote: vec![11], ..alone() };
    let files = engine::Files { remote: vec![stream.into()], ..files() };
    let mut worker = Worker::load_files(options, files).unwrap();
    let loaded = count.load(Ordering::Relaxed);
    let (said_by_two, _) = worker.answer(question()).unwrap();

    assert_eq!(said_by_two, said);
    assert!(loaded > 30 << 20, "a third of the weights went over: {loaded}");
    assert!(count.load(Ordering::Relaxed) > loaded + 60 * 49_152 * 4, "the logits of each token came back");
}

#[test]
fn a_model_that_is_said_to_be_in_two_workers_is_not_loaded_into_one() {
    let refused = Worker::load(LoadOptions { remote: vec![11], ..options(512, 1, None) });

    let reason = refused.err().unwrap();
    assert!(reason.contains("not all of them are reached"), "{reason}");
}
