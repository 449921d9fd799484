//! A generation's events as this family's lines. Where the events come from is not known here.

use std::time::Duration;

use jiff::Timestamp;
use protocol::{Done, Event, FinishReason};

use super::{
    errors::ErrorBody,
    wire::{ChatMessage, Content, Line, Metrics},
};
use crate::{error::Error, ndjson};

/// What stands in every line of one answer.
pub(super) struct Reply {
    pub(super) model: String,
    pub(super) shape: Shape,
    pub(super) load_time: Duration,
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
    /// The line of one event.
    pub(super) fn line(&self, event: Event, moment: Moment) -> bytes::Bytes {
        match event {
            Event::Text(text) => ndjson::line(&self.piece(text, moment)),
            Event::Done(done) => ndjson::line(&self.last(String::new(), done, moment)),
            Event::Failed(error) => ndjson::line(&ErrorBody { error: Error::from(error).message() }),
        }
    }

    /// The last line; of an answer that is sent whole, the only one.
    pub(super) fn last(&self, text: String, done: Done, moment: Moment) -> Line {
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
            ..self.piece(text, moment)
        }
    }

    /// The answer to a request without a prompt; `reason` is `load` or `unload`.
    pub(super) fn idle(&self, reason: &'static str, now: Timestamp) -> Line {
        let moment = Moment { now, since_start: Duration::ZERO };
        Line { done: true, done_reason: Some(reason), ..self.piece(String::new(), moment) }
    }

    fn piece(&self, text: String, moment: Moment) -> Line {
        Line {
            model: self.model.clone(),
            created_at: moment.now.to_string(),
            content: match self.shape {
                Shape::Generate | Shape::Raw => Content::Response(text),
                Shape::Chat => Content::Message(ChatMessage { role: "assistant", content: text }),
            },
            done: false,
            done_reason: None,
            context: Vec::new(),
            metrics: Metrics::default(),
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use protocol::GenerateError;

    use super::*;

    fn line(shape: Shape, event: Event) -> String {
        let reply = Reply { model: "m".into(), shape, load_time: Duration::from_nanos(2) };
        let now = "2025-01-02T03:04:05.678900000Z".parse().unwrap();
        let moment = Moment { now, since_start: Duration::from_nanos(9) };
        String::from_utf8(reply.line(event, moment).to_vec()).unwrap()
    }

    fn done() -> Event {
        Event::Done(Done {
            reason: FinishReason::Length,
            prompt_tokens: 3,
            cached_tokens: 0,
            generated_tokens: 4,
            prompt_time: Duration::from_nanos(5),
            generate_time: Duration::from_nanos(6),
            context: vec![7, 8],
        })
    }

    #[test]
    fn a_piece_is_one_line() {
        assert_eq!(
            line(Shape::Generate, Event::Text("a<b".into())),
            "{\"model\":\"m\",\"created_at\":\"2025-01-02T03:04:05.6789Z\",\"response\":\"a\\u003cb\",\"done\":false}\n"
        );
        assert_eq!(
            line(Shape::Chat, Event::Text("a".into())),
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
