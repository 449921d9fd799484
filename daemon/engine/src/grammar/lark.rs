//! Pieces of Lark's notation, as llguidance reads it.

use crate::ggml::{Model, Token};

/// Names of tokens that are no text: a text that has one means the token.
pub(crate) struct Specials(Vec<(String, Token)>);

impl Specials {
    pub(crate) fn of(model: &Model) -> Self {
        Self(model.control_tokens())
    }

    /// An expression for a text.
    pub(super) fn literal(&self, text: &str) -> String {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((at, name, token)) = self.first(rest) {
            if at > 0 {
                parts.push(quoted(&rest[..at]));
            }
            parts.push(format!("<[{token}]>"));
            rest = &rest[at + name.len()..];
        }
        if !rest.is_empty() || parts.is_empty() {
            parts.push(quoted(rest));
        }
        parts.join(" ")
    }

    /// The text is, or begins with, the name of a token.
    pub(super) fn begins(&self, text: &str) -> bool {
        self.first(text).is_some_and(|(at, ..)| at == 0)
    }

    /// As much of a text as is before the first token in it.
    pub(crate) fn before<'a>(&self, text: &'a str) -> &'a str {
        self.first(text).map_or(text, |(at, ..)| &text[..at])
    }

    fn first<'a>(&'a self, text: &str) -> Option<(usize, &'a str, Token)> {
        let found = self
            .0
            .iter()
            .filter_map(|(name, token)| Some((text.find(name.as_str())?, name.as_str(), *token)));
        // Of two that begin at one place, the longer.
        found.min_by_key(|(at, name, _)| (*at, usize::MAX - name.len()))
    }
}

/// A string: Lark's are JSON's.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Any text up to and with the first of some others, as the body of a rule that is `[lazy]`.
pub(super) fn up_to(ends: &[String]) -> String {
    let ends: Vec<String> =
        ends.iter().map(|end| regex::escape(end).replace('/', "\\/").replace('\n', "\\n")).collect();
    format!("/(.|\\n)*({})/", ends.join("|"))
}

/// Any text.
pub(super) const ANY_TEXT: &str = "/(.|\\n)*/";

#[cfg(test)]
impl Specials {
    pub(super) fn named(names: &[(&str, Token)]) -> Self {
        Self(names.iter().map(|(name, token)| ((*name).to_owned(), *token)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_tokens_in_a_text_are_tokens() {
        let specials = Specials::named(&[("<|im_start|>", 1), ("<|im|>", 2)]);
        assert_eq!(specials.literal("<|im_start|>user\n"), r#"<[1]> "user\n""#);
        assert_eq!(specials.literal("a<|im|>"), r#""a" <[2]>"#);
        assert_eq!(specials.literal("\"x\""), r#""\"x\"""#);
        assert_eq!(specials.before("}\n<|im|>\n"), "}\n");
    }
}
