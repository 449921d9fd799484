//! Items: what was said, called and answered, in one form for what clients send, what answers hold and what is kept. Each is
//! read strictly; what it means to a model is `conversation`'s.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, de::IgnoredAny};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    identifier,
    json::{Harmless, Refused, TextOrList},
    openai::logprobs::TokenLogprob,
};

/// Something that was said, called or answered.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Item {
    Message(Message),
    Reasoning(Reasoning),
    FunctionCall(FunctionCall),
    FunctionCallOutput(CallOutput),
    #[serde(rename = "item_reference")]
    Reference(Reference),
}

/// What somebody said.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Message {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<ItemStatus>,
    pub(super) role: Role,
    pub(super) content: TextOrList<Part>,
    /// Whether more was to come; models here were not trained to tell.
    #[serde(default, skip_serializing_if = "untold")]
    pub(super) phase: Harmless,
}

/// Who spoke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    User,
    Assistant,
    System,
    Developer,
}

/// How far an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ItemStatus {
    InProgress,
    Completed,
    Incomplete,
}

/// A part of what was said, or of what a function answered.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Part {
    InputText {
        text: String,
        /// Beginnings are always kept, and found by what they are.
        #[serde(default, skip_serializing_if = "untold")]
        prompt_cache_breakpoint: Harmless,
    },
    InputImage {
        /// A data URI; what lies elsewhere is never fetched.
        image_url: String,
        /// Images are read as finely as the model can.
        #[serde(default, skip_serializing_if = "untold")]
        detail: Harmless,
        #[serde(default, skip_serializing_if = "untold")]
        file_id: Refused,
        #[serde(default, skip_serializing_if = "untold")]
        prompt_cache_breakpoint: Harmless,
    },
    InputAudio {
        input_audio: InputAudio,
    },
    OutputText {
        text: String,
        /// Models here cite nothing.
        #[serde(default, serialize_with = "empty_list")]
        #[schema(value_type = Vec<Value>)]
        annotations: Harmless,
        /// If they were asked for.
        #[serde(default, deserialize_with = "forgotten")]
        logprobs: Vec<TokenLogprob>,
    },
    Refusal {
        refusal: String,
    },
}

/// A recording.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct InputAudio {
    /// A file in base64.
    pub(super) data: String,
    /// Is told from the file itself.
    pub(super) format: AudioFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AudioFormat {
    Mp3,
    Wav,
}

/// What a model thought.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reasoning {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<String>,
    /// Where `reasoning.summary` was asked for: the thoughts, as they are.
    pub(super) summary: Vec<Summary>,
    /// Else they stand here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content: Option<Vec<Thought>>,
    /// Where `include` asks for it: the thoughts, for a client that sends back nothing else of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) encrypted_content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<ItemStatus>,
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Summary {
    SummaryText { text: String },
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Thought {
    ReasoningText { text: String },
}

/// What a model called.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FunctionCall {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<ItemStatus>,
    /// What its answer names.
    pub(super) call_id: String,
    pub(super) name: String,
    /// Of which of the tools that are namespaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) namespace: Option<String>,
    /// JSON, as text.
    pub(super) arguments: String,
    /// Only models call.
    #[serde(default, skip_serializing_if = "untold")]
    pub(super) caller: Harmless,
    #[serde(default, rename = "async", skip_serializing_if = "untold")]
    pub(super) is_async: Harmless,
    #[serde(default, skip_serializing_if = "untold")]
    pub(super) created_by: Harmless,
}

/// What a function answered.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CallOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<ItemStatus>,
    /// Of the call.
    pub(super) call_id: String,
    pub(super) output: TextOrList<Part>,
    /// The call says them, too.
    #[serde(default, skip_serializing_if = "untold")]
    pub(super) name: Harmless,
    #[serde(default, skip_serializing_if = "untold")]
    pub(super) namespace: Harmless,
    #[serde(default, skip_serializing_if = "untold")]
    pub(super) caller: Harmless,
    #[serde(default, skip_serializing_if = "untold")]
    pub(super) created_by: Harmless,
}

/// An item that is kept here.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reference {
    pub(super) id: String,
}

/// An item as clients may write it: a message, and a reference, need not say what they are.
#[derive(Clone, Debug, PartialEq, ToSchema)]
#[schema(value_type = Written)]
pub(crate) struct InputItem(pub(super) Item);

/// How an item may be written.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "for the description alone")]
enum Written {
    Tagged(Item),
    Message(Message),
    Reference(Reference),
}

impl<'de> Deserialize<'de> for InputItem {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut value = Value::deserialize(deserializer)?;
        if let Value::Object(fields) = &mut value
            && fields.get("type").is_none_or(Value::is_null)
        {
            let kind = if fields.contains_key("role") { "message" } else { "item_reference" };
            fields.insert("type".into(), kind.into());
        }
        serde_json::from_value(value).map(Self).map_err(D::Error::custom)
    }
}

