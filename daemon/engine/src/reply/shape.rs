//! How a model writes calls of tools and what it thinks, where its template shows that only by example.

use protocol::{Message, Role, Tool, ToolCall};
use serde_json::{Map, Value};

use crate::ggml::Marks;
use crate::template::conversation::{self, Conversation, Turn};

/// The texts around the names and the arguments of calls.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Shape {
    /// Before the first name.
    pub(crate) open: String,
    /// Between a name and its arguments.
    pub(crate) between: String,
    /// From arguments to the next name.
    pub(crate) separator: String,
    /// Behind the last arguments.
    pub(crate) close: String,
}

const NAME: &str = "a_tools_name";
const OTHER: &str = "another_tools_name";
const ARGUMENT: &str = "an_argument";
const THOUGHT: &str = "a thought";
const SPEECH: &str = "a sentence";

impl Shape {
    /// The form in which models write calls whose template knows of none: that of Hermes, which most have seen.
    pub(crate) fn common() -> Self {
        Self {
            open: "<tool_call>\n{\"name\": \"".into(),
            between: "\", \"arguments\": ".into(),
            separator: "}\n</tool_call>\n<tool_call>\n{\"name\": \"".into(),
            close: "}\n</tool_call>".into(),
        }
    }

    /// What a template makes of calls, found by trying. `None` if it cannot be told.
    pub(crate) fn by_trying(render: impl Fn(&Conversation) -> Option<String>) -> Option<Self> {
        let answer = |calls: &[&str]| {
            let calls = calls.iter().enumerate().map(|(index, name)| called(index, name)).collect();
            of_answer(&render, Turn { tool_calls: calls, ..Turn::new(Role::Assistant, "") })
        };
        let one = answer(&[NAME])?;
        let (open, rest) = one.split_once(NAME)?;
        let (between, close) = around_arguments(rest)?;
        let two = answer(&[NAME, OTHER])?;
        // A template may have no place for a second one.
        let separator = two
            .strip_prefix(open)
            .and_then(|rest| rest.strip_prefix(NAME))
            .and_then(around_arguments)
            .and_then(|(_, rest)| rest.split_once(OTHER))
            .map_or_else(|| format!("{close}{open}"), |(separator, _)| separator.to_owned());
        Some(Self {
            open: open.trim_start().into(),
            between: between.into(),
            separator,
            close: close.trim_end().into(),
        })
    }

    /// What stands before all else, and in no other text: `{` if there is nothing of the kind.
    pub(crate) fn mark(&self) -> &str {
        let mark = self
            .open
            .split('{')
            .next()
            .unwrap_or_default()
            .trim_end_matches(|sign: char| sign.is_whitespace() || sign == '[');
        // `[TOOL_CALLS] [` and the like.
        let mark = mark.trim();
        if mark.is_empty() { "{" } else { mark }
    }

    /// Calls as text.
    fn written(&self, calls: &[ToolCall]) -> String {
        let call = |call: &ToolCall| format!("{}{}{}", call.name, self.between, call.arguments);
        let calls: Vec<String> = calls.iter().map(call).collect();
        format!("{}{}{}", self.open, calls.join(&self.separator), self.close)
    }

    /// A conversation for a template that knows nothing of tools: they and their calls are told in words.
    pub(crate) fn in_words(&self, messages: &[Message], tools: &[Tool]) -> Vec<Message> {
        if tools.is_empty() {
            return messages.iter().map(|message| self.message_in_words(message)).collect();
        }
        let mut all = Vec::with_capacity(messages.len() + 1);
        let instructions = self.instructions(tools);
        let mut rest = messages;
        match messages.split_first() {
            Some((first, others)) if first.role == Role::System => {
                all.push(Message::new(Role::System, format!("{}\n\n{instructions}", first.content)));
                rest = others;
            }
            _ => all.push(Message::new(Role::System, instructions)),
        }
        all.extend(rest.iter().map(|message| self.message_in_words(message)));
        all
    }

    fn message_in_words(&self, message: &Message) -> Message {
        match message.role {
            Role::Tool => {
                let result = format!("<tool_response>\n{}\n</tool_response>", message.content);
                Message::new(Role::User, result)
            }
            Role::Assistant if !message.calls.is_empty() => {
                let calls = self.written(&message.calls);
                let said = format!("{}\n{calls}", message.content);
                Message::new(Role::Assistant, said.trim_start())
            }
            _ => message.clone(),
        }
    }

    fn instructions(&self, tools: &[Tool]) -> String {
        let tools: Vec<&str> = tools.iter().map(|tool| tool.definition.as_str()).collect();
        format!(
            "# Tools\n\nYou may call one or more functions to assist with the user query.\n\nYou are provided with \
             function signatures within <tools></tools> XML tags:\n<tools>\n{}\n</tools>\n\nFor each function call, \
             return a json object with function name and arguments within <tool_call></tool_call> XML tags:\n\
             <tool_call>\n{{\"name\": <function-name>, \"arguments\": <args-json-object>}}\n</tool_call>",
            tools.join("\n")
        )
    }
}

