//! The command line, as a user types it.

use std::io::Write;
use std::process::{Output, Stdio};

use behaviour::{Hob, command};
use serde_json::json;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[track_caller]
fn succeeded(output: &Output) -> String {
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn a_model_is_listed_shown_run_stopped_and_removed() {
    let hob = Hob::start();

    let list = succeeded(&hob.cli(&["list"]));
    assert!(list.starts_with("NAME") && list.contains("smollm2:latest") && list.contains("98 MB"), "{list}");
    let show = succeeded(&hob.cli(&["show", "smollm2"]));
    assert!(show.contains("134.52M") && show.contains("Q4_1"), "{show}");
    let answer = hob.cli(&["run", "smollm2", "--verbose", "Why is the sky blue?"]);
    assert!(succeeded(&answer).trim().len() > 20, "{answer:?}");
    assert!(text(&answer.stderr).contains("eval rate:"), "{answer:?}");
    let ps = succeeded(&hob.cli(&["ps"]));
    assert!(ps.contains("smollm2:latest") && ps.contains("100% CPU"), "{ps}");
    succeeded(&hob.cli(&["stop", "smollm2"]));
    assert!(!succeeded(&hob.cli(&["ps"])).contains("smollm2"));
    assert_eq!(succeeded(&hob.cli(&["rm", "smollm2"])), "deleted 'smollm2'\n");
    assert!(!succeeded(&hob.cli(&["list"])).contains("smollm2"));
}

#[test]
fn what_is_piped_in_comes_before_the_prompt() {
    let hob = Hob::start();
    // So small a model may talk without an end.
    let brief =
        json!({"model": "brief", "from": "smollm2", "parameters": {"num_predict": 6, "temperature": 0}});
    assert_eq!(hob.post("/api/create", &brief).status, 200);
    let mut run = hob.command();
    run.args(["run", "brief", "Say yes."]).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut run = run.spawn().unwrap();
    run.stdin.take().unwrap().write_all(b"Read this first.").unwrap();

    let output = run.wait_with_output().unwrap();

    let whole = json!({"model": "brief", "prompt": "Read this first. Say yes.", "stream": false});
    let said = hob.post("/api/generate", &whole).json()["response"].as_str().unwrap().to_owned();
    assert_eq!(succeeded(&output).trim(), said.trim());
}

#[test]
fn an_unknown_model_is_an_error_with_a_hint() {
    let hob = Hob::start_empty(&[]);
    let output = hob.cli(&["run", "nope", "Hi"]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("'nope' not found") && said.contains("hob create"), "{said}");
}

#[test]
fn without_a_daemon_the_user_is_told_how_to_start_one() {
    let home = tempfile::TempDir::new().unwrap();
    let output = command(home.path())
        .arg("list")
        .env("HOB_HOST", "127.0.0.1:9")
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("hob serve"), "{output:?}");
}
