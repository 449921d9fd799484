//! `hob list`, and how every table of the command line is set.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::{client::Client, human, say};

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
    let text = model["modified_at"].as_str().unwrap_or_default();
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
