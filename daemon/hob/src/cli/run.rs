//! `hob run`: one prompt answered on standard output, or the way into the conversation of `console`.

use std::io::{IsTerminal, Read, Write};

use serde_json::{Map, Value, json};

use super::{
    Context,
    client::{Client, ClientError, Lines},
    console, embed, human, progress, remark, say, show, start, transfer,
    wrap::Wrap,
};

/// What `run` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The model's name.
    model: String,
    /// The prompt; without one, and at a terminal, a conversation opens.
    prompt: Vec<String>,
    /// The box that runs it: one that is paired, by its name, or by what it is called on the network.
    #[arg(long, value_name = "BOX")]
    pub(super) on: Option<String>,
    /// How long the model stays loaded afterwards, as in `5m`.
    #[arg(long, value_name = "DURATION")]
    keepalive: Option<String>,
    /// Timings after the answer.
    #[arg(long)]
    verbose: bool,
    /// No line breaks at words.
    #[arg(long)]
    nowordwrap: bool,
    /// `json`, or a JSON schema.
    #[arg(long)]
    format: Option<String>,
    /// Whether the model thinks first: true, false, high, medium, low or max.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    think: Option<String>,
    /// Does not show what the model thinks.
    #[arg(long)]
    hidethinking: bool,
    /// Runs nothing; only tells what it would take in memory, and whether it would be loaded.
    #[arg(long)]
    dry_run: bool,
    /// Plain HTTP for a model that is pulled first, from a registry that `registry.trusted` names.
    #[arg(long)]
    insecure: bool,
    #[command(flatten)]
    vectors: embed::VectorArguments,
}

/// What goes along with each request.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) model: String,
    pub(crate) keep_alive: Option<String>,
    pub(crate) format: Option<Value>,
    pub(crate) think: Option<Value>,
    pub(crate) options: Map<String, Value>,
}

/// How answers are shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown {
    pub(crate) timings: bool,
    pub(crate) word_wrap: bool,
    pub(crate) thinking: bool,
}

pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<()> {
    if arguments.dry_run {
        return dry_run(&arguments.model, context).await;
    }
    let asked = Asked {
        model: arguments.model,
        keep_alive: arguments.keepalive,
        format: arguments.format.as_deref().map(format_value).transpose()?,
        think: arguments.think.as_deref().map(think_value).transpose()?,
        options: Map::new(),
    };
    let at_terminal = std::io::stdout().is_terminal();
    let shown = Shown {
        timings: arguments.verbose,
        word_wrap: at_terminal && !arguments.nowordwrap,
        thinking: !arguments.hidethinking,
    };
    let piped = !std::io::stdin().is_terminal();
    let mut prompt = arguments.prompt.join(" ");
    if piped {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        prompt = [text.as_str(), &prompt]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(" ");
    }
    let client = context.client()?;
    let own = start::ensure_running(context, &client).await?;
    let model = match available(&client, &asked.model, arguments.insecure).await {
        Ok(model) => model,
        Err(error) => {
            if let Some(own) = own {
                start::stop(own)?;
            }
            return Err(error);
        }
    };
    let result = if embed::makes_vectors(&model) {
        embed::print(&client, &asked, &arguments.vectors, &prompt).await
    } else if prompt.is_empty() && !piped && at_terminal {
        console::converse(&client, context, asked, shown).await
    } else {
        answer(&client, &asked, shown, &prompt).await
    };
    if let Some(own) = own {
        start::stop(own)?;
    }
    result
}

/// What a run would find. A model that is not here is not pulled for it.
async fn dry_run(model: &str, context: &Context) -> anyhow::Result<()> {
    let client = context.client()?;
    let own = start::ensure_running(context, &client).await?;
    let told = show::fit(model, &client).await;
    if let Some(own) = own {
        start::stop(own)?;
    }
    say(&told?);
    Ok(())
}

