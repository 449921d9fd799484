//! Answers whose parts stand behind marks in the text, for models whose template does not tell more of their form.

use protocol::ToolCall;

use super::Reply;
use super::object::Object;
use crate::ggml::Marks;

/// Tells the parts of an answer apart by marks in its text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tagged {
    /// What stands around what the model thinks.
    pub(crate) thinking: Option<Marks>,
    /// The prompt ended behind the first of these marks.
    pub(crate) thinks_from_the_start: bool,
    /// What calls begin with; nothing if there are no tools.
    pub(crate) call: Option<String>,
    /// Names of the tools.
    pub(crate) tools: Vec<String>,
}

impl Tagged {
    /// All that was said so far; `ended` if nothing follows.
    pub(crate) fn read(&self, text: &str, ended: bool) -> Reply {
        let mut reply = Reply::default();
        let rest = self.read_thinking(text, ended, &mut reply);
        self.read_rest(rest, ended, &mut reply);
        reply
    }

    fn read_thinking<'a>(&self, text: &'a str, ended: bool, reply: &mut Reply) -> &'a str {
        let Some(Marks { start, ends }) = &self.thinking else { return text };
        let begun = text.trim_start();
        let thought = match begun.strip_prefix(start.as_str()) {
            Some(thought) => thought,
            None if self.thinks_from_the_start => begun,
            // It may yet become the mark.
            None if !ended && start.starts_with(begun) => return "",
            None => return text,
        };
        let thought = thought.trim_start();
        let end = ends.iter().filter_map(|end| Some((thought.find(end.as_str())?, end.len()))).min();
        match end {
            Some((at, length)) => {
                thought[..at].trim_end().clone_into(&mut reply.thinking);
                thought[at + length..].trim_start()
            }
            None => {
                let known = if ended { thought } else { without_beginning(thought, ends).trim_end() };
                known.clone_into(&mut reply.thinking);
                ""
            }
        }
    }

    fn read_rest(&self, text: &str, ended: bool, reply: &mut Reply) {
        let Some(mark) = &self.call else {
            text.clone_into(&mut reply.content);
            return;
        };
        let Some(at) = text.find(mark.as_str()) else {
            let mark = std::slice::from_ref(mark);
            let said = if ended { text } else { without_beginning(text, mark).trim_end() };
            said.clone_into(&mut reply.content);
            return;
        };
        match self.read_calls(&text[at..], mark, ended) {
            Some(calls) => {
                text[..at].trim_end().clone_into(&mut reply.content);
                reply.calls = calls;
            }
            // It is no call, after all.
            None => text.clone_into(&mut reply.content),
        }
    }

    /// The calls in a text that begins with the mark, perhaps none yet; `None` if they are something else.
    fn read_calls(&self, text: &str, mark: &str, ended: bool) -> Option<Vec<ToolCall>> {
        let mut calls = Vec::new();
        let mut rest = if mark == "{" { text } else { &text[mark.len()..] };
        while let Some(at) = rest.find('{') {
            // Between them stand brackets, marks and blanks; whatever else there is, is not worth an answer's loss.
            let Some(object) = Object::read(&rest[at..]) else { break };
            let named = object.member(NAME).filter(|member| member.is_whole);
            let name = named.map(|member| member.value.trim_matches('"'));
            match name {
                Some(name) if self.tools.iter().any(|tool| tool == name) => {
                    let arguments = object.member(ARGUMENTS).map_or("", |member| member.value);
                    // One without any is called with none.
                    let arguments =
                        if arguments.is_empty() && object.rest.is_some() { "{}" } else { arguments };
                    calls.push(ToolCall {
                        id: String::new(),
                        name: name.to_owned(),
                        arguments: arguments.to_owned(),
                    });
                }
                // The name is still to come.
                None if object.rest.is_none() => break,
                _ if calls.is_empty() => return None,
                _ => break,
            }
            match object.rest {
                Some(after) => rest = after,
                None => break,
            }
        }
        let is_none = calls.is_empty() && (ended || !may_become_a_call(rest));
        (!is_none).then_some(calls)
    }
}

