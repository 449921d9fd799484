//! What the fuzzer starts from: small files of each kind, checked in under `fuzz/seeds` so that it needs no build of this.

use std::path::PathBuf;

use crate::writer::{File, Written, f32, i32, list, read, text, u16, u32};

/// Name, bytes, and what its error says; nothing for one that is accepted.
fn seeds() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    // The data is not read and must only be there, so little of it is.
    let model = || {
        let mut model = File::model();
        model.tensors = vec![
            ("token_embd.weight".to_owned(), vec![8, 4], 0, 0),
            ("blk.0.attn_q.weight".to_owned(), vec![32, 2], 2, 128),
        ];
        model.data_bytes = 128 + 36;
        model
    };
    let part =
        model().with("split.no", u16(1)).with("split.count", u16(2)).with("split.tensors.count", i32(5));
    let adapter = model().without("llama.block_count").with("general.type", text("adapter"));
    let mamba = model().with("general.architecture", text("mamba")).with("mamba.block_count", u32(2));
    let twice = list(&["a", "a", "b", "c"].map(text));
    let mut upon = model();
    upon.tensors[1].3 = 0;
    let mut overflowing = model();
    overflowing.tensors[0].1 = vec![1 << 32, 1 << 32];
    let nested =
        model().with("nested", Written(9, [&9_u32.to_le_bytes()[..], &[1, 0, 0, 0, 0, 0, 0, 0]].concat()));
    let huge = [&b"GGUF\x03\0\0\0"[..], &[0xff; 16]].concat();
    let whole = model().bytes();
    vec![
        ("model", whole.clone(), ""),
        ("part", part.bytes(), ""),
        ("adapter", adapter.bytes(), ""),
        ("mamba", mamba.with("mamba.attention.head_count", u32(0)).bytes(), ""),
        ("cut", whole[..whole.len() / 8].to_vec(), "cut short"),
        ("huge-count", huge, "the number of tensors"),
        ("array-of-arrays", nested.bytes(), "element type"),
        ("token-twice", model().with("tokenizer.ggml.tokens", twice).bytes(), "there twice"),
        ("short-scores", model().with("tokenizer.ggml.scores", list(&[f32(0.0)])).bytes(), "scores"),
        ("no-heads", model().with("llama.attention.head_count", u32(0)).bytes(), "heads"),
        ("overlap", upon.bytes(), "upon another"),
        ("overflow", overflowing.bytes(), "shape"),
    ]
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds")
}

#[test]
fn the_seeds_are_what_they_are_called() {
    let mut total = 0;
    for (name, bytes, error) in seeds() {
        let kept = std::fs::read(folder().join(name)).unwrap();
        assert_eq!(
            kept, bytes,
            "{name} is old: cargo test -p gguf --test header -- --ignored writes it anew"
        );
        let said = read(&bytes).map_or_else(|error| error.to_string(), |_| String::new());
        assert!(said.contains(error) && said.is_empty() == error.is_empty(), "{name}: {said}");
        total += bytes.len();
    }
    assert_eq!(std::fs::read_dir(folder()).unwrap().count(), seeds().len());
    assert!(total < 20_000, "{total} bytes are much to check in");
}

#[test]
#[ignore = "writes fuzz/seeds"]
fn write_the_seeds() {
    for (name, bytes, _) in seeds() {
        std::fs::write(folder().join(name), bytes).unwrap();
    }
}
