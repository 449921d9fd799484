//! What a box is called by: the hash of its root certificate, written so that a person can compare it, read it aloud, and type
//! it. Pure.

use std::fmt;
use std::str::FromStr;

use rustls_pki_types::CertificateDer;
use sha2::{Digest as _, Sha256};

/// Who a box is: the SHA-256 of its root certificate. Written as four blocks of 13 letters and digits, each with a
/// check digit of its own, in groups of four: `MFZW-I3DB-ON2G-4V…`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeviceId([u8; 32]);

impl DeviceId {
    /// That of the box whose root this is.
    pub fn of(root: &CertificateDer<'_>) -> Self {
        Self(Sha256::digest(root.as_ref()).into())
    }

    /// The first block with its check digit, for where there is little room: `MFZW-I3DB-ON2G-4V`. To make a root that has the
    /// same takes 2^65 tries.
    pub fn short(&self) -> String {
        grouped(&self.characters()[..BLOCK + 1])
    }

    /// The first group in small letters, for the name of the box on its network.
    pub fn label_letters(&self) -> String {
        self.characters()[..GROUP]
            .iter()
            .map(|digit| char::from(ALPHABET[usize::from(*digit)]))
            .collect::<String>()
            .to_lowercase()
    }

    /// What a box with this ID is called on its network, before `.local`: `hob-mfzw`.
    pub fn label(&self) -> String {
        format!("hob-{}", self.label_letters())
    }

    /// All digits, as numbers below 32, those that check included.
    fn characters(&self) -> Vec<u8> {
        let mut digits = Vec::with_capacity(CHARACTERS);
        let (mut bits, mut held) = (0_u32, 0);
        for byte in self.0 {
            bits = bits << 8 | u32::from(byte);
            held += 8;
            while held >= 5 {
                held -= 5;
                digits.push((bits >> held) as u8 & 31);
            }
        }
        digits.push((bits << (5 - held)) as u8 & 31);
        digits.chunks(BLOCK).flat_map(|block| block.iter().copied().chain([check(block)])).collect()
    }
}

/// Letters and digits of a block, before the one that checks them.
const BLOCK: usize = 13;
/// Between two dashes.
const GROUP: usize = 4;
/// In all: 256 bits are 52 digits of 5, in four blocks.
const CHARACTERS: usize = 4 * (BLOCK + 1);
/// RFC 4648's, which has neither 0 nor 1 nor 8.
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The digit that checks a block: in the field of 32 elements, so that, unlike with Luhn's sum, no exchange of two neighbours
/// goes unseen, and no wrong digit.
fn check(block: &[u8]) -> u8 {
    block.iter().fold(0, |sum, digit| {
        let doubled = (sum ^ digit) << 1;
        if doubled & 32 == 0 { doubled } else { doubled ^ 0b10_0101 }
    })
}

fn grouped(digits: &[u8]) -> String {
    let groups = digits
        .chunks(GROUP)
        .map(|group| group.iter().map(|digit| char::from(ALPHABET[usize::from(*digit)])).collect());
    groups.collect::<Vec<String>>().join("-")
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&grouped(&self.characters()))
    }
}

impl fmt::Debug for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for DeviceId {
    type Err = InvalidDeviceId;

    fn from_str(text: &str) -> Result<Self, InvalidDeviceId> {
        let digits = typed(text)?;
        if digits.len() != CHARACTERS {
            return Err(InvalidDeviceId::Length(digits.len()));
        }
        let mut id = [0; 32];
        let (mut bits, mut held, mut at) = (0_u32, 0, 0);
        for digit in digits.chunks(BLOCK + 1).flat_map(|block| &block[..BLOCK]) {
            bits = bits << 5 | u32::from(*digit);
            held += 5;
            if held >= 8 {
                held -= 8;
                id[at] = (bits >> held) as u8;
                at += 1;
            }
        }
        // 52 digits have four bits more than a hash.
        if bits & 0b1111 != 0 {
            return Err(InvalidDeviceId::Mistyped { block: 4 });
        }
        Ok(Self(id))
    }
}

/// The ID that a person has in hand: the whole one, or its short form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedId(Vec<u8>);

impl ExpectedId {
    /// Whether the box is the one that is meant.
    pub fn is(&self, id: &DeviceId) -> bool {
        id.characters().starts_with(&self.0)
    }
}

impl fmt::Display for ExpectedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&grouped(&self.0))
    }
}

impl From<DeviceId> for ExpectedId {
    fn from(id: DeviceId) -> Self {
        Self(id.characters())
    }
}

impl FromStr for ExpectedId {
    type Err = InvalidDeviceId;

