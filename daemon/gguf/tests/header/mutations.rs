//! Headers changed at random. A seeded generator and not proptest: a million cases need no strategies, and there is nothing to
//! shrink, as the number of a case and its bytes say all.

use std::collections::BTreeMap;
use std::fs::File as Disk;
use std::io::{BufReader, Cursor, Read};

use gguf::{GgufError, Header, Split};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::models_at_hand;
use crate::writer::{File, i32, read, u16};

/// Numbers at which arithmetic breaks, and those of ggml's types.
const INTERESTING: [u64; 18] = [
    0,
    1,
    2,
    5,
    8,
    9,
    12,
    0x7f,
    0xff,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    1 << 32,
    i64::MAX as u64,
    1 << 63,
    u64::MAX - 31,
    u64::MAX,
];

/// One change of a file that somebody might make, around a place.
fn mutate(bytes: &mut Vec<u8>, at: usize, random: &mut StdRng) {
    match random.random_range(0..8) {
        0 => bytes[at] ^= 1 << random.random_range(0..8),
        1 => bytes[at] = random.random_range(0..=255),
        2 | 3 => {
            let number = INTERESTING[random.random_range(0..INTERESTING.len())].to_le_bytes();
            let width = [1, 2, 4, 8][random.random_range(0..4)].min(bytes.len() - at);
            bytes[at..at + width].copy_from_slice(&number[..width]);
        }
        4 => bytes.truncate(at.max(1)),
        5 => drop(bytes.drain(at..(at + random.random_range(1..64)).min(bytes.len().max(at + 1)))),
        6 => {
            let piece: Vec<u8> =
                (0..random.random_range(1..16)).map(|_| random.random_range(0..=255)).collect();
            bytes.splice(at..at, piece);
        }
        _ => {
            let from = random.random_range(0..bytes.len());
            let count = random.random_range(0..64).min(bytes.len() - from);
            let piece: Vec<u8> = bytes[from..from + count].to_vec();
            bytes.splice(at..at, piece);
        }
    }
    if bytes.is_empty() {
        bytes.push(0);
    }
}

/// What a header promises once it was accepted.
fn assert_promises(header: &Header, file_bytes: u64) {
    let mut ends: Vec<_> = header.tensors.iter().map(|tensor| (tensor.offset, tensor.bytes)).collect();
    ends.sort_unstable();
    assert!(ends.windows(2).all(|pair| pair[0].0 + pair[0].1 <= pair[1].0), "tensors overlap");
    assert!(ends.iter().all(|(offset, bytes)| offset + bytes <= file_bytes && *bytes > 0));
    assert!(ends.iter().all(|(offset, _)| offset.is_multiple_of(header.alignment)));
    let split = header.split();
    assert!(split.is_none_or(|split| split.number < split.count));
    let is_first = split.is_none_or(|split| split.number == 0);
    assert!(!is_first || !header.architecture().is_empty());
    let _fits = (header.parameter_count(), header.quantization(), header.chat_template());
    let _whole = Split::is_complete([header]);
}

/// Such as the name of the error, and of what was malformed.
fn outcome(read: &Result<Header, GgufError>) -> &'static str {
    match read {
        Ok(_) => "accepted",
        Err(GgufError::Malformed { what, .. }) => what,
        Err(GgufError::TensorOutside { .. }) => "outside",
        Err(GgufError::Truncated) => "truncated",
        Err(GgufError::NotGguf | GgufError::Version(_)) => "not ours",
        Err(other) => panic!("{other}"),
    }
}

/// Runs as many mutations of some file, with each place as likely as another; says how often each outcome was.
fn run(whole: &[u8], seed: u64, cases: usize) -> BTreeMap<&'static str, usize> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut outcomes = BTreeMap::new();
    let mut bytes = Vec::new();
    for _ in 0..cases {
        bytes.clear();
        bytes.extend(whole);
        for _ in 0..random.random_range(1..4) {
            let at = random.random_range(0..bytes.len());
            mutate(&mut bytes, at, &mut random);
        }
        let read = read(&bytes);
        if let Ok(header) = &read {
            assert_promises(header, bytes.len() as u64);
        }
        *outcomes.entry(outcome(&read)).or_default() += 1;
    }
    outcomes
}

#[test]
fn a_million_mutations_of_a_header_are_read_or_refused() {
    let part = File::model().with("split.no", u16(0)).with("split.count", u16(2));
    let files = [File::model().bytes(), part.with("split.tensors.count", i32(3)).bytes()];

    // A thread each, as the million is most of this crate's time.
    let outcomes = std::thread::scope(|scope| {
        let running: Vec<_> =
            (1..).zip(&files).map(|(seed, whole)| scope.spawn(move || run(whole, seed, 500_000))).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });

    for outcomes in outcomes {
        let accepted = outcomes["accepted"];
        assert!(
            (50_000..450_000).contains(&accepted),
            "the mutations are too harsh or too mild: {outcomes:?}"
        );
        assert!(outcomes.len() > 30, "they do not come deep enough: {outcomes:?}");
    }
}

#[test]
fn mutations_of_a_real_header_are_read_or_refused() {
    let Some(path) =
        models_at_hand().into_iter().find(|path| path.ends_with("SmolLM2-135M-Instruct.Q4_1.gguf"))
    else {
        return crate::skipped(
            "SmolLM2-135M-Instruct.Q4_1.gguf is not there; scripts/fetch-models brings it",
        );
    };
    let file = Disk::open(path).unwrap();
    let file_bytes = file.metadata().unwrap().len();
    let mut reader = Counted(BufReader::new(file), 0);
    let header = Header::read(&mut reader, file_bytes).unwrap();
    let mut whole = vec![0; reader.1];
    let data = file_bytes - whole.len() as u64;
    let mut reader = reader.0.into_inner();
    std::io::Seek::rewind(&mut reader).unwrap();
    reader.read_exact(&mut whole).unwrap();
    let mut random = StdRng::seed_from_u64(3);
    let mut outcomes: BTreeMap<_, usize> = BTreeMap::new();

    for _ in 0..2_000 {
        let mut bytes = whole.clone();
        // Nearly all of it is the vocabulary, so most changes are made before and behind it.
        let at = match random.random_range(0..5) {
            0..=2 => random.random_range(0..2048),
            3 => random.random_range(0..bytes.len()),
            _ => bytes.len() - random.random_range(1..20 << 10),
        };
        mutate(&mut bytes, at, &mut random);
        let file_bytes = data + bytes.len() as u64;
        let read = Header::read(&mut Cursor::new(&bytes), file_bytes);
        if let Ok(header) = &read {
            assert_promises(header, file_bytes);
        }
        *outcomes.entry(outcome(&read)).or_default() += 1;
    }

    assert_eq!(header.tensors.len(), 272);
    assert!(outcomes["accepted"] > 100 && outcomes.len() > 15, "{outcomes:?}");
}

/// Counts the bytes that were read, which are the header's.
struct Counted<R>(R, usize);

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let count = self.0.read(into)?;
        self.1 += count;
        Ok(count)
    }
}
