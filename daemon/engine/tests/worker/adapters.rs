//! LoRA adapters, request by request.

use protocol::{AdapterScale, Generate, GenerateError};

use crate::harness::{Worker, chat, files, greedy, open_model, options};

const BASE: &str = "SmolLM2-135M-Instruct.F16.gguf";
const ADAPTER: &str = "SmolLM2-135M-Instruct.lora.gguf";
const MERGED: &str = "SmolLM2-135M-Instruct.F16-merged.gguf";

fn worker(model: &str, adapters: usize) -> Worker {
    let adapters = (0..adapters).map(|_| open_model(ADAPTER)).collect();
    Worker::load_files(options(512, 3, None), engine::Files { model: open_model(model), adapters, ..files() })
        .unwrap()
}

fn asked(scales: &[f32]) -> Generate {
    let scales =
        scales.iter().enumerate().map(|(at, scale)| AdapterScale { adapter: at as u32, scale: *scale });
    Generate { adapters: Some(scales.collect()), ..chat("Why is the sky blue?", greedy(8)) }
}

#[test]
fn a_request_says_how_strongly_adapters_are_laid_over_the_model() {
    let said = |model: &str| worker(model, 0).answer(chat("Why is the sky blue?", greedy(8))).unwrap().0;
    let (plain, merged) = (said(BASE), said(MERGED));
    assert_ne!(plain, merged);

    let mut worker = worker(BASE, 2);
    let mut said = |scales: &[f32]| worker.answer(asked(scales)).unwrap().0;
    assert_eq!(said(&[1.0]), merged, "the other one is left out");
    assert_eq!(said(&[0.5, 0.5]), merged, "both are the same one");
    assert_eq!(said(&[]), plain);
    assert_eq!(said(&[0.0, 1.0]), merged);
}

#[test]
fn requests_with_different_adapters_run_side_by_side_and_keep_apart() {
    let mut worker = worker(BASE, 1);
    let alone: Vec<String> = [1.0, 0.0, 2.0].map(|scale| worker.answer(asked(&[scale])).unwrap().0).into();
    // Their prompt is the same, and what was computed for it is not.
    let together: Vec<_> = [1.0, 0.0, 2.0].map(|scale| worker.begin(asked(&[scale]))).into();
    let together: Vec<String> = worker.all(&together).into_iter().map(|(said, _)| said).collect();
    assert_eq!(together, alone);

    let (_, again) = worker.answer(asked(&[2.0])).unwrap();
    assert!(again.cached_tokens > 0, "what was computed with the same scales is used again");
}

#[test]
fn an_adapter_that_is_not_there_is_refused() {
    let refused = worker(BASE, 1).answer(asked(&[1.0, 1.0]));
    assert!(matches!(refused, Err(GenerateError::NoAdapter { adapter: 1, adapters: 1 })), "{refused:?}");
}

#[test]
fn an_adapter_for_another_model_is_refused_in_words() {
    let files = engine::Files {
        model: open_model("tiny-windowed.gguf"),
        adapters: vec![open_model(ADAPTER)],
        ..files()
    };
    let reason = Worker::load_files(options(512, 1, None), files).err().expect("it is refused");
    assert!(reason.contains("arch"), "{reason}");
}
