//! `hob launch`: the settings with which other programs use this Hob, printed, or put into their own files.
//! Which programs there are is `tools`' to know; how a file is changed is `merge`'s, how it is replaced `place`'s.

mod merge;
mod place;
mod target;
mod tools;

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;

use anyhow::Context as _;
use jiff::Timestamp;

use self::place::Place;
use self::target::{Purpose, Target};
use self::tools::{File, Folder, Settings, TOOLS, Tool};
use super::{Context, list::table, remark, say};

/// What `launch` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The tool, as in `claude`; without one, those that are known are listed.
    tool: Option<String>,
    /// The model for it; without one, the only model there is.
    #[arg(long, value_name = "NAME", requires = "tool")]
    model: Option<String>,
    /// Puts the settings into the tool's own file, next to what is there, and keeps a backup beside it.
    #[arg(long, requires = "tool")]
    apply: bool,
    /// Puts the newest backup of the tool's file back.
    #[arg(long, requires = "tool", conflicts_with_all = ["apply", "model"])]
    restore: bool,
    /// Asks nothing, not even at a terminal.
    #[arg(short = 'y', long)]
    yes: bool,
}

pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<()> {
    let Some(name) = &arguments.tool else {
        say(known(context)?.trim_end_matches('\n'));
        return Ok(());
    };
    let tool = Tool::named(name)?;
    let asking = if arguments.yes { Asking::Never } else { Asking::AtTerminal };
    if arguments.restore {
        return restore(tool, context, asking);
    }
    let purpose = if arguments.apply { Purpose::Write } else { Purpose::Print };
    if purpose == Purpose::Write {
        // Before anything is asked of a daemon.
        file(tool)?;
    }
    let (target, hints) = target::find(arguments.model.as_deref(), &context.client()?, purpose).await?;
    for hint in hints {
        remark(&format!("hint: {hint}"));
    }
    match purpose {
        Purpose::Write => apply(tool, &target, context, asking),
        Purpose::Print => print(tool, &target, context),
    }
}

/// Whether the user is asked before something is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asking {
    AtTerminal,
    Never,
}

fn known(context: &Context) -> anyhow::Result<String> {
    let mut rows = vec![["NAME", "TOOL", "INSTALLED", "SETTINGS"].map(Into::into).to_vec()];
    for tool in TOOLS {
        let (settings, there) = match &tool.settings {
            Settings::File(file) => {
                let path = path(file, context)?;
                let folder =
                    file.folder != Folder::Home("") && path.parent().is_some_and(std::path::Path::is_dir);
                (path.display().to_string(), folder || path.exists())
            }
            Settings::Variables(_) => ("its environment".to_owned(), false),
            Settings::Command(_) => ("a command of its own".to_owned(), false),
        };
        let there = there || context.settings.surroundings.has_program(tool.program);
        let installed = if there { "yes" } else { "no" };
        rows.push(vec![tool.name.into(), tool.title.into(), installed.into(), settings]);
    }
    Ok(table(&rows))
}

fn print(tool: &Tool, target: &Target, context: &Context) -> anyhow::Result<()> {
    match &tool.settings {
        Settings::File(file) => {
            let path = path(file, context)?;
            remark(&format!("in {}, or by hob launch {} --apply:", path.display(), tool.name));
            let text = merge::merge(file.format, "", &file.wanted(target))?.map(|merged| merged.text);
            say(text.unwrap_or_default().trim_end_matches('\n'));
        }
        Settings::Variables(variables) => {
            remark(&format!("in the shell that starts {}, or in its profile:", tool.title));
            for (name, value) in variables(target) {
                say(&format!("export {name}={}", quoted(&value)));
            }
        }
        Settings::Command(words) => {
            remark("in a shell, once:");
            say(&words(target).iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" "));
        }
    }
    Ok(())
}

fn apply(tool: &Tool, target: &Target, context: &Context, asking: Asking) -> anyhow::Result<()> {
    let file = file(tool)?;
    let place = Place::of(&path(file, context)?)?;
    let path = place.path().display();
    let old = place.read()?;
    let merged = merge::merge(file.format, old.as_deref().unwrap_or_default(), &file.wanted(target))
        .with_context(|| format!("cannot change {path}; nothing was written"))?;
    let Some(merged) = merged else {
        say(&format!("{path} is as it should be"));
        return Ok(());
    };
    for change in &merged.changes {
        remark(&format!("  {change}"));
    }
    if !agreed(asking, &format!("Put this into {path}?"))? {
        anyhow::bail!("nothing was written");
    }
    let backup = place.replace(old.as_deref(), &merged.text, Timestamp::now())?;
    say(&format!("changed {path}"));
    match old {
        Some(_) => remark(&format!("what was there before is in {}", backup.path().display())),
        None => remark(&format!("nothing was there before, which {} notes", backup.path().display())),
    }
    remark(&format!("hint: hob launch {} --restore puts it back", tool.name));
    Ok(())
}

fn restore(tool: &Tool, context: &Context, asking: Asking) -> anyhow::Result<()> {
    let place = Place::of(&path(file(tool)?, context)?)?;
    let path = place.path().display();
    let backup = place.newest_backup()?;
    let question =
        format!("Put {} back? What was changed in {path} since then is lost.", backup.path().display());
    if !agreed(asking, &question)? {
        anyhow::bail!("nothing was written");
    }
    place.restore(&backup)?;
    say(&format!("{path} is what it was before"));
    Ok(())
}

/// The file that a tool keeps its settings in.
fn file(tool: &Tool) -> anyhow::Result<&File> {
    let title = tool.title;
    let hint = match &tool.settings {
        Settings::File(file) => return Ok(file),
        Settings::Variables(_) => format!("hob launch {} prints them, for the shell's profile", tool.name),
        Settings::Command(_) => format!("hob launch {} prints a command that sets them", tool.name),
    };
    anyhow::bail!("{title} has no settings file that hob could write\nhint: {hint}")
}

fn path(file: &File, context: &Context) -> anyhow::Result<PathBuf> {
    let surroundings = &context.settings.surroundings;
    let home = surroundings.home()?;
    let named = |variable| surroundings.folder(variable).map(PathBuf::from);
    let folder = match file.folder {
        Folder::Home(folder) => home.join(folder),
        Folder::Own(variable, folder) => named(variable).unwrap_or_else(|| home.join(folder)),
        Folder::Config(folder) => {
            named("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config")).join(folder)
        }
    };
    let mut paths = file.names.iter().map(|name| folder.join(name));
    let there = paths.clone().find(|path| path.symlink_metadata().is_ok());
    there.or_else(|| paths.next()).context("the tool has no settings file")
}

/// Without a terminal there is nobody to ask, and the flag said what is wanted.
fn agreed(asking: Asking, question: &str) -> anyhow::Result<bool> {
    if asking == Asking::Never || !std::io::stdin().is_terminal() {
        return Ok(true);
    }
    let mut terminal = std::io::stderr();
    write!(terminal, "{question} [y/N] ").and_then(|()| terminal.flush()).context("cannot ask")?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).context("cannot read the answer")?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// A word as the shell reads it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+,=".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_word_reaches_the_shell_as_it_is() {
        assert_eq!(quoted("http://127.0.0.1:11434/v1"), "http://127.0.0.1:11434/v1");
        assert_eq!(quoted("a b$c"), "'a b$c'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
        assert_eq!(quoted(""), "''");
    }
}
