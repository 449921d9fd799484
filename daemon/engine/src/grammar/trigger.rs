//! Where in an answer its form begins: at what calls of tools begin with.

use regex::Regex;

use crate::ggml::{Marks, Token, Trigger};

/// An answer that is not bound yet.
pub(super) struct Waiting {
    triggers: Vec<Regex>,
    /// Nothing begins within what is thought.
    thinking: Option<Marks>,
    thinks_from_the_start: bool,
    text: String,
    /// The tokens so far, and where in the text each begins.
    tokens: Vec<(usize, Token)>,
}

/// Where the form begins.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Begun {
    /// What of the first token belongs to the form, if not all of it does.
    pub(super) cut: String,
    /// The tokens from there on.
    pub(super) tokens: Vec<Token>,
}

impl Waiting {
    /// # Errors
    /// What is wrong with a trigger.
    pub(super) fn new(triggers: &[Trigger], thinking: Option<(&Marks, bool)>) -> Result<Self, String> {
        let regex = |trigger: &Trigger| match trigger {
            Trigger::Word(word) => Regex::new(&regex::escape(word)),
            // To look ahead saves a template's author a check that the grammar makes anyway.
            Trigger::Pattern(pattern) => Regex::new(&without_lookahead(pattern)),
        };
        Ok(Self {
            triggers: triggers
                .iter()
                .map(regex)
                .collect::<Result<_, _>>()
                .map_err(|error| error.to_string())?,
            thinking: thinking.map(|(marks, _)| marks.clone()),
            thinks_from_the_start: thinking.is_some_and(|(_, begun)| begun),
            text: String::new(),
            tokens: Vec::new(),
        })
    }

    /// Takes in a token and its text; where the form begins, if it has by now.
    pub(super) fn take(&mut self, token: Token, piece: &[u8]) -> Option<Begun> {
        self.tokens.push((self.text.len(), token));
        self.text += &String::from_utf8_lossy(piece);
        let from = self.behind_thinking()?;
        let found = self.triggers.iter().filter_map(|trigger| {
            let groups = trigger.captures(&self.text[from..])?;
            Some(from + groups.get(1).or_else(|| groups.get(0))?.start())
        });
        let at = found.min()?;
        let whole = self.tokens.partition_point(|(begins, _)| *begins < at);
        let until = self.tokens.get(whole).map_or(self.text.len(), |(begins, _)| *begins);
        let tokens = self.tokens[whole..].iter().map(|(_, token)| *token).collect();
        Some(Begun { cut: self.text[at..until].to_owned(), tokens })
    }

    /// Where what may be a call begins; `None` while the model thinks.
    fn behind_thinking(&self) -> Option<usize> {
        let Some(Marks { start, ends }) = &self.thinking else { return Some(0) };
        let thinks = self.thinks_from_the_start || self.text.trim_start().starts_with(start.as_str());
        if !thinks {
            return Some(0);
        }
        ends.iter().filter_map(|end| Some(self.text.find(end.as_str())? + end.len())).min()
    }
}

fn without_lookahead(pattern: &str) -> String {
    let mut pattern = pattern.to_owned();
    while let Some(at) = pattern.find("(?!") {
        let Some(end) = pattern[at..].find(')') else { break };
        pattern.replace_range(at..=at + end, "");
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun(waiting: &mut Waiting, pieces: &[&str]) -> Option<Begun> {
        pieces.iter().enumerate().find_map(|(token, piece)| waiting.take(token as Token, piece.as_bytes()))
    }

    #[test]
    fn a_form_begins_where_its_trigger_does() {
        let of = |trigger: Trigger| Waiting::new(&[trigger], None).unwrap();
        let word = || of(Trigger::Word("<tool_call>".into()));
        assert_eq!(begun(&mut word(), &["I ", "look.\n<", "tool_", "call", "x"]), None);
        let cut = Begun { cut: "<".into(), tokens: vec![2, 3] };
        assert_eq!(begun(&mut word(), &["I ", "look.\n<", "tool_", "call>", "x"]), Some(cut));
        let whole = Begun { cut: String::new(), tokens: vec![1] };
        assert_eq!(begun(&mut word(), &["I ", "<tool_call>"]), Some(whole));

        let group = of(Trigger::Pattern(r"<\|start\|>assistant(\s+to)(?!x)".into()));
        let behind = Begun { cut: String::new(), tokens: vec![1] };
        assert_eq!(begun(&mut { group }, &["<|start|>assistant", " to"]), Some(behind));
    }

    #[test]
    fn nothing_begins_within_what_is_thought() {
        let marks = Marks { start: "<think>".into(), ends: vec!["</think>".into()] };
        let words = [Trigger::Word("{".into())];
        let mut waiting = Waiting::new(&words, Some((&marks, false))).unwrap();
        assert_eq!(begun(&mut waiting, &["<think>", "{", "</think>"]), None);
        assert!(begun(&mut waiting, &["{"]).is_some());
    }
}
