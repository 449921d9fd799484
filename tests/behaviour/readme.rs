//! The README's commands, run as they stand there.

use std::process::Command;

use behaviour::{Hob, embedding_model_file, reranker_file};

/// The shell blocks of the README, in order.
fn blocks(readme: &str) -> Vec<&str> {
    readme
        .split("```sh\n")
        .skip(1)
        .filter_map(|rest| rest.split_once("```"))
        .map(|(block, _)| block)
        .collect()
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a reader types this into a shell")]
fn the_first_command_of_the_readme_ends_with_an_answer() {
    let repository = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let readme = std::fs::read_to_string(format!("{repository}/README.md")).unwrap();
    let first = readme.split("```\n").nth(1).unwrap();
    assert!(first.starts_with("scripts/run "), "{first}");
    let home = tempfile::TempDir::new().unwrap();
    let port = behaviour::free_port();
    let mut shell = Command::new("bash");
    shell.args(["-ec", first]).current_dir(repository).stdin(std::process::Stdio::null());
    // What these tests were built as is there already; the user's own store and daemon are left alone.
    shell.env("PROFILE", "dev").env("HOB_STATE__DIR", home.path());
    shell.env("HOB_LISTEN", format!("127.0.0.1:{port}"));

    let output = shell.output().unwrap();

    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    // What a small model says at its own temperature, nobody knows.
    assert!(output.status.success() && said.trim().len() > 20, "{output:?}");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a reader types these into a shell")]
fn the_requests_of_the_readme_are_answered() {
    let hob = Hob::start();
    for (name, file) in [("all-minilm", embedding_model_file()), ("reranker", reranker_file())] {
        assert!(hob.create(name, &file).status.success());
    }
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
    let requests: Vec<&str> = blocks(&readme).into_iter().filter(|block| block.contains("curl ")).collect();
    assert!(requests.len() >= 4, "the README shows both families, streamed and not");
    for request in requests {
        let script = request
            .replace("http://localhost:11434", &hob.url)
            .replace("curl ", "curl -sS --fail-with-body ");

        let output = Command::new("bash").args(["-ec", &script]).output().unwrap();

        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        // A response says that there was no error.
        let failed = said.replace("\"error\":null", "").contains("\"error\"");
        assert!(output.status.success() && !failed, "{script}\n{said}{output:?}");
    }
}

#[test]
fn the_launch_commands_of_the_readme_work_in_their_order() {
    let hob = Hob::start();
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
    let commands: Vec<&str> = readme.lines().filter(|line| line.starts_with("hob launch")).collect();
    assert!(commands.len() >= 3, "the README shows what is there, what is printed and what is written");
    for command in commands {
        let (command, _comment) = command.split_once('#').unwrap_or((command, ""));

        let output = hob.cli(&command.split_whitespace().skip(1).collect::<Vec<_>>());

        assert!(output.status.success() && !output.stdout.is_empty(), "{command}: {output:?}");
    }
}
