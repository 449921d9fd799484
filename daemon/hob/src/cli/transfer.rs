//! What `hob pull` and `hob push` share: their arguments, and a bar for each blob.

use std::collections::HashMap;

use indicatif::{MultiProgress, ProgressBar};
use serde_json::{Value, json};

use super::{client::Client, progress, remark};

/// What `pull` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct PullArguments {
    #[command(flatten)]
    pub(crate) what: Arguments,
    /// A box that the daemon is paired with: what it has of that name is taken, and no registry is asked.
    #[arg(long, value_name = "NAME", conflicts_with = "insecure")]
    pub(crate) from: Option<String>,
}

/// What `pull` and `push` take.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The model's name, as in `smollm2`, `hf.co/USER/REPOSITORY:QUANT` or `HOST:PORT/NAMESPACE/MODEL:TAG`.
    pub(crate) model: String,
    /// Plain HTTP, to a registry that `registry.trusted` names.
    #[arg(long)]
    pub(crate) insecure: bool,
}

/// `hob pull`.
pub(crate) async fn pull(client: &Client, arguments: &PullArguments) -> anyhow::Result<()> {
    let PullArguments { what: Arguments { model, insecure }, from } = arguments;
    let body = match from {
        Some(from) => json!({"model": model, "from": from}),
        None => json!({"model": model, "insecure": insecure}),
    };
    follow(client, "/api/pull", &body).await
}

/// `hob push`.
pub(crate) async fn push(client: &Client, arguments: &Arguments) -> anyhow::Result<()> {
    let Arguments { model, insecure } = arguments;
    follow(client, "/api/push", &json!({"model": model, "insecure": insecure})).await
}

/// Has the daemon do it, showing how far it is until it is done. Ctrl-C ends it; what has arrived is gone on with next
/// time.
async fn follow(client: &Client, path: &str, body: &Value) -> anyhow::Result<()> {
    let mut lines = client.stream(path, body).await?;
    let mut shown = Shown::default();
    while let Some(line) = lines.next().await? {
        shown.tell(&line);
    }
    shown.end();
    Ok(())
}

/// A line for each step, a bar for each blob, in the order in which they came.
#[derive(Default)]
struct Shown {
    all: MultiProgress,
    blobs: HashMap<String, ProgressBar>,
    spinner: Option<ProgressBar>,
}

impl Shown {
    fn tell(&mut self, line: &Value) {
        let status = line["status"].as_str().unwrap_or_default();
        let Some(digest) = line["digest"].as_str() else {
            self.step(status);
            return;
        };
        self.end_step();
        let total = line["total"].as_u64().unwrap_or_default();
        let completed = line["completed"].as_u64().unwrap_or_default();
        let all = &self.all;
        let bar = self.blobs.entry(digest.to_owned()).or_insert_with(|| {
            let bar = all.add(progress::transfer(status, total));
            // What was there before is no speed.
            bar.set_position(completed);
            bar.reset_eta();
            bar
        });
        bar.set_position(completed);
        if let Some(from) = line["from"].as_array() {
            let names: Vec<&str> = from.iter().filter_map(Value::as_str).collect();
            bar.set_message(format!("{status} from {}", names.join(", ")));
        }
        if completed >= total && !bar.is_finished() {
            bar.finish();
        }
    }

    fn step(&mut self, status: &str) {
        self.end_step();
        if self.all.is_hidden() {
            remark(status);
        } else {
            self.spinner = Some(self.all.add(progress::spinner(status)));
        }
    }

    fn end_step(&mut self) {
        if let Some(spinner) = self.spinner.take() {
            spinner.finish();
        }
    }

    fn end(&mut self) {
        self.end_step();
    }
}
