//! `hob stop`: unloads a model.

use serde_json::json;

use super::client::Client;

/// What `stop` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The model's name.
    model: String,
}

pub(crate) async fn run(arguments: &Arguments, client: &Client) -> anyhow::Result<()> {
    let body = json!({"model": arguments.model, "keep_alive": 0, "stream": false});
    match client.post("/api/generate", &body).await {
        Err(error) if error.is_unknown_model() => {
            anyhow::bail!("couldn't find model \"{}\" to stop", arguments.model)
        }
        answer => Ok(answer.map(drop)?),
    }
}
