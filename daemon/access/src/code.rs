//! Codes that people read in one place and type in another: the setup code, which proves that somebody sees the box's console, and
//! that of an invitation. Their text only; how often one may be tried is `claim`'s and `invitation`'s.

use std::fmt;
use std::str::FromStr;

/// Eight letters and digits: 40 bits. Told to whoever is to type it, and to nobody else.
#[derive(Clone)]
pub struct OneTimeCode([u8; LENGTH]);

/// A text that is no code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a code is eight letters and digits, as in K7RM-4XWP; `hob pair --invite` on the box that invites shows it"
)]
pub struct InvalidCode;

impl FromStr for OneTimeCode {
    type Err = InvalidCode;

    fn from_str(text: &str) -> Result<Self, InvalidCode> {
        Self::typed(text).ok_or(InvalidCode)
    }
}

const LENGTH: usize = 8;

/// No I, O, 0 or 1, which are read as each other.
const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

impl OneTimeCode {
    pub(crate) fn generate() -> Self {
        let random: [u8; LENGTH] = rand::random();
        // 256 is a multiple of 32, so all are as likely.
        Self(random.map(|byte| ALPHABET[usize::from(byte) % ALPHABET.len()]))
    }

    /// Reads what was typed: in whichever case, with blanks and dashes wherever they help.
    pub(crate) fn typed(text: &str) -> Option<Self> {
        let mut code = [0; LENGTH];
        let mut characters = text.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'-');
        for place in &mut code {
            *place = characters.next()?.to_ascii_uppercase();
        }
        (characters.next().is_none() && code.iter().all(|byte| ALPHABET.contains(byte))).then_some(Self(code))
    }

    /// Whether it is the same. How long that takes does not tell in how much they agree.
    pub(crate) fn is(&self, other: &Self) -> bool {
        let differing =
            self.0.iter().zip(&other.0).fold(0, |differing, (one, other)| differing | (one ^ other));
        std::hint::black_box(differing) == 0
    }

    /// The code, as it is shown: in two groups of four.
    pub fn reveal(&self) -> String {
        let (left, right) = self.0.split_at(LENGTH / 2);
        format!("{}-{}", left.escape_ascii(), right.escape_ascii())
    }
}

/// Not the code: it would stand in a log.
impl fmt::Debug for OneTimeCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OneTimeCode")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_however_it_is_typed() {
        let code = OneTimeCode::generate();
        let shown = code.reveal();
        assert_eq!((shown.len(), &shown[4..5]), (9, "-"));

        for typed in [
            shown.clone(),
            shown.to_lowercase(),
            shown.replace('-', " "),
            format!(" {}\n", shown.replace('-', "")),
        ] {
            assert!(OneTimeCode::typed(&typed).unwrap().is(&code), "{typed}");
        }
        for other in ["", "ABCD-EFG", "ABCD-EFGHJ", "ABCD-EFG0", "ABCD-EFGÄ"] {
            assert!(OneTimeCode::typed(other).is_none(), "{other}");
        }
        assert!(!OneTimeCode::generate().is(&code));
        assert_eq!(format!("{code:?}"), "OneTimeCode");
    }

    #[test]
    fn all_letters_come_up() {
        let mut seen: Vec<u8> = (0..200).flat_map(|_| OneTimeCode::generate().0).collect();
        seen.sort_unstable();
        seen.dedup();
        let mut alphabet = *ALPHABET;
        alphabet.sort_unstable();
        assert_eq!(seen, alphabet);
    }
}
