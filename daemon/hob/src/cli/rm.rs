//! `hob rm`: unloads models and removes them from the store.

use serde_json::json;

use super::{client::Client, say};

/// What `rm` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The models' names.
    #[arg(required = true)]
    models: Vec<String>,
}

pub(crate) async fn run(arguments: &Arguments, client: &Client) -> anyhow::Result<()> {
    for model in &arguments.models {
        client.post("/api/generate", &json!({"model": model, "keep_alive": 0, "stream": false})).await?;
        client.delete("/api/delete", &json!({"model": model})).await?;
        say(&format!("deleted '{model}'"));
    }
    Ok(())
}
