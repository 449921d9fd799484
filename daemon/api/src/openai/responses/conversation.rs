//! Items as a conversation that a model reads: thoughts, words and calls that come one after another are one turn of its.
//! Where the items come from is not known here.

use std::collections::HashMap;

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use protocol::{Message, Role, ToolCall};
use serde_json::Value;

use super::{
    items::{self, CallOutput, FunctionCall, Item, Part, Reasoning, Summary, Thought},
    tools::full_name,
};
use crate::{error::Invalid, json::TextOrList, media, tools};

/// What is said, and the files that come with it, in order.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Conversation {
    pub(super) messages: Vec<Message>,
    pub(super) media: Vec<Vec<u8>>,
    /// The last message is a turn of the model's that may go on.
    is_open: bool,
    /// From the calls' names to the functions'.
    called: HashMap<String, String>,
}

/// The conversation that these items are.
pub(super) fn of(instructions: Option<String>, items: Vec<Item>) -> Result<Conversation, Invalid> {
    let mut conversation = Conversation::default();
    conversation.messages.extend(instructions.map(|text| Message::new(Role::System, text)));
    for item in items {
        match item {
            Item::Message(message) => conversation.said(message)?,
            Item::Reasoning(reasoning) => conversation.thought(reasoning)?,
            Item::FunctionCall(call) => conversation.called(call)?,
            Item::FunctionCallOutput(output) => conversation.answered(output)?,
            Item::Reference(reference) => return Err(not_found(&reference.id)),
        }
    }
    match conversation.messages.is_empty() {
        true => Err(invalid("input is missing: there is nothing to answer".into())),
        false => Ok(conversation),
    }
}

/// Of a reference to what is not kept.
pub(super) fn not_found(id: &str) -> Invalid {
    invalid(format!("Item with id '{id}' not found."))
}

impl Conversation {
    fn said(&mut self, message: items::Message) -> Result<(), Invalid> {
        let before = self.media.len();
        let content = self.content(message.content)?;
        let media = u32::try_from(self.media.len() - before).unwrap_or(u32::MAX);
        match message.role {
            items::Role::Assistant if media == 0 => {
                self.turn(|turn| turn.content.is_empty() && turn.calls.is_empty()).content = content;
            }
            role => {
                self.is_open = false;
                self.messages.push(Message { media, ..Message::new(role.into(), content) });
            }
        }
        Ok(())
    }

    fn thought(&mut self, reasoning: Reasoning) -> Result<(), Invalid> {
        let thinking = thoughts(reasoning)?;
        let turn = self.turn(|turn| turn.content.is_empty() && turn.calls.is_empty());
        if !turn.thinking.is_empty() && !thinking.is_empty() {
            turn.thinking += "\n";
        }
        turn.thinking += &thinking;
        Ok(())
    }

    fn called(&mut self, call: FunctionCall) -> Result<(), Invalid> {
        let name = match &call.namespace {
            Some(namespace) => full_name(namespace, &call.name),
            None => call.name,
        };
        let arguments = tools::arguments(Some(Value::String(call.arguments)));
        let arguments = arguments.map_err(|_| {
            invalid(format!("the arguments of the function call {:?} must be a JSON object", call.call_id))
        })?;
        self.called.insert(call.call_id.clone(), name.clone());
        self.turn(|_| true).calls.push(ToolCall { id: call.call_id, name, arguments });
        Ok(())
    }

    fn answered(&mut self, output: CallOutput) -> Result<(), Invalid> {
        let Some(tool_name) = self.called.get(&output.call_id).cloned() else {
            let id = output.call_id;
            return Err(invalid(format!("No tool call found for function call output with call_id {id}.")));
        };
        let before = self.media.len();
        let content = self.content(output.output)?;
        let media = u32::try_from(self.media.len() - before).unwrap_or(u32::MAX);
        self.is_open = false;
        let said = Message::new(Role::Tool, content);
        self.messages.push(Message { media, tool_name, call_id: output.call_id, ..said });
        Ok(())
    }

    /// The model's turn, if it may go on like this; else a new one.
    fn turn(&mut self, goes_on: impl Fn(&Message) -> bool) -> &mut Message {
        let is_open = self.is_open && self.messages.last().is_some_and(goes_on);
        if !is_open {
            self.messages.push(Message::new(Role::Assistant, ""));
            self.is_open = true;
        }
        self.messages.last_mut().expect("one is there, or was pushed")
    }

    /// The texts of parts; the files go with the others.
    fn content(&mut self, content: TextOrList<Part>) -> Result<String, Invalid> {
        let parts = match content {
            TextOrList::Text(text) => return Ok(text),
            TextOrList::List(parts) => parts,
        };
        let mut texts = Vec::new();
        for part in parts {
            let file = match part {
                Part::InputText { text, .. }
                | Part::OutputText { text, .. }
                | Part::Refusal { refusal: text } => {
                    texts.push(text);
                    continue;
                }
                Part::InputImage { image_url, .. } => media::image(&image_url),
                Part::InputAudio { input_audio } => media::from_base64("input", &input_audio.data),
            };
            self.media.push(file.map_err(|error| invalid(error.message))?);
        }
        Ok(texts.join("\n"))
    }
}

