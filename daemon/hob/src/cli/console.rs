//! The conversation at the terminal. What a line means is `slash`'s to say; here it is carried out.

use reedline::Signal;
use serde_json::{Map, Value, json};

use super::{
    Context,
    client::Client,
    create,
    line_editor::{self, History, MessagePrompt},
    list, progress, remark,
    run::{Asked, Printer, Shown, think_value, worded},
    say, show,
    slash::{self, Line, Part, Setting},
};

/// Talks until the user leaves.
pub(crate) async fn converse(
    client: &Client,
    context: &Context,
    asked: Asked,
    shown: Shown,
) -> anyhow::Result<()> {
    asked.preload(client).await?;
    let mut conversation = Conversation {
        client,
        asked,
        shown,
        messages: Vec::new(),
        history: if context.settings.history { History::Kept } else { History::Off },
    };
    conversation.open().await?;
    let mut editor = line_editor::open(conversation.history, context)?;
    let mut kept = conversation.history;
    loop {
        if kept != conversation.history {
            kept = conversation.history;
            editor = line_editor::open(kept, context)?;
        }
        // The editor blocks on the terminal; the daemon is another process, and nothing else runs here meanwhile.
        match tokio::task::block_in_place(|| editor.read_line(&MessagePrompt))? {
            Signal::Success(line) => match conversation.take(&line).await? {
                Turn::Next => {}
                Turn::Over => return Ok(()),
            },
            Signal::CtrlD => return Ok(()),
            Signal::CtrlC => remark("\nUse Ctrl + d or /bye to exit."),
            _ => {}
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Next,
    Over,
}

/// What was said so far, and how to go on.
struct Conversation<'a> {
    client: &'a Client,
    asked: Asked,
    shown: Shown,
    messages: Vec<Value>,
    history: History,
}

impl Conversation<'_> {
    /// Begins with the messages that the model itself brings.
    async fn open(&mut self) -> anyhow::Result<()> {
        let shown = self.show().await?;
        self.messages = shown["messages"].as_array().cloned().unwrap_or_default();
        for message in &self.messages {
            let content = message["content"].as_str().unwrap_or_default();
            match message["role"].as_str() {
                Some("user") => say(&format!(">>> {content}")),
                Some("assistant") => say(&format!("{content}\n")),
                _ => {}
            }
        }
        Ok(())
    }

    /// Carries out one line. A request that fails is told and survived.
    async fn take(&mut self, line: &str) -> anyhow::Result<Turn> {
        let done = match slash::parse(line) {
            Line::Bye => return Ok(Turn::Over),
            Line::Prompt(text) if text.trim().is_empty() => Ok(()),
            Line::Prompt(text) => self.ask(slash::unquoted(text)).await,
            Line::Set(setting) => self.set(setting),
            Line::Show(part) => self.show_part(part).await,
            Line::Load(name) => self.load(name).await,
            Line::Save(name) => self.save(name).await,
            Line::Clear => {
                self.messages.retain(|message| message["role"] == "system");
                say("Cleared session context");
                Ok(())
            }
            Line::List => list::run(&list::Arguments::all(), self.client).await,
            Line::Help(topic) => {
                remark(help(topic));
                Ok(())
            }
            Line::Misused(told) => {
                remark(&told);
                Ok(())
            }
        };
        if let Err(error) = done {
            remark(&format!("error: {error:#}"));
        }
        Ok(Turn::Next)
    }

    async fn ask(&mut self, text: &str) -> anyhow::Result<()> {
        let mut body = self.asked.body();
        let mut messages = self.messages.clone();
        messages.push(json!({"role": "user", "content": text}));
        body["messages"] = json!(messages);
        let spinner = progress::spinner("");
        let mut printer = Printer::new(self.shown);
        let answer = async {
            let lines = self.client.stream("/api/chat", &body).await;
            let mut lines = lines.map_err(|error| worded(error, &self.asked.model))?;
            printer.print(&mut lines, &spinner).await
        };
        // Losing the race drops the response, which is how the daemon learns that nobody waits for the rest.
        let said = tokio::select! {
            said = answer => said?,
            interrupted = tokio::signal::ctrl_c() => {
                interrupted?;
                spinner.finish_and_clear();
                say("");
                return Ok(());
            }
        };
        say("");
        messages.push(json!({"role": "assistant", "content": said}));
        self.messages = messages;
        Ok(())
    }

    fn set(&mut self, setting: Setting<'_>) -> anyhow::Result<()> {
        let told = match setting {
            Setting::Parameter { name, values } => {
                // On a copy, so that a refused value leaves the old one standing.
                let mut options = self.asked.options.clone();
                options.remove(name);
                set_parameter(&mut options, name, &values)?;
                self.asked.options = options;
                format!("Set parameter '{name}' to '{}'", values.join(", "))
            }
            Setting::System(text) => {
                let message = json!({"role": "system", "content": text});
                match self.messages.last_mut().filter(|last| last["role"] == "system") {
                    Some(last) => *last = message,
                    None => self.messages.push(message),
                }
                "Set system message.".to_owned()
            }
            Setting::History | Setting::NoHistory => {
                self.history = if setting == Setting::History { History::Kept } else { History::Off };
                return Ok(());
            }
            Setting::WordWrap => {
                self.shown.word_wrap = true;
                "Set 'wordwrap' mode.".to_owned()
            }
            Setting::NoWordWrap => {
                self.shown.word_wrap = false;
                "Set 'nowordwrap' mode.".to_owned()
            }
            Setting::Format(format) => {
                self.asked.format = Some(json!(format));
                format!("Set format to '{format}' mode.")
            }
            Setting::NoFormat => {
                self.asked.format = None;
                "Disabled format.".to_owned()
            }
            Setting::Verbose => {
                self.shown.timings = true;
                "Set 'verbose' mode.".to_owned()
            }
            Setting::Quiet => {
                self.shown.timings = false;
                "Set 'quiet' mode.".to_owned()
            }
            Setting::Think(level) => {
                self.asked.think = Some(think_value(level)?);
                "Set 'think' mode.".to_owned()
            }
            Setting::NoThink => {
                self.asked.think = Some(json!(false));
                "Set 'nothink' mode.".to_owned()
            }
        };
        say(&told);
        Ok(())
    }

    async fn show(&self) -> anyhow::Result<Value> {
        let shown = self.client.post("/api/show", &json!({"model": self.asked.model})).await;
        shown.map_err(|error| worded(error, &self.asked.model))
    }

    async fn show_part(&self, part: Part) -> anyhow::Result<()> {
        let shown = self.show().await?;
        let text = show::text(&shown, part);
        match part {
            Part::License if text.is_empty() => say("No license was specified for this model."),
            Part::System if text.is_empty() => say("No system message was specified for this model."),
            Part::Template if text.is_empty() => say("No prompt template was specified for this model."),
            Part::Parameters => {
                say("Model defined parameters:");
                say(if text.is_empty() { "  No parameters were specified for this model." } else { &text });
                if !self.asked.options.is_empty() {
                    say("\nUser defined parameters:");
                    for (name, value) in &self.asked.options {
                        say(&format!("{name:<30} {value}"));
                    }
                }
            }
            _ => say(&text),
        }
        Ok(())
    }

    async fn load(&mut self, name: &str) -> anyhow::Result<()> {
        say(&format!("Loading model '{name}'"));
        let asked = Asked { model: name.to_owned(), options: Map::new(), ..self.asked.clone() };
        match self.client.post("/api/show", &json!({"model": name})).await {
            Err(error) if error.is_unknown_model() => {
                say(&format!("Couldn't find model '{name}'"));
                return Ok(());
            }
            answer => answer.map(drop)?,
        }
        asked.preload(self.client).await?;
        self.asked = asked;
        self.open().await
    }

    async fn save(&self, name: &str) -> anyhow::Result<()> {
        if name.parse::<store::ModelName>().is_err() {
            say(&format!("error: The model name '{name}' is invalid"));
            return Ok(());
        }
        let (system, messages): (Vec<&Value>, Vec<&Value>) =
            self.messages.iter().partition(|message| message["role"] == "system");
        let mut body = json!({"model": name, "from": self.asked.model, "messages": messages});
        if let Some(last) = system.last() {
            body["system"] = last["content"].clone();
        }
        if !self.asked.options.is_empty() {
            body["parameters"] = Value::Object(self.asked.options.clone());
        }
        create::submit(self.client, &body).await?;
        say(&format!("Created new model '{name}'"));
        Ok(())
    }
}

