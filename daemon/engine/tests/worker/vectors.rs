//! Vectors of texts, and scores of documents.

use std::collections::HashMap;

use protocol::{
    Embed, Embedded, FromWorker, GenerateError, Inputs, LoadOptions, Overflow, Owner, Purpose, RequestId,
    ToWorker, frame,
};
use serde_json::Value;

use crate::harness::*;

const MINILM: &str = "all-MiniLM-L6-v2.F16.gguf";
const RERANKER: &str = "tiny-reranker.gguf";

/// A worker that makes vectors.
fn started(model: &str, context_tokens: u32) -> Worker {
    let options = LoadOptions { purpose: Purpose::Embed, ..options(context_tokens, 2, None) };
    let files = engine::Files { model: open_model(model), ..files() };
    Worker::load_files(options, files).unwrap()
}

fn ask(worker: &mut Worker, owner: Owner, inputs: Inputs, overflow: Overflow) -> RequestId {
    worker.next += 1;
    let request = RequestId(worker.next);
    let work = Box::new(Embed { owner, inputs, overflow });
    frame::write(&worker.socket, &ToWorker::Embed(request, work)).unwrap();
    request
}

/// The next request that ends.
fn end(worker: &Worker) -> (RequestId, Result<Embedded, GenerateError>) {
    match frame::read(&worker.socket).unwrap().unwrap() {
        FromWorker::Embedded(request, embedded) => (request, Ok(embedded)),
        FromWorker::Failed(request, error) => (request, Err(error)),
        FromWorker::Alive => end(worker),
        other => panic!("instead of vectors: {other:?}"),
    }
}

fn embed(worker: &mut Worker, inputs: Inputs) -> Result<Embedded, GenerateError> {
    ask(worker, ME, inputs, Overflow::Truncate);
    end(worker).1
}

fn texts(texts: &[&str]) -> Inputs {
    Inputs::Texts(texts.iter().map(|text| (*text).to_owned()).collect())
}

fn pairs(query: &str, documents: &[&str]) -> Inputs {
    Inputs::Pairs {
        query: query.into(),
        documents: documents.iter().map(|text| (*text).to_owned()).collect(),
    }
}

fn cosine(one: &[f32], other: &[f32]) -> f32 {
    let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    assert_eq!(one.len(), other.len());
    product(one, other) / (product(one, one) * product(other, other)).sqrt()
}

/// See tests/clients/minilm_reference.py.
fn reference() -> Vec<Value> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/clients/minilm_reference.json");
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

#[test]
fn vectors_are_those_of_the_original_weights() {
    let mut worker = started(MINILM, 512);
    let reference = reference();
    let inputs: Vec<&str> = reference.iter().map(|one| one["text"].as_str().unwrap()).collect();

    let made = embed(&mut worker, texts(&inputs)).unwrap();

    let mut tokens = 0;
    for (one, vector) in reference.iter().zip(&made.vectors) {
        let expected: Vec<f32> = serde_json::from_value(one["vector"].clone()).unwrap();
        let alike = cosine(vector, &expected);
        assert!(alike > 0.9999, "{alike} for {}", one["text"]);
        tokens += one["tokens"].as_array().unwrap().len();
    }
    assert_eq!(made.prompt_tokens as usize, tokens, "the longest is cut");
    let ids = |one: &Value| serde_json::from_value(one["tokens"].clone()).unwrap();
    let of_tokens = embed(&mut worker, Inputs::Tokens(reference.iter().map(ids).collect())).unwrap();
    for (one, other) in of_tokens.vectors.iter().zip(&made.vectors) {
        assert!(cosine(one, other) > 0.99999);
    }
}

#[test]
fn many_inputs_in_one_step_do_not_see_each_other() {
    let mut worker = started(MINILM, 256);
    let inputs: Vec<String> = (1..=90).map(|count| "a ferry on the sea ".repeat(count % 13 + 1)).collect();

    let together = embed(&mut worker, Inputs::Texts(inputs.clone())).unwrap();

    assert_eq!(together.vectors.len(), 90);
    for at in [0, 11, 12, 50, 89] {
        let alone = embed(&mut worker, texts(&[&inputs[at]])).unwrap();
        let alike = cosine(&alone.vectors[0], &together.vectors[at]);
        assert!(alike > 0.9999, "{alike} at {at}");
    }
}

#[test]
fn an_input_that_is_too_long_is_cut_before_the_token_at_its_end_or_refused() {
    let mut worker = started(MINILM, 16);
    let long = "the moon and the sun ".repeat(9);
    ask(&mut worker, ME, texts(&["short", &long]), Overflow::Refuse);
    assert_eq!(end(&worker).1, Err(GenerateError::InputTooLong));

    let cut = embed(&mut worker, texts(&[&long])).unwrap();

    assert_eq!(cut.prompt_tokens, 16);
    // 14 words between the tokens at both ends.
    let words: Vec<&str> = long.split_whitespace().take(14).collect();
    let whole = embed(&mut worker, texts(&[&words.join(" ")])).unwrap();
    assert_eq!(whole.prompt_tokens, 16);
    assert!(cosine(&cut.vectors[0], &whole.vectors[0]) > 0.9999);
}

#[test]
fn what_is_no_token_or_nothing_at_all_is_refused() {
    let mut worker = started(MINILM, 64);
    for token in [-1, 30_522, i32::MAX] {
        let refused = embed(&mut worker, Inputs::Tokens(vec![vec![101, token]]));
        assert_eq!(refused, Err(GenerateError::UnknownToken { token, vocabulary: 30_522 }));
    }
    assert_eq!(embed(&mut worker, Inputs::Tokens(vec![vec![]])), Err(GenerateError::EmptyPrompt));
    assert_eq!(embed(&mut worker, texts(&[])).unwrap(), Embedded::default());
    assert_eq!(embed(&mut worker, texts(&[""])).unwrap().prompt_tokens, 2, "the tokens at its ends");
}

