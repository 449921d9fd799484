//! `hob show`: what a model is made of, as sections or as one raw part.

use serde_json::{Value, json};

use super::{client::Client, human, list::table, say, slash::Part};

/// What `show` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The model's name.
    model: String,
    /// Only the licence.
    #[arg(long)]
    license: bool,
    /// Only the Modelfile.
    #[arg(long)]
    modelfile: bool,
    /// Only the parameters.
    #[arg(long)]
    parameters: bool,
    /// Only the prompt template.
    #[arg(long)]
    template: bool,
    /// Only the system message.
    #[arg(long)]
    system: bool,
    /// What it would take in memory, and how it would be loaded.
    #[arg(long)]
    fit: bool,
    /// Metadata and tensors as well.
    #[arg(long)]
    verbose: bool,
}

impl Arguments {
    fn part(&self) -> anyhow::Result<Part> {
        let asked = [
            (self.license, Part::License),
            (self.modelfile, Part::Modelfile),
            (self.parameters, Part::Parameters),
            (self.system, Part::System),
            (self.template, Part::Template),
        ];
        let mut asked = asked.into_iter().filter_map(|(given, part)| given.then_some(part));
        let part = asked.next().unwrap_or(Part::Info);
        anyhow::ensure!(
            asked.next().is_none(),
            "only one of '--license', '--modelfile', '--parameters', '--system', or '--template' can be specified"
        );
        Ok(part)
    }
}

pub(crate) async fn run(arguments: Arguments, client: &Client) -> anyhow::Result<()> {
    let part = arguments.part()?;
    if arguments.fit {
        say(&fit(&arguments.model, client).await?);
        return Ok(());
    }
    let body = json!({"model": arguments.model, "verbose": arguments.verbose});
    let shown = client.post("/api/show", &body).await?;
    say(text(&shown, part).trim_end_matches('\n'));
    Ok(())
}

/// What a model would take in memory, and what a run would find, line by line.
pub(crate) async fn fit(model: &str, client: &Client) -> anyhow::Result<String> {
    let mut path = String::from("/admin/api/fit?");
    path.push_str(
        reqwest::Url::parse_with_params("http://hob/", [("model", model)])?.query().unwrap_or_default(),
    );
    let fit = client.get(&path).await?;
    let bytes = |name: &str| human::size(fit[name].as_u64().unwrap_or_default());
    let row = |name: &str, figure: String| vec![name.to_owned(), figure];
    Ok(table(&[
        row("weights", bytes("weights_bytes")),
        row("KV cache", bytes("kv_cache_bytes")),
        row("computation", bytes("compute_bytes")),
        row("kept prefixes, at most", bytes("prefix_bytes")),
        row("process", bytes("process_bytes")),
        row("total", bytes("total_bytes")),
        row("budget of all models", bytes("budget_bytes")),
        row("context", format!("{} tokens", fit["context_tokens"])),
        row("answers at once", fit["parallel"].to_string()),
        row("a run", found(&fit)),
    ]))
}

/// What a request would find, in words.
fn found(fit: &Value) -> String {
    match (fit["outcome"].as_str(), fit["evicted"].as_u64()) {
        (Some("loaded"), _) => "would find it loaded".to_owned(),
        (Some("loads"), Some(0)) => "would load it".to_owned(),
        (Some("loads"), Some(1)) => "would load it, and an idle model would go".to_owned(),
        (Some("loads"), Some(count)) => format!("would load it, and {count} idle models would go"),
        _ => "would wait for models that are in use".to_owned(),
    }
}

/// One part of the answer of `/api/show`, as the user reads it.
pub(crate) fn text(shown: &Value, part: Part) -> String {
    let field = |name: &str| shown[name].as_str().unwrap_or_default().to_owned();
    match part {
        Part::Info => sections(shown),
        Part::License => field("license"),
        Part::Modelfile => field("modelfile"),
        Part::Parameters => field("parameters"),
        Part::System => field("system"),
        Part::Template => field("template"),
    }
}

fn sections(shown: &Value) -> String {
    let capabilities = shown["capabilities"].as_array().map_or(&[][..], Vec::as_slice);
    let capabilities = capabilities.iter().map(|name| vec![plain(name)]).collect();
    let parameters = shown["parameters"].as_str().unwrap_or_default().lines();
    let parameters = parameters.map(|line| {
        let (name, value) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        vec![name.to_owned(), value.trim().to_owned()]
    });
    let all: [(&str, Vec<Vec<String>>); 7] = [
        ("Model", model(shown)),
        ("Capabilities", capabilities),
        ("Parameters", parameters.collect()),
        ("System", opening(&shown["system"])),
        ("License", opening(&shown["license"])),
        ("Metadata", metadata(shown)),
        ("Tensors", tensors(shown)),
    ];
    let written = all.iter().filter(|(_, rows)| !rows.is_empty()).map(|(title, rows)| {
        let body = table(rows);
        let body: Vec<String> = body.lines().map(|line| format!("    {line}")).collect();
        format!("  {title}\n{}\n", body.join("\n"))
    });
    written.collect::<Vec<_>>().join("\n")
}

fn model(shown: &Value) -> Vec<Vec<String>> {
    let info = &shown["model_info"];
    let architecture = info["general.architecture"].as_str().unwrap_or_default();
    let details = &shown["details"];
    let parameters = match info["general.parameter_count"].as_u64() {
        Some(count) => human::parameters(count),
        None => plain(&details["parameter_size"]),
    };
    let rows = [
        ("architecture", architecture.to_owned()),
        ("parameters", parameters),
        ("context length", plain(&info[format!("{architecture}.context_length")])),
        ("embedding length", plain(&info[format!("{architecture}.embedding_length")])),
        ("quantization", plain(&details["quantization_level"])),
        ("requires", plain(&shown["requires"])),
    ];
    let rows = rows.into_iter().filter(|(_, value)| !value.is_empty());
    rows.map(|(name, value)| vec![name.to_owned(), value]).collect()
}

/// The first two lines, and dots if there are more.
fn opening(text: &Value) -> Vec<Vec<String>> {
    let lines: Vec<&str> =
        text.as_str().unwrap_or_default().lines().filter(|line| !line.trim().is_empty()).collect();
    let more = if lines.len() > 2 { Some("...") } else { None };
    lines.iter().take(2).copied().chain(more).map(|line| vec![line.trim().to_owned()]).collect()
}

/// Only a verbose answer has tensors, and only then is the metadata whole.
fn metadata(shown: &Value) -> Vec<Vec<String>> {
    match (&shown["tensors"], &shown["model_info"]) {
        (Value::Array(_), Value::Object(info)) => info
            .iter()
            .map(|(key, value)| vec![key.clone(), plain(value).chars().take(60).collect()])
            .collect(),
        _ => Vec::new(),
    }
}

fn tensors(shown: &Value) -> Vec<Vec<String>> {
    let tensors = shown["tensors"].as_array().map_or(&[][..], Vec::as_slice);
    let row = |tensor: &Value| vec![plain(&tensor["name"]), plain(&tensor["type"]), plain(&tensor["shape"])];
    tensors.iter().map(row).collect()
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_system_message_is_cut_after_two_lines() {
        assert_eq!(opening(&json!("a\nb\nc")), [["a"], ["b"], ["..."]]);
    }

    #[test]
    fn empty_sections_are_left_out() {
        let shown =
            json!({"details": {"quantization_level": "Q4_1"}, "system": "", "capabilities": ["completion"]});

        let text = text(&shown, Part::Info);

        assert_eq!(text, "  Model\n    quantization    Q4_1\n\n  Capabilities\n    completion\n");
    }
}
