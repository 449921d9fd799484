//! Whose the box is, by the command line: claiming it where it stands, keys, boxes that are paired, the audit log.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use behaviour::lan::Lan;
use behaviour::{Hob, Terminal};
use serde_json::{Value, json};

const PASSWORD: &str = "a longer word than most";
const OTHER: &str = "a word that nobody guesses";

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What a command said that had to fail.
fn refused(output: &Output) -> String {
    assert!(!output.status.success(), "{output:?}");
    text(&output.stderr)
}

/// What a command printed that had to succeed.
fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    text(&output.stdout)
}

fn claim(hob: &Hob) {
    printed(&hob.cli_saying(&["claim", "--name", "ada", "--password-file", "-"], PASSWORD));
}

fn claimed() -> Hob {
    let hob = Hob::start_empty(&[]);
    claim(&hob);
    hob
}

/// Whether somebody signs in by this, on the network.
fn signs_in(lan: &Lan, hob: &Hob, password: &str) -> bool {
    let url = format!("{}/admin/api/login", hob.lan_url.as_deref().unwrap());
    let body = json!({"name": "ada", "password": password}).to_string();
    let mut curl = lan.command("curl");
    curl.args(["--silent", "--insecure", "--write-out", "%{http_code}", "--output", "/dev/null"]);
    let asked = curl.args(["--header", "content-type: application/json", "--data", &body, &url]).output();
    match printed(&asked.unwrap()).as_str() {
        "200" => true,
        "401" => false,
        other => panic!("{other}"),
    }
}

#[test]
fn a_box_is_claimed_where_it_stands_without_a_code_and_once() {
    let lan = Lan::new();
    let hob = Hob::start_on(&lan, &[]);
    let before = printed(&hob.cli(&["status"]));
    assert!(before.contains("Setup code") && before.contains("Claimed"), "{before}");

    claim(&hob);

    let after = printed(&hob.cli(&["status"]));
    assert!(!after.contains("Setup code"), "{after}");
    let again = refused(&hob.cli_saying(&["claim", "--name", "eve", "--password-file", "-"], OTHER));
    assert!(again.contains("somebody's already") && again.contains("--reset-password"), "{again}");
    assert!(signs_in(&lan, &hob, PASSWORD) && !signs_in(&lan, &hob, OTHER));
}

/// A terminal that shows what is typed, as the harness's does not.
#[expect(clippy::disallowed_methods, reason = "a shell sets the terminal up")]
fn echoing(hob: &Hob, args: &[&str]) -> Terminal {
    let hob = hob.command();
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "stty echo && exec \"$0\" \"$@\""]).arg(hob.get_program()).args(args).env_clear();
    shell.envs(hob.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Terminal::of(shell)
}

#[test]
fn a_password_is_asked_for_twice_and_never_shown() {
    let lan = Lan::new();
    let hob = Hob::start_on(&lan, &[]);
    let no_terminal = refused(&hob.cli(&["claim"]));
    assert!(no_terminal.contains("--password-file"), "{no_terminal}");

    let mut terminal = echoing(&hob, &["claim", "--name", "ada"]);
    terminal.wait_for("Password: ");
    terminal.enter(PASSWORD);
    let shown = terminal.wait_for("once more: ");
    assert!(!shown.contains(PASSWORD), "{shown}");
    terminal.enter(OTHER);
    terminal.wait_for("the two passwords differ");

    let mut terminal = hob.terminal(&["claim", "--name", "ada"]);
    for question in ["Password: ", "once more: "] {
        terminal.wait_for(question);
        terminal.enter(PASSWORD);
    }
    terminal.wait_for("the box is ada's now");
    assert!(signs_in(&lan, &hob, PASSWORD));
}

