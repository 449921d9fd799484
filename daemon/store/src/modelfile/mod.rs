//! The Modelfile: what its instructions say, typed. How they are written is `syntax`'s and `encoding`'s, how a model is
//! printed back is `print`'s. Nothing that a file names is looked at.

mod encoding;
mod print;
mod syntax;

use protocol::{InvalidOption, Message, OptionPatch};

use syntax::Statement;

/// A Modelfile that was understood. Nothing it names was looked at, and not all of it may be served: callers refuse what
/// they cannot do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Modelfile {
    /// FROM, as written: a model, a file or a folder. At least one.
    pub from: Vec<String>,
    /// PARAMETER, as written and of the right type. All but `stop` count in their last line only.
    pub parameters: Vec<(String, String)>,
    /// The names of parameters that were accepted and have no effect, as often as written: the caller may warn.
    pub deprecated: Vec<String>,
    /// TEMPLATE, the last.
    pub template: Option<String>,
    /// SYSTEM, the last.
    pub system: Option<String>,
    /// LICENSE.
    pub licenses: Vec<String>,
    /// MESSAGE.
    pub messages: Vec<Message>,
    /// ADAPTER, as written; one at most.
    pub adapters: Vec<String>,
    /// DRAFT, as written. That it is another file than FROM's is the caller's to check.
    pub drafts: Vec<String>,
    /// RENDERER, the last.
    pub renderer: Option<String>,
    /// PARSER, the last.
    pub parser: Option<String>,
    /// REQUIRES, the last: the oldest Ollama that will do, without a leading `v`. May lack minor and patch.
    pub requires: Option<String>,
}

/// Why a Modelfile was not understood. Line ends are counted as Ollama does: a CRLF is two, and an instruction that its
/// line's end cuts short is found on the next line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelfileError {
    /// A line begins with no instruction, or with one that no blank follows.
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
    /// The file ends within an instruction, mostly because a quote is not closed or has text behind it.
    #[error("unexpected EOF")]
    EndOfFile {
        /// Where the instruction begins, counted from 1.
        line: usize,
    },
    /// The name behind PARAMETER or the role behind MESSAGE is followed by no value.
    #[error("unexpected EOF: {word}")]
    NoValue {
        /// Where the instruction begins, counted from 1.
        line: usize,
        /// The name or role, as far as it was one.
        word: String,
    },
    /// A parameter is unknown or has a value of the wrong type.
    #[error(transparent)]
    Parameter(#[from] InvalidOption),
    /// The file names no base.
    #[error("no FROM line")]
    NoFrom,
    /// ADAPTER is given more than once.
    #[error("only one adapter is currently supported")]
    SeveralAdapters,
    /// REQUIRES has no version.
    #[error("requires must be a valid semver (e.g. 0.14.0)")]
    Requires,
}

impl Modelfile {
    /// Reads a Modelfile as it lies on a disk: UTF-8, or what its byte-order mark says. As in Ollama, what is no text
    /// becomes U+FFFD.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelfileError> {
        Self::parse(&encoding::decoded(bytes))
    }

    /// Reads a Modelfile. Characters that cannot be seen are dropped, as in Ollama, except for line ends and tabs; that
    /// includes joiners and blanks other than ASCII's.
    ///
    /// # Errors
    /// [`ModelfileError`]; mistakes of grammar come first, then a missing FROM, then values.
    pub fn parse(text: &str) -> Result<Self, ModelfileError> {
        let statements = syntax::statements(text.strip_prefix('\u{feff}').unwrap_or(text))?;
        if !statements.iter().any(|statement| matches!(statement, Statement::From(_))) {
            return Err(ModelfileError::NoFrom);
        }
        let mut modelfile = Self::default();
        statements.into_iter().try_for_each(|statement| modelfile.take(statement))?;
        Ok(modelfile)
    }

    fn take(&mut self, statement: Statement) -> Result<(), ModelfileError> {
        match statement {
            Statement::From(value) => self.from.push(value),
            Statement::Template(value) => self.template = Some(value),
            Statement::System(value) => self.system = Some(value),
            Statement::License(value) => self.licenses.push(value),
            Statement::Adapter(_) if !self.adapters.is_empty() => {
                return Err(ModelfileError::SeveralAdapters);
            }
            Statement::Adapter(value) => self.adapters.push(value),
            Statement::Draft(value) => self.drafts.push(value),
            Statement::Renderer(value) => self.renderer = Some(value),
            Statement::Parser(value) => self.parser = Some(value),
            Statement::Requires(value) => self.requires = Some(version(&value)?.to_owned()),
            Statement::Message(message) => self.messages.push(message),
            Statement::Parameter { name, value } => {
                let mut patch = OptionPatch::default();
                patch.set_text(&name, &value)?;
                // What is accepted and sets nothing is there for old files only.
                if patch == OptionPatch::default() {
                    self.deprecated.push(name);
                } else {
                    self.parameters.push((name, value));
                }
            }
        }
        Ok(())
    }
}

/// A version as Go's modules have it, without the `v`: minor and patch may be left out if nothing follows them.
fn version(value: &str) -> Result<&str, ModelfileError> {
    let version = value.strip_prefix('v').unwrap_or(value);
    let (rest, build) = cut(version, '+');
    let (core, pre_release) = cut(rest, '-');
    let numbers: Vec<&str> = core.split('.').collect();
    let bare = build.is_none() && pre_release.is_none();
    let valid = numbers.iter().all(|part| is_number(part))
        && (numbers.len() == 3 || (numbers.len() < 3 && bare))
        && pre_release.is_none_or(|text| {
            text.split('.').all(|part| is_identifier(part) && (!is_digits(part) || is_number(part)))
        })
        && build.is_none_or(|text| text.split('.').all(is_identifier));
    if valid { Ok(version) } else { Err(ModelfileError::Requires) }
}

fn cut(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at).map_or((text, None), |(before, after)| (before, Some(after)))
}

fn is_number(part: &str) -> bool {
    is_digits(part) && (part == "0" || !part.starts_with('0'))
}

fn is_digits(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_identifier(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_what_go_modules_take_for_one() {
        for valid in ["0", "1.2", "v1.2", "0.14.0", "v0.14.0", "1.0.0-rc.1", "1.0.0-x-y+a.007", "1.0.0+b-c"] {
            assert_eq!(version(valid), Ok(valid.trim_start_matches('v')), "{valid}");
        }
        for invalid in
            ["", "v", "vv1", "1.", "01", "1.2.3.4", "1.2-rc", "1+b", "1.0.0-", "1.0.0-01", "1.0.0+", "latest"]
        {
            assert_eq!(version(invalid), Err(ModelfileError::Requires), "{invalid}");
        }
    }
}
