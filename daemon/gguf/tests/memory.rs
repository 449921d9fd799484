//! What a header costs is bounded by its file, whatever it says. Alone here, as all that is allocated meanwhile counts.
#![expect(clippy::unwrap_used, reason = "a step that fails is a failed test")]

#[path = "header/writer.rs"]
#[expect(dead_code, reason = "the other tests need the rest of it")]
mod writer;

use std::alloc::System;

use gguf::{GgufError, Header, Value};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

use writer::{File, Written, list, read, text, u32};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Reads a file, and says how many bytes were allocated meanwhile, freed ones included.
fn cost(bytes: &[u8]) -> (Result<Header, GgufError>, usize) {
    let region = Region::new(ALLOCATOR);
    let read = read(bytes);
    (read, region.change().bytes_allocated)
}

/// Up to the count of tensors; of version 3.
fn start(tensors: u64, keys: u64) -> Vec<u8> {
    [&b"GGUF\x03\0\0\0"[..], &tensors.to_le_bytes(), &keys.to_le_bytes()].concat()
}

fn array(element: u32, count: u64) -> Vec<u8> {
    let key = text("a").1;
    [&key[..], &9_u32.to_le_bytes(), &element.to_le_bytes(), &count.to_le_bytes()].concat()
}

#[test]
fn no_more_is_allocated_than_a_file_can_hold() {
    // Counts below their caps that the file is too short for: nothing is reserved.
    let mut lies = vec![
        start(100_000, 0),
        start(0, 10_000),
        [start(0, 1), (1_u64 << 11).to_le_bytes().to_vec()].concat(),
        [start(0, 1), text("a").1, 8_u32.to_le_bytes().to_vec(), (1_u64 << 23).to_le_bytes().to_vec()]
            .concat(),
    ];
    lies.extend((0..=12).filter(|kind| *kind != 9).map(|kind| [start(0, 1), array(kind, 1 << 20)].concat()));
    // As many elements as bytes follow, though each needs more than one.
    let wide = (0..=12).filter(|kind| ![0, 1, 7, 9].contains(kind));
    lies.extend(wide.map(|kind| [start(0, 1), array(kind, 1 << 16), vec![0; 1 << 16]].concat()));
    for bytes in lies {
        let (read, allocated) = cost(&bytes);
        assert!(matches!(read, Err(GgufError::Truncated)), "{read:?}");
        assert!(allocated < 1024, "{allocated} bytes for a file of {}", bytes.len());
    }

    // What is there costs in proportion; the worst is an array of bytes, of which each becomes a value.
    let model = File::model();
    let tokens: Vec<Written> = (0..20_000).map(|number| text(&format!("{number}"))).collect();
    let vocabulary = model.clone().without("tokenizer.ggml.scores").without("tokenizer.ggml.token_type");
    let mut keys = model.clone();
    keys.keys.extend((0..10_000).map(|number| (format!("k{number}"), u32(number))));
    let mut tensors = model.clone();
    tensors.tensors.extend((0..10_000).map(|number| (format!("t{number}"), vec![1], 24, 3584 + 32 * number)));
    tensors.data_bytes += 32 * 10_000;
    for file in [
        model.clone(),
        model.with("bytes", list(&vec![Written(0, vec![7]); 100_000])),
        vocabulary.with("tokenizer.ggml.tokens", list(&tokens)),
        keys,
        tensors,
    ] {
        let bytes = file.bytes();
        let (read, allocated) = cost(&bytes);
        read.unwrap();
        let most = (size_of::<Value>() + 8) * bytes.len() + 1024;
        assert!(allocated < most, "{allocated} bytes for a file of {}", bytes.len());
    }
}
