//! Vectors of texts and scores of documents, in both families, and what is wrong with requests for them.

use behaviour::{Answer, Hob, embedding_model_file, reranker_file};
use serde_json::{Value, json};

/// A daemon with the models `minilm` and `reranker`, and the one that generates.
fn start() -> Hob {
    let hob = Hob::start();
    for (name, file) in [("minilm", embedding_model_file()), ("reranker", reranker_file())] {
        let made = hob.create(name, &file);
        assert!(made.status.success(), "{made:?}");
    }
    hob
}

#[track_caller]
fn embed(hob: &Hob, model: &str, input: &Value) -> Vec<Vec<f64>> {
    let answer = hob.post("/api/embed", &json!({"model": model, "input": input}));
    assert_eq!(answer.status, 200, "{answer:?}");
    serde_json::from_value(answer.json()["embeddings"].clone()).unwrap()
}

fn cosine(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(a, b)| a * b).sum()
}

#[track_caller]
fn assert_error(answer: &Answer, status: u16, text: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    let error = answer.json()["error"].clone();
    let message = error["message"].as_str().or(error.as_str()).unwrap().to_owned();
    assert!(message.contains(text), "{answer:?}");
}

#[test]
fn texts_that_mean_the_same_are_near_each_other() {
    let hob = start();
    let texts =
        json!(["How warm is it today?", "What is the temperature outside?", "The cat sat on the mat."]);

    let vectors = embed(&hob, "minilm", &texts);

    let (near, far) = (cosine(&vectors[0], &vectors[1]), cosine(&vectors[0], &vectors[2]));
    assert!(near > 0.7 && far < 0.3, "{near} and {far}");
    let told = |path: &str, body: Value| hob.post(path, &body).json()["capabilities"].clone();
    assert_eq!(told("/api/show", json!({"model": "minilm"})), json!(["embedding"]));
    let tags = hob.get("/api/tags").json();
    let capabilities = |name: &str| {
        let models = tags["models"].as_array().unwrap();
        models.iter().find(|model| model["name"] == name).unwrap()["capabilities"].clone()
    };
    assert_eq!(capabilities("minilm:latest"), json!(["embedding"]));
    assert_eq!(capabilities("smollm2:latest"), json!(["completion"]));
}

#[test]
fn the_command_line_prints_a_vector() {
    let hob = start();

    let run = hob.cli(&["run", "minilm", "--dimensions", "3", "How warm is it today?"]);

    let printed: Vec<f64> = serde_json::from_slice(&run.stdout).unwrap();
    let asked = json!({"model": "minilm", "input": "How warm is it today?", "dimensions": 3});
    let told: Vec<Vec<f64>> =
        serde_json::from_value(hob.post("/api/embed", &asked).json()["embeddings"].clone()).unwrap();
    assert!(printed.len() == 3 && cosine(&printed, &told[0]) > 0.9999, "{printed:?}");
    let nothing = hob.cli(&["run", "minilm"]);
    let said = String::from_utf8_lossy(&nothing.stderr).into_owned();
    assert!(said.contains("embedding models require input text. Usage: hob run minilm"), "{said}");
}

#[test]
fn ten_thousand_inputs_are_one_request_and_keep_their_order() {
    let hob = start();
    let words = ["moon", "sea", "bread", "ship"];
    let texts: Vec<&str> = (0..10_000).map(|at| words[at % 4]).collect();

    let vectors = embed(&hob, "minilm", &json!(texts));

    assert_eq!(vectors.len(), 10_000);
    let few = embed(&hob, "minilm", &json!(words));
    for at in [0, 1, 127, 128, 4999, 9999] {
        let alike = cosine(&vectors[at], &few[at % 4]);
        assert!(alike > 0.999, "{alike} at {at}");
    }
}

#[test]
fn a_model_that_generates_makes_vectors_as_well_and_goes_on_generating() {
    let hob = start();
    let before = hob.ask("Why is the sky blue?", 8)["response"].clone();

    let vectors = embed(&hob, "smollm2", &json!(["The ferry leaves.", "x = 3 * (y + 7)"]));

    assert_eq!(vectors[0].len(), 576);
    assert!(cosine(&vectors[0], &vectors[1]) < 0.99);
    assert_eq!(hob.ask("Why is the sky blue?", 8)["response"], before);
    assert_eq!(hob.workers().len(), 1, "one of the two is in memory");
}

#[test]
fn documents_come_back_the_best_first() {
    let hob = start();
    let documents = json!(["Bread and tea.", {"text": "The sky scatters blue light."}, "Salt."]);
    let ask = |more: Value| {
        let mut body = json!({"model": "reranker", "query": "Why is the sky blue?", "documents": documents});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = hob.post("/v1/rerank", &body);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    };

    let all = ask(json!({}));

    let results = all["results"].as_array().unwrap();
    let scores: Vec<f64> = results.iter().map(|result| result["relevance_score"].as_f64().unwrap()).collect();
    assert!(
        scores.is_sorted_by(|one, other| one > other)
            && scores.iter().all(|score| (0.0..1.0).contains(score))
    );
    assert!(
        all["usage"]["prompt_tokens"].as_u64() > Some(30) && results[0].get("document").is_none(),
        "{all}"
    );
    let best = ask(json!({"top_n": 1, "return_documents": true}));
    let index = results[0]["index"].as_u64().unwrap() as usize;
    let text = documents[index].as_str().or(documents[index]["text"].as_str());
    assert_eq!(best["results"].as_array().unwrap().len(), 1);
    assert_eq!(best["results"][0]["document"]["text"].as_str(), text);
}

