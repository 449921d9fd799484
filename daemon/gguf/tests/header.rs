//! Headers that are well, headers that lie in each way that hurt somebody, and a million that are neither.
#![expect(clippy::unwrap_used, reason = "a step that fails is a failed test")]

use gguf::{GgufError, Header, Split};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// A value as it is written: its type's number, and its bytes.
#[derive(Clone)]
struct Written(u32, Vec<u8>);

fn text(text: &str) -> Written {
    Written(8, [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat())
}

fn u32(number: u32) -> Written {
    Written(4, number.to_le_bytes().to_vec())
}

fn u16(number: u16) -> Written {
    Written(2, number.to_le_bytes().to_vec())
}

fn f32(number: f32) -> Written {
    Written(6, number.to_le_bytes().to_vec())
}

fn list(items: &[Written]) -> Written {
    let mut bytes = items[0].0.to_le_bytes().to_vec();
    bytes.extend((items.len() as u64).to_le_bytes());
    items.iter().for_each(|item| bytes.extend(&item.1));
    Written(9, bytes)
}

/// A file in the making.
#[derive(Clone)]
struct File {
    keys: Vec<(String, Written)>,
    /// Name, dimensions, type, offset.
    tensors: Vec<(String, Vec<u64>, u32, u64)>,
    data_bytes: usize,
}

impl File {
    /// A small model with all that a real one has.
    fn model() -> Self {
        let tokens: Vec<Written> = ["<s>", "</s>", "a", "b"].map(text).to_vec();
        let keys = [
            ("general.architecture", text("llama")),
            ("general.type", text("model")),
            ("general.alignment", u32(32)),
            ("general.file_type", u32(0)),
            ("general.quantized", Written(7, vec![1])),
            ("llama.block_count", u32(2)),
            ("llama.context_length", Written(10, 2048_u64.to_le_bytes().to_vec())),
            ("llama.embedding_length", u32(64)),
            ("llama.attention.head_count", list(&[u32(4), u32(4)])),
            ("llama.attention.layer_norm_rms_epsilon", f32(1e-5)),
            ("tokenizer.ggml.model", text("gpt2")),
            ("tokenizer.ggml.tokens", list(&tokens)),
            ("tokenizer.ggml.scores", list(&[f32(0.0), f32(0.0), f32(-1.0), f32(-2.0)])),
            ("tokenizer.ggml.token_type", list(&vec![Written(5, 1_i32.to_le_bytes().to_vec()); 4])),
            ("tokenizer.ggml.merges", list(&[text("a b")])),
            ("tokenizer.ggml.bos_token_id", u32(0)),
            ("tokenizer.chat_template", text("{{ messages }}")),
        ];
        let tensors = vec![
            ("token_embd.weight".to_owned(), vec![64, 4], 0, 0),
            ("blk.0.attn_q.weight".to_owned(), vec![64, 64], 2, 1024),
            ("output_norm.weight".to_owned(), vec![64], 0, 1024 + 2304),
        ];
        let keys = keys.map(|(key, value)| (key.to_owned(), value)).to_vec();
        Self { keys, tensors, data_bytes: 1024 + 2304 + 256 }
    }

    fn with(mut self, key: &str, value: Written) -> Self {
        self.keys.retain(|(known, _)| known != key);
        self.keys.push((key.to_owned(), value));
        self
    }

    fn without(mut self, key: &str) -> Self {
        self.keys.retain(|(known, _)| known != key);
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = b"GGUF".to_vec();
        bytes.extend(3_u32.to_le_bytes());
        bytes.extend((self.tensors.len() as u64).to_le_bytes());
        bytes.extend((self.keys.len() as u64).to_le_bytes());
        for (key, value) in &self.keys {
            bytes.extend(text(key).1);
            bytes.extend(value.0.to_le_bytes());
            bytes.extend(&value.1);
        }
        for (name, dimensions, kind, offset) in &self.tensors {
            bytes.extend(text(name).1);
            bytes.extend((dimensions.len() as u32).to_le_bytes());
            dimensions.iter().for_each(|size| bytes.extend(size.to_le_bytes()));
            bytes.extend(kind.to_le_bytes());
            bytes.extend(offset.to_le_bytes());
        }
        bytes.resize(bytes.len().next_multiple_of(32) + self.data_bytes, 0);
        bytes
    }

    fn read(&self) -> Result<Header, GgufError> {
        read(&self.bytes())
    }
}

fn read(bytes: &[u8]) -> Result<Header, GgufError> {
    Header::read(&mut &bytes[..], bytes.len() as u64)
}

#[track_caller]
fn assert_malformed(file: &File, says: &str) {
    let error = file.read().unwrap_err();
    assert!(matches!(error, GgufError::Malformed { .. }) && error.to_string().contains(says), "{error}");
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
    let Some(cache) = std::env::home_dir().map(|home| home.join(".cache/hob/models")) else { return };
    for file in std::fs::read_dir(cache).into_iter().flatten().flatten() {
        if file.path().extension().is_some_and(|extension| extension == "gguf") {
            let bytes = std::fs::read(file.path()).unwrap();
            read(&bytes).unwrap_or_else(|error| panic!("{}: {error}", file.path().display()));
        }
    }
}

#[test]
fn lists_that_are_read_as_another_type_are_refused() {
    for (key, value) in [
        ("tokenizer.ggml.scores", list(&vec![u32(0); 4])),
        ("tokenizer.ggml.token_type", list(&vec![text("x"); 4])),
        ("tokenizer.ggml.tokens", list(&vec![u32(0); 4])),
        ("tokenizer.ggml.merges", f32(0.0)),
        ("tokenizer.ggml.precompiled_charsmap", list(&[text("x")])),
        ("tokenizer.chat_template", u32(1)),
        ("general.architecture", u32(1)),
        ("general.alignment", text("32")),
    ] {
        assert_malformed(&File::model().with(key, value), "the type of a key");
    }
}

#[test]
fn lists_shorter_than_the_vocabulary_are_refused() {
    assert_malformed(&File::model().with("tokenizer.ggml.scores", list(&[f32(0.0)])), "scores");
    assert_malformed(&File::model().with("tokenizer.ggml.token_type", list(&[u32(0)])), "token types");
    assert_malformed(&File::model().without("tokenizer.ggml.tokens"), "scores");
}

#[test]
fn a_token_as_long_as_a_book_is_refused() {
    let long = "a".repeat((1 << 16) + 1);
    let tokens = list(&[text(&long), text("a"), text("b"), text("c")]);
    assert_malformed(&File::model().with("tokenizer.ggml.tokens", tokens), "the length of a text");
}

#[test]
fn numbers_that_are_divided_by_or_asserted_on_are_in_range() {
    for (key, value, says) in [
        ("llama.block_count", u32(0), "blocks"),
        ("llama.block_count", u32(513), "blocks"),
        ("llama.block_count", text("2"), "blocks"),
        ("llama.embedding_length", u32(0), "embedding"),
        ("llama.context_length", u32(0), "context"),
        ("llama.expert_count", u32(513), "experts"),
        ("llama.attention.head_count", f32(1.0), "heads"),
        ("llama.attention.head_count", u32(u32::MAX), "heads"),
        ("general.alignment", u32(0), "alignment"),
        ("general.alignment", u32(48), "alignment"),
        ("general.alignment", u32(1 << 20), "alignment"),
    ] {
        assert_malformed(&File::model().with(key, value), says);
    }
    assert_malformed(&File::model().without("llama.block_count"), "blocks is missing");
    assert_malformed(&File::model().without("general.architecture"), "architecture is missing");
    assert!(File::model().with("llama.attention.head_count", u32(0)).read().is_ok(), "as Mamba has it");
}

#[test]
fn adapters_and_projectors_need_no_blocks() {
    assert!(File::model().without("llama.block_count").with("general.type", text("adapter")).read().is_ok());
    assert!(
        File::model().without("llama.block_count").with("general.architecture", text("clip")).read().is_ok()
    );
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
fn tensors_lie_inside_the_file_and_not_upon_each_other() {
    let mut upon = File::model();
    upon.tensors[1].3 = 992;
    assert_malformed(&upon, "upon another");
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

#[test]
fn the_files_of_a_split_model_are_all_there_or_not() {
    let part = |number: u16, tensors: usize| {
        let mut file = if number == 0 { File::model() } else { File { keys: Vec::new(), ..File::model() } };
        file.tensors.truncate(tensors);
        let file = file.with("split.no", u16(number)).with("split.count", u16(2));
        file.with("split.tensors.count", Written(5, 3_i32.to_le_bytes().to_vec())).read().unwrap()
    };
    let (first, second) = (part(0, 2), part(1, 1));

    assert_eq!(second.split(), Some(Split { number: 1, count: 2, tensors: 3 }));
    assert!(Split::is_complete([&second, &first]));
    assert!(!Split::is_complete([&first]) && !Split::is_complete([&first, &first]));
    assert!(!Split::is_complete([&part(0, 3), &second]) && !Split::is_complete([]));
}

#[test]
fn a_split_model_is_put_together_as_the_one_that_it_was() {
    let whole = {
        let mut bytes = File::model().bytes();
        let data = bytes.len() - File::model().data_bytes;
        bytes[data..].iter_mut().enumerate().for_each(|(n, byte)| *byte = (n % 251) as u8);
        bytes
    };
    let data = &whole[whole.len() - File::model().data_bytes..];
    // Each part has its own offsets, from its own beginning.
    let part = |number: u16, tensors: std::ops::Range<usize>| {
        let keys = if number == 0 { File::model().keys } else { Vec::new() };
        let first = File::model().tensors[tensors.start].3;
        let end = File::model().tensors.get(tensors.end).map_or(data.len() as u64, |next| next.3);
        let mut file = File {
            keys,
            tensors: File::model().tensors[tensors].to_vec(),
            data_bytes: (end - first) as usize,
        };
        file.tensors.iter_mut().for_each(|tensor| tensor.3 -= first);
        let file = file.with("split.no", u16(number)).with("split.count", u16(2));
        let file = file.with("split.tensors.count", Written(5, 3_i32.to_le_bytes().to_vec()));
        let mut bytes = file.bytes();
        let from = bytes.len() - file.data_bytes;
        bytes[from..].copy_from_slice(&data[first as usize..end as usize]);
        (read(&bytes).unwrap(), std::io::Cursor::new(bytes))
    };
    let mut merged = Vec::new();

    gguf::merge(vec![part(1, 1..3), part(0, 0..1)], &mut merged).unwrap();

    assert_eq!(merged, whole);
    assert!(gguf::merge(vec![part(1, 1..3)], &mut Vec::new()).is_err());
}

/// Numbers at which arithmetic breaks.
const INTERESTING: [u64; 12] =
    [0, 1, 8, 9, 0x7f, 0xff, 0x7fff_ffff, 0xffff_ffff, 1 << 32, i64::MAX as u64, u64::MAX - 31, u64::MAX];

/// One change of a file that somebody might make.
fn mutate(bytes: &mut Vec<u8>, random: &mut StdRng) {
    let at = random.random_range(0..bytes.len());
    match random.random_range(0..6) {
        0 => bytes[at] ^= 1 << random.random_range(0..8),
        1 => bytes[at] = random.random_range(0..=255),
        2 | 3 => {
            let number = INTERESTING[random.random_range(0..INTERESTING.len())].to_le_bytes();
            let width = [4, 8][random.random_range(0..2)].min(bytes.len() - at);
            bytes[at..at + width].copy_from_slice(&number[..width]);
        }
        4 => bytes.truncate(at.max(1)),
        _ => {
            let from = random.random_range(0..bytes.len());
            let count = random.random_range(0..64).min(bytes.len() - from);
            let piece: Vec<u8> = bytes[from..from + count].to_vec();
            bytes.splice(at..at, piece);
        }
    }
}

#[test]
fn a_million_mutations_of_a_header_are_read_or_refused() {
    let whole = File::model().bytes();
    let mut random = StdRng::seed_from_u64(1);
    let mut accepted = 0;
    for _ in 0..1_000_000 {
        let mut bytes = whole.clone();
        for _ in 0..random.random_range(1..4) {
            mutate(&mut bytes, &mut random);
        }
        // What is accepted holds what was promised.
        if let Ok(header) = read(&bytes) {
            accepted += 1;
            assert!(header.tensors.iter().all(|tensor| tensor.offset + tensor.bytes <= bytes.len() as u64));
            let _fits = (header.parameter_count(), header.quantization(), header.split());
        }
    }
    assert!((1..1_000_000).contains(&accepted), "some are accepted and some are not: {accepted}");
}