    fn from_str(text: &str) -> Result<Self, InvalidDeviceId> {
        let digits = typed(text)?;
        match digits.len() {
            // Less could be matched by a root that somebody searched for.
            length if length == BLOCK + 1 => Ok(Self(digits)),
            _ => text.parse::<DeviceId>().map(Self::from),
        }
    }
}

/// Why a text is no device ID.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDeviceId {
    /// A character that is in none.
    #[error("\"{0}\" is in no device ID; there are letters and the digits 2 to 7")]
    Character(char),
    /// Neither of the lengths that there are.
    #[error(
        "a device ID has 56 letters and digits, and its short form the first 14 of them, as the box shows it; here are {0}"
    )]
    Length(usize),
    /// A check digit does not fit.
    #[error("the device ID is mistyped, somewhere in its letters and digits {from} to {to}", from = (block - 1) * 14 + 1, to = block * 14)]
    Mistyped {
        /// Which of the four blocks, from 1.
        block: usize,
    },
}

/// The digits of what a person typed, each whole block checked.
fn typed(text: &str) -> Result<Vec<u8>, InvalidDeviceId> {
    let digits = text.trim().chars().filter(|character| !matches!(character, '-' | ' ')).map(digit);
    let digits = digits.collect::<Result<Vec<u8>, _>>()?;
    for (at, block) in digits.chunks(BLOCK + 1).enumerate() {
        if block.len() == BLOCK + 1 && check(&block[..BLOCK]) != block[BLOCK] {
            return Err(InvalidDeviceId::Mistyped { block: at + 1 });
        }
    }
    Ok(digits)
}

fn digit(character: char) -> Result<u8, InvalidDeviceId> {
    match character.to_ascii_uppercase() {
        letter @ 'A'..='Z' => Ok(letter as u8 - b'A'),
        number @ '2'..='7' => Ok(number as u8 - b'2' + 26),
        // What they are taken for.
        '0' => Ok(b'O' - b'A'),
        '1' => Ok(b'I' - b'A'),
        '8' => Ok(b'B' - b'A'),
        _ => Err(InvalidDeviceId::Character(character)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> DeviceId {
        DeviceId::of(&CertificateDer::from(b"a root".as_slice()))
    }

    #[test]
    fn an_id_is_written_in_groups_and_read_as_people_type_it() {
        let written = id().to_string();

        assert_eq!(written.len(), 56 + 13, "{written}");
        assert!(written.split('-').all(|group| group.len() == 4), "{written}");
        assert!(written.starts_with(&id().short()), "{written}");
        assert_eq!(id().short().len(), "MFZW-I3DB-ON2G-4V".len());
        assert_eq!(id().label_letters(), written[..4].to_lowercase());
        for typed in [
            &written,
            &written.to_lowercase(),
            &written.replace('-', " "),
            &written.replace('O', "0").replace('B', "8"),
        ] {
            assert_eq!(typed.parse(), Ok(id()), "{typed}");
        }
        assert_eq!("".parse::<DeviceId>(), Err(InvalidDeviceId::Length(0)));
        assert_eq!("MFZW-9".parse::<DeviceId>(), Err(InvalidDeviceId::Character('9')));
    }

    #[test]
    fn a_wrong_letter_and_two_that_changed_places_are_seen() {
        for root in 0..64_u8 {
            let id = DeviceId::of(&CertificateDer::from([root].as_slice()));
            let right = id.characters();
            for at in 0..right.len() {
                for wrong in (0..32).filter(|wrong| *wrong != right[at]) {
                    let mut digits = right.clone();
                    digits[at] = wrong;
                    assert!(grouped(&digits).parse::<DeviceId>().is_err(), "{id}: {at} is {wrong}");
                }
                if at + 1 < right.len() && right[at] != right[at + 1] {
                    let mut digits = right.clone();
                    digits.swap(at, at + 1);
                    assert!(grouped(&digits).parse::<DeviceId>().is_err(), "{id}: {at} and the next");
                }
            }
        }
    }

    /// Which Luhn's sum does not see.
    #[test]
    fn the_first_and_the_last_of_the_alphabet_that_changed_places_are_seen() {
        assert_ne!(check(&[0, 31]), check(&[31, 0]));
    }

    #[test]
    fn the_short_form_is_enough_to_expect_a_box_by_and_less_is_not() {
        let short = id().short();

        assert!(short.parse::<ExpectedId>().unwrap().is(&id()));
        assert!(id().to_string().parse::<ExpectedId>().unwrap().is(&id()));
        assert!(!ExpectedId::from(DeviceId::of(&CertificateDer::from(b"another".as_slice()))).is(&id()));
        assert_eq!(short[..9].parse::<ExpectedId>(), Err(InvalidDeviceId::Length(8)));
        assert!(matches!(id().to_string()[..40].parse::<ExpectedId>(), Err(InvalidDeviceId::Length(_))));
    }
}
