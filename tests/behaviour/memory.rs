//! One number for all models: what does not fit goes, shrinks, or is refused with words that help.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use behaviour::group::Group;
use behaviour::{Answer, Hob};
use serde_json::{Value, json};

fn limited(limit: &str) -> Hob {
    Hob::start_with(&[("HOB_MEMORY__LIMIT", limit), ("HOB_CACHE__RAM", "0")])
}

fn ask(hob: &Hob, model: &str, options: &Value) -> Answer {
    let mut options = options.clone();
    options["num_predict"] = json!(1);
    hob.post("/api/generate", &json!({"model": model, "prompt": "Hi", "stream": false, "options": options}))
}

fn loaded(hob: &Hob) -> Vec<Value> {
    hob.get("/api/ps").json()["models"].as_array().unwrap().clone()
}

#[test]
fn a_second_model_takes_the_place_of_the_first_where_both_have_no_room() {
    let hob = limited("500MiB");
    hob.post("/api/copy", &json!({"source": "smollm2", "destination": "other"}));
    assert_eq!(ask(&hob, "smollm2", &json!({})).status, 200);
    assert_eq!(ask(&hob, "other", &json!({})).status, 200);

    let there = loaded(&hob);

    assert_eq!(there.len(), 1, "{there:?}");
    assert_eq!(there[0]["model"], "other:latest");
    assert!(there[0]["size"].as_u64().unwrap() <= 500 << 20, "{there:?}");
}

#[test]
fn a_context_that_nobody_asked_for_shrinks_and_one_that_was_asked_for_is_refused() {
    let hob = limited("200MiB");

    assert_eq!(ask(&hob, "smollm2", &json!({})).status, 200);
    let context = loaded(&hob)[0]["context_length"].as_u64().unwrap();
    assert!((512..4096).contains(&context), "{context}");

    let refused = ask(&hob, "smollm2", &json!({"num_ctx": 8192}));
    let error = refused.json()["error"].as_str().unwrap().to_owned();
    assert_eq!(refused.status, 500);
    assert!(error.starts_with("model requires more system memory (") && error.contains("num_ctx"), "{error}");
    assert_eq!(ask(&hob, "smollm2", &json!({"num_ctx": 1024})).status, 200, "what fits is loaded still");
}

#[test]
fn what_a_model_would_take_is_told_before_it_is_loaded() {
    let hob = limited("400MiB");
    let fit = hob.get("/admin/api/fit?model=smollm2").json();
    let told = String::from_utf8(hob.cli(&["show", "smollm2", "--fit"]).stdout).unwrap();
    assert!(told.contains("weights") && told.contains("4096 tokens"), "{told}");
    assert!(loaded(&hob).is_empty());

    assert_eq!(ask(&hob, "smollm2", &json!({})).status, 200);

    let taken = loaded(&hob)[0]["size"].as_f64().unwrap();
    let ratio = fit["total_bytes"].as_f64().unwrap() / taken;
    assert!((0.9..1.4).contains(&ratio), "estimated {fit}, taken {taken}");
    let again = hob.get("/admin/api/fit?model=smollm2").json();
    assert_eq!(again["total_bytes"].as_f64(), Some(taken), "the second time, it is known");
}

#[test]
fn a_dry_run_tells_what_a_run_would_find_and_loads_nothing() {
    let hob = limited("500MiB");
    hob.post("/api/copy", &json!({"source": "smollm2", "destination": "other"}));
    let dry_run = || String::from_utf8(hob.cli(&["run", "other", "--dry-run"]).stdout).unwrap();
    assert!(dry_run().contains("would load it\n"), "{}", dry_run());
    assert!(loaded(&hob).is_empty());

    assert_eq!(ask(&hob, "smollm2", &json!({})).status, 200);
    assert!(dry_run().contains("an idle model would go"), "{}", dry_run());

    assert_eq!(ask(&hob, "other", &json!({})).status, 200);
    assert!(dry_run().contains("would find it loaded"), "{}", dry_run());
}

#[test]
fn a_packed_cache_is_ollamas_variable_and_counts_for_less() {
    let cache_bytes = |variables: &[(&str, &str)]| {
        let hob = Hob::start_with(variables);
        assert_eq!(ask(&hob, "smollm2", &json!({})).status, 200);
        hob.get("/admin/api/fit?model=smollm2").json()["kv_cache_bytes"].as_f64().unwrap()
    };
    let ratio = cache_bytes(&[("OLLAMA_KV_CACHE_TYPE", "q8_0")]) / cache_bytes(&[]);
    assert!((0.5..0.6).contains(&ratio), "{ratio}");
}

