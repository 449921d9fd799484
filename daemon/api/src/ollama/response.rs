//! A generation's events as this family's lines. Where the events come from is not known here.

use std::time::Duration;

use jiff::Timestamp;
use protocol::{Done, Event, FinishReason, Said, ToolCall};

use super::{
    errors::ErrorBody,
    wire::{Call, CalledFunction, ChatMessage, Content, Line, Logprob, Metrics, TokenLogprob},
};
use crate::{answer::Whole, error::Error, ndjson, tools};

/// What stands in every line of one answer.
pub(super) struct Reply {
    pub(super) model: String,
    pub(super) shape: Shape,
    pub(super) load_time: Duration,
    /// As they come, part by part.
    pub(super) calls: Vec<ToolCall>,
    /// How many of them were sent.
    pub(super) sent: usize,
}

/// Which route's lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// `response`, and `context` at the end.
    Generate,
    /// `response` alone.
    Raw,
    /// `message`.
    Chat,
}

/// When a line is written.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    pub(super) now: Timestamp,
    pub(super) since_start: Duration,
}

impl Reply {
    /// The lines of one event. A call is sent once it is whole, as this family's arguments are objects.
    pub(super) fn lines(&mut self, event: Event, moment: Moment) -> Vec<u8> {
        match event {
            Event::Said(mut said) => {
                let parts = std::mem::take(&mut said.calls);
                parts.into_iter().for_each(|part| tools::gather(&mut self.calls, part));
                let calls = self.take_calls(false);
                if said.is_empty() && calls.is_empty() {
                    return Vec::new();
                }
                ndjson::line(&self.piece(said, calls, moment)).to_vec()
            }
            Event::Done(done) => {
                let mut lines = Vec::new();
                let calls = self.take_calls(true);
                if !calls.is_empty() {
                    lines.extend(ndjson::line(&self.piece(Said::default(), calls, moment)));
                }
                lines.extend(ndjson::line(&self.last(Said::default(), Vec::new(), done, moment)));
                lines
            }
            Event::Failed(error) => ndjson::line(&ErrorBody { error: Error::from(error).message() }).to_vec(),
        }
    }

    /// An answer that is sent whole.
    pub(super) fn whole(&self, whole: Whole, moment: Moment) -> Line {
        let calls = whole.calls.iter().enumerate().filter_map(|(index, call)| wire_call(index, call));
        let calls = calls.collect();
        self.last(whole.said, calls, whole.done, moment)
    }

    /// The calls that are whole and were not sent; at the end, what is not whole is not sent at all.
    fn take_calls(&mut self, ended: bool) -> Vec<Call> {
        let mut taken = Vec::new();
        while let Some(call) = self.calls.get(self.sent) {
            match wire_call(self.sent, call) {
                Some(call) => taken.push(call),
                None if ended || self.sent + 1 < self.calls.len() => {}
                None => break,
            }
            self.sent += 1;
        }
        taken
    }

    /// The last line.
    fn last(&self, said: Said, calls: Vec<Call>, done: Done, moment: Moment) -> Line {
        Line {
            done: true,
            done_reason: Some(match done.reason {
                FinishReason::Stop => "stop",
                FinishReason::Length => "length",
            }),
            context: if self.shape == Shape::Generate { done.context } else { Vec::new() },
            metrics: Metrics {
                total_duration: nanos(moment.since_start),
                load_duration: nanos(self.load_time),
                prompt_eval_count: done.prompt_tokens.into(),
                prompt_eval_duration: nanos(done.prompt_time),
                eval_count: done.generated_tokens.into(),
                eval_duration: nanos(done.generate_time),
            },
            ..self.piece(said, calls, moment)
        }
    }

    /// The answer to a request without a prompt; `reason` is `load` or `unload`.
    pub(super) fn idle(&self, reason: &'static str, now: Timestamp) -> Line {
        let moment = Moment { now, since_start: Duration::ZERO };
        Line { done: true, done_reason: Some(reason), ..self.piece(Said::default(), Vec::new(), moment) }
    }

    fn piece(&self, said: Said, tool_calls: Vec<Call>, moment: Moment) -> Line {
        let Said { text, thinking, logprobs, .. } = said;
        Line {
            model: self.model.clone(),
            created_at: moment.now.to_string(),
            content: match self.shape {
                Shape::Generate | Shape::Raw => Content::Response { response: text, thinking },
                Shape::Chat => {
                    let message = ChatMessage { role: "assistant", content: text, thinking, tool_calls };
                    Content::Message { message }
                }
            },
            logprobs: logprobs.iter().map(token_logprob).collect(),
            done: false,
            done_reason: None,
            context: Vec::new(),
            metrics: Metrics::default(),
        }
    }
}

/// `None` while its arguments are not an object.
fn wire_call(index: usize, call: &ToolCall) -> Option<Call> {
    let arguments = serde_json::from_str(&call.arguments).ok()?;
    Some(Call { id: call.id.clone(), function: CalledFunction { index, name: call.name.clone(), arguments } })
}

fn token_logprob(token: &protocol::TokenLogprob) -> TokenLogprob {
    TokenLogprob { chosen: logprob(&token.chosen), top_logprobs: token.top.iter().map(logprob).collect() }
}

