//! A Modelfile's TEMPLATE: Go's `text/template` with Ollama's functions and variables. Pure: a conversation and a clock
//! come in, text goes out. Which template a model uses is `prompt`'s choice.
//!
//! A template may come from anywhere, so it is bounded: its length and nesting when it is parsed; its output, the text
//! its functions make and its time when it runs. What stays unbounded is memory for copies of lists (`slice`), which
//! the worker's own limits catch.

mod blocks;
pub(crate) mod conversation;
mod functions;
#[cfg(test)]
mod tests;
mod tree;
mod values;

use std::fmt;

use gotmpl::parse::{ListNode, Parser};
use gotmpl::{MissingKey, Template, Value};
use protocol::Role;

pub(crate) use conversation::Conversation;
use functions::Budget;
pub(crate) use functions::Clock;

/// A template that was checked and can run.
pub(crate) struct GoTemplate {
    template: Template,
    reading: Reading,
    capabilities: Capabilities,
    budget: Budget,
}

/// What a template can put into a prompt besides plain messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Capabilities {
    /// Descriptions of tools.
    pub(crate) tools: bool,
    /// What the model thought in earlier turns.
    pub(crate) thinking: bool,
    /// What comes after a gap.
    pub(crate) insert: bool,
}

/// How a template takes a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// All at once, as `.Messages`.
    Messages,
    /// Turn by turn, as `.System`, `.Prompt` and `.Response`.
    Turns,
}

/// Why a template cannot be used, or not for this conversation.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TemplateError {
    #[error("template error: it is {0} bytes long, at most {MAX_SOURCE_BYTES} are allowed")]
    TooLong(usize),
    #[error("template error: line {line}, column {column}: {reason}")]
    Syntax { line: usize, column: usize, reason: String },
    #[error("template error: more than {MAX_NESTING} blocks within each other")]
    TooDeep,
    #[error("template error: its output is longer than {MAX_OUTPUT_BYTES} bytes")]
    OutputTooLong,
    #[error("template error: {0}")]
    Run(String),
}

impl GoTemplate {
    /// Checks the whole template, so that one that parses fails only for what it is given.
    ///
    /// # Errors
    /// [`TemplateError`], with line and column where there is one.
    pub(crate) fn parse(source: &str) -> Result<Self, TemplateError> {
        if source.len() > MAX_SOURCE_BYTES {
            return Err(TemplateError::TooLong(source.len()));
        }
        blocks::check(source)?;
        let (mut main, defines) = Parser::new(source, "{{", "}}").and_then(Parser::parse)?;
        tree::check(source, &main, &defines)?;

        let mut variables = tree::identifiers(&main);
        defines.iter().for_each(|define| variables.extend(tree::identifiers(&define.body)));
        if !variables.contains("messages") && !variables.contains("response") {
            tree::append_response(&mut main);
        }
        let mut last = main.clone();
        tree::cut_after_response(&mut last);

        let budget = Budget::default();
        let mut template = Template::new("")
            .missing_key(MissingKey::ZeroValue)
            .max_range_iters(MAX_RANGE_STEPS)
            .funcs(functions::functions(&budget));
        let trees = defines.into_iter().map(|define| (define.name.to_string(), define.body));
        for (name, tree) in trees.chain([(WHOLE.into(), main), (LAST.into(), last)]) {
            template = template.add_parse_tree(&name, instrumented(tree));
        }
        let reading = if variables.contains("messages") { Reading::Messages } else { Reading::Turns };
        let has = |name: &str| variables.contains(name);
        let capabilities =
            Capabilities { tools: has("tools"), thinking: has("thinking"), insert: has("suffix") };
        Ok(Self { template, reading, capabilities, budget })
    }

    pub(crate) fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    /// The prompt, ending where the model's answer begins, or behind what a last message of the model's own says.
    ///
    /// # Errors
    /// [`TemplateError::OutputTooLong`], or [`TemplateError::Run`] with what went wrong or took too long.
    pub(crate) fn render(&self, conversation: &Conversation, clock: Clock) -> Result<String, TemplateError> {
        self.budget.renew(clock);
        let mut prompt = Bounded::default();
        if !conversation.suffix.is_empty() {
            self.run(WHOLE, values::infill(conversation), &mut prompt)?;
        } else if self.reading == Reading::Messages {
            self.run(WHOLE, values::messages(conversation), &mut prompt)?;
        } else {
            self.run_turns(conversation, &mut prompt)?;
        }
        Ok(prompt.text)
    }

    /// One run a turn. A turn ends where the next message belongs before what was said in it.
    fn run_turns(&self, conversation: &Conversation, prompt: &mut Bounded) -> Result<(), TemplateError> {
        let mut turn = values::LegacyTurn::default();
        for message in conversation.collated() {
            let ended = match message.role {
                Role::System => turn.prompt.is_some() || turn.response.is_some(),
                Role::User => turn.response.is_some(),
                Role::Assistant | Role::Tool => false,
            };
            if ended {
                self.run(WHOLE, std::mem::take(&mut turn).values(conversation), prompt)?;
            }
            match message.role {
                Role::System => turn.system = Some(message.content),
                Role::User => turn.prompt = Some(message.content),
                Role::Assistant => turn.response = Some(message.content),
                // These templates have no place for it.
                Role::Tool => {}
            }
        }
        self.run(LAST, turn.values(conversation), prompt)
    }

    fn run(&self, tree: &str, variables: Value, prompt: &mut Bounded) -> Result<(), TemplateError> {
        let done = self.template.execute_template_fmt(prompt, tree, &variables);
        done.map_err(|error| match error {
            gotmpl::TemplateError::Write => TemplateError::OutputTooLong,
            other => other.into(),
        })
    }
}

impl From<gotmpl::TemplateError> for TemplateError {
    fn from(error: gotmpl::TemplateError) -> Self {
        use gotmpl::TemplateError::{Exec, Lex, Parse};
        match error {
            // The parser's own limit has no place.
            Parse { line: 0, .. } => Self::TooDeep,
            Parse { line, col, message, .. } | Lex { line, col, message, .. } => {
                Self::Syntax { line, column: col, reason: message }
            }
            Exec(reason) => Self::Run(reason),
            other => Self::Run(other.to_string()),
        }
    }
}

fn instrumented(mut tree: ListNode) -> ListNode {
    tree::instrument(&mut tree);
    tree
}

/// Output that stops growing.
#[derive(Default)]
struct Bounded {
    text: String,
}

impl fmt::Write for Bounded {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        if self.text.len() + more.len() > MAX_OUTPUT_BYTES {
            return Err(fmt::Error);
        }
        self.text.push_str(more);
        Ok(())
    }
}

/// The longest template in Ollama's library is a tenth of this.
const MAX_SOURCE_BYTES: usize = 64 << 10;

/// Blocks within each other; a link of an `else if` chain counts as one.
const MAX_NESTING: usize = 64;

/// Twice the longest request.
const MAX_OUTPUT_BYTES: usize = 2 * protocol::frame::MAX_FRAME_BYTES;

/// All loops of one run together.
const MAX_RANGE_STEPS: u64 = 10_000_000;

/// Names of our own trees, which no `{{ define }}` can take: ours are added last.
const WHOLE: &str = "#whole";
const LAST: &str = "#last";
