//! `hob list`, and how every table of the command line is set.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::{client::Client, human, say};

/// What `list` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    models: Arguments,
    /// Downloads that were begun and are not done, in place of models.
    #[arg(long)]
    partial: bool,
}

/// What `list` and `ps` take.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only models whose name begins so.
    prefix: Option<String>,
}

impl Arguments {
    pub(crate) fn all() -> Self {
        Self { prefix: None }
    }

    pub(crate) fn admits(&self, name: &str) -> bool {
        let prefix = self.prefix.as_deref().unwrap_or_default().to_lowercase();
        name.to_lowercase().starts_with(&prefix)
    }
}

/// `hob list`.
pub(crate) async fn list(arguments: &ListArguments, client: &Client) -> anyhow::Result<()> {
    if arguments.partial {
        partials(&arguments.models, client).await
    } else {
        run(&arguments.models, client).await
    }
}

async fn partials(arguments: &Arguments, client: &Client) -> anyhow::Result<()> {
    let answer = client.get("/admin/api/store/partials").await?;
    let mut rows = vec![["NAME", "ID", "SIZE", "DONE", "MODIFIED"].map(str::to_owned).to_vec()];
    for partial in answer["partials"].as_array().map_or(&[][..], Vec::as_slice) {
        let name = partial["model"].as_str().unwrap_or("-");
        if arguments.admits(name) {
            let (bytes, done) = (partial["bytes"].as_u64(), partial["completed_bytes"].as_u64());
            let (bytes, done) = (bytes.unwrap_or_default(), done.unwrap_or_default());
            let percent = format!("{}%", (done * 100).checked_div(bytes).unwrap_or(100));
            let row = [
                name.to_owned(),
                short_id(partial),
                human::size(bytes),
                percent,
                modified(partial, Timestamp::now()),
            ];
            rows.push(row.to_vec());
        }
    }
    say(&table(&rows));
    Ok(())
}

/// The table of models.
pub(crate) async fn run(arguments: &Arguments, client: &Client) -> anyhow::Result<()> {
    let answer = client.get("/api/tags").await?;
    let mut rows = vec![["NAME", "ID", "SIZE", "MODIFIED"].map(str::to_owned).to_vec()];
    for model in models(&answer) {
        let name = model["name"].as_str().unwrap_or_default();
        if arguments.admits(name) {
            let size = human::size(model["size"].as_u64().unwrap_or_default());
            rows.push(vec![name.to_owned(), short_id(model), size, modified(model, Timestamp::now())]);
        }
    }
    say(&table(&rows));
    Ok(())
}

pub(crate) fn models(answer: &Value) -> &[Value] {
    answer["models"].as_array().map_or(&[], Vec::as_slice)
}

/// The first twelve digits of the digest.
pub(crate) fn short_id(model: &Value) -> String {
    let digest = model["digest"].as_str().unwrap_or_default();
    digest.trim_start_matches("sha256:").chars().take(12).collect()
}

fn modified(model: &Value, now: Timestamp) -> String {
    ago_of(&model["modified_at"], now)
}

/// How long ago a time of an answer was.
pub(crate) fn ago_of(time: &Value, now: Timestamp) -> String {
    let text = time.as_str().unwrap_or_default();
    let Ok(time) = text.parse::<Timestamp>() else { return "Never".to_owned() };
    let seconds = u64::try_from(now.as_second() - time.as_second()).unwrap_or_default();
    human::ago(Duration::from_secs(seconds))
}

/// Left-aligned columns, four spaces apart, without a line break at the end.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}    "));
        cells.collect::<String>().trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn columns_line_up() {
        let rows = [vec!["NAME".to_owned(), "ID".to_owned()], vec!["a".to_owned(), "b".to_owned()]];

        assert_eq!(table(&rows), "NAME    ID\na       b");
    }
}
