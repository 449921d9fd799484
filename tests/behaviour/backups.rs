//! A box in one file: saved, made new, and made again of what was saved, each by a restart of the real daemon.

use std::path::Path;
use std::process::Command;

use behaviour::Hob;
use behaviour::lan::Lan;
use serde_json::{Value, json};

use crate::settings::administer;

const PASSPHRASE: &str = "correct horse battery";

/// As a client that sends or takes a file.
fn curl(hob: &Hob, arguments: &[&str], path: &str) -> String {
    #[expect(clippy::disallowed_methods, reason = "a client of others' asks")]
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--max-time", "120", "--unix-socket"]);
    curl.arg(hob.home.path().join(".local/share/hob/run/admin.sock")).args(arguments);
    let output = curl.arg(format!("http://localhost/admin/api/{path}")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn save(hob: &Hob, file: &Path) {
    let wanted = json!({"passphrase": PASSPHRASE}).to_string();
    let arguments = ["--header", "content-type: application/json", "--data", &wanted, "--output"];
    curl(hob, &[&arguments[..], &[file.to_str().unwrap()]].concat(), "backup");
}

/// Waits until it listens again.
fn restarted(hob: &Hob, ask: impl FnOnce() -> Value) -> Value {
    let times = hob.log().matches("listening on").count();
    let ends = hob.log().matches("ending, to run anew").count();
    let told = ask();
    hob.await_log("ending, to run anew", ends + 1);
    hob.await_log("listening on", times + 1);
    told
}

fn id(hob: &Hob) -> String {
    administer(hob, "GET", "status", None).1["device"]["id"].as_str().unwrap().to_owned()
}

fn keys(hob: &Hob) -> usize {
    administer(hob, "GET", "keys", None).1["keys"].as_array().unwrap().len()
}

fn newest(hob: &Hob) -> Vec<String> {
    let (_, told) = administer(hob, "GET", "audit/entries?last=20", None);
    let entries = told["entries"].as_array().unwrap().iter();
    entries.map(|entry| entry["action"].as_str().unwrap().to_owned()).collect()
}

fn assert_chained(hob: &Hob) {
    let audit = hob.cli(&["audit", "verify"]);
    assert!(audit.status.success(), "{audit:?}");
}

#[test]
fn a_box_is_saved_made_new_and_made_again_of_what_was_saved() {
    let lan = Lan::new();
    let hob = Hob::start_on(&lan, &[]);
    let file = hob.home.path().join("saved.hobbackup");
    let (status, told) = administer(&hob, "PUT", "settings", Some(&json!({"values": {"name": "Kitchen"}})));
    assert_eq!(status, "200", "{told}");
    let claim = ["claim", "--name", "ada", "--password-file", "-"];
    assert!(hob.cli_saying(&claim, "a longer word than most").status.success());
    assert!(hob.cli(&["key", "create", "laptop"]).status.success());
    let (first, models) = (id(&hob), hob.home.path().join(".local/share/hob/models"));
    save(&hob, &file);

    restarted(&hob, || administer(&hob, "POST", "reset", Some(&json!({"models": "keep"}))).1);

    let second = id(&hob);
    assert!(second != first && keys(&hob) == 0 && models.exists());
    let entries = newest(&hob);
    assert_eq!(entries.last().unwrap(), "reset", "{entries:?}");
    let (_, told) = administer(&hob, "GET", "diagnostics", None);
    assert!(
        told["settings"].to_string().contains("\"Hob\"") && !told["settings"].to_string().contains("Kitchen")
    );
    assert_chained(&hob);

    let told = restarted(&hob, || {
        let data = format!("@{}", file.display());
        let passphrase = "hob-passphrase: correct%20horse%20battery";
        let told = curl(&hob, &["--header", passphrase, "--data-binary", &data], "restore");
        serde_json::from_str(&told).unwrap()
    });

    assert_eq!((&told["box"]["id"], &told["identity"]), (&json!(first), &json!(true)), "{told}");
    assert_eq!((id(&hob), keys(&hob)), (first, 1));
    let (_, settings) = administer(&hob, "GET", "settings", None);
    assert!(settings.to_string().contains("Kitchen"));
    assert!(newest(&hob).contains(&"backup.restore".to_owned()));
    assert_chained(&hob);
    let left = hob.home.path().join(".local/share/hob");
    assert!(!left.join("restore").exists() && !left.join("next.json").exists());
}
