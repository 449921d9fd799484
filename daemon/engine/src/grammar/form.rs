//! The form of an answer, before it is compiled.

use llguidance::api::{GrammarWithLexer, TopLevelGrammar};
use protocol::Format;

use super::lark::{ANY_TEXT, Specials, up_to};
use super::schema;
use crate::ggml::{Marks, Token, Trigger};

/// The form of an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Form {
    /// What it is bound to, if it is no call.
    pub(crate) format: Option<Format>,
    /// Calls of tools that may stand in its place, or are all that it is: a grammar in Lark's notation.
    pub(crate) calls: Option<String>,
    /// What may be thought before it.
    pub(crate) thinking: Option<Thinking>,
    /// What the answer is bound from; without any, from its beginning.
    pub(crate) triggers: Vec<Trigger>,
    /// The tokens of the prompt that are part of its form.
    pub(crate) begun: Vec<Token>,
}

/// What a model thinks before it answers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Thinking {
    pub(crate) marks: Marks,
    /// The prompt ended behind the first mark.
    pub(crate) is_begun: bool,
}

impl Form {
    /// Bytes that somebody wrote, ours among them.
    pub(super) fn bytes(&self) -> usize {
        let format = match &self.format {
            None | Some(Format::Json) => 0,
            Some(Format::Schema(text) | Format::Regex(text) | Format::Lark(text)) => text.len(),
        };
        format + self.calls.as_ref().map_or(0, String::len)
    }

    /// Nothing but a format has as simple a grammar as that.
    pub(super) fn grammar(&self, specials: &Specials) -> Result<TopLevelGrammar, String> {
        let format = self.format.as_ref().map(of_format).transpose()?;
        let calls = self.calls.clone().map(GrammarWithLexer::from_lark);
        let parts: Vec<(&str, GrammarWithLexer)> = [("answer", format), ("calls", calls)]
            .into_iter()
            .filter_map(|(name, part)| Some((name, part?)))
            .collect();
        // What is thought before a trigger is no part of the form.
        let thinking = self.thinking.as_ref().filter(|_| self.triggers.is_empty());
        if let (None, [(_, alone)]) = (thinking, &parts[..]) {
            return Ok(TopLevelGrammar::from_grammar(alone.clone()));
        }
        let choice: Vec<String> = parts.iter().map(|(name, _)| format!("@{name}")).collect();
        let before = thinking.map(|thinking| thinking.grammar(specials));
        let (thought, rules) = before.unwrap_or_default();
        let start = format!("start: {thought} ({})\n{rules}", choice.join(" | "));
        let mut grammars = vec![GrammarWithLexer::from_lark(start)];
        grammars.extend(
            parts.into_iter().map(|(name, part)| GrammarWithLexer { name: Some(name.into()), ..part }),
        );
        Ok(TopLevelGrammar { grammars, max_tokens: None })
    }
}

fn of_format(format: &Format) -> Result<GrammarWithLexer, String> {
    Ok(match format {
        Format::Json => GrammarWithLexer::from_json_schema(schema::any_object()),
        Format::Schema(text) => GrammarWithLexer::from_json_schema(schema::read(text)?),
        Format::Regex(text) => GrammarWithLexer::from_regex(text),
        Format::Lark(text) => GrammarWithLexer::from_lark(text.clone()),
    })
}

impl Thinking {
    /// An expression, and the rules that it takes.
    fn grammar(&self, specials: &Specials) -> (String, String) {
        let tokens: Vec<String> = self
            .marks
            .ends
            .iter()
            .filter(|end| specials.begins(end))
            .map(|end| specials.literal(end))
            .collect();
        let thought = match tokens.is_empty() {
            true => format!("thought[lazy]: {}\n", up_to(&self.marks.ends)),
            false => format!("thought: {ANY_TEXT} ({})\n", tokens.join(" | ")),
        };
        let expression = match self.is_begun {
            true => format!("thought {BLANKS}"),
            false => format!("({} thought {BLANKS})?", specials.literal(&self.marks.start)),
        };
        (expression, thought)
    }
}

const BLANKS: &str = r"/\n{0,2}/";

#[cfg(test)]
mod tests {
    use super::*;

    fn thinking(end: &str) -> Form {
        let marks = Marks { start: "<think>".into(), ends: vec![end.into()] };
        Form {
            format: Some(Format::Json),
            thinking: Some(Thinking { marks, is_begun: false }),
            ..Form::default()
        }
    }

    #[test]
    fn thoughts_come_before_the_form() {
        let start = |form: &Form| {
            let specials = Specials::named(&[("<|end|>", 7)]);
            form.grammar(&specials).unwrap().grammars[0].lark_grammar.clone().unwrap()
        };
        assert_eq!(
            start(&thinking("</think>")),
            "start: (\"<think>\" thought /\\n{0,2}/)? (@answer)\nthought[lazy]: /(.|\\n)*(<\\/think>)/\n"
        );
        assert!(start(&thinking("<|end|>")).ends_with("thought: /(.|\\n)*/ (<[7]>)\n"));
    }
}
