//! Workers that die, and daemons that are told to end.

use std::io::BufRead;

use behaviour::Hob;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

#[test]
fn a_worker_killed_in_mid_answer_is_told_and_the_next_request_works() {
    let hob = Hob::start();
    // Drawn by no known seed, so nobody else can go on with it.
    let body = json!({"model": "smollm2", "prompt": "Count to a million.", "raw": true,
        "options": {"num_predict": 4000, "temperature": 0.01}});
    let mut lines = hob.stream("/api/generate", &body).lines();
    lines.next().unwrap().unwrap();
    let [worker] = hob.workers()[..] else { panic!("one model is one worker") };

    kill(Pid::from_raw(worker), Signal::SIGKILL).unwrap();

    let last: Value = serde_json::from_str(&lines.map_while(Result::ok).last().unwrap()).unwrap();
    assert!(last["error"].as_str().unwrap().contains("unexpectedly stopped"), "{last}");
    assert_eq!(hob.ask("Hi", 3)["eval_count"], 3);
    assert_ne!(hob.workers(), [worker]);
}

#[test]
fn a_worker_that_is_stuck_is_told_and_the_next_request_works() {
    let hob = Hob::start_with(&[("HOB_ENGINE__STUCK_AFTER", "5s")]);
    let options = json!({"num_predict": 4000, "temperature": 0});
    let body = json!({"model": "smollm2", "prompt": "Count to a million.", "raw": true, "options": options});
    let mut lines = hob.stream("/api/generate", &body).lines();
    lines.next().unwrap().unwrap();
    let [worker] = hob.workers()[..] else { panic!("one model is one worker") };

    kill(Pid::from_raw(worker), Signal::SIGSTOP).unwrap();

    let last: Value = serde_json::from_str(&lines.map_while(Result::ok).last().unwrap()).unwrap();
    assert!(last["error"].as_str().unwrap().contains("stopped responding"), "{last}");
    assert_eq!(hob.ask("Hi", 3)["eval_count"], 3);
    assert!(!hob.workers().contains(&worker), "it is still there");
}

#[test]
fn a_certain_answer_goes_on_when_its_worker_is_killed() {
    let hob = Hob::start_with(&[("HOB_ENGINE__SPECULATION", "false"), ("HOB_ENGINE__THREADS", "1")]);
    for options in [json!({"num_predict": 60, "temperature": 0}), json!({"num_predict": 60, "seed": 7})] {
        let body =
            json!({"model": "smollm2", "prompt": "Tell me a story about the sea.", "options": options});
        let answer = |killed: bool| {
            let mut lines = hob.stream("/api/generate", &body).lines();
            let mut text = String::new();
            let mut pieces = 0;
            loop {
                let line: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
                text += line["response"].as_str().unwrap_or_else(|| panic!("{line}"));
                pieces += 1;
                if killed && pieces == 10 {
                    kill(Pid::from_raw(hob.workers()[0]), Signal::SIGKILL).unwrap();
                }
                if line["done"] == true {
                    return (text, line["eval_count"].clone());
                }
            }
        };
        let undisturbed = answer(false);
        let before = hob.workers();
        assert_eq!(answer(true), undisturbed);
        assert_ne!(hob.workers(), before);
    }
}

#[test]
fn a_daemon_told_to_end_lets_the_running_answer_end_first() {
    let mut hob = Hob::start();
    let body = json!({"model": "smollm2", "prompt": "Why is the sky blue?", "options": {"num_predict": 40, "temperature": 0}});
    let mut lines = hob.stream("/api/generate", &body).lines();
    lines.next().unwrap().unwrap();
    let workers = hob.workers();

    let status = hob.terminate();

    assert!(status.success(), "{status}");
    let last: Value = serde_json::from_str(&lines.map_while(Result::ok).last().unwrap()).unwrap();
    assert_eq!(last["eval_count"], 40, "{last}");
    assert!(
        workers.iter().all(|worker| kill(Pid::from_raw(*worker), None).is_err()),
        "a worker outlived its daemon"
    );
}

#[test]
fn a_model_that_keeps_crashing_is_not_loaded_until_it_is_stopped() {
    let hob = Hob::start();
    let body = json!({"model": "smollm2", "prompt": "Hi", "stream": false, "options": {"num_predict": 2}});
    for crash in 1..=3 {
        assert_eq!(hob.post("/api/generate", &body).status, 200);
        let workers = hob.workers();
        kill(Pid::from_raw(workers[0]), Signal::SIGKILL).unwrap();
        hob.await_log("the worker crashed", crash);
    }

    let refused = hob.post("/api/generate", &body);

    let error = refused.json()["error"].as_str().unwrap().to_owned();
    assert_eq!(refused.status, 500);
    assert!(error.contains("crashed three times") && error.contains("signal: 9"), "{error}");
    // Nothing is loaded that could be stopped, but that is how its owner says: try again.
    hob.cli(&["stop", "smollm2"]);
    assert_eq!(hob.post("/api/generate", &body).status, 200);
}
