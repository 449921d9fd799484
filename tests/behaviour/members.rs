//! Those who use a box that is somebody else's, by browsers: that they sign in, what is kept for them, and that they are gone.

use std::path::PathBuf;

use behaviour::Hob;
use behaviour::lan::Lan;
use serde_json::{Value, json};
use tempfile::TempDir;

const PASSWORD: &str = "a longer word than most";
const OTHER: &str = "a word that nobody guesses";
const TALK: &str = "/admin/api/conversations/0123456789abcdef";

/// Somebody's browser, on the network.
struct Browser<'a> {
    lan: &'a Lan,
    cookies: PathBuf,
}

impl Browser<'_> {
    /// The status, and what was said.
    fn ask(&self, hob: &Hob, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let url = format!("{}{path}", hob.lan_url.as_deref().unwrap());
        let mut curl = self.lan.command("curl");
        curl.args(["--silent", "--insecure", "--write-out", "\n%{http_code}", "--request", method]);
        // As of a page of the box's own.
        curl.args(["--header", "sec-fetch-site: same-origin"]);
        curl.arg("--cookie").arg(&self.cookies).arg("--cookie-jar").arg(&self.cookies);
        if !body.is_null() {
            curl.args(["--header", "content-type: application/json", "--data", &body.to_string()]);
        }
        let output = String::from_utf8(curl.arg(url).output().unwrap().stdout).unwrap();
        let (said, status) = output.rsplit_once('\n').unwrap();
        (status.parse().unwrap(), serde_json::from_str(said).unwrap_or_default())
    }

    fn sign_in(&self, hob: &Hob, name: &str, password: &str) -> u16 {
        self.ask(hob, "POST", "/admin/api/login", &json!({"name": name, "password": password})).0
    }
}

#[test]
fn what_a_member_says_is_theirs_over_a_power_cut_until_they_are_removed() {
    let (lan, folder) = (Lan::new(), TempDir::new().unwrap());
    let hob = Hob::start_on(&lan, &[]);
    assert!(hob.cli_saying(&["claim", "--name", "ada", "--password-file", "-"], PASSWORD).status.success());
    let browser = |name: &str| Browser { lan: &lan, cookies: folder.path().join(name) };
    let (ada, bert) = (browser("ada"), browser("bert"));
    assert_eq!(ada.sign_in(&hob, "ada", PASSWORD), 200);
    let member = json!({"name": "bert", "password": OTHER, "role": "member", "confirm": PASSWORD});
    let (status, made) = ada.ask(&hob, "POST", "/admin/api/people", &member);
    assert_eq!(status, 201, "{made}");
    assert_eq!(bert.sign_in(&hob, "bert", OTHER), 200);
    let begun = json!({"id": "0123456789abcdef", "title": "天气", "model": "m"});
    assert_eq!(bert.ask(&hob, "POST", "/admin/api/conversations", &begun).0, 201);
    let said = json!({"role": "user", "content": "今天的天气怎么样？", "leaf": true});
    assert_eq!(bert.ask(&hob, "PUT", &format!("{TALK}/messages/q"), &said).0, 200);

    let hob = hob.killed_and_restarted();

    let (status, whole) = bert.ask(&hob, "GET", TALK, &Value::Null);
    assert_eq!((status, &whole["messages"][0]["content"]), (200, &said["content"]), "{whole}");
    assert_eq!(ada.ask(&hob, "GET", TALK, &Value::Null).0, 404);
    assert_eq!(bert.ask(&hob, "GET", "/admin/api/people", &Value::Null).0, 403);
    assert_eq!(ada.ask(&hob, "DELETE", "/admin/api/people/bert", &json!({"confirm": PASSWORD})).0, 204);
    assert_eq!(bert.ask(&hob, "GET", TALK, &Value::Null).0, 401);
    assert_eq!(bert.sign_in(&hob, "bert", OTHER), 401);
}
