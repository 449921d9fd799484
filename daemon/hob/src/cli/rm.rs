//! `hob rm`: unloads models and removes them from the store.

use serde_json::json;

use super::{client::Client, say};

/// What `rm` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The models' names.
    #[arg(required = true)]
    models: Vec<String>,
    /// Downloads that were begun for these models, in place of the models.
    #[arg(long)]
    partial: bool,
}

pub(crate) async fn run(arguments: &Arguments, client: &Client) -> anyhow::Result<()> {
    if arguments.partial {
        return remove_partials(&arguments.models, client).await;
    }
    for model in &arguments.models {
        client.post("/api/generate", &json!({"model": model, "keep_alive": 0, "stream": false})).await?;
        client.delete("/api/delete", &json!({"model": model})).await?;
        say(&format!("deleted '{model}'"));
    }
    Ok(())
}

async fn remove_partials(models: &[String], client: &Client) -> anyhow::Result<()> {
    let answer = client.get("/admin/api/store/partials").await?;
    let partials = answer["partials"].as_array().map_or(&[][..], Vec::as_slice);
    for model in models {
        let name: store::ModelName = model.parse()?;
        let short = name.to_string();
        let theirs: Vec<_> = partials.iter().filter(|partial| partial["model"] == short.as_str()).collect();
        anyhow::ensure!(
            !theirs.is_empty(),
            "no download was begun for '{model}'\nhint: hob list --partial shows them"
        );
        for partial in theirs {
            let digest = partial["digest"].as_str().unwrap_or_default();
            client.delete(&format!("/admin/api/store/partials/{digest}"), &json!({})).await?;
        }
        say(&format!("deleted what was downloaded of '{model}'"));
    }
    Ok(())
}
