//! Models that the box pulls by itself, as the page has it do that.

use std::io::{BufRead, BufReader};

use behaviour::server::{Model, Server};
use behaviour::{Hob, PATIENCE};
use reqwest::Method;
use serde_json::{Value, json};

const MIB: u64 = 1 << 20;

/// Asks as the page does.
fn ask(hob: &Hob, method: Method, path: &str, body: Option<&Value>) -> (u16, Value) {
    let client = reqwest::blocking::Client::builder().timeout(PATIENCE).no_proxy().build().unwrap();
    let request = client.request(method, format!("{}/admin/api/pulls{path}", hob.url));
    let request = match body {
        Some(body) => request.header("content-type", "application/json").body(body.to_string()),
        None => request,
    };
    let answer = request.send().unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_str(&answer.text().unwrap()).unwrap_or_default())
}

/// Watches until a pull is so, and goes away.
fn await_pull(hob: &Hob, is: impl Fn(&Value) -> bool) -> Value {
    let lines = BufReader::new(hob.follow("/admin/api/pulls/events")).lines();
    let mut told = lines.map(Result::unwrap).filter_map(|line| {
        let pulls: Value = serde_json::from_str(line.strip_prefix("data: ")?).unwrap();
        pulls["pulls"].get(0).cloned()
    });
    told.find(|pull| is(pull)).expect("the list is told until the daemon ends")
}

#[test]
fn a_box_pulls_by_itself_and_goes_on_where_it_was_when_the_power_went() {
    let model = Model::of(64 << 20);
    let server = Server::start(move |asked| model.answer(asked));
    let slow = [("HOB_REGISTRY__TRUSTED", server.host.as_str()), ("HOB_REGISTRY__LIMIT", "8MiB")];
    let hob = Hob::start_empty(&slow);
    let wanted = json!({"model": format!("{}/library/model", server.host), "insecure": true});
    let (status, begun) = ask(&hob, Method::POST, "", Some(&wanted));
    assert_eq!((status, &begun["state"]), (201, &json!("running")));
    assert_eq!(ask(&hob, Method::POST, "", Some(&wanted)).0, 200, "it runs already");
    let some = |bytes: u64| move |pull: &Value| pull["completed"].as_u64().unwrap() > bytes * MIB;
    let running = await_pull(&hob, some(4));
    assert!(
        running["rate"].as_u64().unwrap() > 0 && running["total"].as_u64().unwrap() > 64 * MIB,
        "{running}"
    );
    // Nobody watches now.
    let id = begun["id"].as_str().unwrap().to_owned();
    let later = await_pull(&hob, some(8));
    assert_eq!((&later["id"], &later["state"]), (&begun["id"], &json!("running")));
    let (status, paused) = ask(&hob, Method::POST, &format!("/{id}/pause"), None);
    assert_eq!((status, &paused["state"]), (200, &json!("paused")));
    assert_eq!(ask(&hob, Method::POST, &format!("/{id}/resume"), None).0, 201);
    await_pull(&hob, some(12));

    let hob = hob.restarted_with(&[("HOB_REGISTRY__LIMIT", "0")]);
    let found = ask(&hob, Method::GET, "", None).1["pulls"][0].clone();
    assert_eq!((&found["state"], &found["model"]), (&json!("paused"), &begun["model"]));
    assert!(some(4)(&found), "{found}");
    let before = server.bytes_asked();
    let resume = format!("/{}/resume", found["id"].as_str().unwrap());
    assert_eq!(ask(&hob, Method::POST, &resume, None).0, 201);
    let done = await_pull(&hob, |pull| pull["state"] != "running");

    assert_eq!((&done["state"], &done["completed"]), (&json!("done"), &done["total"]), "{done}");
    assert_eq!(hob.get("/api/tags").json()["models"].as_array().unwrap().len(), 1);
    // Starting over would ask for all of it again.
    let asked = server.bytes_asked() - before;
    assert!(asked < 60 << 20, "{asked} bytes were asked for again");
}
