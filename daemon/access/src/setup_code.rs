//! The setup code: what whoever sees the box's console can prove that by. Its text only; how often it may be tried is `claim`'s.

use std::fmt;

/// Eight letters and digits: 40 bits. Told to whoever may see the console, and to nobody else.
#[derive(Clone)]
pub struct SetupCode([u8; LENGTH]);

const LENGTH: usize = 8;

/// No I, O, 0 or 1, which are read as each other.
const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

impl SetupCode {
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
impl fmt::Debug for SetupCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SetupCode")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_however_it_is_typed() {
        let code = SetupCode::generate();
        let shown = code.reveal();
        assert_eq!((shown.len(), &shown[4..5]), (9, "-"));

        for typed in [
            shown.clone(),
            shown.to_lowercase(),
            shown.replace('-', " "),
            format!(" {}\n", shown.replace('-', "")),
        ] {
            assert!(SetupCode::typed(&typed).unwrap().is(&code), "{typed}");
        }
        for other in ["", "ABCD-EFG", "ABCD-EFGHJ", "ABCD-EFG0", "ABCD-EFGÄ"] {
            assert!(SetupCode::typed(other).is_none(), "{other}");
        }
        assert!(!SetupCode::generate().is(&code));
        assert_eq!(format!("{code:?}"), "SetupCode");
    }

    #[test]
    fn all_letters_come_up() {
        let mut seen: Vec<u8> = (0..200).flat_map(|_| SetupCode::generate().0).collect();
        seen.sort_unstable();
        seen.dedup();
        let mut alphabet = *ALPHABET;
        alphabet.sort_unstable();
        assert_eq!(seen, alphabet);
    }
}
