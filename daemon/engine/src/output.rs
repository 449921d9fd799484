//! A model's bytes as text: whole characters only, ending before the first stop string, no byte of which ever leaves.

/// The text of one answer, as it grows.
#[derive(Debug, Default)]
pub(crate) struct TextStream {
    stops: Vec<Vec<u8>>,
    /// What cannot be said yet: an incomplete character, or the beginning of a stop string.
    held: Vec<u8>,
}

/// What a piece led to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// Text that may be said now; perhaps none.
    Text(String),
    /// The last text: a stop string came, which is named by its number.
    Stopped(String, usize),
}

impl TextStream {
    /// Empty stop strings stop nothing, or they would stop everything.
    pub(crate) fn new(stops: impl IntoIterator<Item = String>) -> Self {
        Self { stops: stops.into_iter().map(String::into_bytes).collect(), held: Vec::new() }
    }

    /// Where the next piece is to be appended; then call [`TextStream::advance`].
    pub(crate) fn held(&mut self) -> &mut Vec<u8> {
        &mut self.held
    }

    /// What can be said, now that a piece was appended.
    pub(crate) fn advance(&mut self) -> Flow {
        if let Some((at, stop)) = self.first_stop() {
            self.held.truncate(at);
            return Flow::Stopped(self.finish(), stop);
        }
        let keep_from = self.possible_stop().min(incomplete_character(&self.held));
        let kept = self.held.split_off(keep_from);
        let said = std::mem::replace(&mut self.held, kept);
        Flow::Text(into_text(said))
    }

    /// All that was held back. For the end of an answer: no stop string comes any more.
    pub(crate) fn finish(&mut self) -> String {
        into_text(std::mem::take(&mut self.held))
    }

    /// Where the first stop string begins, and which it is; of several, the longest.
    fn first_stop(&self) -> Option<(usize, usize)> {
        let find = |stop: &Vec<u8>| {
            // None are as long as nothing.
            let length = std::num::NonZero::new(stop.len())?;
            self.held.windows(length.get()).position(|window| window == &stop[..])
        };
        let found = self.stops.iter().enumerate().filter_map(|(at, stop)| Some((find(stop)?, at)));
        found.min_by_key(|(place, at)| (*place, std::cmp::Reverse(self.stops[*at].len())))
    }

    /// Where the longest end of the text lies that a stop string begins with.
    fn possible_stop(&self) -> usize {
        let overlap = |stop: &Vec<u8>| {
            let longest = stop.len().saturating_sub(1).min(self.held.len());
            (1..=longest).rev().find(|length| self.held.ends_with(&stop[..*length])).unwrap_or(0)
        };
        self.held.len() - self.stops.iter().map(overlap).max().unwrap_or(0)
    }
}

/// Where a character begins that is not yet complete; the length if there is none.
fn incomplete_character(text: &[u8]) -> usize {
    let tail = text.len().saturating_sub(3);
    let lead = (tail..text.len()).rev().find(|at| text[*at] & 0b1100_0000 != 0b1000_0000);
    let Some(lead) = lead else { return text.len() };
    let length = match text[lead] {
        0b1100_0000..=0b1101_1111 => 2,
        0b1110_0000..=0b1110_1111 => 3,
        0b1111_0000..=0b1111_0111 => 4,
        _ => 1,
    };
    if lead + length > text.len() { lead } else { text.len() }
}

/// Bytes that are no character, which a model can sample, become U+FFFD.
fn into_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(stream: &mut TextStream, piece: &[u8]) -> Flow {
        stream.held().extend_from_slice(piece);
        stream.advance()
    }

    fn stream(stops: &[&str]) -> TextStream {
        TextStream::new(stops.iter().map(ToString::to_string))
    }

    #[test]
    fn a_character_is_held_until_it_is_whole() {
        let mut stream = stream(&[]);
        let cloud = "☁".as_bytes();
        assert_eq!(push(&mut stream, &[b'a', cloud[0]]), Flow::Text("a".into()));
        assert_eq!(push(&mut stream, &cloud[1..2]), Flow::Text(String::new()));
        assert_eq!(push(&mut stream, &cloud[2..]), Flow::Text("☁".into()));
    }

    #[test]
    fn a_stop_string_across_pieces_is_never_said() {
        let mut stream = stream(&["<|end|>", "\nUser:"]);
        assert_eq!(push(&mut stream, b"blue<|e"), Flow::Text("blue".into()));
        assert_eq!(push(&mut stream, b"nd|"), Flow::Text(String::new()));
        assert_eq!(push(&mut stream, b"> and more"), Flow::Stopped(String::new(), 0));
    }

    #[test]
    fn what_only_looked_like_a_stop_string_is_said_after_all() {
        let mut stream = stream(&["<|end|>"]);
        assert_eq!(push(&mut stream, b"a <|e"), Flow::Text("a ".into()));
        assert_eq!(push(&mut stream, b"lse"), Flow::Text("<|else".into()));
        assert_eq!(push(&mut stream, b" <"), Flow::Text(" ".into()));
        assert_eq!(stream.finish(), "<");
    }

    #[test]
    fn the_first_of_two_stop_strings_ends_the_text() {
        let mut stream = stream(&["", "two", "one", "one two"]);
        assert_eq!(push(&mut stream, b"zero one two"), Flow::Stopped("zero ".into(), 3));
    }

    #[test]
    fn bytes_that_are_no_character_become_a_replacement_and_do_not_stick() {
        let mut stream = stream(&[]);
        assert_eq!(
            push(&mut stream, &[b'a', 0x80, 0x80, 0x80, b'b']),
            Flow::Text("a\u{fffd}\u{fffd}\u{fffd}b".into())
        );
        assert_eq!(push(&mut stream, &[0xff, b'c']), Flow::Text("\u{fffd}c".into()));
    }
}