fn logprob(of: &protocol::Logprob) -> Logprob {
    Logprob {
        token: String::from_utf8_lossy(&of.bytes).into_owned(),
        logprob: of.logprob,
        bytes: of.bytes.clone(),
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use protocol::{CallName, CallPart, GenerateError};

    use super::*;

    fn line(shape: Shape, event: Event) -> String {
        lines(shape, [event])
    }

    fn lines(shape: Shape, events: impl IntoIterator<Item = Event>) -> String {
        let mut reply = Reply { load_time: Duration::from_nanos(2), ..Reply::named("m".into(), shape) };
        let now = "2025-01-02T03:04:05.678900000Z".parse().unwrap();
        let moment = Moment { now, since_start: Duration::from_nanos(9) };
        let lines = events.into_iter().flat_map(|event| reply.lines(event, moment));
        String::from_utf8(lines.collect()).unwrap()
    }

    fn call(index: u32, name: Option<&str>, arguments: &str) -> Event {
        let begun = name.map(|name| CallName { id: format!("call_{index}"), name: name.into() });
        let calls = vec![CallPart { index, begun, arguments: arguments.into() }];
        Event::Said(Said { calls, ..Said::default() })
    }

    #[test]
    fn a_call_is_sent_once_its_arguments_are_an_object() {
        let head = r#"{"model":"m","created_at":"2025-01-02T03:04:05.6789Z","message":{"role":"assistant","content":"","tool_calls":["#;
        let parts = [call(0, Some("now"), ""), call(0, None, "{\"a\": "), call(0, None, "1}")];
        assert_eq!(
            lines(Shape::Chat, parts),
            format!(
                "{head}{}\n",
                r#"{"id":"call_0","function":{"index":0,"name":"now","arguments":{"a":1}}}]},"done":false}"#
            )
        );
        // Cut by a limit.
        let cut = lines(Shape::Chat, [call(0, Some("now"), "{\"a\": "), done()]);
        assert!(!cut.contains("tool_calls") && cut.contains("\"done_reason\":\"length\""), "{cut}");
    }

    #[test]
    fn thoughts_stand_beside_the_text() {
        let thought = || Event::Said(Said { thinking: "hm".into(), ..Said::default() });
        assert!(line(Shape::Generate, thought()).contains(r#""response":"","thinking":"hm","done":false"#));
        assert!(line(Shape::Chat, thought()).contains(r#""content":"","thinking":"hm"}"#));
    }

    #[test]
    fn log_probabilities_stand_beside_the_tokens_text() {
        let of = |bytes: &[u8], logprob| protocol::Logprob { token: 1, bytes: bytes.into(), logprob };
        let token = protocol::TokenLogprob { chosen: of(b"a", -0.5), top: vec![of(b"b", -0.25)] };
        let said = Event::Said(Said { text: "a".into(), logprobs: vec![token], ..Said::default() });
        assert!(line(Shape::Raw, said).contains(
            r#""response":"a","logprobs":[{"token":"a","logprob":-0.5,"bytes":[97],"top_logprobs":[{"token":"b","logprob":-0.25,"bytes":[98]}]}],"done":false"#
        ));
    }

    fn done() -> Event {
        Event::Done(Done {
            reason: FinishReason::Length,
            prompt_tokens: 3,
            cached_tokens: 0,
            generated_tokens: 4,
            thinking_tokens: 0,
            stop: None,
            prompt_time: Duration::from_nanos(5),
            generate_time: Duration::from_nanos(6),
            context: vec![7, 8],
        })
    }

    #[test]
    fn a_piece_is_one_line() {
        assert_eq!(
            line(Shape::Generate, Event::Said("a<b".into())),
            "{\"model\":\"m\",\"created_at\":\"2025-01-02T03:04:05.6789Z\",\"response\":\"a\\u003cb\",\"done\":false}\n"
        );
        assert_eq!(
            line(Shape::Chat, Event::Said("a".into())),
            "{\"model\":\"m\",\"created_at\":\"2025-01-02T03:04:05.6789Z\",\
             \"message\":{\"role\":\"assistant\",\"content\":\"a\"},\"done\":false}\n"
        );
    }

    #[test]
    fn the_last_line_brings_metrics_and_the_context() {
        assert_eq!(
            line(Shape::Generate, done()),
            "{\"model\":\"m\",\"created_at\":\"2025-01-02T03:04:05.6789Z\",\"response\":\"\",\"done\":true,\
             \"done_reason\":\"length\",\"context\":[7,8],\"total_duration\":9,\"load_duration\":2,\
             \"prompt_eval_count\":3,\"prompt_eval_duration\":5,\"eval_count\":4,\"eval_duration\":6}\n"
        );
        assert!(!line(Shape::Raw, done()).contains("context"));
        assert!(!line(Shape::Chat, done()).contains("context"));
    }

    #[test]
    fn a_failure_under_way_is_the_last_line() {
        let failed = Event::Failed(GenerateError::Engine { reason: "out of memory".into() });
        assert_eq!(
            line(Shape::Chat, failed),
            "{\"error\":\"an error was encountered while running the model: out of memory\"}\n"
        );
    }
}