#[test]
fn a_forgotten_password_is_replaced_at_the_box() {
    let lan = Lan::new();
    let hob = Hob::start_on(&lan, &[]);
    claim(&hob);

    printed(&hob.cli_saying(&["claim", "--reset-password", "--name", "ada", "--password-file", "-"], OTHER));

    assert!(signs_in(&lan, &hob, OTHER) && !signs_in(&lan, &hob, PASSWORD));
    let unknown = refused(
        &hob.cli_saying(&["claim", "--reset-password", "--name", "eve", "--password-file", "-"], OTHER),
    );
    assert!(unknown.contains("eve"), "{unknown}");
}

#[test]
fn a_key_is_printed_alone_and_once_and_serves_until_it_is_ended() {
    let hob = Hob::start_empty(&[("HOB_LOOPBACK__REQUIRE_KEY", "true")]);
    let list = |key: &str| hob.command().env("HOB_KEY", key).arg("list").output().unwrap();
    let made = hob.cli(&["key", "create", "laptop", "--rpm", "600", "--scope", "models.read,infer"]);
    let key = printed(&made).trim_end().to_owned();
    assert!(key.starts_with("hob_") && !key.contains(char::is_whitespace), "{key}");
    assert!(text(&made.stderr).contains("models.read") && !text(&made.stderr).contains(&key), "{made:?}");
    printed(&list(&key));

    let keys = printed(&hob.cli(&["key", "list"]));
    assert!(keys.contains("laptop") && keys.contains("600/min") && !keys.contains(&key), "{keys}");

    let rotated = printed(&hob.cli(&["key", "rotate", "laptop"])).trim_end().to_owned();
    assert_ne!(rotated, key);
    refused(&list(&key));
    printed(&list(&rotated));
    printed(&hob.cli(&["key", "revoke", "laptop"]));
    refused(&list(&rotated));
    assert!(refused(&hob.cli(&["key", "revoke", "laptop"])).contains("hob key list"));
}

#[test]
fn a_key_is_not_sent_to_another_machine_in_clear() {
    let lan = Lan::new();
    let hob = Hob::start_empty(&[]);
    let listener = TcpListener::bind((lan.address, 0)).unwrap();
    let address = listener.local_addr().unwrap().to_string();

    let mut command = hob.command();
    command.env("HOB_KEY", "hob_planted").args(["--host", &address, "list"]).stdin(Stdio::null());
    let said = refused(&command.output().unwrap());

    assert!(said.contains("in clear") && said.contains("hob pair") && !said.contains("planted"), "{said}");
    listener.set_nonblocking(true).unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "nobody called");
}

#[test]
fn a_box_is_paired_by_its_id_alone_and_kept_from_everybody_else() {
    let lan = Lan::new();
    let hob = Hob::start_on(&lan, &[]);
    let url = hob.lan_url.clone().unwrap();
    let status = status(&hob);
    let (id, short) = (status["device"]["id"].as_str().unwrap(), status["device"]["short"].as_str().unwrap());
    let folder = hob.home.path().join(".config/hob/boxes");

    let nobody = refused(&hob.cli(&["pair", &url]));
    assert!(nobody.contains("--id"), "{nobody}");
    let wrong = hob_id_of_another();
    let other = refused(&hob.cli(&["pair", &url, "--id", &wrong]));
    assert!(other.contains(id) && other.contains(&wrong), "{other}");
    assert!(!folder.exists(), "nothing was written down");

    printed(&hob.cli(&["pair", &url, "--id", short, "--name", "attic"]));
    let listed = printed(&hob.cli(&["pair", "--list"]));
    assert!(listed.contains("attic") && listed.contains(short), "{listed}");
    let file = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap();
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o077, 0);

    let mut terminal = hob.terminal(&["pair", &url, "--name", "cellar"]);
    terminal.wait_for(id);
    terminal.wait_for("[y/N] ");
    terminal.enter("n");
    terminal.wait_for("was not paired");

    printed(&hob.cli(&["pair", "--remove", "attic"]));
    assert!(refused(&hob.cli(&["pair", "--remove", "attic"])).contains("--list"));
}

