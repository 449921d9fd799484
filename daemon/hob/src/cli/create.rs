//! `hob create`: reads a Modelfile, brings its files to the daemon as blobs, and has the model made from them.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use futures_util::TryStreamExt as _;
use serde_json::{Map, Value, json};
use store::modelfile::Modelfile;
use store::{HeldBlob, Store};

use super::{Context, client::Client, progress, remark};

/// What `create` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The name of the model to make.
    model: String,
    /// The Modelfile.
    #[arg(short, long, default_value = "Modelfile")]
    file: PathBuf,
    /// Quantizes the weights to this type.
    #[arg(short, long)]
    quantize: Option<String>,
}

pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<()> {
    let client = &context.client()?;
    let mut carrier = Carrier { client, models_dir: &context.settings.models_dir, held: Vec::new() };
    let name = &arguments.model;
    anyhow::ensure!(name.parse::<store::ModelName>().is_ok(), "invalid model name: {name}");
    let bytes = std::fs::read(&arguments.file)
        .with_context(|| format!("cannot read the Modelfile {}", arguments.file.display()))?;
    let modelfile = Modelfile::from_bytes(&bytes)?;
    for parameter in &modelfile.deprecated {
        remark(&format!("warning: parameter {parameter} is deprecated"));
    }
    let mut body = recipe(&modelfile)?;
    body.insert("model".to_owned(), json!(name));
    if let Some(kind) = &arguments.quantize {
        body.insert("quantize".to_owned(), json!(kind));
    }
    let folder = arguments.file.parent().unwrap_or(Path::new("."));
    let mut files = Map::new();
    for from in &modelfile.from {
        let paths = weights(&located(folder, from), from)?;
        if paths.is_empty() {
            body.insert("from".to_owned(), json!(from));
        }
        for path in paths {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let digest = carrier.bring(&path).await?;
            anyhow::ensure!(files.insert(name, json!(digest)).is_none(), "two files of one name: {from}");
        }
    }
    if !files.is_empty() {
        body.insert("files".to_owned(), Value::Object(files));
    }
    let companions = [
        ("adapters", "adapter", &modelfile.adapters, ADAPTER),
        ("draft_files", "draft model", &modelfile.drafts, DRAFT),
    ];
    for (field, what, files, takes) in companions {
        let mut brought = Map::new();
        for file in files {
            let path = located(folder, file);
            anyhow::ensure!(path.is_file(), "no {what} {file}\nhint: {takes}");
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            brought.insert(name, json!(carrier.bring(&path).await?));
        }
        if !brought.is_empty() {
            body.insert(field.to_owned(), Value::Object(brought));
        }
    }
    submit(client, &Value::Object(body)).await
}

const ADAPTER: &str = "ADAPTER takes a LoRA as a GGUF file, as llama.cpp's convert_lora_to_gguf.py makes it";
const DRAFT: &str = "DRAFT takes a smaller model with the same vocabulary, as a GGUF file of its own";

/// Has the daemon make a model, showing each of its steps.
pub(crate) async fn submit(client: &Client, body: &Value) -> anyhow::Result<()> {
    let bar = progress::spinner("gathering model components");
    let mut lines = client.stream("/api/create", body).await?;
    while let Some(line) = lines.next().await? {
        let status = line["status"].as_str().unwrap_or_default();
        if let Some(total) = line["total"].as_u64() {
            let completed = line["completed"].as_u64().unwrap_or_default();
            let percent = (completed * 100).checked_div(total).unwrap_or(100);
            bar.set_message(format!("{status} {percent}%"));
        } else {
            bar.suspend(|| remark(status));
            bar.set_message(status.to_owned());
        }
    }
    bar.finish_and_clear();
    Ok(())
}

/// The part of the request that needs no file.
fn recipe(modelfile: &Modelfile) -> anyhow::Result<Map<String, Value>> {
    let mut body = Map::new();
    let texts = [
        ("template", &modelfile.template),
        ("system", &modelfile.system),
        ("renderer", &modelfile.renderer),
        ("parser", &modelfile.parser),
        ("requires", &modelfile.requires),
    ];
    for (field, text) in texts {
        if let Some(text) = text {
            body.insert(field.to_owned(), json!(text));
        }
    }
    if !modelfile.licenses.is_empty() {
        body.insert("license".to_owned(), json!(modelfile.licenses));
    }
    if !modelfile.parameters.is_empty() {
        let mut parameters = Map::new();
        for (name, text) in &modelfile.parameters {
            set_parameter(&mut parameters, name, text)?;
        }
        body.insert("parameters".to_owned(), Value::Object(parameters));
    }
    if !modelfile.messages.is_empty() {
        let messages = modelfile.messages.iter();
        let messages: Vec<Value> = messages
            .map(|message| json!({"role": message.role.as_str(), "content": message.content}))
            .collect();
        body.insert("messages".to_owned(), json!(messages));
    }
    Ok(body)
}