/// What all workers have in RAM, in bytes.
fn resident_bytes(hob: &Hob) -> u64 {
    let of_one = |worker: i32| {
        // One that has just ended has none.
        let status = std::fs::read_to_string(format!("/proc/{worker}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.map_or(0, |line| line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024)
    };
    hob.workers().into_iter().map(of_one).sum()
}

#[test]
fn whatever_is_asked_at_once_the_workers_together_stay_below_the_limit() {
    const LIMIT: u64 = 700 << 20;
    let hob = limited(&LIMIT.to_string());
    for name in ["one", "two", "three"] {
        assert_eq!(hob.post("/api/copy", &json!({"source": "smollm2", "destination": name})).status, 200);
    }
    let ask_all = |first: usize| {
        for number in (first..24).step_by(3) {
            let model = ["smollm2", "one", "two", "three"][number % 4];
            let options = [json!({}), json!({"num_ctx": 512}), json!({"num_ctx": 2048})];
            let answer = ask(&hob, model, &options[number / 4 % 3]);
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    };

    let mut most = 0;
    std::thread::scope(|scope| {
        let (asking, asked) = channel::<()>();
        for first in 0..3 {
            let (ask_all, asking) = (&ask_all, asking.clone());
            scope.spawn(move || {
                ask_all(first);
                drop(asking);
            });
        }
        drop(asking);
        while asked.recv_timeout(Duration::from_millis(20)) == Err(RecvTimeoutError::Timeout) {
            most = most.max(resident_bytes(&hob));
        }
    });

    assert!(most <= LIMIT, "{} MiB", most >> 20);
    assert!(most > 100 << 20, "nothing was measured");
}

const GROUP_BYTES: u64 = 400 << 20;

fn start_in(group: &Group) -> Hob {
    let settings = [
        ("HOB_MEMORY__LIMIT", "auto"),
        ("HOB_MEMORY__FLOOR", "48MiB"),
        ("HOB_MODELS__MAX_LOADED", "0"),
        ("HOB_CACHE__RAM", "0"),
    ];
    Hob::start_in(group, &settings)
}

#[test]
fn in_a_control_group_what_is_asked_at_once_is_answered_or_refused_and_nothing_is_killed() {
    let Some(group) = Group::limited_to(GROUP_BYTES) else { return };
    let mut hob = start_in(&group);
    let models = ["smollm2", "one", "two", "three"];
    for name in &models[1..] {
        assert_eq!(hob.post("/api/copy", &json!({"source": "smollm2", "destination": name})).status, 200);
    }
    // The third is more than there is room for, the others are not.
    let contexts = [json!({}), json!({"num_ctx": 512}), json!({"num_ctx": 8192})];
    let ask_some = |first: usize| {
        for number in first..first + 6 {
            let answer = ask(&hob, models[number % 4], &contexts[number % 3]);
            if number % 3 == 2 {
                let error = answer.json()["error"].as_str().unwrap_or_default().to_owned();
                assert!(error.starts_with("model requires more system memory ("), "{answer:?}");
            } else {
                assert_eq!(answer.status, 200, "{answer:?}");
            }
        }
    };

    std::thread::scope(|scope| {
        for first in 0..4 {
            let ask_some = &ask_some;
            scope.spawn(move || ask_some(first));
        }
    });

    assert!(!hob.log().contains("crashed"), "a worker died");
    assert!(hob.terminate().success());
    assert_eq!(group.killed(), 0);
    if let Some(most) = group.peak_bytes() {
        assert!((100 << 20..=GROUP_BYTES).contains(&most), "{} MiB", most >> 20);
    }
}

#[test]
fn what_others_in_the_same_control_group_take_is_not_there_for_models_but_what_files_take_is() {
    let Some(group) = Group::limited_to(GROUP_BYTES) else { return };
    let budget = |hob: &Hob| {
        let fit = hob.get("/admin/api/fit?model=smollm2&num_ctx=512").json();
        fit["budget_bytes"].as_u64().unwrap_or_else(|| panic!("{fit}")) >> 20
    };
    // Each has written the model into a store of its own, which only the system keeps in memory.
    let (mut hob, mut other) = (start_in(&group), start_in(&group));
    let before = budget(&hob);
    assert!((250..350).contains(&before), "{before} MiB of 400");

    assert_eq!(ask(&other, "smollm2", &json!({"num_ctx": 512})).status, 200);

    let gone = before - budget(&hob);
    assert!((40..200).contains(&gone), "{gone} MiB");
    assert!(hob.terminate().success() && other.terminate().success());
}
