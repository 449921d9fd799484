//! Headers that are well, headers that lie in each way that hurt somebody, and a million that are neither.
#![expect(clippy::unwrap_used, reason = "a step that fails is a failed test")]

mod keys;
mod mutations;
mod seeds;
mod split;
mod vocabulary;
mod writer;

use std::fs::File as Disk;
use std::io::BufReader;
use std::path::PathBuf;

use gguf::{GgufError, Header};

use writer::{File, assert_malformed, text, u32};

/// The model files that scripts/fetch-models left, and those that other tests made of them.
fn models_at_hand() -> Vec<PathBuf> {
    let folder = std::env::home_dir().unwrap_or_default().join(".cache/hob/models");
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "gguf")).collect()
}

/// Says why a test did nothing.
#[expect(clippy::print_stderr, reason = "where cargo test shows what a test says")]
fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}

#[test]
fn a_model_that_is_well_is_read() {
    let header = File::model().read().unwrap();

    assert_eq!((header.architecture(), header.context_length()), ("llama", Some(2048)));
    assert_eq!(header.tensors.len(), 3);
    assert_eq!(header.split(), None);
}

#[test]
fn the_models_at_hand_are_read() {
    for path in models_at_hand() {
        let file = Disk::open(&path).unwrap();
        let bytes = file.metadata().unwrap().len();
        let read = Header::read(&mut BufReader::new(file), bytes);
        assert!(read.is_ok(), "{}: {}", path.display(), read.unwrap_err());
    }
}

#[test]
fn what_is_there_twice_is_refused() {
    let mut twice = File::model();
    twice.keys.push(("general.file_type".to_owned(), u32(1)));
    assert_malformed(&twice, "a key that is there twice");
    let mut twice = File::model();
    twice.tensors[2].0 = "token_embd.weight".to_owned();
    assert_malformed(&twice, "a tensor that is there twice");
}

#[test]
fn a_name_that_is_empty_or_hides_something_is_refused() {
    for name in ["", "\0", "llama.block_count\0"] {
        assert_malformed(&File::model().with(name, u32(0)), "the name of a key");
        assert_malformed(&File::model().with("general.architecture", text(name)), "the architecture");
        let mut model = File::model();
        model.tensors[0].0 = name.to_owned();
        assert_malformed(&model, "the name of a tensor");
    }
}

#[test]
fn tensors_lie_inside_the_file_and_not_upon_each_other() {
    let mut upon = File::model();
    upon.tensors[1].3 = 992;
    assert_malformed(&upon, "upon another");
    // Their order in the table is not that of their bytes, and gaps are allowed.
    let mut gapped = File::model();
    gapped.tensors.reverse();
    gapped.tensors[0].3 += 64;
    gapped.data_bytes += 64;
    assert!(gapped.read().is_ok());
    let mut outside = File::model();
    outside.data_bytes -= 1;
    assert!(matches!(outside.read(), Err(GgufError::TensorOutside { .. })));
    let mut overflowing = File::model();
    overflowing.tensors[0].1 = vec![1 << 32, 1 << 32];
    assert_malformed(&overflowing, "shape");
    let mut far = File::model();
    far.tensors[2].3 = u64::MAX - 31;
    assert!(far.read().is_err());
}
