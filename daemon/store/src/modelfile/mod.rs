//! The Modelfile: its grammar, and a model printed back as one. Where Ollama wants exactly one blank, any number will do.

use protocol::{InvalidOption, Message, OptionPatch};

use crate::model::role;
use crate::{Model, Store};

/// A Modelfile that was understood. Nothing it names was looked at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Modelfile {
    /// FROM, as written: a model, a file or a folder.
    pub from: Vec<String>,
    /// PARAMETER, as written.
    pub parameters: Vec<(String, String)>,
    /// TEMPLATE.
    pub template: Option<String>,
    /// SYSTEM.
    pub system: Option<String>,
    /// LICENSE.
    pub licenses: Vec<String>,
    /// MESSAGE.
    pub messages: Vec<Message>,
    /// ADAPTER, as written.
    pub adapters: Vec<String>,
}

/// Why a Modelfile was not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelfileError {
    /// A line begins with no instruction.
    #[error(
        "(line {line}): command must be one of \"from\", \"license\", \"template\", \"system\", \"adapter\", \"draft\", \
         \"renderer\", \"parser\", \"parameter\", \"message\", or \"requires\""
    )]
    UnknownInstruction {
        /// Counted from 1.
        line: usize,
    },
    /// MESSAGE has another role.
    #[error("(line {line}): message role must be one of \"system\", \"user\", or \"assistant\"")]
    Role {
        /// Counted from 1.
        line: usize,
    },
    /// A quote is not closed.
    #[error("(line {line}): unexpected EOF: the quoted value is not closed")]
    Unterminated {
        /// Where it opens, counted from 1.
        line: usize,
    },
    /// Nothing follows an instruction that needs a value.
    #[error("(line {line}): {instruction} needs a value")]
    Empty {
        /// Counted from 1.
        line: usize,
        /// As written.
        instruction: String,
    },
    /// A parameter is unknown or has a value of the wrong type.
    #[error(transparent)]
    Parameter(#[from] InvalidOption),
    /// The file names no base.
    #[error("no FROM line")]
    NoFrom,
    /// An instruction that is known, and not served yet.
    #[error("(line {line}): {instruction} is not supported yet")]
    Unsupported {
        /// Counted from 1.
        line: usize,
        /// As written.
        instruction: String,
    },
}

impl Modelfile {
    /// Reads a Modelfile.
    ///
    /// # Errors
    /// [`ModelfileError`] names the line.
    pub fn parse(text: &str) -> Result<Self, ModelfileError> {
        let mut lines = Lines { rest: text.trim_start_matches('\u{feff}'), line: 0 };
        let mut modelfile = Self::default();
        while let Some((line, text)) = lines.next() {
            let text = text.trim_start();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let split = text.find([' ', '\t']).unwrap_or(text.len());
            let (instruction, value) = text.split_at(split);
            let value = lines.value(line, instruction, value)?;
            modelfile.take(line, instruction, value)?;
        }
        if modelfile.from.is_empty() { Err(ModelfileError::NoFrom) } else { Ok(modelfile) }
    }

    fn take(&mut self, line: usize, instruction: &str, value: String) -> Result<(), ModelfileError> {
        match instruction.to_ascii_lowercase().as_str() {
            "from" => self.from.push(value),
            "template" => self.template = Some(value),
            "system" => self.system = Some(value),
            "license" => self.licenses.push(value),
            "adapter" => self.adapters.push(value),
            "parameter" => {
                let (name, value) = first_word(&value);
                OptionPatch::default().set_text(name, &value)?;
                self.parameters.push((name.into(), value));
            }
            "message" => {
                let (name, content) = first_word(&value);
                let role = role(name).ok_or(ModelfileError::Role { line })?;
                self.messages.push(Message { role, content });
            }
            "draft" | "renderer" | "parser" | "requires" => {
                return Err(ModelfileError::Unsupported { line, instruction: instruction.into() });
            }
            _ => return Err(ModelfileError::UnknownInstruction { line }),
        }
        Ok(())
    }
}

/// Splits a value at its first blank, behind which everything counts.
fn first_word(value: &str) -> (&str, String) {
    let (word, rest) = value.split_once(' ').unwrap_or((value, ""));
    (word, rest.into())
}

/// The value of an instruction that is not quoted: trimmed, with one blank behind the first word where that matters.
fn plain(instruction: &str, text: &str) -> String {
    match text.trim().split_once([' ', '\t']) {
        Some((word, rest)) if has_two_words(instruction) => format!("{word} {}", rest.trim_start()),
        _ => text.trim().into(),
    }
}

fn has_two_words(instruction: &str) -> bool {
    ["parameter", "message"].iter().any(|word| instruction.eq_ignore_ascii_case(word))
}

