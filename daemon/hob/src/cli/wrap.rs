//! Breaking a stream of text into lines at words. Pure: pieces in, what to write out.

/// Keeps the column, and the word that may still have to move to the next line.
#[derive(Debug)]
pub(crate) struct Wrap {
    width: usize,
    column: usize,
    word: String,
}

impl Wrap {
    /// Lines of at most `width` characters, where words allow it.
    pub(crate) fn at(width: usize) -> Self {
        Self { width: width.max(1), column: 0, word: String::new() }
    }

    /// What to write for `piece`; a word at its end waits until it is known to be whole.
    pub(crate) fn push(&mut self, piece: &str) -> String {
        let mut out = String::new();
        for character in piece.chars() {
            match character {
                '\n' => {
                    self.place_word(&mut out);
                    out.push('\n');
                    self.column = 0;
                }
                ' ' => {
                    self.place_word(&mut out);
                    if self.column >= self.width {
                        out.push('\n');
                        self.column = 0;
                    } else {
                        out.push(' ');
                        self.column += 1;
                    }
                }
                other => self.word.push(other),
            }
        }
        out
    }

    /// The word still held back.
    pub(crate) fn finish(&mut self) -> String {
        let mut out = String::new();
        self.place_word(&mut out);
        self.column = 0;
        out
    }

    fn place_word(&mut self, out: &mut String) {
        let length = self.word.chars().count();
        if self.column > 0 && self.column + length > self.width {
            out.push('\n');
            self.column = 0;
        }
        out.push_str(&self.word);
        self.column += length;
        self.word.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::Wrap;

    #[test]
    fn a_word_that_does_not_fit_starts_the_next_line() {
        let mut wrap = Wrap::at(10);

        let text = wrap.push("hello wor") + &wrap.push("ld, bye") + &wrap.finish();

        assert_eq!(text, "hello \nworld, bye");
    }

    #[test]
    fn a_line_break_of_the_text_starts_over() {
        let mut wrap = Wrap::at(5);

        let text = wrap.push("abc\nde fg") + &wrap.finish();

        assert_eq!(text, "abc\nde fg");
    }
}
