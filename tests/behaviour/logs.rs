//! What the daemon says of itself, as the page reads it.

use std::io::{BufRead, BufReader};

use behaviour::{Hob, PATIENCE};
use serde_json::Value;

#[test]
fn the_log_is_read_as_it_is_written_and_holds_no_key() {
    let hob = Hob::start_scripted();
    let made = hob.cli(&["key", "create", "watcher", "--scope", "admin"]);
    let key = String::from_utf8_lossy(&made.stdout).trim().to_owned();
    assert!(made.status.success() && key.starts_with("hob_"), "{made:?}");
    let client = reqwest::blocking::Client::builder().timeout(PATIENCE).no_proxy().build().unwrap();
    let ask = |path: &str| {
        let request = client.get(format!("{}/admin/api/{path}", hob.url)).bearer_auth(&key);
        request.send().unwrap().error_for_status().unwrap()
    };
    hob.ask("say a word that nobody logs", 4);

    let live = BufReader::new(ask("logs/events?after=0"));
    let first =
        live.lines().map(Result::unwrap).find_map(|line| line.strip_prefix("data: ").map(str::to_owned));
    let first: Value = serde_json::from_str(&first.unwrap()).unwrap();
    assert_eq!((&first["n"], &first["level"]), (&1.into(), &"info".into()));
    let text = ask("logs/text").text().unwrap();
    let log = hob.log();
    assert!(text.contains("listening on") && log.contains("listening on"), "{text}");
    for line in text.lines() {
        let (_, said) = line.split_once(": ").unwrap();
        assert!(log.contains(said.split(" error=").next().unwrap()), "only what is logged is kept: {line}");
    }
    assert!(!text.contains(&key) && !text.contains("nobody logs"), "{text}");
    let kept: Value = serde_json::from_str(&ask("audit/entries?action=key").text().unwrap()).unwrap();
    assert_eq!(kept["entries"][0]["action"], "key.make");
}