struct Lines<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Option<(usize, &'a str)> {
        if self.rest.is_empty() {
            return None;
        }
        let (line, rest) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
        self.rest = rest;
        self.line += 1;
        Some((self.line, line.trim_end_matches('\r')))
    }

    /// An instruction's value; a quoted one may go on over lines.
    fn value(&mut self, line: usize, instruction: &str, text: &'a str) -> Result<String, ModelfileError> {
        if text.is_empty() {
            return Err(ModelfileError::Empty { line, instruction: instruction.into() });
        }
        let opening = quote_position(instruction, text);
        let Some((start, quote)) = opening else { return Ok(plain(instruction, text)) };
        let mut value = text[..start].trim().to_owned();
        if !value.is_empty() {
            value.push(' ');
        }
        let mut part = text[start + quote.len()..].to_owned();
        loop {
            if let Some(end) = part.find(quote) {
                if !part[end + quote.len()..].trim().is_empty() {
                    return Err(ModelfileError::Unterminated { line });
                }
                value.push_str(&part[..end]);
                return Ok(value);
            }
            value.push_str(&part);
            value.push('\n');
            let (_, next) = self.next().ok_or(ModelfileError::Unterminated { line })?;
            part = next.to_owned();
        }
    }
}

/// Where a value's opening quote stands, if it is quoted: at its beginning, or after the first word of PARAMETER and MESSAGE.
fn quote_position(instruction: &str, text: &str) -> Option<(usize, &'static str)> {
    let blanks = |from: usize| from + text[from..].len() - text[from..].trim_start().len();
    let mut start = blanks(0);
    if has_two_words(instruction) {
        start = blanks(start + text[start..].find([' ', '\t'])?);
    }
    ["\"\"\"", "\""].into_iter().find(|quote| text[start..].starts_with(quote)).map(|quote| (start, quote))
}

impl Store {
    /// The model as a Modelfile from which the same model is made again.
    pub fn modelfile(&self, model: &Model) -> String {
        let mut text = format!(
            "# Modelfile generated by \"hob show\"\n# To build a new Modelfile based on this, replace FROM with:\n# FROM {}\n\nFROM {}\n",
            model.name,
            model.weights.display()
        );
        let mut line = |instruction: &str, value: &str| {
            text.push_str(instruction);
            text.push(' ');
            text.push_str(&quoted(value));
            text.push('\n');
        };
        model.template.iter().for_each(|value| line("TEMPLATE", value));
        model.system.iter().for_each(|value| line("SYSTEM", value));
        model.parameter_lines.iter().for_each(|(name, value)| line(&format!("PARAMETER {name}"), value));
        model.licenses.iter().for_each(|value| line("LICENSE", value));
        model
            .messages
            .iter()
            .for_each(|message| line(&format!("MESSAGE {}", message.role.as_str()), &message.content));
        text
    }
}

fn quoted(value: &str) -> String {
    let plain = !value.contains('\n') && value.trim() == value && !value.starts_with('"');
    match (plain, value.contains('"')) {
        (true, _) => value.into(),
        (false, true) => format!("\"\"\"{value}\"\"\""),
        (false, false) => format!("\"{value}\""),
    }
}

#[cfg(test)]
mod tests {
    use protocol::Role;

    use super::*;

    #[test]
    fn every_instruction_is_understood_whatever_its_case() {
        let text = "# a comment\nfrom ./model.gguf\nPARAMETER temperature 0.5\nPARAMETER stop \"<|end|>\"\r\n\
                    SYSTEM \"\"\"You are\na hob.\"\"\"\nMESSAGE user Hello there\nMESSAGE assistant \"Hi\"\nLICENSE MIT\n";

        let modelfile = Modelfile::parse(text).unwrap();

        assert_eq!(modelfile.from, ["./model.gguf"]);
        assert_eq!(
            modelfile.parameters,
            [("temperature".into(), "0.5".into()), ("stop".into(), "<|end|>".into())]
        );
        assert_eq!(modelfile.system.as_deref(), Some("You are\na hob."));
        assert_eq!(modelfile.messages[0], Message { role: Role::User, content: "Hello there".into() });
        assert_eq!(modelfile.messages[1].content, "Hi");
    }

    #[test]
    fn what_is_quoted_is_taken_as_it_stands() {
        let text = "FROM x\nPARAMETER stop \" \"\nPARAMETER stop \"\n\"\nMESSAGE user   \"  hi \"\nMESSAGE user   hi\n";

        let modelfile = Modelfile::parse(text).unwrap();

        assert_eq!(modelfile.parameters, [("stop".into(), " ".into()), ("stop".into(), "\n".into())]);
        assert_eq!(
            (modelfile.messages[0].content.as_str(), modelfile.messages[1].content.as_str()),
            ("  hi ", "hi")
        );
    }

    #[test]
    fn a_mistake_is_named_with_its_line() {
        let error = |text| Modelfile::parse(text).unwrap_err().to_string();
        assert_eq!(error("SYSTEM hello"), "no FROM line");
        assert!(error("FROM x\nGREET you").starts_with("(line 2): command must be one of"));
        assert_eq!(error("FROM x\nPARAMETER speed 9"), "unknown parameter 'speed'");
        assert_eq!(error("FROM x\nPARAMETER top_k many"), "invalid int value [many]");
        assert!(error("FROM x\nMESSAGE robot hello").contains("message role must be one of"));
        assert!(error("FROM x\nSYSTEM \"\"\"open").contains("line 2"));
    }
}