#[test]
fn an_owner_with_many_inputs_does_not_keep_another_waiting() {
    let mut worker = started(MINILM, 128);
    let many = Inputs::Texts(vec!["a ferry on the sea ".repeat(4); 120]);
    let mine: Vec<_> = (0..3).map(|_| ask(&mut worker, ME, many.clone(), Overflow::Truncate)).collect();
    let theirs = ask(&mut worker, THEM, texts(&["one", "two"]), Overflow::Truncate);

    let ended: Vec<_> = (0..4).map(|_| end(&worker).0).collect();

    assert!(ended[..2].contains(&theirs), "{ended:?}");
    assert_eq!(ended.into_iter().filter(|one| *one != theirs).collect::<Vec<_>>(), mine);
}

#[test]
fn cancelling_stops_what_is_left_and_nothing_else() {
    let mut worker = started(MINILM, 512);
    let doomed = Inputs::Texts(vec!["the moon and the sun ".repeat(100); 128]);
    let doomed = ask(&mut worker, ME, doomed, Overflow::Truncate);
    worker.cancel(doomed);
    let next = ask(&mut worker, ME, texts(&["short"]), Overflow::Truncate);

    let (ended, embedded) = end(&worker);

    assert_eq!((ended, embedded.unwrap().vectors.len()), (next, 1));
}

#[test]
fn a_model_that_generates_gives_what_it_makes_of_the_last_token() {
    let mut worker = started("SmolLM2-135M-Instruct.Q4_1.gguf", 1024);
    let (ferry, boat, sums) =
        ("The ferry leaves the harbour.", "The boat goes out to sea.", "x = 3 * (y + 7)");
    let long = "All about the moon. ".repeat(300);

    let together = embed(&mut worker, texts(&[ferry, boat, sums, &long])).unwrap();

    let [ferry_vector, boat_vector, sums_vector, long_vector] = &together.vectors[..] else { panic!() };
    assert_eq!(ferry_vector.len(), 576);
    assert!(cosine(ferry_vector, boat_vector) > cosine(ferry_vector, sums_vector));
    for (text, vector) in [(ferry, ferry_vector), (&long, long_vector)] {
        let alone = embed(&mut worker, texts(&[text])).unwrap();
        assert!(cosine(&alone.vectors[0], vector) > 0.999);
    }
}

#[test]
fn models_with_any_memory_make_vectors() {
    for model in ["tiny-recurrent.gguf", "tiny-hybrid.gguf", "tiny-windowed.gguf"] {
        let mut worker = started(model, 512);
        let inputs = ["The ferry leaves the harbour.", "x = 3 * (y + 7)", "Nobody is in a hurry here."];
        let together = embed(&mut worker, texts(&inputs)).unwrap();
        for (text, vector) in inputs.iter().zip(&together.vectors) {
            let alone = embed(&mut worker, texts(&[text])).unwrap();
            assert!(cosine(&alone.vectors[0], vector) > 0.999, "{model}: {text}");
        }
    }
}

#[test]
fn documents_are_scored_each_with_the_query() {
    let mut worker = started(RERANKER, 128);
    let documents = ["The sky scatters blue light.", "Bread and tea.", ""];

    let scored = embed(&mut worker, pairs("Why is the sky blue?", &documents)).unwrap();

    let scores: Vec<f32> = scored.vectors.concat();
    let distinct: HashMap<u32, usize> = scores.iter().map(|score| score.to_bits()).zip(0..).collect();
    assert_eq!((scores.len(), distinct.len()), (3, 3), "{scores:?}");
    for (document, score) in documents.iter().zip(&scores) {
        let alone = embed(&mut worker, pairs("Why is the sky blue?", &[document])).unwrap();
        assert!((alone.vectors[0][0] - score).abs() < 1e-3, "{document}");
    }
    let swapped = embed(&mut worker, pairs("Bread and tea.", &["Why is the sky blue?"])).unwrap();
    assert!((swapped.vectors[0][0] - scores[1]).abs() > 1e-3, "which is the query, counts");
    // As BERT reads two texts.
    let ids = |text: &str| match text {
        "sky" => 3712,
        _ => 2630,
    };
    let tokens = vec![101, ids("sky"), 102, ids("blue"), 102];
    let of_tokens = embed(&mut worker, Inputs::Tokens(vec![tokens])).unwrap();
    let of_texts = embed(&mut worker, pairs("sky", &["blue"])).unwrap();
    assert_eq!(of_texts.prompt_tokens, 5);
    assert!((of_tokens.vectors[0][0] - of_texts.vectors[0][0]).abs() < 1e-4);
}

#[test]
fn of_a_pair_that_is_too_long_the_document_is_cut() {
    let mut worker = started(RERANKER, 32);
    let long = "moon ".repeat(100);

    let cut = embed(&mut worker, pairs("sky", &[&long])).unwrap();

    assert_eq!(cut.prompt_tokens, 32);
    let whole = embed(&mut worker, pairs("sky", &[&"moon ".repeat(28)])).unwrap();
    assert_eq!(whole.prompt_tokens, 32);
    assert!((cut.vectors[0][0] - whole.vectors[0][0]).abs() < 1e-3);
    assert_eq!(embed(&mut worker, pairs(&long, &["sky"])), Err(GenerateError::InputTooLong));
}
