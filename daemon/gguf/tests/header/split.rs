//! Models that lie in several files.

use std::collections::BTreeMap;
use std::fs::File as Disk;
use std::io::BufReader;

use gguf::{Header, Split};

use crate::models_at_hand;
use crate::writer::{File, assert_malformed, i32, read, text, u16, u32};

/// One of two files, the later without metadata of its own.
fn part(number: u16, tensors: std::ops::Range<usize>) -> File {
    let keys = if number == 0 { File::model().keys } else { Vec::new() };
    let file = File { keys, tensors: File::model().tensors[tensors].to_vec(), ..File::model() };
    file.with("split.no", u16(number)).with("split.count", u16(2)).with("split.tensors.count", i32(3))
}

#[test]
fn the_files_of_a_split_model_are_all_there_or_not() {
    let (first, second) = (part(0, 0..2).read().unwrap(), part(1, 2..3).read().unwrap());

    assert_eq!(second.split(), Some(Split { number: 1, count: 2, tensors: 3 }));
    assert!(Split::is_complete([&second, &first]));
    assert!(!Split::is_complete([&first]) && !Split::is_complete([&first, &first]));
    assert!(!Split::is_complete([&part(0, 0..1).read().unwrap(), &second]), "a tensor is missing");
    assert!(!Split::is_complete([&part(0, 0..3).read().unwrap(), &second]), "a tensor is there twice");
    assert!(!Split::is_complete([&first, &part(0, 2..3).read().unwrap()]), "a number is there twice");
    let of_three = part(1, 2..3).with("split.count", u16(3)).read().unwrap();
    assert!(!Split::is_complete([&first, &of_three]) && !Split::is_complete([&of_three, &first]));
    assert!(!Split::is_complete([&first, &second, &File::model().read().unwrap()]));
    assert!(!Split::is_complete([]));
}

#[test]
fn a_whole_file_is_no_part_though_it_once_was_split() {
    for count in [0, 1] {
        let whole = File::model().with("split.no", u16(0)).with("split.count", u16(count));
        assert_eq!(whole.with("split.tensors.count", i32(3)).read().unwrap().split(), None);
    }
}

#[test]
fn a_part_says_which_it_is() {
    assert_malformed(&part(0, 0..2).without("split.no"), "a split file");
    assert_malformed(&part(0, 0..2).without("split.tensors.count"), "tensors");
    assert_malformed(&part(2, 2..3), "the number of a split file is 2 of 2");
    assert_malformed(&part(0, 0..2).with("split.tensors.count", i32(1)), "tensors");
    assert_malformed(&part(0, 0..2).with("split.tensors.count", i32(-3)), "negative");
    for key in ["split.no", "split.count", "split.tensors.count"] {
        assert_malformed(&part(0, 0..2).with(key, u32(1)), "the type of a key");
        assert_malformed(&part(0, 0..2).with(key, text("1")), "the type of a key");
    }
    // A file that says to be a later one cannot be taken for a model, so only the first needs the rest.
    assert_malformed(&part(0, 0..2).without("llama.block_count"), "blocks is missing");
}

#[test]
fn the_split_models_at_hand_are_complete() {
    let mut models: BTreeMap<String, Vec<Header>> = BTreeMap::new();
    for path in models_at_hand() {
        let file = Disk::open(&path).unwrap();
        let bytes = file.metadata().unwrap().len();
        let name = path.display().to_string();
        if let Some((stem, _)) = name.rsplit_once("-of-") {
            let header = Header::read(&mut BufReader::new(file), bytes).unwrap();
            models
                .entry(stem.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned())
                .or_default()
                .push(header);
        }
    }
    for (name, headers) in models {
        // Another test may be writing them.
        if headers[0].split().is_some_and(|split| split.count == headers.len() as u64) {
            assert!(Split::is_complete(&headers), "{name}");
            assert!(!Split::is_complete(&headers[1..]), "{name}");
        }
    }
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
        let file = file.with("split.tensors.count", i32(3));
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