/// Pulls the model if it is not here; what `/api/show` tells of it.
async fn available(client: &Client, model: &str, insecure: bool) -> anyhow::Result<Value> {
    let shown = json!({"model": model});
    match client.post("/api/show", &shown).await {
        Err(error) if error.is_unknown_model() => {
            let wanted = transfer::PullArguments {
                what: transfer::Arguments { model: model.to_owned(), insecure },
                from: None,
            };
            tokio::select! {
                pulled = transfer::pull(client, &wanted) => pulled.map_err(|error| not_here(error, model))?,
                // Not left to the signal's default: a daemon of our own would stay behind.
                _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted; what has arrived is gone on with next time"),
            }
            Ok(client.post("/api/show", &shown).await?)
        }
        other => Ok(other?),
    }
}

fn not_here(error: anyhow::Error, model: &str) -> anyhow::Error {
    anyhow::anyhow!(
        "model '{model}' not found, and pulling it failed: {error:#}\nhint: hob create {model} -f Modelfile makes one from a GGUF file"
    )
}

async fn answer(client: &Client, asked: &Asked, shown: Shown, prompt: &str) -> anyhow::Result<()> {
    let mut body = asked.body();
    body["prompt"] = json!(prompt);
    let spinner = progress::spinner("");
    let mut lines =
        client.stream("/api/generate", &body).await.map_err(|error| worded(error, &asked.model))?;
    let mut printer = Printer::new(shown);
    tokio::select! {
        done = printer.print(&mut lines, &spinner) => done.map(drop),
        // Dropping the answer cancels it; a daemon of our own is still to be stopped, so this is no plain exit.
        interrupted = tokio::signal::ctrl_c() => {
            interrupted?;
            spinner.finish_and_clear();
            anyhow::bail!("interrupted")
        }
    }
}

impl Asked {
    /// The fields that generate and chat share.
    pub(crate) fn body(&self) -> Value {
        let mut body = json!({"model": self.model});
        let fields = [
            ("keep_alive", self.keep_alive.as_ref().map(|text| json!(text))),
            ("format", self.format.clone()),
            ("think", self.think.clone()),
            ("options", Some(Value::Object(self.options.clone())).filter(|_| !self.options.is_empty())),
        ];
        for (name, value) in fields {
            if let Some(value) = value {
                body[name] = value;
            }
        }
        body
    }

    /// Has the model loaded before the first prompt is typed.
    pub(crate) async fn preload(&self, client: &Client) -> anyhow::Result<()> {
        let spinner = progress::spinner("");
        let mut body = self.body();
        body["stream"] = json!(false);
        let loaded = tokio::select! {
            loaded = client.post("/api/generate", &body) => loaded,
            // Not left to the signal's default: a daemon of our own would stay behind.
            _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted"),
        };
        spinner.finish_and_clear();
        match loaded {
            // What was shown of it came from a paired box, which will answer, and loads it then.
            Err(error) if error.is_unknown_model() => Ok(()),
            loaded => loaded.map(drop).map_err(|error| worded(error, &self.model)),
        }
    }
}

/// Adds to a missing model what can be done about it.
pub(crate) fn worded(error: ClientError, model: &str) -> anyhow::Error {
    if error.is_unknown_model() {
        return anyhow::anyhow!(
            "model '{model}' not found\nhint: create it from a GGUF file with: hob create {model} -f Modelfile"
        );
    }
    error.into()
}

/// Shows one answer as it comes.
#[derive(Debug)]
pub(crate) struct Printer {
    shown: Shown,
    wrap: Option<Wrap>,
    thinking: bool,
}

impl Printer {
    pub(crate) fn new(shown: Shown) -> Self {
        let wrap = shown.word_wrap.then(|| Wrap::at(usize::from(terminal_width()).saturating_sub(5)));
        Self { shown, wrap, thinking: false }
    }

    /// Prints until the answer is over; returns its text without the thinking.
    pub(crate) async fn print(
        &mut self,
        lines: &mut Lines,
        spinner: &indicatif::ProgressBar,
    ) -> anyhow::Result<String> {
        let mut said = String::new();
        while let Some(line) = lines.next().await? {
            let message = &line["message"];
            let thought = line["thinking"].as_str().or(message["thinking"].as_str()).unwrap_or_default();
            let piece = line["response"].as_str().or(message["content"].as_str()).unwrap_or_default();
            let done = line["done"].as_bool().unwrap_or_default();
            if !(thought.is_empty() && piece.is_empty()) || done {
                spinner.finish_and_clear();
            }
            self.think(thought)?;
            self.say(piece)?;
            said.push_str(piece);
            if done {
                self.end(&line)?;
            }
        }
        Ok(said)
    }