#[test]
fn what_is_wrong_with_a_request_for_vectors_is_told() {
    let hob = start();
    let embed = |body: Value| hob.post("/api/embed", &body);
    let long = "the moon and the sun ".repeat(400);
    for input in [json!(7), json!([1, 2]), json!({"a": "b"}), json!(["a", null])] {
        assert_error(&embed(json!({"model": "minilm", "input": input})), 400, "invalid input type");
    }
    for input in [json!([]), json!(""), Value::Null] {
        let answer = embed(json!({"model": "minilm", "input": input})).json();
        assert_eq!((&answer["model"], &answer["embeddings"]), (&json!("minilm"), &json!([])));
    }
    assert_eq!(hob.post("/api/embeddings", &json!({"model": "minilm"})).json(), json!({"embedding": []}));
    assert_eq!(embed(json!({"model": "minilm", "input": ["", ""]})).json()["prompt_eval_count"], 4);
    let refused = embed(json!({"model": "minilm", "input": ["short", long], "truncate": false}));
    assert_error(&refused, 400, "the input length exceeds the context length");
    let cut = embed(json!({"model": "minilm", "input": long, "options": {"num_ctx": 64}}));
    assert!(cut.json()["prompt_eval_count"].as_u64() <= Some(512), "{cut:?}");
    for (dimensions, width) in [(0, 384), (2, 2), (384, 384), (5000, 384)] {
        let answer = embed(json!({"model": "minilm", "input": "a", "dimensions": dimensions})).json();
        assert_eq!(answer["embeddings"][0].as_array().unwrap().len(), width);
    }
    assert_error(&embed(json!({"model": "minilm", "input": "a", "dimensions": -1})), 400, "dimensions");
    assert_error(
        &embed(json!({"model": "reranker", "input": "a"})),
        400,
        "\"reranker\" does not support embed",
    );
    assert_error(
        &embed(json!({"model": "nope", "input": "a"})),
        404,
        "model \"nope\" not found, try pulling it first",
    );
    let old = hob.post("/api/embeddings", &json!({"prompt": "a"}));
    assert_error(&old, 400, "model is required");
    let openai = hob.post("/v1/embeddings", &json!({"model": "minilm", "input": [[101, 999_999]]}));
    assert_error(&openai, 400, "999999 is no token of this model");
    for (model, ability, path) in [("minilm", "chat", "/api/chat"), ("reranker", "generate", "/api/generate")]
    {
        let body = json!({"model": model, "messages": [{"role": "user", "content": "Hi"}], "prompt": "Hi"});
        assert_error(&hob.post(path, &body), 400, &format!("\"{model}\" does not support {ability}"));
    }
    hob.assert_alive();
}

#[test]
fn what_is_wrong_with_a_request_for_scores_is_told() {
    let hob = start();
    let ask = |more: Value| {
        let mut body = json!({"model": "reranker", "query": "sky", "documents": ["blue"]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        hob.post("/v1/rerank", &body)
    };
    assert_error(&ask(json!({"documents": []})), 400, "documents must not be empty");
    assert_error(&ask(json!({"documents": [7]})), 400, "each of documents");
    assert_error(
        &ask(json!({"query": "moon ".repeat(200)})),
        400,
        "the input length exceeds the context length",
    );
    assert_error(&ask(json!({"top_n": -1})), 400, "top_n");
    assert_error(&ask(json!({"model": "minilm"})), 400, "\"minilm\" does not support rerank");
    assert_error(&ask(json!({"model": "nope"})), 404, "nope");
    assert_eq!(ask(json!({"documents": ["moon ".repeat(900)]})).status, 200, "a long document is cut");
    hob.assert_alive();
}

#[test]
fn vectors_of_a_worker_that_dies_are_an_error_and_the_next_come_from_another() {
    let hob = start();
    embed(&hob, "minilm", &json!("warm"));
    let [worker] = hob.workers()[..] else { panic!("{:?}", hob.workers()) };
    let many = json!({"model": "minilm", "input": vec!["the moon and the sun ".repeat(100); 2000]});

    let failed = std::thread::scope(|scope| {
        let asking = scope.spawn(|| hob.post("/api/embed", &many));
        let state = || hob.get("/admin/api/models").json()["models"][0]["running"].clone();
        while state() != 1 {}
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(worker), nix::sys::signal::Signal::SIGKILL)
            .unwrap();
        asking.join().unwrap()
    });

    assert_error(&failed, 500, "unexpectedly stopped");
    assert_eq!(embed(&hob, "minilm", &json!("again")).len(), 1);
}
