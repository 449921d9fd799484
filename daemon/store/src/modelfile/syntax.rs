//! The grammar of a Modelfile, as Ollama reads it, character by character. What the values mean is the parent's.
//!
//! Where Ollama wants exactly one blank before the name of a PARAMETER or the role of a MESSAGE, any number will do.

use std::str::Chars;

use protocol::Message;

use super::ModelfileError;
use crate::model::role;

/// An instruction with its value, unquoted.
pub(super) enum Statement {
    From(String),
    License(String),
    Template(String),
    System(String),
    Adapter(String),
    Draft(String),
    Renderer(String),
    Parser(String),
    Requires(String),
    Parameter { name: String, value: String },
    Message(Message),
}

/// All instructions of a text that begins with no byte-order mark.
pub(super) fn statements(text: &str) -> Result<Vec<Statement>, ModelfileError> {
    let mut reader = Reader { rest: text.chars(), line: 1, begun: 1 };
    let mut statements = Vec::new();
    while let Some(char) = reader.next() {
        match char {
            '#' => reader.skip_line(),
            _ if is_blank(char) || is_newline(char) => {}
            _ => statements.push(reader.statement(char)?),
        }
    }
    Ok(statements)
}

struct Reader<'a> {
    rest: Chars<'a>,
    /// Of the next character, counted from 1.
    line: usize,
    /// Where the instruction begins.
    begun: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let char = self.rest.next()?;
        if is_newline(char) {
            self.line += 1;
        }
        Some(char)
    }

    fn skip_line(&mut self) {
        while self.next().is_some_and(|char| !is_newline(char)) {}
    }

    /// The instruction that begins with this character.
    fn statement(&mut self, first: char) -> Result<Statement, ModelfileError> {
        self.begun = self.line;
        let mut name = String::new();
        // Whatever cannot be seen is passed over here too, such as a second byte-order mark.
        name.extend(Some(first).filter(|first| is_printable(*first)));
        loop {
            match self.next() {
                Some(char) if char.is_ascii_alphabetic() => name.push(char),
                Some(char) if is_blank(char) => break,
                Some(_) => return Err(ModelfileError::UnknownInstruction { line: self.line }),
                None => return Err(self.end_of_file()),
            }
        }
        let of: fn(String) -> Statement = match name.to_ascii_lowercase().as_str() {
            "from" => Statement::From,
            "license" => Statement::License,
            "template" => Statement::Template,
            "system" => Statement::System,
            "adapter" => Statement::Adapter,
            "draft" => Statement::Draft,
            "renderer" => Statement::Renderer,
            "parser" => Statement::Parser,
            "requires" => Statement::Requires,
            "parameter" => return self.parameter(),
            "message" => return self.message(),
            _ => return Err(ModelfileError::UnknownInstruction { line: self.line }),
        };
        self.value().map(of)
    }

    fn parameter(&mut self) -> Result<Statement, ModelfileError> {
        let name = self.word(is_of_a_name)?;
        Ok(Statement::Parameter { name, value: self.value()? })
    }

    fn message(&mut self) -> Result<Statement, ModelfileError> {
        let word = self.word(|char| char.is_ascii_alphabetic())?;
        let role = role(&word).ok_or(ModelfileError::Role { line: self.line })?;
        Ok(Statement::Message(Message::new(role, self.value()?)))
    }

    /// A word of these characters with the blank behind it.
    fn word(&mut self, allowed: fn(char) -> bool) -> Result<String, ModelfileError> {
        let mut word = String::new();
        loop {
            match self.next() {
                Some(char) if allowed(char) => word.push(char),
                Some(char) if is_blank(char) && word.is_empty() => {}
                Some(char) if is_blank(char) => return Ok(word),
                Some(_) => return Err(ModelfileError::NoValue { line: self.begun, word }),
                None => return Err(self.end_of_file()),
            }
        }
    }

    /// What goes to the end of the line, or to the first end of a line at which its quote is closed.
    fn value(&mut self) -> Result<String, ModelfileError> {
        let mut value = Value::default();
        while let Some(char) = self.next() {
            if is_newline(char)
                && let Some(whole) = value.whole()
            {
                return Ok(whole.to_owned());
            }
            value.push(char);
        }
        value.whole().map(str::to_owned).ok_or(self.end_of_file())
    }

    fn end_of_file(&self) -> ModelfileError {
        ModelfileError::EndOfFile { line: self.begun }
    }
}

/// A value that is being read, trimmed at both ends.
#[derive(Default)]
struct Value {
    text: String,
    /// Where its last character ends that is no space.
    end: usize,
}

impl Value {
    fn push(&mut self, char: char) {
        if is_blank(char) || is_newline(char) {
            if !self.text.is_empty() {
                self.text.push(char);
            }
        } else if is_printable(char) {
            self.text.push(char);
            self.end = self.text.len();
        }
    }

    /// What is within the quotes, which only count at the very ends, or all of it; `None` while a quote is open.
    fn whole(&self) -> Option<&str> {
        let text = &self.text[..self.end];
        match QUOTES.iter().find_map(|quote| Some((quote, text.strip_prefix(quote)?))) {
            Some((quote, rest)) => rest.strip_suffix(quote),
            None => Some(text),
        }
    }
}

/// The longer one first, as the shorter one begins it.
const QUOTES: [&str; 2] = ["\"\"\"", "\""];

pub(super) fn is_newline(char: char) -> bool {
    matches!(char, '\n' | '\r')
}

fn is_blank(char: char) -> bool {
    matches!(char, ' ' | '\t')
}

/// Whether it may stand in the name of a parameter.
pub(super) fn is_of_a_name(char: char) -> bool {
    char.is_ascii_alphanumeric() || char == '_'
}

/// Whether a value keeps it.
pub(super) fn is_kept(char: char) -> bool {
    is_blank(char) || is_newline(char) || is_printable(char)
}

/// Go's `IsPrint`: letters, marks, numbers, punctuation, symbols and the ASCII space. The standard library's `Debug` for
/// text escapes the same characters, and no mark that has something before it.
fn is_printable(char: char) -> bool {
    match char {
        ' '..='~' => true,
        _ if char.is_ascii() => false,
        _ => char.escape_debug().len() == 1 || format!("-{char}").escape_debug().nth(1) == Some(char),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printable_is_what_go_calls_so() {
        for char in
            ['a', ' ', '"', '\'', '\\', 'ü', '漢', '\u{301}', '\u{fe0f}', '😀', '\u{fffd}', '\u{e000}']
        {
            let private = char == '\u{e000}';
            assert_eq!(is_printable(char), !private, "{char:?}");
        }
        let unseen = [
            '\0', '\t', '\n', '\u{7f}', '\u{85}', '\u{a0}', '\u{ad}', '\u{200d}', '\u{2028}', '\u{3000}',
            '\u{feff}',
        ];
        for char in unseen {
            assert!(!is_printable(char), "{char:?}");
        }
    }
}
