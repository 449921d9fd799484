//! `hob audit`: who did what to the box, and whether what is written of it is what was written. That is `access`'s to tell; here
//! are the lines, from the box or from files.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::PathBuf;

use access::audit::{AuditEnds, Entry, Report, printable, verify};
use anyhow::Context as _;
use tokio::sync::mpsc;

use super::client::{Client, ClientError, Lines};
use super::{Context, remark, say};

/// What `audit` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Shows the entries, the oldest first.
    Show {
        /// Only those after the entry of this number.
        #[arg(long, value_name = "NUMBER", default_value_t = 0)]
        after: u64,
        /// As they are written, each a line of JSON.
        #[arg(long)]
        raw: bool,
    },
    /// Tells whether all is as it was written, and nothing is missing.
    Verify {
        /// Files of a log, the oldest first, in place of what the box has. Of those, what is cut off at either end is not seen.
        files: Vec<PathBuf>,
    },
}

const ENTRIES: &str = "/admin/api/audit?after=";

/// What is told where nobody knows both ends.
const UNSEEN: &str = "what was cut off at either end of files is not seen by this; without files it is";

/// Bytes of a word that are shown.
const MOST_SHOWN: usize = 1024;

/// Entries that are read ahead of being checked.
const AHEAD: usize = 256;

pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<()> {
    match arguments.verb {
        Verb::Show { after, raw } => show(&context.administration()?, after, raw).await,
        Verb::Verify { files } if files.is_empty() => verify_box(&context.administration()?).await,
        Verb::Verify { files } => {
            let report = tokio::task::spawn_blocking(move || verify(lines(files), None)).await;
            told(&report.context("the files were not read")??)?;
            remark(UNSEEN);
            Ok(())
        }
    }
}

async fn show(client: &Client, after: u64, raw: bool) -> anyhow::Result<()> {
    let mut lines = client.lines(&format!("{ENTRIES}{after}")).await?;
    while let Some(line) = lines.next_raw().await? {
        say(&if raw { line } else { shown(&line) });
    }
    Ok(())
}

fn shown(line: &str) -> String {
    let Ok(entry) = Entry::parse(line) else { return format!("not as it was written: {}", safe(line)) };
    let word = |value: serde_json::Result<serde_json::Value>| {
        value.ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
    };
    let (action, outcome) =
        (word(serde_json::to_value(entry.action)), word(serde_json::to_value(entry.outcome)));
    let from = entry.from.map_or_else(|| "-".to_owned(), |address| address.to_string());
    let words = [&entry.seq.to_string(), &entry.time, &entry.who, &from, &action, &entry.target, &outcome];
    words.map(|word| safe(word)).join("  ").trim_end().to_owned()
}

/// What a stranger made the box write must not move the cursor of whoever reads it, nor pass for another entry.
fn safe(text: &str) -> String {
    printable(text, MOST_SHOWN)
}

async fn verify_box(client: &Client) -> anyhow::Result<()> {
    let mut lines = client.lines(&format!("{ENTRIES}0")).await?;
    let ends = ends(&lines)?;
    let (sender, receiver) = mpsc::channel(AHEAD);
    let checking = tokio::task::spawn_blocking(move || verify(received(receiver), Some(ends)));
    while let Some(line) = next(&mut lines).await {
        if sender.send(line).await.is_err() {
            break;
        }
    }
    drop(sender);
    told(&checking.await.context("the entries were not checked")??)
}

/// Where the box says that its log begins and ends: it keeps that apart from the log.
fn ends(lines: &Lines) -> anyhow::Result<AuditEnds> {
    let end = |header| {
        let position = lines.header(header).and_then(|text| text.parse().ok());
        position.with_context(|| {
            format!("the box does not say where its log ends: {header} is missing, or is no position")
        })
    };
    Ok(AuditEnds { removed: end("x-audit-removed")?, last: end("x-audit-last")? })
}

async fn next(lines: &mut Lines) -> Option<Result<String, ClientError>> {
    lines.next_raw().await.transpose()
}

fn received<T>(mut receiver: mpsc::Receiver<T>) -> impl Iterator<Item = T> {
    std::iter::from_fn(move || receiver.blocking_recv())
}

/// Of one file after the other. One that cannot be opened is an error in the place of its lines.
fn lines(files: Vec<PathBuf>) -> impl Iterator<Item = anyhow::Result<String>> {
    files.into_iter().flat_map(|path| {
        let (opened, unopened) = match File::open(&path) {
            Ok(file) => (Some(BufReader::new(file).lines()), None),
            Err(error) => (None, Some(Err(error))),
        };
        let of_file =
            move |line: io::Result<String>| line.with_context(|| format!("cannot read {}", path.display()));
        unopened.into_iter().chain(opened.into_iter().flatten()).map(of_file)
    })
}

fn told(report: &Report) -> anyhow::Result<()> {
    for finding in &report.findings {
        say(&finding.to_string());
    }
    anyhow::ensure!(
        report.entries > 0 || !report.is_whole(),
        "there is no entry in that\nhint: the files of a log are called audit-NUMBER.jsonl"
    );
    let entries = format!("{} entries, {} to {}", report.entries, report.first, report.last.seq);
    anyhow::ensure!(report.is_whole(), "{entries}: the log is not what was written");
    say(&format!("{entries}, as they were written"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_one_after_the_other_and_one_that_is_not_there_is_named() {
        let folder = tempfile::TempDir::new().unwrap();
        let file = |name: &str| folder.path().join(name);
        std::fs::write(file("1"), "a\nb\n").unwrap();
        std::fs::write(file("2"), "c\n").unwrap();
        let read: Vec<_> = lines(vec![file("1"), file("2")]).map(Result::unwrap).collect();
        assert_eq!(read, ["a", "b", "c"]);
        let error = lines(vec![file("1"), file("3")]).find_map(Result::err).unwrap();
        assert!(error.to_string().ends_with("/3"), "{error}");
    }

    #[test]
    fn what_is_no_entry_is_shown_as_such_and_cannot_move_the_cursor() {
        assert_eq!(shown("a\u{1b}[2Jb\u{202e}"), "not as it was written: a\\u{1b}[2Jb\\u{202e}");
    }
}
