//! The families' own client libraries, unchanged.

use std::process::Command;

use behaviour::{Hob, cache, embedding_model_file, model_file, projector_file};

/// A script of Node.js, which finds its libraries in the folder that it is told first.
#[expect(clippy::disallowed_methods, reason = "the client libraries are Node's")]
fn run_in_node(hob: &Hob, script: &str) {
    let packages = cache().join("node");
    assert!(
        packages.join("installed").exists(),
        "{} is missing: run scripts/setup tests",
        packages.display()
    );
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(script);
    let output = Command::new("node").arg(script).arg(packages).arg(&hob.url).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

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
    embedding(Hob::start_empty(&[]))
}

fn with_both() -> Hob {
    embedding(Hob::start())
}

fn embedding(hob: Hob) -> Hob {
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

/// A daemon with `smollm2`, and with the same as `seeing`, which has a projector.
fn with_a_projector() -> Hob {
    let hob = Hob::start();
    let modelfile = hob.home.path().join("Modelfile");
    let text = format!("FROM {}\nFROM {}\n", model_file().display(), projector_file().display());
    std::fs::write(&modelfile, text).unwrap();
    assert!(hob.cli(&["create", "seeing", "-f", modelfile.to_str().unwrap()]).status.success());
    hob
}

#[test]
fn anthropics_client_converses() {
    run(&with_a_projector(), "anthropic_messages.py");
}

#[test]
fn anthropics_client_comes_again_where_the_queue_is_full_and_leaves_nothing_behind() {
    let hob = Hob::start_with(&[("HOB_MODELS__MAX_LOADED", "1"), ("HOB_MODELS__MAX_QUEUE", "1")]);
    run(&hob, "anthropic_patience.py");
}

#[test]
fn anthropics_client_for_node_converses() {
    run_in_node(&with_a_projector(), "anthropic_messages.mjs");
}

#[test]
fn openais_client_completes_waits_gives_up_and_tells_errors_apart() {
    run(&Hob::start(), "openai_async.py");
}

#[test]
fn ollamas_client_loads_makes_and_removes() {
    run(&Hob::start(), "ollama_async.py");
}

#[test]
fn openais_client_for_node_works() {
    run_in_node(&with_both(), "openai_node.mjs");
}

#[test]
fn ollamas_client_for_node_works() {
    run_in_node(&with_both(), "ollama_node.mjs");
}

#[test]
fn an_agent_of_langchains_calls_a_tool_and_answers() {
    run(&with_both(), "langchain_agent.py");
}

#[test]
fn litellm_finds_each_family() {
    run(&Hob::start(), "litellm_routes.py");
}

#[test]
fn what_open_webui_asks_is_answered() {
    run(&with_both(), "open_webui.py");
}

#[test]
fn each_field_that_the_clients_know_is_described() {
    run(&Hob::start_empty(&[]), "fields.py");
}

#[test]
fn nothing_that_is_made_up_from_the_description_is_answered_otherwise() {
    run(&with_both(), "fuzzed.py");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the linter is Node's")]
fn the_description_is_free_of_faults() {
    let hob = Hob::start_empty(&[]);
    let file = hob.home.path().join("openapi.json");
    std::fs::write(&file, hob.get("/openapi.json").text).unwrap();
    let redocly = cache().join("node/node_modules/.bin/redocly");
    assert!(redocly.exists(), "{} is missing: run scripts/setup tests", redocly.display());

    let output =
        Command::new(redocly).arg("lint").arg(&file).env("REDOCLY_TELEMETRY", "off").output().unwrap();

    assert!(output.status.success(), "{output:?}");
}