#[test]
fn a_box_elsewhere_is_paired_and_claimed_in_one_step_once_its_id_is_right() {
    let lan = Lan::new();
    let hob = Hob::start_on(&lan, &[]);
    let (address, status) = (hob.lan_url.as_deref().unwrap().trim_start_matches("https://"), status(&hob));
    let (id, code) = (status["device"]["id"].as_str().unwrap(), status["setup_code"].as_str().unwrap());
    let claim = |host: &str, code: &str, id: &str| {
        let line = ["--host", host, "claim", code, "--name", "ada", "--id", id, "--password-file", "-"];
        hob.cli_saying(&line, PASSWORD)
    };
    let another = hob_id_of_another();
    assert!(refused(&claim(address, code, &another)).contains("another box"));
    assert!(refused(&claim(&format!("http://{address}"), code, id)).contains("in plaintext"));
    assert!(refused(&claim(address, "2222-2222", id)).contains("code"));

    printed(&claim(address, code, id));

    // By the name that it got, and the key that was kept for it.
    let name = format!("hob-{}", id[..4].to_lowercase());
    let key = printed(&hob.cli(&["--host", &name, "key", "create", "laptop"]));
    assert!(key.starts_with("hob_"), "{key}");
    assert!(printed(&hob.cli(&["--host", address, "key", "list"])).contains("laptop"));
    let again = refused(&claim(&name, code, id));
    assert!(again.contains("claimed"), "{again}");
    assert!(!again.contains(code) && !hob.log().contains(PASSWORD));
}

fn status(hob: &Hob) -> Value {
    serde_json::from_str(&printed(&hob.cli(&["status", "--json"]))).unwrap()
}

/// A well-formed ID of no box: that of a box which this test begins and forgets.
fn hob_id_of_another() -> String {
    let lan = Lan::new();
    let hob = Hob::start_on(&lan, &[]);
    status(&hob)["device"]["id"].as_str().unwrap().to_owned()
}

fn audit_file(hob: &Hob) -> PathBuf {
    let folder = hob.home.path().join(".local/share/hob/audit");
    let mut files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    files.find(|file| file.extension().is_some_and(|end| end == "jsonl")).unwrap()
}

#[test]
fn an_audit_log_whose_end_was_cut_off_is_told_from_a_whole_one_while_the_box_runs() {
    let hob = claimed();
    printed(&hob.cli(&["key", "create", "laptop"]));
    printed(&hob.cli(&["audit", "verify"]));
    let file = audit_file(&hob);
    let whole = std::fs::read_to_string(&file).unwrap();
    let (kept, last) = whole.trim_end().rsplit_once('\n').unwrap();
    assert!(last.contains("key.make"), "{last}");

    std::fs::write(&file, format!("{kept}\n")).unwrap();
    let found = hob.cli(&["audit", "verify"]);

    let missing = format!("entry {} is missing", whole.lines().count());
    assert!(refused(&found).contains("not what was written"), "{found:?}");
    assert!(text(&found.stdout).contains(&missing), "{found:?}");
    std::fs::write(&file, whole).unwrap();
    printed(&hob.cli(&["audit", "verify"]));
}

#[test]
fn an_audit_log_that_was_touched_is_told_from_one_that_was_not() {
    let hob = claimed();
    printed(&hob.cli(&["key", "create", "laptop"]));
    let shown = printed(&hob.cli(&["audit", "show"]));
    assert!(shown.contains("claim") && shown.contains("key.make"), "{shown}");
    assert!(printed(&hob.cli(&["audit", "verify"])).contains("as they were written"));

    let file = audit_file(&hob);
    let file = file.to_str().unwrap();
    printed(&hob.cli(&["audit", "verify", file]));
    let touched = std::fs::read_to_string(file).unwrap().replacen("key_", "kex_", 1);
    let copy = hob.home.path().join("copy.jsonl");
    std::fs::write(&copy, touched).unwrap();
    let found = hob.cli(&["audit", "verify", copy.to_str().unwrap()]);

    assert!(refused(&found).contains("not what was written"), "{found:?}");
    assert!(text(&found.stdout).contains("is not what was written"), "{found:?}");
}