/// What was thought, wherever it stands.
fn thoughts(reasoning: Reasoning) -> Result<String, Invalid> {
    let content = reasoning.content.filter(|content| !content.is_empty());
    let summary = reasoning.summary.into_iter().map(|Summary::SummaryText { text }| text);
    match (content, reasoning.encrypted_content) {
        (Some(content), _) => {
            let texts = content.into_iter().map(|Thought::ReasoningText { text }| text);
            Ok(texts.collect::<Vec<_>>().join("\n"))
        }
        (None, Some(sealed)) => unseal(&sealed),
        (None, None) => Ok(summary.collect::<Vec<_>>().join("\n")),
    }
}

/// Thoughts for `encrypted_content`. Whoever gets them may read them, so there is nothing to encrypt; but what is not ours is
/// told apart.
pub(super) fn seal(thoughts: &str) -> String {
    format!("{SEAL}{}", STANDARD_NO_PAD.encode(thoughts))
}

fn unseal(sealed: &str) -> Result<String, Invalid> {
    let bytes = sealed.strip_prefix(SEAL).and_then(|text| STANDARD_NO_PAD.decode(text).ok());
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(|| {
        invalid("the encrypted_content of a reasoning item was made elsewhere and cannot be read here".into())
    })
}

const SEAL: &str = "hob1.";

impl From<items::Role> for Role {
    fn from(role: items::Role) -> Self {
        match role {
            items::Role::User => Self::User,
            items::Role::Assistant => Self::Assistant,
            items::Role::System | items::Role::Developer => Self::System,
        }
    }
}

fn invalid(why: String) -> Invalid {
    Invalid::of("input", why)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::items::InputItem, *};

    fn read(items: Value) -> Result<Conversation, Invalid> {
        let items: Vec<InputItem> = serde_json::from_value(items).unwrap();
        of(None, items.into_iter().map(|item| item.0).collect())
    }

    fn why(items: Value) -> String {
        let refused = read(items).unwrap_err();
        assert_eq!(refused.field.as_deref(), Some("input"));
        refused.message
    }

    #[test]
    fn thoughts_words_and_calls_are_one_turn_and_results_know_their_tool() {
        let call = |id: &str| json!({"type": "function_call", "call_id": id, "name": "now", "namespace": "time", "arguments": ""});
        let read = read(json!([
            {"role": "user", "content": "What time is it?"},
            {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]},
            {"role": "assistant", "content": [{"type": "output_text", "text": "I look."}]},
            call("a"), call("b"),
            {"type": "function_call_output", "call_id": "b", "output": [{"type": "input_text", "text": "noon"}]},
            {"role": "assistant", "content": "Noon."},
            {"role": "assistant", "content": "Or so."},
        ]));
        let messages = read.unwrap().messages;

        let called = |id: &str| ToolCall { id: id.into(), name: "time__now".into(), arguments: "{}".into() };
        assert_eq!(messages.len(), 5, "{messages:?}");
        assert_eq!(
            messages[1],
            Message {
                thinking: "hm".into(),
                calls: vec![called("a"), called("b")],
                ..Message::new(Role::Assistant, "I look.")
            }
        );
        assert_eq!(
            messages[2],
            Message {
                tool_name: "time__now".into(),
                call_id: "b".into(),
                ..Message::new(Role::Tool, "noon")
            }
        );
        assert_eq!(messages[4], Message::new(Role::Assistant, "Or so."));
    }

    #[test]
    fn instructions_stand_above_all() {
        let said = of(Some("Be brief.".into()), Vec::new()).unwrap().messages;
        assert_eq!(said, [Message::new(Role::System, "Be brief.")]);
    }

    #[test]
    fn files_go_with_what_they_came_with() {
        let image =
            json!({"type": "input_image", "image_url": "data:image/png;base64,aGk=", "detail": "auto"});
        let sound = json!({"type": "input_audio", "input_audio": {"data": "aG8=", "format": "wav"}});
        let read =
            read(json!([{"role": "user", "content": [{"type": "input_text", "text": "a"}, image, sound]}]));
        let read = read.unwrap();
        assert_eq!(read.messages, [Message { media: 2, ..Message::new(Role::User, "a") }]);
        assert_eq!(read.media, [b"hi", b"ho"]);
        let elsewhere = json!({"type": "input_image", "image_url": "http://169.254.169.254/"});
        assert!(why(json!([{"role": "user", "content": [elsewhere]}])).contains("image URLs are not"));
    }

    #[test]
    fn thoughts_come_back_from_wherever_a_client_keeps_them() {
        let of = |thought: Value| {
            let mut item = json!({"type": "reasoning", "id": "rs_1", "summary": []});
            item.as_object_mut().unwrap().extend(thought.as_object().unwrap().clone());
            read(json!([item])).map(|read| read.messages[0].thinking.clone())
        };
        assert_eq!(of(json!({"encrypted_content": seal("äh")})).unwrap(), "äh");
        assert_eq!(of(json!({"summary": [{"type": "summary_text", "text": "hm"}]})).unwrap(), "hm");
        assert!(of(json!({"encrypted_content": "gAAAAABo"})).unwrap_err().message.contains("made elsewhere"));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        assert!(why(json!([])).contains("nothing to answer"));
        let output = json!({"type": "function_call_output", "call_id": "c", "output": "a"});
        assert_eq!(why(json!([output])), "No tool call found for function call output with call_id c.");
        let call = json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": "[1]"});
        assert!(why(json!([call])).contains("\"c\" must be a JSON object"));
    }
}
