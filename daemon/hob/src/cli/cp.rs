//! `hob cp`: a second name for a model.

use serde_json::json;

use super::{client::Client, say};

/// What `cp` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The model.
    source: String,
    /// Its second name.
    destination: String,
}

pub(crate) async fn run(arguments: &Arguments, client: &Client) -> anyhow::Result<()> {
    let Arguments { source, destination } = arguments;
    client.post("/api/copy", &json!({"source": source, "destination": destination})).await?;
    say(&format!("copied '{source}' to '{destination}'"));
    Ok(())
}
