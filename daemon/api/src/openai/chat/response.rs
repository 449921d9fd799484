//! A generation's events as this family's objects. Where the events come from is not known here.

use protocol::{CallPart, Done, Event, Said};

use super::wire::{Call, CalledFunction, Choice, Completion, FinishReason, Piece, Words};
use crate::{
    answer::Whole,
    error::Error,
    openai::{
        errors::ErrorBody,
        framing::UsageEvent,
        logprobs::{self, Logprobs},
        wire::{FINGERPRINT, Usage},
    },
    sse,
};

/// What stands in every object of one reply.
pub(super) struct Reply {
    pub(super) id: String,
    pub(super) created: i64,
    pub(super) model: String,
    pub(super) usage: UsageEvent,
    /// One for each answer.
    answers: Vec<Progress>,
    /// Of the answers that ended.
    used: Option<Usage>,
}

/// How far an answer was sent.
#[derive(Clone, Copy, Default)]
struct Progress {
    /// The speaker is named once, in the first piece.
    is_begun: bool,
    called: bool,
    ended: bool,
}

impl Reply {
    pub(super) fn new(id: String, created: i64, model: String, answers: usize) -> Self {
        let answers = vec![Progress::default(); answers];
        Self { id, created, model, usage: UsageEvent::LeftOut, answers, used: None }
    }

    /// All answers, whole.
    pub(super) fn whole(&mut self, answers: Vec<Whole>) -> Completion<Choice> {
        let mut choices = Vec::with_capacity(answers.len());
        for (index, Whole { said, calls, done }) in (0..).zip(answers) {
            self.add_usage(&done);
            let finish_reason = finish_reason(&done, !calls.is_empty());
            let calls = (0..).zip(calls).map(|(index, call)| Call {
                id: Some(call.id),
                index,
                kind: Some("function"),
                function: CalledFunction { name: Some(call.name), arguments: call.arguments },
            });
            let words = Words {
                role: Some("assistant"),
                content: Some(said.text),
                reasoning: Some(said.thinking).filter(|thinking| !thinking.is_empty()),
                tool_calls: calls.collect(),
            };
            let logprobs = logprobs::of(&said.logprobs);
            choices.push(Choice { index, message: words, logprobs, finish_reason });
        }
        Completion { usage: self.used.take(), ..self.object("chat.completion", choices) }
    }

    /// What is sent for one event of an answer: none of the stream's, or more.
    pub(super) fn events(&mut self, answer: usize, event: Event) -> Vec<u8> {
        let mut sent = Vec::new();
        match event {
            Event::Said(said) => self.push_said(&mut sent, answer, said),
            Event::Done(done) => {
                self.add_usage(&done);
                let words = Words { role: self.take_role(answer), ..Words::default() };
                let reason = finish_reason(&done, self.answers[answer].called);
                sse::push(&mut sent, &self.chunk(answer, words, None, Some(reason)));
                self.answers[answer].ended = true;
                if self.is_over() {
                    self.push_end(&mut sent);
                }
            }
            Event::Failed(error) => {
                self.answers.iter_mut().for_each(|answer| answer.ended = true);
                sse::push(&mut sent, &ErrorBody::from(&Error::from(error)));
            }
        }
        sent
    }

    /// Nothing more is to be sent.
    pub(super) fn is_over(&self) -> bool {
        self.answers.iter().all(|answer| answer.ended)
    }

    /// Thoughts and text go in chunks of their own.
    fn push_said(&mut self, sent: &mut Vec<u8>, answer: usize, said: Said) {
        let Said { text, thinking, calls, logprobs: tokens, .. } = said;
        let mut tokens = logprobs::of(&tokens);
        if !thinking.is_empty() {
            let thought =
                Words { role: self.take_role(answer), reasoning: Some(thinking), ..Words::default() };
            let tokens = if text.is_empty() && calls.is_empty() { tokens.take() } else { None };
            sse::push(sent, &self.chunk(answer, thought, tokens, None));
        }
        if text.is_empty() && calls.is_empty() && tokens.is_none() {
            return;
        }
        self.answers[answer].called |= !calls.is_empty();
        let content = (!text.is_empty() || calls.is_empty()).then_some(text);
        let tool_calls = calls.into_iter().map(call_part).collect();
        let words = Words { role: self.take_role(answer), content, tool_calls, ..Words::default() };
        sse::push(sent, &self.chunk(answer, words, tokens, None));
    }

    fn push_end(&mut self, sent: &mut Vec<u8>) {
        if self.usage == UsageEvent::Sent {
            let object = self.object::<Piece>("chat.completion.chunk", Vec::new());
            sse::push(sent, &Completion { usage: self.used.take(), ..object });
        }
        sent.extend_from_slice(sse::DONE);
    }

