//! Questions to whoever sits at the terminal, and secrets that are typed without being shown. Talk goes to standard error, so
//! that a command whose output is taken can still ask.

use std::io::{BufRead, IsTerminal as _, Read as _, Write as _};
use std::os::fd::AsFd;
use std::path::Path;

use anyhow::Context as _;
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};

use crate::settings::Secret;

/// Whether there is somebody to ask.
pub(crate) fn is_possible() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// One line.
///
/// # Errors
/// If there is nobody to ask, or nothing comes.
pub(crate) fn line(question: &str) -> anyhow::Result<String> {
    show(question);
    let mut line = String::new();
    let bytes = std::io::stdin().lock().read_line(&mut line).context("cannot read the answer")?;
    anyhow::ensure!(bytes > 0, "there was no answer");
    Ok(line.trim().to_owned())
}

/// Whether they say yes. Anything but a yes is a no.
///
/// # Errors
/// If there is nobody to ask.
pub(crate) fn yes(question: &str) -> anyhow::Result<bool> {
    Ok(matches!(line(question)?.to_lowercase().as_str(), "y" | "yes"))
}

/// A new password: typed twice, or from a file.
///
/// # Errors
/// If there is none to be had, or the two differ.
pub(crate) fn new_password(file: Option<&Path>) -> anyhow::Result<Secret> {
    if let Some(file) = file {
        return secret_from(file);
    }
    anyhow::ensure!(
        is_possible(),
        "there is no terminal to ask for a password\nhint: --password-file FILE, or - for standard input"
    );
    let first = hidden("Password: ")?;
    let again = hidden("The same once more: ")?;
    anyhow::ensure!(first == again, "the two passwords differ; nothing was changed");
    Ok(first)
}

/// A password that there is already: typed once, or from a file.
///
/// # Errors
/// If there is none to be had.
pub(crate) fn password(question: &str, file: Option<&Path>) -> anyhow::Result<Secret> {
    match file {
        Some(file) => secret_from(file),
        None if is_possible() => hidden(question),
        None => anyhow::bail!(
            "there is no terminal to ask for the password\nhint: --password-file FILE, or - for standard input"
        ),
    }
}

/// The first line of a file, or of standard input by `-`.
///
/// # Errors
/// If it cannot be read, or is empty.
pub(crate) fn secret_from(file: &Path) -> anyhow::Result<Secret> {
    let mut text = String::new();
    if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
    } else {
        text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    }
    let line = text.lines().next().unwrap_or_default();
    anyhow::ensure!(!line.is_empty(), "the first line of {} is empty", file.display());
    Ok(Secret::from(line.to_owned()))
}

/// One line that is not shown while it is typed.
fn hidden(question: &str) -> anyhow::Result<Secret> {
    let terminal = std::io::stdin();
    let typed = {
        // Before the question: whoever is quick is not to be seen, nor what they type to be lost.
        let _silence = Silence::on(&terminal)?;
        show(question);
        read_typed(terminal.lock())
    };
    show("\n");
    typed
}

/// The keys that end or mend a line come as bytes, as the terminal does nothing about them meanwhile.
fn read_typed(keys: impl BufRead) -> anyhow::Result<Secret> {
    const INTERRUPT: u8 = 3;
    const END: u8 = 4;
    const WIPE: u8 = 21;
    let mut typed = Vec::new();
    for key in keys.bytes() {
        match key.context("cannot read the terminal")? {
            b'\r' | b'\n' => return text_of(typed),
            INTERRUPT => anyhow::bail!("interrupted; nothing was changed"),
            END if typed.is_empty() => anyhow::bail!("nothing was typed; nothing was changed"),
            END => return text_of(typed),
            WIPE => typed.clear(),
            8 | 127 => remove_last(&mut typed),
            byte => typed.push(byte),
        }
    }
    anyhow::bail!("the terminal was closed; nothing was changed")
}

fn text_of(typed: Vec<u8>) -> anyhow::Result<Secret> {
    String::from_utf8(typed).map(Secret::from).ok().context("what was typed is no text")
}

/// A character, which may be several bytes.
fn remove_last(typed: &mut Vec<u8>) {
    while let Some(byte) = typed.pop() {
        if !(0x80..0xc0).contains(&byte) {
            return;
        }
    }
}

/// A terminal that does not show what is typed, until this is dropped.
struct Silence<'a, T: AsFd> {
    terminal: &'a T,
    before: Termios,
}

impl<'a, T: AsFd> Silence<'a, T> {
    fn on(terminal: &'a T) -> anyhow::Result<Self> {
        let before = tcgetattr(terminal).context("cannot tell how the terminal is set")?;
        let mut silent = before.clone();
        // Ctrl-C comes as a byte: by a signal, the terminal would stay silent for the shell.
        silent.local_flags &= !(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG);
        tcsetattr(terminal, SetArg::TCSAFLUSH, &silent).context("cannot silence the terminal")?;
        Ok(Self { terminal, before })
    }
}

impl<T: AsFd> Drop for Silence<'_, T> {
    fn drop(&mut self) {
        // A terminal that has gone needs no sound.
        let _ = tcsetattr(self.terminal, SetArg::TCSAFLUSH, &self.before);
    }
}

fn show(text: &str) {
    let mut stderr = std::io::stderr();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_can_be_mended_and_given_up() {
        let typed = |keys: &str| {
            read_typed(keys.as_bytes())
                .map(|typed| typed.reveal().to_owned())
                .map_err(|error| error.to_string())
        };
        assert_eq!(typed("geheim\r").unwrap(), "geheim");
        assert_eq!(typed("gé\u{7f}ü\u{8}eheim\n").unwrap(), "geheim");
        assert_eq!(typed("wrong\u{15}right\n").unwrap(), "right");
        assert_eq!(typed("with space \u{4}").unwrap(), "with space ");
        assert!(typed("half\u{3}").unwrap_err().contains("interrupted"));
        assert!(typed("\u{4}").unwrap_err().contains("nothing was typed"));
        assert!(typed("half").unwrap_err().contains("closed"));
    }

    #[test]
    fn a_secret_in_a_file_is_its_first_line_whole() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), " with blanks \nand more\n").unwrap();
        assert_eq!(secret_from(file.path()).unwrap().reveal(), " with blanks ");
        std::fs::write(file.path(), "\n").unwrap();
        assert!(secret_from(file.path()).unwrap_err().to_string().contains("empty"));
    }
}
