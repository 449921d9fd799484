//! The conversation at a terminal.

use behaviour::{Hob, Terminal, command};

const CTRL_C: &str = "\u{3}";
const CTRL_D: &str = "\u{4}";

#[test]
fn a_conversation_remembers_answers_commands_and_ends() {
    let hob = Hob::start();
    let mut console = hob.terminal(&["run", "smollm2"]);

    console.prompt();
    console.enter("/set parameter temperature 0");
    console.wait_for("Set parameter 'temperature' to '0'");
    console.prompt();
    console.enter("/set verbose");
    console.prompt();
    console.enter("My name is Ada. Say hello to me.");
    let first = console.prompt();
    assert!(first.contains("Ada") && first.contains("eval rate:"), "{first}");
    console.enter("What is my name?");
    let second = console.prompt();
    let (asked_first, said_first) = (count(&first, "prompt eval count:"), count(&first, "\neval count:"));
    let asked_second = count(&second, "prompt eval count:");
    assert!(asked_second > asked_first + said_first, "both questions and the answer are in it: {second}");
    console.enter("\"\"\"one");
    console.wait_for("... ");
    console.enter("two\"\"\"");
    console.prompt();
    console.enter("/nope");
    console.wait_for("Unknown command '/nope'. Type /? for help");
    console.prompt();
    console.enter("/bye");
    console.end();

    let history = std::fs::read_to_string(hob.home.path().join(".local/share/hob/history")).unwrap();
    assert!(history.contains("My name is Ada. Say hello to me."), "{history}");
}

/// The figure that stands behind `label`.
fn count(said: &str, label: &str) -> u64 {
    let (_, rest) = said.split_once(label).unwrap_or_else(|| panic!("no {label:?} in {said}"));
    rest.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn ctrl_c_stops_an_answer_and_ctrl_d_leaves() {
    let hob = Hob::start();
    let mut console = hob.terminal(&["run", "smollm2"]);

    console.prompt();
    console.enter("/set parameter num_predict 100000");
    console.prompt();
    console.enter("Write a long story of a lighthouse.");
    console.wait_for(" the ");
    console.type_keys(CTRL_C);
    console.prompt();
    console.type_keys(CTRL_C);
    console.wait_for("Use Ctrl + d or /bye to exit.");
    console.prompt();
    console.type_keys(CTRL_D);
    console.end();

    hob.assert_alive();
}

#[test]
fn with_no_daemon_running_run_starts_one_and_says_so() {
    // Its store is there from before; nothing else is.
    let mut before = Hob::start();
    before.terminate();
    let port = behaviour::free_port();
    let mut run = command(before.home.path());
    run.env("HOB_LISTEN", format!("127.0.0.1:{port}")).args(["run", "smollm2", "Why is the sky blue?"]);

    let said = Terminal::of(run).end();

    assert!(said.contains("no hob is running: started one for this session"), "{said}");
    assert!(said.len() > 100, "{said}");
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err(), "it ended with the session");
}
