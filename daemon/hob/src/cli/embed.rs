//! `hob run` with a model that makes vectors: that of the prompt on standard output, as a JSON array.

use serde_json::{Value, json};

use super::{client::Client, progress, run::Asked, say};

/// What is said of vectors.
#[derive(Debug, clap::Args)]
pub(crate) struct VectorArguments {
    /// Of an embedding model: how many dimensions are printed.
    #[arg(long)]
    dimensions: Option<u32>,
    /// Of an embedding model: whether a text that is too long is cut, or refused.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    truncate: Option<bool>,
}

/// Whether a model, as `/api/show` tells of it, makes vectors.
pub(crate) fn makes_vectors(shown: &Value) -> bool {
    shown["capabilities"].as_array().is_some_and(|all| all.contains(&json!("embedding")))
}

/// Prints the prompt's vector.
pub(crate) async fn print(
    client: &Client,
    asked: &Asked,
    arguments: &VectorArguments,
    prompt: &str,
) -> anyhow::Result<()> {
    let model = &asked.model;
    anyhow::ensure!(
        !prompt.is_empty(),
        "embedding models require input text. Usage: hob run {model} \"your text here\""
    );
    let mut body = asked.body();
    body["input"] = json!(prompt);
    body["dimensions"] = json!(arguments.dimensions);
    body["truncate"] = json!(arguments.truncate);
    let spinner = progress::spinner("");
    let made = tokio::select! {
        made = client.post("/api/embed", &body) => made,
        // Not left to the signal's default: a daemon of our own would stay behind.
        _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted"),
    };
    spinner.finish_and_clear();
    say(&made?["embeddings"][0].to_string());
    Ok(())
}
