//! What a body has that nobody asked for, in one line of the log, however much it is: the names are the client's. What is
//! asked for is the families'.

use std::fmt;

/// Names that are told; of the others, how many there are.
const MOST_NAMES: usize = 5;

/// Characters that are told of a name.
const MOST_CHARACTERS: usize = 64;

/// Names that nothing goes by.
#[derive(Debug, Default)]
pub(crate) struct Strays {
    count: usize,
    names: Vec<String>,
}

impl Strays {
    /// One more.
    pub(crate) fn note(&mut self, name: &str) {
        self.count += 1;
        if self.names.len() < MOST_NAMES {
            let name = shown(name);
            // Of many messages each may have the same one.
            if !self.names.contains(&name) {
                self.names.push(name);
            }
        }
    }

    /// All those of a part of the body.
    pub(crate) fn take_in(&mut self, part: Self) {
        self.count += part.count;
        for name in part.names {
            if self.names.len() < MOST_NAMES && !self.names.contains(&name) {
                self.names.push(name);
            }
        }
    }

    /// Tells the log, if there are any.
    pub(crate) fn tell(&self, body: &'static str) {
        if self.count > 0 {
            tracing::warn!(body, fields = self.count, "fields that do not exist here have no effect: {self}");
        }
    }
}

impl fmt::Display for Strays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names.join(", "))?;
        f.write_str(if self.count > self.names.len() { ", …" } else { "" })
    }
}

/// So much of it, with nothing that could move a terminal's cursor.
fn shown(name: &str) -> String {
    let mut shown: String = name.chars().take(MOST_CHARACTERS).flat_map(char::escape_debug).collect();
    if name.chars().nth(MOST_CHARACTERS).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strays(names: &[&str]) -> Strays {
        let mut strays = Strays::default();
        names.iter().for_each(|name| strays.note(name));
        strays
    }

    #[test]
    fn a_few_names_are_told_and_how_many_there_are() {
        assert_eq!(strays(&["a", "b"]).to_string(), "a, b");
        let many = strays(&["a", "b", "a", "c", "d", "e", "f", "g"]);
        assert_eq!((many.to_string().as_str(), many.count), ("a, b, c, d, e, …", 8));
        let mut whole = strays(&["a"]);
        whole.take_in(strays(&["a", "b"]));
        assert_eq!((whole.to_string().as_str(), whole.count), ("a, b, …", 3));
    }

    #[test]
    fn names_are_told_short_and_in_one_line() {
        assert_eq!(strays(&["a\n\u{1b}[2J"]).to_string(), "a\\n\\u{1b}[2J");
        assert_eq!(strays(&["ü".repeat(1 << 20).as_str()]).to_string(), format!("{}…", "ü".repeat(64)));
    }
}
