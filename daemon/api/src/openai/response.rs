//! A generation's events as this family's objects. Where the events come from is not known here.

use protocol::{Done, Event, FinishReason};

use super::{
    errors::ErrorBody,
    request::UsageEvent,
    wire::{Choice, Completion, Said, Usage, Words},
};
use crate::{error::Error, sse};

/// What clients of Ollama find here.
const FINGERPRINT: &str = "fp_ollama";

/// What stands in every object of one answer.
pub(super) struct Reply {
    pub(super) id: String,
    pub(super) created: i64,
    pub(super) model: String,
    pub(super) usage: UsageEvent,
    /// The speaker is named once, in the first piece.
    pub(super) opening: Opening,
}

/// Whether a stream has begun.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Opening {
    Due,
    Sent,
}

impl Reply {
    /// The whole answer.
    pub(super) fn whole(&self, text: String, done: &Done) -> Completion {
        let words = Words { role: Some("assistant"), content: Some(text) };
        let choice =
            Choice { index: 0, said: Said::Message(words), finish_reason: Some(finish_reason(done)) };
        Completion { usage: Some(usage(done)), ..self.object("chat.completion", vec![choice]) }
    }

    /// What is sent for one event: one or more of the stream's.
    pub(super) fn events(&mut self, event: Event) -> Vec<u8> {
        let mut sent = Vec::new();
        match event {
            Event::Text(text) => {
                let words = Words { role: self.take_role(), content: Some(text) };
                sse::push(&mut sent, &self.chunk(words, None));
            }
            Event::Done(done) => {
                let words = Words { role: self.take_role(), content: None };
                sse::push(&mut sent, &self.chunk(words, Some(finish_reason(&done))));
                if self.usage == UsageEvent::Sent {
                    let object = self.object("chat.completion.chunk", Vec::new());
                    sse::push(&mut sent, &Completion { usage: Some(usage(&done)), ..object });
                }
                sent.extend_from_slice(sse::DONE);
            }
            Event::Failed(error) => sse::push(&mut sent, &ErrorBody::from(&Error::from(error))),
        }
        sent
    }

    fn take_role(&mut self) -> Option<&'static str> {
        match std::mem::replace(&mut self.opening, Opening::Sent) {
            Opening::Due => Some("assistant"),
            Opening::Sent => None,
        }
    }

    fn chunk(&self, words: Words, finish_reason: Option<&'static str>) -> Completion {
        self.object(
            "chat.completion.chunk",
            vec![Choice { index: 0, said: Said::Delta(words), finish_reason }],
        )
    }

    fn object(&self, object: &'static str, choices: Vec<Choice>) -> Completion {
        Completion {
            id: self.id.clone(),
            object,
            created: self.created,
            model: self.model.clone(),
            system_fingerprint: FINGERPRINT,
            choices,
            usage: None,
        }
    }
}

fn finish_reason(done: &Done) -> &'static str {
    match done.reason {
        FinishReason::Stop => "stop",
        FinishReason::Length => "length",
    }
}

fn usage(done: &Done) -> Usage {
    Usage {
        prompt_tokens: done.prompt_tokens,
        completion_tokens: done.generated_tokens,
        total_tokens: done.prompt_tokens.saturating_add(done.generated_tokens),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use protocol::GenerateError;

    use super::*;

    fn reply() -> Reply {
        Reply {
            id: "chatcmpl-1".into(),
            created: 5,
            model: "m".into(),
            usage: UsageEvent::Sent,
            opening: Opening::Due,
        }
    }

    fn done() -> Done {
        Done {
            reason: FinishReason::Stop,
            prompt_tokens: 3,
            cached_tokens: 0,
            generated_tokens: 4,
            prompt_time: Duration::ZERO,
            generate_time: Duration::ZERO,
            context: Vec::new(),
        }
    }

    #[test]
    fn a_stream_names_the_speaker_once_and_ends_with_usage_and_done() {
        let mut reply = reply();
        let events = [Event::Text("a".into()), Event::Text("b".into()), Event::Done(done())];
        let sent: Vec<u8> = events.into_iter().flat_map(|event| reply.events(event)).collect();

        let head = r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":5,"model":"m","system_fingerprint":"fp_ollama","choices":["#;
        let expected = [
            r#"{"index":0,"delta":{"role":"assistant","content":"a"},"finish_reason":null}]}"#,
            r#"{"index":0,"delta":{"content":"b"},"finish_reason":null}]}"#,
            r#"{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
            r#"],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}"#,
        ];
        let expected: String = expected.iter().map(|tail| format!("{head}{tail}\n\n")).collect();
        assert_eq!(String::from_utf8(sent).unwrap(), expected + "data: [DONE]\n\n");
    }

    #[test]
    fn a_whole_answer_is_one_object() {
        assert_eq!(
            serde_json::to_string(&reply().whole("ab".into(), &done())).unwrap(),
            r#"{"id":"chatcmpl-1","object":"chat.completion","created":5,"model":"m","system_fingerprint":"fp_ollama","choices":[{"index":0,"message":{"role":"assistant","content":"ab"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}"#
        );
    }

    #[test]
    fn a_failure_under_way_is_the_last_event() {
        let sent = reply().events(Event::Failed(GenerateError::EmptyPrompt));
        let text = String::from_utf8(sent).unwrap();
        assert!(text.starts_with(r#"data: {"error":{"message":"the prompt is empty""#), "{text}");
        assert!(!text.contains("[DONE]"));
    }
}
