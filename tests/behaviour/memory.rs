//! One number for all models: what does not fit goes, shrinks, or is refused with words that help.

use behaviour::Hob;
use serde_json::{Value, json};

fn limited(limit: &str) -> Hob {
    Hob::start_with(&[("HOB_MEMORY__LIMIT", limit), ("HOB_CACHE__RAM", "0")])
}

fn ask(hob: &Hob, model: &str, options: &Value) -> behaviour::Answer {
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
