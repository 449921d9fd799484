//! The README's commands, run as they stand there.

use std::process::Command;

use behaviour::Hob;

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
#[expect(clippy::disallowed_methods, reason = "a reader types these into a shell")]
fn the_requests_of_the_readme_are_answered() {
    let hob = Hob::start();
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
    let requests: Vec<&str> = blocks(&readme).into_iter().filter(|block| block.contains("curl ")).collect();
    assert!(requests.len() >= 4, "the README shows both families, streamed and not");
    for request in requests {
        let script = request
            .replace("http://localhost:11434", &hob.url)
            .replace("curl ", "curl -sS --fail-with-body ");

        let output = Command::new("bash").args(["-ec", &script]).output().unwrap();

        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && !said.contains("\"error\""), "{script}\n{said}{output:?}");
    }
}
