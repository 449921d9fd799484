//! The families' own client libraries, unchanged.

use std::process::Command;

use behaviour::{Hob, cache, embedding_model_file};

#[expect(clippy::disallowed_methods, reason = "the client libraries are Python's")]
fn run(hob: &Hob, script: &str) {
    let python = cache().join("venv/bin/python");
    assert!(python.exists(), "{} is missing: run scripts/setup", python.display());
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(script);
    let output = Command::new(python).arg(script).arg(&hob.url).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn ollamas_client_chats() {
    run(&Hob::start(), "ollama_chat.py");
}

fn with_embeddings() -> Hob {
    let hob = Hob::start_empty(&[]);
    let made = hob.create("minilm", &embedding_model_file());
    assert!(made.status.success(), "{made:?}");
    hob
}

#[test]
fn ollamas_client_embeds() {
    run(&with_embeddings(), "ollama_embed.py");
}

#[test]
fn openais_client_embeds() {
    run(&with_embeddings(), "openai_embed.py");
}

#[test]
fn answers_have_the_form_that_was_asked_for() {
    run(&Hob::start(), "formats.py");
}

#[test]
fn tools_are_called_and_their_results_taken() {
    run(&Hob::start(), "tools.py");
}

#[test]
fn openais_client_chats() {
    run(&Hob::start(), "openai_chat.py");
}

#[test]
fn openais_client_goes_on_from_responses() {
    run(&Hob::start(), "openai_responses.py");
}
