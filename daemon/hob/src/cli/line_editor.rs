//! The line editor of the conversation: its keys, its history, what it shows beside what is typed.

use std::borrow::Cow;
use std::io::IsTerminal;
use std::os::unix::fs::OpenOptionsExt;
use std::process::Command;

use reedline::{
    EditCommand, Emacs, FileBackedHistory, Hinter, KeyCode, KeyModifiers, Prompt, PromptEditMode,
    PromptHistorySearch, Reedline, ReedlineEvent, ValidationResult, Validator, default_emacs_keybindings,
};

use super::{Context, slash};

const HISTORY_LINES: usize = 100;

/// Whether what is typed is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum History {
    Kept,
    Off,
}

/// An editor on the terminal.
pub(crate) fn open(history: History, context: &Context) -> anyhow::Result<Reedline> {
    let colours = std::io::stdout().is_terminal() && context.settings.colours;
    let mut keys = default_emacs_keybindings();
    let new_line = ReedlineEvent::Edit(vec![EditCommand::InsertNewline]);
    keys.add_binding(KeyModifiers::CONTROL, KeyCode::Char('j'), new_line);
    keys.add_binding(KeyModifiers::CONTROL, KeyCode::Char('g'), ReedlineEvent::OpenEditor);
    let mut editor = Reedline::create()
        .use_bracketed_paste(true)
        .with_ansi_colors(colours)
        .with_edit_mode(Box::new(Emacs::new(keys)))
        .with_validator(Box::new(TripleQuotes));
    if colours {
        // Told from what is typed by its colour alone.
        editor = editor.with_hinter(Box::new(Placeholder));
    }
    let state = context.state_dir()?;
    std::fs::create_dir_all(&state)?;
    if let Some(program) = external(&context.settings.editor) {
        let draft = state.join(format!("message-{}.txt", std::process::id()));
        editor = editor.with_buffer_editor(program, draft);
    }
    if history == History::Kept {
        let file = backup::Folder::of(state).history();
        // What people type is theirs alone, so the file exists with its mode before anything is written.
        std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(&file)?;
        editor = editor.with_history(Box::new(FileBackedHistory::with_file(HISTORY_LINES, file)?));
    }
    Ok(editor)
}

/// The user's own editor, as in `EDITOR="code --wait"`.
#[expect(
    clippy::disallowed_methods,
    reason = "the user's editor, started by the line editor on the user's key"
)]
fn external(line: &str) -> Option<Command> {
    let mut words = line.split_whitespace();
    let mut command = Command::new(words.next()?);
    command.args(words);
    Some(command)
}

struct TripleQuotes;

impl Validator for TripleQuotes {
    fn validate(&self, line: &str) -> ValidationResult {
        if slash::is_open(line) { ValidationResult::Incomplete } else { ValidationResult::Complete }
    }
}

/// What stands on an empty line.
struct Placeholder;

impl Hinter for Placeholder {
    fn handle(
        &mut self,
        line: &str,
        _position: usize,
        _history: &dyn reedline::History,
        _colours: bool,
        _folder: &str,
    ) -> String {
        match line {
            "" => "\u{1b}[90mSend a message (/? for help)\u{1b}[0m".to_owned(),
            "\"\"\"" => "\u{1b}[90mUse \"\"\" to end the message\u{1b}[0m".to_owned(),
            _ => String::new(),
        }
    }

    fn complete_hint(&self) -> String {
        String::new()
    }

    fn next_hint_token(&self) -> String {
        String::new()
    }
}

/// `>>> `, and `... ` where a message goes on.
pub(crate) struct MessagePrompt;

impl Prompt for MessagePrompt {
    fn render_prompt_left(&self) -> Cow<'_, str> {
        Cow::Borrowed(">>> ")
    }

    fn render_prompt_right(&self) -> Cow<'_, str> {
        Cow::Borrowed("")
    }

    fn render_prompt_indicator(&self, _mode: PromptEditMode) -> Cow<'_, str> {
        Cow::Borrowed("")
    }

    fn render_prompt_multiline_indicator(&self) -> Cow<'_, str> {
        Cow::Borrowed("... ")
    }

    fn render_prompt_history_search_indicator(&self, search: PromptHistorySearch) -> Cow<'_, str> {
        Cow::Owned(format!("(search: {}) ", search.term))
    }
}