/// What a template puts around thoughts, found by trying. `None` if it does not show them.
pub(crate) fn thinking_marks(render: impl Fn(&Conversation) -> Option<String>) -> Option<Marks> {
    let turn = Turn { thinking: THOUGHT.into(), ..Turn::new(Role::Assistant, SPEECH) };
    let answer = of_answer(&render, turn)?;
    let (start, rest) = answer.split_once(THOUGHT)?;
    let (end, _) = rest.split_once(SPEECH)?;
    let [start, end] = [start, end].map(str::trim);
    (!start.is_empty() && !end.is_empty()).then(|| Marks { start: start.into(), ends: vec![end.into()] })
}

/// What an answer adds to the prompt before it.
fn of_answer(render: impl Fn(&Conversation) -> Option<String>, answer: Turn) -> Option<String> {
    let think = !answer.thinking.is_empty();
    let mut conversation = Conversation {
        messages: vec![Turn::new(Role::User, "a question")],
        think,
        is_think_set: think,
        ..Conversation::default()
    };
    let before = render(&conversation)?;
    conversation.messages.push(answer);
    let after = render(&conversation)?;
    // What the template begins an answer with may be told apart by what it is to contain.
    let same = before.bytes().zip(after.bytes()).take_while(|(one, other)| one == other).count();
    after.get(same..).map(str::to_owned)
}

fn called(index: usize, name: &str) -> conversation::ToolCall {
    let arguments = Map::from_iter([(ARGUMENT.to_owned(), Value::from(1))]);
    conversation::ToolCall { id: "call_00000000".into(), index, name: name.into(), arguments }
}

/// What stands before and behind the example's arguments.
fn around_arguments(text: &str) -> Option<(&str, &str)> {
    let at = text.find(ARGUMENT)?;
    let begins = text[..at].rfind('{')?;
    let ends = at + text[at..].find('}')? + 1;
    Some((&text[..begins], &text[ends..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::{Clock, GoTemplate};

    fn render(source: &str) -> impl Fn(&Conversation) -> Option<String> {
        let template = GoTemplate::parse(source).unwrap();
        move |conversation| template.render(conversation, Clock::start()).ok()
    }

    fn of(source: &str) -> Shape {
        Shape::by_trying(render(source)).unwrap()
    }

    #[test]
    fn the_families_shapes_are_found() {
        let qwen = of(include_str!("../../tests/templates/qwen2.5.gotmpl"));
        assert_eq!((&qwen.open[..], qwen.mark()), ("<tool_call>\n{\"name\": \"", "<tool_call>"));
        assert_eq!((&qwen.between[..], &qwen.close[..]), ("\", \"arguments\": ", "}\n</tool_call>"));
        assert_eq!(qwen.separator, "}\n{\"name\": \"");

        let llama = of(include_str!("../../tests/templates/llama3.1.gotmpl"));
        assert_eq!((&llama.open[..], llama.mark()), ("{\"name\": \"", "{"));
        assert_eq!(llama.between, "\", \"parameters\": ");

        let mistral = of(include_str!("../../tests/templates/mistral.gotmpl"));
        assert_eq!(mistral.mark(), "[TOOL_CALLS]");
        assert_eq!(mistral.open, "[TOOL_CALLS] [{\"name\": \"");
    }

    #[test]
    fn thoughts_are_found_where_the_template_shows_them() {
        let marks = thinking_marks(render(include_str!("../../tests/templates/deepseek-r1.gotmpl")));
        assert_eq!(marks, Some(Marks { start: "<think>".into(), ends: vec!["</think>".into()] }));
        assert_eq!(thinking_marks(render(include_str!("../../tests/templates/qwen2.5.gotmpl"))), None);
    }

    #[test]
    fn tools_are_told_in_words_where_the_template_knows_none() {
        let tool = Tool { name: "now".into(), parameters: "{}".into(), definition: "{\"now\"}".into() };
        let call = ToolCall { id: String::new(), name: "now".into(), arguments: "{}".into() };
        let called = Message { calls: vec![call], ..Message::new(Role::Assistant, "") };
        let messages = [Message::new(Role::User, "When?"), called, Message::new(Role::Tool, "noon")];

        let told = Shape::common().in_words(&messages, &[tool]);

        assert!(told[0].role == Role::System && told[0].content.contains("<tools>\n{\"now\"}\n</tools>"));
        assert_eq!(told[2].content, "<tool_call>\n{\"name\": \"now\", \"arguments\": {}}\n</tool_call>");
        assert_eq!(told[3], Message::new(Role::User, "<tool_response>\nnoon\n</tool_response>"));
        assert_eq!(
            Shape::common().in_words(&messages, &[])[..],
            told[1..],
            "what was called is told all the same"
        );
    }
}
