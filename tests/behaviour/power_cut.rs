//! The process is killed at any moment of whatever changes the store; what is left must be a store.

use std::time::{Duration, Instant};

use behaviour::Hob;
use behaviour::server::{Model, Server, digest};
use serde_json::{Value, json};

/// A model of three parts.
const WEIGHTS: usize = 40 << 20;
const PART: usize = 16 << 20;

const PULLS: u32 = 80;
const CREATES: u32 = 60;
const REMOVALS: u32 = 60;

/// Waits for the `number`th of `of` moments of work that takes so long.
#[expect(clippy::disallowed_methods, reason = "a moment, and no event, is what is tested")]
fn wait_for_moment(number: u32, of: u32, work: Duration) {
    std::thread::sleep(work.mul_f64(f64::from(number) / f64::from(of)));
}

#[track_caller]
fn assert_clean(hob: &Hob) {
    let found = hob.post("/admin/api/store/scrub?deep=true", &Value::Null).lines().pop().unwrap();
    assert_eq!(found["problems"], json!([]), "{found}");
}

fn has(hob: &Hob, name: &str) -> bool {
    let tags = hob.get("/api/tags").json();
    tags["models"].as_array().unwrap().iter().any(|model| model["name"] == name)
}

/// Bytes of a blob that were written by a pull that did not come to its end.
fn written(hob: &Hob, blob: &[u8]) -> usize {
    let name = format!("{}-partial", digest(blob).replace(':', "-"));
    let file = hob.home.path().join(".local/share/hob/models/blobs").join(name);
    let there = std::fs::read(file).unwrap_or_default();
    let parts = there.chunks(PART).zip(blob.chunks(PART));
    parts.map(|(there, part)| there.iter().zip(part).take_while(|(one, other)| one == other).count()).sum()
}

#[test]
fn a_pull_that_is_killed_anywhere_leaves_a_clean_store_and_loses_a_part_at_most() {
    let model = Model::of(WEIGHTS);
    let served = model.clone();
    let server = Server::start(move |asked| served.answer(asked));
    let name = format!("{}/library/model:latest", server.host);
    let pull = json!({"model": name, "insecure": true, "stream": false});
    let mut hob = Hob::start_empty(&[("HOB_REGISTRY__TRUSTED", &server.host)]);
    let started = Instant::now();
    assert_eq!(hob.post("/api/pull", &pull).status, 200);
    let whole = started.elapsed();
    for number in 0..PULLS {
        assert!(hob.cli(&["rm", &name]).status.success());
        hob.post_and_leave("/api/pull", &pull);
        wait_for_moment(number, PULLS, whole);

        hob = hob.killed_and_restarted();

        assert_clean(&hob);
        let (there, asked) = (written(&hob, &model.weights), server.bytes_asked());
        assert_eq!(hob.post("/api/pull", &pull).text, r#"{"status":"success"}"#);
        assert_clean(&hob);
        let lost = (there + server.bytes_asked() - asked).saturating_sub(WEIGHTS);
        assert!(lost <= PART, "{lost} bytes were fetched twice after kill {number}");
    }
}

#[test]
fn a_model_that_is_made_or_removed_when_the_process_dies_is_there_or_not() {
    let mut hob = Hob::start();
    let create = json!({"model": "new", "from": "smollm2", "system": "Be brief.", "stream": false});
    let started = Instant::now();
    assert_eq!(hob.post("/api/create", &create).status, 200);
    let work = started.elapsed() * 2;
    let mut made = 0;
    for number in 0..CREATES {
        assert!(!has(&hob, "new:latest") || hob.cli(&["rm", "new"]).status.success());
        hob.post_and_leave("/api/create", &create);
        wait_for_moment(number, CREATES, work);

        hob = hob.killed_and_restarted();

        assert_clean(&hob);
        made += u32::from(has(&hob, "new:latest"));
        assert!(has(&hob, "smollm2:latest"));
    }
    assert!((1..CREATES).contains(&made), "some were made and some were not: {made}");
    let started = Instant::now();
    assert_eq!(hob.post("/api/create", &create).status, 200);
    let work = started.elapsed() * 2;
    for number in 0..REMOVALS {
        assert_eq!(hob.post("/api/create", &create).status, 200);
        hob.delete_and_leave("/api/delete", &json!({"model": "new"}));
        wait_for_moment(number, REMOVALS, work);

        hob = hob.killed_and_restarted();

        assert_clean(&hob);
        assert!(has(&hob, "smollm2:latest"));
    }
}
