//! An owner's conversations, the newest first, and those in which a text stands.
//!
//! They are read through. An index of letters in threes, as SQLite has one, finds no word of two, of which Chinese is full; knows
//! case of English letters alone where it does not; and would have to forget with the rest. Images lie elsewhere, so what is
//! read is text.

use regex::{Regex, RegexBuilder};
use rusqlite::{Statement, params};

use super::{Conversation, Conversations, conversation};
use crate::StateError;

/// Which of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Words, all of which stand in the title, or in one message.
    pub search: Option<String>,
    /// Those behind this place: what [`Page::next`] said.
    pub before: Option<i64>,
    /// How many.
    pub limit: usize,
}

/// Some of them, the newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// So many as were wanted, or as there are.
    pub conversations: Vec<Listed>,
    /// Behind which place there are more.
    pub next: Option<i64>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// It.
    pub conversation: Conversation,
    /// What stands around the text that was searched for, if that is in a message.
    pub found: Option<String>,
}

/// Characters that are told before the text that was found, and from there on.
const BEFORE: usize = 40;
const AFTER: usize = 120;

impl Conversations {
    /// Those that are wanted, as far as they were found until nobody waits for them any more.
    ///
    /// # Errors
    /// What the database says.
    pub fn list(&self, wanted: &Wanted, is_waited_for: impl Fn() -> bool) -> Result<Page, StateError> {
        let words = wanted.search.as_deref().map(words).unwrap_or_default();
        self.state.read(|transaction| {
            let mut statement = transaction.prepare(
                "SELECT number, touched, id, title, model, settings, leaf, created, updated, revision, messages
                 FROM conversations WHERE owner = ? AND touched < ? ORDER BY touched DESC",
            )?;
            let mut contents =
                transaction.prepare("SELECT content FROM messages WHERE conversation = ? ORDER BY number")?;
            let before = wanted.before.unwrap_or(i64::MAX);
            let mut rows = statement.query(params![self.owner.0.cast_signed(), before])?;
            let mut page = Page { conversations: Vec::new(), next: None };
            let mut last = before;
            while is_waited_for()
                && let Some(row) = rows.next()?
            {
                let conversation = conversation(row, 2)?;
                let found = found_in(&mut contents, row.get(0)?, &words, &is_waited_for)?;
                if found.is_none() && !stand_in(&words, &conversation.title) {
                    continue;
                }
                if page.conversations.len() == wanted.limit {
                    page.next = Some(last);
                    break;
                }
                last = row.get(1)?;
                page.conversations.push(Listed { conversation, found });
            }
            Ok(page)
        })
    }
}

/// Each as something that finds it, whatever its letters' case.
fn words(text: &str) -> Vec<Regex> {
    let word = |word: &str| RegexBuilder::new(&regex::escape(word)).case_insensitive(true).build();
    // A word that is too long to be looked for is looked for by nobody.
    text.split_whitespace().filter_map(|text| word(text).ok()).collect()
}

fn stand_in(words: &[Regex], text: &str) -> bool {
    words.iter().all(|word| word.is_match(text))
}

/// What stands around them in the first message that has them all.
fn found_in(
    contents: &mut Statement<'_>,
    conversation: i64,
    words: &[Regex],
    is_waited_for: &impl Fn() -> bool,
) -> Result<Option<String>, StateError> {
    let Some(first) = words.first() else { return Ok(None) };
    let mut rows = contents.query([conversation])?;
    while is_waited_for()
        && let Some(row) = rows.next()?
    {
        let content = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
        if let Some(at) = first.find(content).filter(|_| stand_in(words, content)) {
            return Ok(Some(around(content, at.start())));
        }
    }
    Ok(None)
}

/// What stands around a place, in one line.
fn around(text: &str, at: usize) -> String {
    let (before, after) = text.split_at(at);
    let begins = before.char_indices().nth_back(BEFORE - 1).map_or(0, |(begins, _)| begins);
    let ends = after.char_indices().nth(AFTER).map_or(text.len(), |(ends, _)| at + ends);
    let mut line = text[begins..ends].split_whitespace().collect::<Vec<_>>().join(" ");
    if begins > 0 {
        line.insert(0, '…');
    }
    if ends < text.len() {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_around_is_one_line_and_says_where_it_was_cut() {
        assert_eq!(around("a\n\n b", 4), "a b");
        let long = format!("{}猫{}", "ä".repeat(100), "é\n".repeat(100));
        let line = around(&long, 200);
        assert!(line.starts_with("…ää") && line.contains("ä猫é é") && line.ends_with('…'), "{line}");
        assert!(line.chars().count() < BEFORE + AFTER + 3, "{line}");
    }
}
