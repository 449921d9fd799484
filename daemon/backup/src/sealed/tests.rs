//! What was sealed is opened again, and nothing else is.

use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::BackupError;

fn passphrase() -> Passphrase {
    "correct horse battery".parse().unwrap()
}

/// Cheap, since many are tried.
fn sealed(bytes: &[u8]) -> Vec<u8> {
    let mut sealer = Sealer::of_work(Vec::new(), &passphrase(), 4).unwrap();
    sealer.write_all(bytes).unwrap();
    sealer.finish().unwrap()
}

fn opened(file: &[u8], passphrase: &Passphrase) -> Result<Vec<u8>, BackupError> {
    let mut rest = file.strip_prefix(INTRODUCTION.as_bytes()).unwrap_or_default();
    let unopened = Unopened::read(&mut rest)?;
    let mut bytes = Vec::new();
    Opened::new(rest, unopened, passphrase)?.read_to_end(&mut bytes).map_err(BackupError::reading)?;
    Ok(bytes)
}

#[test]
fn what_was_sealed_is_opened_by_its_passphrase_and_no_other() {
    for length in [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 3 * PIECE + 7] {
        let bytes: Vec<u8> = (0..length).map(|at| at as u8).collect();
        let file = sealed(&bytes);
        assert_eq!(opened(&file, &passphrase()).unwrap(), bytes, "{length}");
    }
    let wrong = opened(&sealed(b"a"), &"correct horse batterx".parse().unwrap());
    assert!(matches!(wrong, Err(BackupError::WrongPassphrase)));
}

/// Made by the crate `age` 0.12.1, with a work factor of 10: five times an `x`.
const AGES: &str = "YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IHNjcnlwdCBnaGN5T2FsbGhGYnY1VTBnL3FXNXFBIDEwClZodDc0M0VPVVJTOStqWStlZWZOdXFlRXRGRWFDN0tMUk8rQnFWUEhRdVkKLS0tIFk0RHh1d00wSVdjL0xvd2lQdFBFYjJYZnl5NkhFOW9keTFZcitZNGVEV0kKlkSYdMZ7LVSjUAXIEGdCUkYB5L+96KyQ6Ilb+Ge7aLKtLcU21g==";

#[test]
fn what_age_sealed_is_opened() {
    let file = STANDARD.decode(AGES).unwrap();
    assert_eq!(opened(&file, &passphrase()).unwrap(), b"xxxxx");
}

#[test]
fn nothing_that_was_changed_cut_off_moved_or_added_to_is_opened() {
    let bytes = [7; 2 * PIECE + 100];
    let file = sealed(&bytes);
    for at in (0..file.len()).step_by(997).chain(0..220).chain([file.len() - 1]) {
        let mut changed = file.clone();
        changed[at] ^= 1;
        assert!(opened(&changed, &passphrase()).is_err(), "changed at {at}");
    }
    let payload = file.len() - (2 * PIECE + 100 + 3 * TAG);
    let piece = PIECE + TAG;
    for end in [0, 30, payload, payload + 1, payload + piece, payload + 2 * piece, file.len() - 1] {
        assert!(opened(&file[..end], &passphrase()).is_err(), "cut off at {end}");
    }
    let swapped = [
        &file[..payload],
        &file[payload + piece..payload + 2 * piece],
        &file[payload..payload + piece],
        &file[payload + 2 * piece..],
    ]
    .concat();
    assert!(opened(&swapped, &passphrase()).is_err());
    assert!(opened(&[&file[..], &[0]].concat(), &passphrase()).is_err());
}

#[test]
fn a_file_that_asks_for_much_memory_is_not_tried() {
    let file = sealed(b"a");
    let end = file.windows(3).position(|window| window == b" 4\n").unwrap();
    let dear = [&file[..end], b" 30\n", &file[end + 3..]].concat();

    assert!(matches!(opened(&dear, &passphrase()), Err(BackupError::TooDear)));
}

#[test]
fn a_passphrase_is_not_short_and_does_not_show_itself() {
    assert_eq!("123456789".parse::<Passphrase>(), Err(InvalidPassphrase));
    assert!("a".repeat(MOST + 1).parse::<Passphrase>().is_err());
    assert!("一二三四五六七八九十".parse::<Passphrase>().is_ok());
    assert!(!format!("{:?}", passphrase()).contains("horse"));
}