fn set_parameter(options: &mut Map<String, Value>, name: &str, values: &[&str]) -> anyhow::Result<()> {
    if name == "stop" {
        for value in values {
            create::set_parameter(options, name, value)?;
        }
        return Ok(());
    }
    Ok(create::set_parameter(options, name, &values.join(" "))?)
}

fn help(topic: &str) -> &'static str {
    match topic.trim_start_matches('/') {
        "set" => SET_HELP,
        "show" => SHOW_HELP,
        "shortcut" | "shortcuts" => SHORTCUTS,
        _ => HELP,
    }
}

const HELP: &str = r#"Available Commands:
  /set            Set session variables
  /show           Show model information
  /load <model>   Load a session or model
  /save <model>   Save your current session
  /clear          Clear session context
  /bye            Exit
  /?, /help       Help for a command
  /? shortcuts    Help for keyboard shortcuts

Use """ to begin a multi-line message.
"#;

const SET_HELP: &str = "Available Commands:
  /set parameter ...     Set a parameter
  /set system <string>   Set system message
  /set history           Enable history
  /set nohistory         Disable history
  /set wordwrap          Enable wordwrap
  /set nowordwrap        Disable wordwrap
  /set format json       Enable JSON mode
  /set noformat          Disable formatting
  /set verbose           Show LLM stats
  /set quiet             Disable LLM stats
  /set think             Enable thinking
  /set nothink           Disable thinking
";

const SHOW_HELP: &str = "Available Commands:
  /show info         Show details for this model
  /show license      Show model license
  /show modelfile    Show Modelfile for this model
  /show parameters   Show parameters for this model
  /show system       Show system message
  /show template     Show prompt template
";

const SHORTCUTS: &str = "Available keyboard shortcuts:
  Ctrl + a            Move to the beginning of the line (Home)
  Ctrl + e            Move to the end of the line (End)
   Alt + b            Move back (left) one word
   Alt + f            Move forward (right) one word
  Ctrl + k            Delete the sentence after the cursor
  Ctrl + u            Delete the sentence before the cursor
  Ctrl + w            Delete the word before the cursor

  Ctrl + j            Begin a new line
  Ctrl + g            Write the message in your editor
  Ctrl + l            Clear the screen
  Ctrl + c            Stop the model from responding
  Ctrl + d            Exit (/bye)
";