/// By what name a tool is called, in the ways that models were taught.
const NAME: &[&str] = &["name", "tool_name", "function"];
const ARGUMENTS: &[&str] = &["arguments", "parameters"];

/// Nothing but the beginning of an object, or what may stand before one.
fn may_become_a_call(text: &str) -> bool {
    match text.find('{') {
        Some(at) => Object::read(&text[at..]).is_some(),
        None => text.trim().len() < SHORT,
    }
}

/// No longer text stands between a mark and the call behind it.
const SHORT: usize = 24;

/// A text without an end that one of the marks begins with.
fn without_beginning<'a>(text: &'a str, marks: &[String]) -> &'a str {
    let overlap = |mark: &String| {
        let longest = mark.len().saturating_sub(1).min(text.len());
        (1..=longest).rev().find(|length| text.as_bytes().ends_with(&mark.as_bytes()[..*length])).unwrap_or(0)
    };
    &text[..text.len() - marks.iter().map(overlap).max().unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tagged(mark: &str) -> Tagged {
        let ends = vec!["</think>".to_owned()];
        Tagged {
            thinking: Some(Marks { start: "<think>".into(), ends }),
            call: Some(mark.into()),
            tools: vec!["now".into(), "weather".into()],
            ..Tagged::default()
        }
    }

    fn calls(reply: &Reply) -> Vec<(&str, &str)> {
        reply.calls.iter().map(|call| (&call.name[..], &call.arguments[..])).collect()
    }

    #[test]
    fn thinking_text_and_calls_are_told_apart() {
        let text = "<think>\nRain?\n</think>\n\nI look.\n<tool_call>\n{\"name\": \"weather\", \"arguments\": \
                    {\"city\": \"Oslo\"}}\n</tool_call>\n<tool_call>\n{\"name\": \"now\"}\n</tool_call>";
        let reply = tagged("<tool_call>").read(text, true);
        assert_eq!((&reply.thinking[..], &reply.content[..]), ("Rain?", "I look."));
        assert_eq!(calls(&reply), [("weather", r#"{"city": "Oslo"}"#), ("now", "{}")]);
    }

    #[test]
    fn what_was_told_never_turns_out_to_be_something_else() {
        let texts = [
            "<think>a</think>b <tool_call>{\"name\": \"now\", \"arguments\": {}}</tool_call>",
            "no <tool_call> of mine, and <b>bold</b>",
            "[TOOL_CALLS] [{\"name\": \"now\", \"arguments\": {\"a\": [1, 2]}}, {\"name\": \"weather\"}]",
            "{\"temperature\": 3}",
            "{\"name\": \"nobody\", \"arguments\": {}}",
        ];
        for (text, mark) in
            texts.iter().flat_map(|text| ["<tool_call>", "[TOOL_CALLS]", "{"].map(|mark| (text, mark)))
        {
            let reader = tagged(mark);
            let whole = reader.read(text, true);
            for end in 0..text.len() {
                let part = reader.read(&text[..end], false);
                assert!(whole.content.starts_with(&part.content), "{text} {end} {mark} {part:?}");
                assert!(whole.thinking.starts_with(&part.thinking), "{text} {end}");
                assert!(part.calls.len() <= whole.calls.len());
                for (call, last) in part.calls.iter().zip(&whole.calls) {
                    assert!(last.name == call.name && last.arguments.starts_with(&call.arguments));
                }
            }
        }
    }

    #[test]
    fn what_only_looks_like_a_call_is_text() {
        let text = r#"{"name": "nobody", "arguments": {}}"#;
        assert_eq!(tagged("{").read(text, true), Reply { content: text.into(), ..Reply::default() });
        let text = "I would write <tool_call> and then tell you about it";
        assert_eq!(tagged("<tool_call>").read(text, true).content, text);
    }

    #[test]
    fn thinking_that_the_prompt_began_needs_no_first_mark() {
        let reader = Tagged { thinks_from_the_start: true, ..tagged("<tool_call>") };
        let reply = reader.read("hm</think>yes", true);
        assert_eq!((&reply.thinking[..], &reply.content[..]), ("hm", "yes"));
        assert_eq!(reader.read("hm</th", false).thinking, "hm");
    }
}