    fn take_role(&mut self, answer: usize) -> Option<&'static str> {
        let begun = std::mem::replace(&mut self.answers[answer].is_begun, true);
        (!begun).then_some("assistant")
    }

    /// All answers had the same prompt.
    fn add_usage(&mut self, done: &Done) {
        let used = self.used.get_or_insert_with(|| {
            let mut used = Usage::default();
            used.add_prompt(done);
            used
        });
        used.add_answer(done);
    }

    fn chunk(
        &self,
        answer: usize,
        words: Words,
        logprobs: Option<Logprobs>,
        finish_reason: Option<FinishReason>,
    ) -> Completion<Piece> {
        let index = u32::try_from(answer).unwrap_or(u32::MAX);
        self.object("chat.completion.chunk", vec![Piece { index, delta: words, logprobs, finish_reason }])
    }

    fn object<C>(&self, object: &'static str, choices: Vec<C>) -> Completion<C> {
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

fn call_part(part: CallPart) -> Call {
    let kind = part.begun.is_some().then_some("function");
    let (id, name) = part.begun.map(|begun| (begun.id, begun.name)).unzip();
    Call { id, index: part.index, kind, function: CalledFunction { name, arguments: part.arguments } }
}

fn finish_reason(done: &Done, called: bool) -> FinishReason {
    match done.reason {
        protocol::FinishReason::Stop if called => FinishReason::ToolCalls,
        protocol::FinishReason::Stop => FinishReason::Stop,
        protocol::FinishReason::Length => FinishReason::Length,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use protocol::{CallName, FinishReason, GenerateError};

    use super::*;

    fn reply() -> Reply {
        let usage = UsageEvent::Sent;
        Reply { usage, ..Reply::new("chatcmpl-1".into(), 5, "m".into(), 1) }
    }

    fn done() -> Done {
        Done {
            reason: FinishReason::Stop,
            prompt_tokens: 3,
            cached_tokens: 2,
            generated_tokens: 4,
            thinking_tokens: 1,
            stop: None,
            prompt_time: Duration::ZERO,
            generate_time: Duration::ZERO,
            context: Vec::new(),
        }
    }

    #[test]
    fn a_stream_names_the_speaker_once_and_ends_with_usage_and_done() {
        let mut reply = reply();
        let events = [Event::Said("a".into()), Event::Said("b".into()), Event::Done(done())];
        let sent: Vec<u8> = events.into_iter().flat_map(|event| reply.events(0, event)).collect();

        let head = r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":5,"model":"m","system_fingerprint":"fp_ollama","choices":["#;
        let expected = [
            r#"{"index":0,"delta":{"role":"assistant","content":"a"},"finish_reason":null}]}"#,
            r#"{"index":0,"delta":{"content":"b"},"finish_reason":null}]}"#,
            r#"{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
            r#"],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7,"prompt_tokens_details":{"cached_tokens":2},"completion_tokens_details":{"reasoning_tokens":1}}}"#,
        ];
        let expected: String = expected.iter().map(|tail| format!("{head}{tail}\n\n")).collect();
        assert_eq!(String::from_utf8(sent).unwrap(), expected + "data: [DONE]\n\n");
    }

    #[test]
    fn a_whole_answer_is_one_object() {
        assert_eq!(
            serde_json::to_string(&reply().whole(vec![Whole::of("ab".into(), done())])).unwrap(),
            r#"{"id":"chatcmpl-1","object":"chat.completion","created":5,"model":"m","system_fingerprint":"fp_ollama","choices":[{"index":0,"message":{"role":"assistant","content":"ab"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7,"prompt_tokens_details":{"cached_tokens":2},"completion_tokens_details":{"reasoning_tokens":1}}}"#
        );
    }

    #[test]
    fn a_failure_under_way_is_the_last_event() {
        let sent = reply().events(0, Event::Failed(GenerateError::EmptyPrompt));
        let text = String::from_utf8(sent).unwrap();
        assert!(text.starts_with(r#"data: {"error":{"message":"the prompt is empty""#), "{text}");
        assert!(!text.contains("[DONE]"));
    }

    #[test]
    fn a_call_is_sent_part_by_part_and_ends_the_answer() {
        let mut reply = reply();
        let begun = Some(CallName { id: "call_1".into(), name: "now".into() });
        let part = |begun, arguments: &str| {
            let calls = vec![CallPart { index: 0, begun, arguments: arguments.into() }];
            Event::Said(Said { calls, ..Said::default() })
        };
        let events = [part(begun, ""), part(None, "{}"), Event::Done(done())];
        let sent: Vec<u8> = events.into_iter().flat_map(|event| reply.events(0, event)).collect();
        let sent = String::from_utf8(sent).unwrap();
        let first = r#""delta":{"role":"assistant","tool_calls":[{"id":"call_1","index":0,"type":"function","function":{"name":"now","arguments":""}}]}"#;
        assert!(sent.contains(first), "{sent}");
        assert!(
            sent.contains(r#""delta":{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}"#),
            "{sent}"
        );
        assert!(sent.contains(r#""finish_reason":"tool_calls""#), "{sent}");
    }

    #[test]
    fn several_answers_end_when_the_last_one_does() {
        let mut reply = Reply { usage: UsageEvent::Sent, ..Reply::new("c".into(), 5, "m".into(), 2) };
        let first = String::from_utf8(reply.events(1, Event::Done(done()))).unwrap();
        assert!(first.contains(r#""index":1"#) && !first.contains("[DONE]") && !reply.is_over());
        let last = String::from_utf8(reply.events(0, Event::Done(done()))).unwrap();
        assert!(last.contains(r#""prompt_tokens":3,"completion_tokens":8,"total_tokens":11"#), "{last}");
        assert!(last.ends_with("data: [DONE]\n\n") && reply.is_over());
    }

    #[test]
    fn thoughts_and_text_go_in_chunks_of_their_own() {
        let said = Said { thinking: "hm".into(), text: "yes".into(), ..Said::default() };
        let sent = String::from_utf8(reply().events(0, Event::Said(said))).unwrap();
        assert!(sent.contains(r#""delta":{"role":"assistant","reasoning":"hm"}"#), "{sent}");
        assert!(sent.contains(r#""delta":{"content":"yes"}"#), "{sent}");
    }
}