    fn think(&mut self, text: &str) -> std::io::Result<()> {
        if text.is_empty() || !self.shown.thinking {
            return Ok(());
        }
        if !self.thinking {
            self.thinking = true;
            self.write("Thinking...\n")?;
        }
        self.write(text)
    }

    fn say(&mut self, text: &str) -> std::io::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        if self.thinking {
            self.thinking = false;
            self.write("\n...done thinking.\n\n")?;
        }
        self.write(text)
    }

    fn end(&mut self, last: &Value) -> std::io::Result<()> {
        let rest = self.wrap.as_mut().map(Wrap::finish).unwrap_or_default();
        put(&rest)?;
        put("\n")?;
        if self.shown.timings {
            remark(&timings(last));
        }
        Ok(())
    }

    fn write(&mut self, text: &str) -> std::io::Result<()> {
        match &mut self.wrap {
            Some(wrap) => put(&wrap.push(text)),
            None => put(text),
        }
    }
}

fn put(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// The figures of the last line, in Ollama's layout.
fn timings(last: &Value) -> String {
    let number = |name: &str| last[name].as_u64().unwrap_or_default();
    let mut rows = Vec::new();
    for (label, name) in [("total duration", "total_duration"), ("load duration", "load_duration")] {
        if number(name) > 0 {
            rows.push((label.to_owned(), human::duration(number(name))));
        }
    }
    for stage in ["prompt_eval", "eval"] {
        let label = stage.replace('_', " ");
        let (count, nanoseconds) = (number(&format!("{stage}_count")), number(&format!("{stage}_duration")));
        if count > 0 {
            rows.push((format!("{label} count"), format!("{count} token(s)")));
        }
        if nanoseconds > 0 {
            rows.push((format!("{label} duration"), human::duration(nanoseconds)));
            let rate = count as f64 / (nanoseconds as f64 / 1e9);
            rows.push((format!("{label} rate"), format!("{rate:.2} tokens/s")));
        }
    }
    let rows = rows.into_iter().map(|(label, value)| format!("{:<22}{value}", format!("{label}:")));
    format!("\n{}", rows.collect::<Vec<_>>().join("\n"))
}

fn format_value(text: &str) -> anyhow::Result<Value> {
    match text {
        "json" => Ok(json!("json")),
        schema => serde_json::from_str(schema)
            .map_err(|error| anyhow::anyhow!("--format is neither 'json' nor a JSON schema: {error}")),
    }
}

/// The value of `think` in the API for a word of the user.
pub(crate) fn think_value(text: &str) -> anyhow::Result<Value> {
    match text {
        "" | "true" => Ok(json!(true)),
        "false" => Ok(json!(false)),
        "high" | "medium" | "low" | "max" => Ok(json!(text)),
        other => anyhow::bail!(
            "invalid value for --think: \"{other}\" (must be true, false, high, medium, low, or max)"
        ),
    }
}

/// Columns of the terminal; 80 where it does not tell.
fn terminal_width() -> u16 {
    match crossterm::terminal::size() {
        Ok((columns, _)) if columns > 0 => columns,
        _ => 80,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timings_line_up_as_ollamas_do() {
        let last = json!({"total_duration": 2_000_000_000_u64, "eval_count": 10, "eval_duration": 1_000_000_000_u64});

        assert_eq!(
            timings(&last),
            "\ntotal duration:       2s\neval count:           10 token(s)\neval duration:        1s\n\
             eval rate:            10.00 tokens/s"
        );
    }

    #[test]
    fn a_bare_think_is_true_and_an_unknown_one_is_refused() {
        assert_eq!(think_value("").unwrap(), json!(true));
        assert!(think_value("deep").is_err());
    }
}