impl Item {
    /// In the form in which items are kept and listed: with a name and a status, and texts as parts.
    pub(super) fn named(mut self) -> Self {
        let (prefix, id) = match &mut self {
            Self::Message(message) => {
                message.status.get_or_insert(ItemStatus::Completed);
                let role = message.role;
                if let TextOrList::Text(text) = &mut message.content {
                    message.content = TextOrList::List(vec![Part::said(role, std::mem::take(text))]);
                }
                ("msg_", &mut message.id)
            }
            Self::Reasoning(reasoning) => ("rs_", &mut reasoning.id),
            Self::FunctionCall(call) => {
                call.status.get_or_insert(ItemStatus::Completed);
                ("fc_", &mut call.id)
            }
            Self::FunctionCallOutput(output) => {
                output.status.get_or_insert(ItemStatus::Completed);
                ("fco_", &mut output.id)
            }
            Self::Reference(_) => return self,
        };
        id.get_or_insert_with(|| identifier::fresh(prefix));
        self
    }

    /// Its name, if it has one yet.
    pub(super) fn id(&self) -> &str {
        let id = match self {
            Self::Message(message) => &message.id,
            Self::Reasoning(reasoning) => &reasoning.id,
            Self::FunctionCall(call) => &call.id,
            Self::FunctionCallOutput(output) => &output.id,
            Self::Reference(reference) => return &reference.id,
        };
        id.as_deref().unwrap_or_default()
    }
}

impl Part {
    fn said(role: Role, text: String) -> Self {
        match role {
            Role::Assistant => Self::output_text(text, Vec::new()),
            Role::User | Role::System | Role::Developer => {
                Self::InputText { text, prompt_cache_breakpoint: Harmless }
            }
        }
    }

    pub(super) fn output_text(text: String, logprobs: Vec<TokenLogprob>) -> Self {
        Self::OutputText { text, annotations: Harmless, logprobs }
    }
}

/// What clients may say, and are not told back. Left out of what is written by this, and so not of the description.
pub(super) fn untold<T>(_: &T) -> bool {
    true
}

fn empty_list<S: Serializer>(_: &Harmless, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq::<[(); 0]>([])
}

/// They come back with answers of ours, and say nothing to a model.
fn forgotten<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<TokenLogprob>, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| Vec::new())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(item: Value) -> Result<Item, String> {
        serde_json::from_value::<InputItem>(item).map(|item| item.0).map_err(|error| error.to_string())
    }

    #[test]
    fn a_message_need_not_say_that_it_is_one_and_is_kept_in_parts() {
        let named = read(json!({"role": "user", "content": "hi"})).unwrap().named();
        let mut kept = serde_json::to_value(&named).unwrap();
        assert!(kept["id"].take().as_str().unwrap().starts_with("msg_"));
        assert_eq!(
            kept,
            json!({"type": "message", "id": null, "status": "completed", "role": "user",
                "content": [{"type": "input_text", "text": "hi"}]})
        );
        let answer = read(json!({"role": "assistant", "content": "yes", "id": "msg_1"})).unwrap().named();
        let kept = serde_json::to_value(&answer).unwrap();
        assert_eq!(kept["id"], "msg_1");
        assert_eq!(
            kept["content"][0],
            json!({"type": "output_text", "text": "yes", "annotations": [], "logprobs": []})
        );
        assert_eq!(read(json!({"id": "msg_1"})).unwrap(), Item::Reference(Reference { id: "msg_1".into() }));
    }

    #[test]
    fn what_was_answered_may_be_sent_back_as_it_came() {
        for item in [
            json!({"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "phase": "final_answer",
                "content": [{"type": "output_text", "text": "a", "annotations": [{"type": "url_citation"}], "logprobs": [{}]}]}),
            json!({"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "a"}],
                "content": [{"type": "reasoning_text", "text": "a"}], "encrypted_content": null, "status": null}),
            json!({"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": "{}", "status": "completed",
                "caller": null, "namespace": null, "async": null}),
            json!({"type": "function_call_output", "call_id": "call_1", "output": [{"type": "input_text", "text": "a"}]}),
        ] {
            let read = read(item).unwrap().named();
            let again: Item = serde_json::from_value(serde_json::to_value(&read).unwrap()).unwrap();
            assert_eq!(again, read);
        }
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let why = |item| read(item).unwrap_err();
        assert!(why(json!({"type": "computer_call_output"})).contains("`computer_call_output`"));
        let file = json!({"role": "user", "content": [{"type": "input_file", "file_id": "f"}]});
        assert!(why(file).contains("`input_file`"));
        let image = json!({"role": "user", "content": [{"type": "input_image", "image_url": "data:", "file_id": "f"}]});
        assert!(why(image).contains("cannot be had from Hob"));
        assert!(why(json!({"role": "user", "content": "a", "mood": "good"})).contains("`mood`"));
        assert!(why(json!({"role": "critic", "content": "a"})).contains("`critic`"));
    }
}
