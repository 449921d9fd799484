//! What is set on the page: it counts from then on or after a restart, which the daemon does by itself and as the same process; and it
//! keeps no box from starting.

use std::io::BufRead as _;
use std::net::TcpListener;
use std::process::Command;

use behaviour::lan::Lan;
use behaviour::{Hob, executable};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::doors::ACTIVATE;

/// Asks as whoever may open the admin socket; the status and the answer.
pub(super) fn administer(hob: &Hob, method: &str, path: &str, body: Option<&Value>) -> (String, Value) {
    #[expect(clippy::disallowed_methods, reason = "a client of others' asks")]
    let mut curl = Command::new("curl");
    let socket = hob.home.path().join(".local/share/hob/run/admin.sock");
    curl.args(["--silent", "--show-error", "--max-time", "120", "--write-out", "\n%{http_code}"]);
    curl.args(["--request", method, "--unix-socket"]).arg(socket);
    if let Some(body) = body {
        curl.args(["--header", "content-type: application/json", "--data", &body.to_string()]);
    }
    let output = curl.arg(format!("http://localhost/admin/api/{path}")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let (body, status) = text.rsplit_once('\n').unwrap();
    (status.to_owned(), serde_json::from_str(body).unwrap_or(Value::Null))
}

fn set(hob: &Hob, values: &Value) {
    let (status, told) = administer(hob, "PUT", "settings", Some(&json!({"values": values})));
    assert_eq!(status, "200", "{told}");
}

fn setting(hob: &Hob, name: &str) -> Value {
    let (_, told) = administer(hob, "GET", "settings", None);
    let all = told["settings"].as_array().unwrap().clone();
    all.into_iter().find(|setting| setting["name"] == name).unwrap()
}

/// Asks for a restart, and waits until the daemon listens again.
fn restart(hob: &Hob) {
    let times = hob.log().matches("listening on").count();
    let (status, told) = administer(hob, "POST", "restart", None);
    assert_eq!(status, "202", "{told}");
    hob.await_log("ending, to run anew", 1);
    hob.await_log("listening on", times + 1);
}

/// What a program on this machine gets that has no key; where it asks may be another port after a restart.
fn asked_by_nobody(hob: &Hob) -> String {
    let (_, status) = administer(hob, "GET", "status", None);
    let addresses = status["addresses"].as_array().unwrap().clone();
    let loopback = addresses.iter().filter_map(Value::as_str).find(|url| url.starts_with("http://127."));
    #[expect(clippy::disallowed_methods, reason = "a client of others' asks")]
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--max-time", "120", "--output", "/dev/null", "--write-out", "%{http_code}"]);
    let output = curl.arg(format!("{}/api/tags", loopback.unwrap())).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
#[expect(clippy::disallowed_methods, reason = "somebody must be systemd")]
fn what_was_set_counts_after_a_restart_as_the_same_process_on_the_same_sockets() {
    let home = TempDir::new().unwrap();
    let mut command = Command::new("python3");
    command.args(["-c", ACTIVATE]).arg(executable()).env_clear();
    command.env("HOME", home.path()).env("PATH", "/usr/bin:/bin");
    let hob = Hob::start_as(command, home, &[("HOB_LISTEN", "127.9.9.9:1"), ("HOB_MODELS__CONTEXT", "64")]);

    set(&hob, &json!({"name": "Kitchen", "models.parallel": 2, "models.keep_alive": "10m"}));
    let keep_alive = setting(&hob, "models.keep_alive");
    assert_eq!((&keep_alive["value"], &keep_alive["origin"]["layer"]), (&json!("10m"), &json!("page")));
    let parallel = setting(&hob, "models.parallel");
    assert_eq!((&parallel["value"], &parallel["kept"]), (&json!("4"), &json!("2")));
    restart(&hob);

    // Its address was the system's choice, and the socket went with the process.
    hob.assert_alive();
    let parallel = setting(&hob, "models.parallel");
    assert_eq!((&parallel["value"], &parallel["origin"]["layer"]), (&json!("2"), &json!("page")));
    assert_eq!(setting(&hob, "models.context")["origin"]["where"], "HOB_MODELS__CONTEXT");
    restart(&hob);
    hob.assert_alive();
    assert_eq!(setting(&hob, "name")["value"], "Kitchen");
    let audit = hob.cli(&["audit", "verify"]);
    assert!(audit.status.success(), "{audit:?}");
}

#[test]
fn answers_that_run_end_before_the_daemon_runs_anew() {
    let hob = Hob::start_scripted();
    let script = json!({"tokens": 40, "every_us": 50_000}).to_string();
    let mut answer = hob.stream("/api/generate", &json!({"model": "smollm2", "prompt": script}));
    let mut line = String::new();
    answer.read_line(&mut line).unwrap();

    restart(&hob);

    let last = answer.lines().map_while(Result::ok).last().unwrap();
    assert!(last.contains("\"done\":true") && last.contains("\"stop\""), "{last}");
    assert!(!hob.log().contains("answers were cut off"));
}

#[test]
fn what_was_set_keeps_no_box_from_starting() {
    let lan = Lan::new();
    let hob = Hob::start_on(&lan, &[]);
    let taken = TcpListener::bind((lan.address, 0)).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    // Nothing is wrong with it but that somebody else is there.
    set(&hob, &json!({"name": "Kitchen", "plaintext.listen": address, "plaintext.allow": "192.168.1.20/32"}));
    set(&hob, &json!({"loopback.require_key": true}));

    restart(&hob);

    assert_eq!(asked_by_nobody(&hob), "401", "what keeps others out stays");
    assert_eq!(setting(&hob, "name")["value"], "Kitchen");

    let (_, status) = administer(&hob, "GET", "status", None);
    let degraded = status["degraded"].to_string();
    assert!(degraded.contains("\"settings\"") && degraded.contains("plaintext.listen"), "{degraded}");
    assert!(degraded.contains(&address) && degraded.contains("in use"), "{degraded}");
    let listen = setting(&hob, "plaintext.listen");
    assert_eq!((&listen["value"], &listen["kept"]), (&Value::Null, &json!(address)));
    set(&hob, &json!({"plaintext.listen": null, "plaintext.allow": null}));
    restart(&hob);
    let (_, status) = administer(&hob, "GET", "status", None);
    assert!(!status["degraded"].to_string().contains("\"settings\""), "{status}");
    assert_eq!(setting(&hob, "name")["value"], "Kitchen");
}

#[test]
fn an_address_that_the_machine_has_no_more_opens_nothing_that_the_page_has_shut() {
    let lan = Lan::new();
    let hob = Hob::start_on(&lan, &[]);
    let nowhere = json!({"plaintext.listen": "203.0.113.9:11434", "plaintext.allow": "192.168.1.20/32"});
    set(&hob, &json!({"loopback.require_key": true, "lan.share": false}));
    set(&hob, &nowhere);

    restart(&hob);

    assert_eq!(asked_by_nobody(&hob), "401");
    assert_eq!(setting(&hob, "lan.share")["value"], "false");
    let (_, status) = administer(&hob, "GET", "status", None);
    assert!(status["degraded"].to_string().contains("203.0.113.9"), "{status}");
}