/// Adds one parameter given as text, in the type that the API wants it in; `stop` accumulates, others are replaced.
pub(crate) fn set_parameter(
    parameters: &mut Map<String, Value>,
    name: &str,
    text: &str,
) -> Result<(), protocol::InvalidOption> {
    protocol::OptionPatch::default().set_text(name, text)?;
    let value = match name {
        "stop" => {
            let stops = parameters.entry(name).or_insert_with(|| json!([]));
            if let Value::Array(stops) = stops {
                stops.push(json!(text));
            }
            return Ok(());
        }
        // Go's ParseBool takes more words than JSON has.
        "use_mmap" => json!(matches!(text, "1" | "t" | "T" | "true" | "TRUE" | "True")),
        _ => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
    };
    parameters.insert(name.to_owned(), value);
    Ok(())
}

fn located(folder: &Path, from: &str) -> PathBuf {
    match (from.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => folder.join(from),
    }
}

/// The file that `from` names, with the others of its model if it is one of several; or those of the folder that it
/// names. None if neither is there, so that it is a model's name.
fn weights(path: &Path, from: &str) -> anyhow::Result<Vec<PathBuf>> {
    anyhow::ensure!(!from.is_empty(), "FROM is empty\nhint: name a GGUF file or a model");
    if path.is_file() {
        return match split_stem(path) {
            Some(stem) => {
                gguf_files(platform::durable::folder_of(path), |file| split_stem(file) == Some(stem))
            }
            None => Ok(vec![path.to_path_buf()]),
        };
    }
    if !path.is_dir() {
        return Ok(Vec::new());
    }
    let files = gguf_files(path, |_| true)?;
    let same_model =
        files.iter().all(|file| split_stem(file).is_some() && split_stem(file) == split_stem(&files[0]));
    anyhow::ensure!(
        files.len() < 2 || same_model,
        "the folder {from} holds several GGUF files\nhint: name one of them in FROM"
    );
    Ok(files)
}

fn gguf_files(folder: &Path, wanted: impl Fn(&Path) -> bool) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let files = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let is_gguf = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "gguf");
    let mut files: Vec<PathBuf> = files.filter(|path| is_gguf(path) && wanted(path)).collect();
    files.sort();
    Ok(files)
}

/// `model` and `00002` of `model-00001-of-00002.gguf`.
fn split_stem(path: &Path) -> Option<(&str, &str)> {
    let stem = path.file_stem()?.to_str()?;
    let (rest, count) = stem.rsplit_once("-of-")?;
    let (model, number) = rest.rsplit_once('-')?;
    let digits = |text: &str| text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    (digits(number) && digits(count)).then_some((model, count))
}

/// Brings files to the daemon.
struct Carrier<'a> {
    client: &'a Client,
    models_dir: &'a Path,
    /// What must not be removed before it has its model.
    held: Vec<HeldBlob>,
}

impl Carrier<'_> {
    /// The digest of the file, which the daemon has once this returns. Either way the file is read once.
    async fn bring(&mut self, path: &Path) -> anyhow::Result<String> {
        match self.shared(path).await {
            Some(held) => {
                let digest = held.digest().to_string();
                self.held.push(held);
                Ok(digest)
            }
            None => upload(self.client, path).await,
        }
    }

    /// Adds the file to the daemon's store without a copy, where that is on the same disk and ours to write to. Whatever
    /// stands in the way, an upload does as well.
    async fn shared(&self, path: &Path) -> Option<HeldBlob> {
        if !self.client.is_local() || !self.models_dir.is_dir() {
            return None;
        }
        let (models_dir, source) = (self.models_dir.to_path_buf(), path.to_path_buf());
        let bar = progress::spinner(&format!("reading file {}", path.display()));
        let share = move || Store::open(models_dir).ok()?.share(&source).ok()?;
        let held = tokio::task::spawn_blocking(share).await.ok()?;
        bar.finish_and_clear();
        let held = held?;
        // The store that we found may be another daemon's.
        self.client.head(&format!("/api/blobs/{}", held.digest())).await.is_ok().then_some(held)
    }
}

async fn upload(client: &Client, path: &Path) -> anyhow::Result<String> {
    let cannot = || format!("cannot read {}", path.display());
    let file = tokio::fs::File::open(path).await.with_context(cannot)?;
    let total = file.metadata().await.with_context(cannot)?.len();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    client.has_room(total).await?;
    let bar = progress::bytes(&format!("copying file {name}"), total);
    let stream = tokio_util::io::ReaderStream::with_capacity(file, 1 << 18);
    let counter = bar.clone();
    let stream = stream.inspect_ok(move |bytes| counter.inc(bytes.len() as u64));
    let digest = client.upload(total, reqwest::Body::wrap_stream(stream)).await?;
    bar.finish_and_clear();
    Ok(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_reach_the_api_in_their_own_types() {
        let mut parameters = Map::new();

        for (name, text) in [("temperature", "0.5"), ("num_ctx", "4096"), ("stop", "a"), ("stop", "b")] {
            set_parameter(&mut parameters, name, text).unwrap();
        }

        assert_eq!(
            Value::Object(parameters),
            json!({"temperature": 0.5, "num_ctx": 4096, "stop": ["a", "b"]})
        );
        assert!(set_parameter(&mut Map::new(), "no_such", "1").is_err());
    }
}
