//! Whether every block of a template is closed, once, and how deep they go. The engine's parser takes what is left open
//! as closed, and ends in silence at an `end` too many.

use super::tree::syntax_error;
use super::{MAX_NESTING, TemplateError};

/// A block that is open.
struct Block<'a> {
    keyword: &'a str,
    begins: usize,
    /// It and its `else if`s.
    depth: usize,
    has_else: bool,
}

/// # Errors
/// [`TemplateError::Syntax`] or [`TemplateError::TooDeep`]. What is no token at all is left to the parser.
pub(super) fn check(source: &str) -> Result<(), TemplateError> {
    let mut open: Vec<Block<'_>> = Vec::new();
    for action in (Actions { source, at: 0 }) {
        let refused = |reason: &str| Err(syntax_error(source, action.begins, reason.into()));
        match action.keyword {
            "if" | "range" | "with" | "define" | "block" => {
                let Action { keyword, begins, .. } = action;
                open.push(Block { keyword, begins, depth: 1, has_else: false });
            }
            "else" => match open.last_mut() {
                Some(block) if matches!(block.keyword, "if" | "range" | "with") && !block.has_else => {
                    block.has_else = !matches!(action.next, "if" | "with");
                    block.depth += 1;
                }
                _ => return refused("unexpected {{else}}"),
            },
            "break" | "continue" if !open.iter().any(|block| block.keyword == "range") => {
                return refused(&format!("{{{{{}}}}} outside {{{{range}}}}", action.keyword));
            }
            "end" if open.pop().is_none() => return refused("unexpected {{end}}"),
            _ => {}
        }
        if open.iter().map(|block| block.depth).sum::<usize>() > MAX_NESTING {
            return Err(TemplateError::TooDeep);
        }
    }
    match open.last() {
        Some(block) => {
            let reason = format!("{{{{{}}}}} has no {{{{end}}}}", block.keyword);
            Err(syntax_error(source, block.begins, reason))
        }
        None => Ok(()),
    }
}

/// One `{{ ... }}`.
struct Action<'a> {
    begins: usize,
    keyword: &'a str,
    /// The word after it.
    next: &'a str,
}

struct Actions<'a> {
    source: &'a str,
    at: usize,
}

impl<'a> Iterator for Actions<'a> {
    type Item = Action<'a>;

    fn next(&mut self) -> Option<Action<'a>> {
        let begins = self.at + self.source.get(self.at..)?.find("{{")?;
        let rest = self.source.get(begins + 2..)?;
        let trimmed = rest.strip_prefix('-').filter(|after| after.starts_with(char::is_whitespace));
        let inside = trimmed.unwrap_or(rest).trim_start();
        let length = action_length(inside)?;
        self.at = self.source.len() - inside.len() + length;
        let (keyword, after) = word(inside);
        let (next, _) = word(after.trim_start());
        Some(Action { begins, keyword, next })
    }
}

fn word(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len()))
}

/// Bytes up to and with the `}}` that ends an action; `None` if nothing does.
fn action_length(inside: &str) -> Option<usize> {
    if inside.starts_with("/*") {
        let comment = inside.find("*/")? + 2;
        return Some(comment + inside[comment..].find("}}")? + 2);
    }
    let mut characters = inside.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '`' => drop(characters.find(|(_, c)| *c == '`')?),
            '"' | '\'' => {
                while let Some((_, inner)) = characters.next()
                    && inner != character
                {
                    if inner == '\\' {
                        characters.next();
                    }
                }
            }
            '}' if inside[at..].starts_with("}}") => return Some(at + 2),
            _ => {}
        }
    }
    None
}
