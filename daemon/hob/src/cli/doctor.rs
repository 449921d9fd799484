//! `hob doctor`: whether what the daemon keeps is whole.

use serde_json::Value;

use super::{client::Client, human, progress, say};

/// What `doctor` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Looks at the store: that all that its models name is there.
    #[arg(long, required = true)]
    store: bool,
    /// Reads every byte, to find what the disk has damaged.
    #[arg(long)]
    deep: bool,
    /// Also removes what no model names, and downloads that were left for a week.
    #[arg(long)]
    prune: bool,
}

pub(crate) async fn run(arguments: &Arguments, client: &Client) -> anyhow::Result<()> {
    let bar = progress::spinner("looking at the store");
    let mut lines =
        client.stream(&format!("/admin/api/store/scrub?deep={}", arguments.deep), &Value::Null).await?;
    let mut found = Value::Null;
    while let Some(line) = lines.next().await? {
        if let Some(bytes) = line["hashed_bytes"].as_u64() {
            bar.set_message(format!("looking at the store, {} read", human::size(bytes)));
        }
        found = line;
    }
    bar.finish_and_clear();
    let number = |name: &str| found[name].as_u64().unwrap_or_default();
    let problems = found["problems"].as_array().map_or(&[][..], Vec::as_slice);
    for problem in problems {
        say(problem.as_str().unwrap_or_default());
    }
    say(&format!("{} models, {} blobs, {} problems", number("models"), number("blobs"), problems.len()));
    if number("unused_blobs") > 0 {
        let size = human::size(number("unused_bytes"));
        say(&format!("{} blobs of {size} are named by no model", number("unused_blobs")));
    }
    if arguments.prune {
        let pruned = client.post("/admin/api/store/prune", &Value::Null).await?;
        let (files, bytes) = (&pruned["files"], pruned["bytes"].as_u64().unwrap_or_default());
        say(&format!("removed {files} files of {}", human::size(bytes)));
    }
    anyhow::ensure!(problems.is_empty(), "the store is not whole");
    Ok(())
}
