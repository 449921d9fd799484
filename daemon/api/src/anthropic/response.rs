//! A generation's events as this family's. Where the events come from is not known here.

use protocol::{CallPart, Done, Event, FinishReason, PromptRead, Said, ToolCall};
use serde_json::{Map, Value, json};

use super::{
    errors::Detail,
    identifiers,
    request::Telling,
    signature::Signature,
    wire::{
        answer::{
            AppliedEdits, Caller, Content, Delta, End, Message, MessageType, Null, OutputDetails,
            ServiceTier, Speaker, StopReason, StreamEvent, Usage,
        },
        request::Display,
    },
};
use crate::{answer::Whole, error::Error, sse};

/// One reply, as far as it was sent.
pub(super) struct Reply {
    id: String,
    model: String,
    telling: Telling,
    /// What the request's limit is.
    max_tokens: u32,
    /// Of the request; errors under way tell it.
    request_id: Option<String>,
    open: Option<Open>,
    /// Of the block that is open, or comes next.
    index: u32,
    called: bool,
}

/// What is being said.
enum Open {
    Thinking(Signature),
    Text,
    /// By its number among the calls.
    Call(u32),
}

impl Reply {
    pub(super) fn new(id: String, model: String, telling: Telling, max_tokens: u32) -> Self {
        Self { id, model, telling, max_tokens, request_id: None, open: None, index: 0, called: false }
    }

    /// The same, for a request that has a name.
    pub(super) fn to(self, request_id: Option<String>) -> Self {
        Self { request_id, ..self }
    }

    pub(super) fn whole(mut self, whole: Whole) -> Message {
        let Whole { said, calls, done } = whole;
        self.called = !calls.is_empty();
        let mut content = Vec::new();
        if !said.thinking.is_empty() {
            let signature = Signature::of(&said.thinking);
            let thinking = if self.tells_thoughts() { said.thinking } else { String::new() };
            content.push(Content::Thinking { thinking, signature });
        }
        if !said.text.is_empty() {
            content.push(Content::Text { text: said.text });
        }
        content.extend(calls.into_iter().map(called));
        let (stop_reason, stop_sequence) = self.ended(&done);
        let usage = used(&done);
        let message = self.message(content, usage);
        Message { stop_reason: Some(stop_reason), stop_sequence, ..message }
    }

    /// The beginning, once it is known what the prompt took.
    pub(super) fn begin(&self, read: PromptRead) -> Vec<u8> {
        let mut sent = Vec::new();
        let usage = Usage { output_tokens: 0, output_tokens_details: None, ..usage(read) };
        push(&mut sent, &StreamEvent::MessageStart { message: Box::new(self.message(Vec::new(), usage)) });
        sent
    }

    /// What is sent for one event.
    pub(super) fn events(&mut self, event: Event) -> Vec<u8> {
        let mut sent = Vec::new();
        match event {
            Event::Said(said) => self.push_said(&mut sent, said),
            Event::Done(done) => {
                self.close(&mut sent);
                let (stop_reason, stop_sequence) = self.ended(&done);
                let delta = End { stop_reason, stop_sequence, stop_details: Null };
                let context_management = self.edits();
                push(&mut sent, &StreamEvent::MessageDelta { delta, usage: used(&done), context_management });
                push(&mut sent, &StreamEvent::MessageStop {});
            }
            Event::Failed(error) => {
                let error = Detail::from(&Error::from(error));
                push(&mut sent, &StreamEvent::Error { error, request_id: self.request_id.clone() });
            }
        }
        sent
    }

    fn push_said(&mut self, sent: &mut Vec<u8>, said: Said) {
        if !said.thinking.is_empty() {
            self.think(sent, said.thinking);
        }
        if !said.text.is_empty() {
            if !matches!(self.open, Some(Open::Text)) {
                self.begin_block(sent, Open::Text, Content::Text { text: String::new() });
            }
            self.push_delta(sent, Delta::TextDelta { text: said.text });
        }
        for part in said.calls {
            self.call(sent, part);
        }
    }

    fn think(&mut self, sent: &mut Vec<u8>, thinking: String) {
        if !matches!(self.open, Some(Open::Thinking(_))) {
            let empty = Content::Thinking { thinking: String::new(), signature: String::new() };
            self.begin_block(sent, Open::Thinking(Signature::default()), empty);
        }
        if let Some(Open::Thinking(signature)) = &mut self.open {
            signature.add(&thinking);
        }
        if self.tells_thoughts() {
            self.push_delta(sent, Delta::ThinkingDelta { thinking });
        }
    }

    fn call(&mut self, sent: &mut Vec<u8>, part: CallPart) {
        if let Some(begun) = part.begun {
            self.called = true;
            let call = ToolCall { id: begun.id, name: begun.name, arguments: "{}".into() };
            self.begin_block(sent, Open::Call(part.index), called(call));
        }
        // Calls come one after the other; more of an earlier one has no place.
        let is_open = matches!(self.open, Some(Open::Call(index)) if index == part.index);
        if is_open && !part.arguments.is_empty() {
            self.push_delta(sent, Delta::InputJsonDelta { partial_json: part.arguments });
        }
    }

    fn begin_block(&mut self, sent: &mut Vec<u8>, open: Open, content_block: Content) {
        self.close(sent);
        let index = self.index;
        push(sent, &StreamEvent::ContentBlockStart { index, content_block });
        if index == 0 {
            // Where Anthropic's streams have one.
            push(sent, &StreamEvent::Ping {});
        }
        self.open = Some(open);
    }

    fn close(&mut self, sent: &mut Vec<u8>) {
        let Some(open) = self.open.take() else { return };
        if let Open::Thinking(signature) = open {
            self.push_delta(sent, Delta::SignatureDelta { signature: signature.text() });
        }
        push(sent, &StreamEvent::ContentBlockStop { index: self.index });
        self.index += 1;
    }

    fn push_delta(&self, sent: &mut Vec<u8>, delta: Delta) {
        push(sent, &StreamEvent::ContentBlockDelta { index: self.index, delta });
    }

    fn tells_thoughts(&self) -> bool {
        self.telling.display == Display::Summarized
    }

    fn edits(&self) -> Option<AppliedEdits> {
        self.telling.edits.then(AppliedEdits::default)
    }

    /// Why it ended. What the Modelfile ends answers with is none of the request's business.
    fn ended(&self, done: &Done) -> (StopReason, Option<String>) {
        let stop = done.stop.clone().filter(|stop| self.telling.stops.contains(stop));
        let reason = match done.reason {
            FinishReason::Stop if stop.is_some() => StopReason::StopSequence,
            FinishReason::Stop if self.called => StopReason::ToolUse,
            FinishReason::Stop => StopReason::EndTurn,
            FinishReason::Length if done.generated_tokens < self.max_tokens => {
                StopReason::ModelContextWindowExceeded
            }
            FinishReason::Length => StopReason::MaxTokens,
        };
        (reason, stop)
    }

    fn message(&self, content: Vec<Content>, usage: Usage) -> Message {
        Message {
            id: self.id.clone(),
            kind: MessageType::Message,
            role: Speaker::Assistant,
            model: self.model.clone(),
            content,
            stop_reason: None,
            stop_sequence: None,
            stop_details: Null,
            usage,
            context_management: self.edits(),
        }
    }
}

/// What is sent while there is nothing to tell.
pub(super) fn ping() -> Vec<u8> {
    let mut sent = Vec::new();
    push(&mut sent, &StreamEvent::Ping {});
    sent
}

/// What the prompt took, of an answer of which nothing more is known.
pub(super) fn prompt_read(done: &Done) -> PromptRead {
    PromptRead { prompt_tokens: done.prompt_tokens, cached_tokens: done.cached_tokens }
}

fn used(done: &Done) -> Usage {
    let details = OutputDetails { thinking_tokens: done.thinking_tokens };
    Usage {
        output_tokens: done.generated_tokens,
        output_tokens_details: Some(details),
        ..usage(prompt_read(done))
    }
}

fn usage(read: PromptRead) -> Usage {
    Usage {
        input_tokens: read.prompt_tokens.saturating_sub(read.cached_tokens),
        cache_creation_input_tokens: 0,
        cache_read_input_tokens: read.cached_tokens,
        output_tokens: 0,
        output_tokens_details: None,
        service_tier: ServiceTier::Standard,
    }
}

fn called(call: ToolCall) -> Content {
    let ToolCall { id, name, arguments } = call;
    let input = serde_json::from_str::<Map<String, Value>>(&arguments).unwrap_or_else(|_| {
        // As Anthropic has its clients say it.
        let broken = if arguments.is_empty() { json!({}) } else { json!({"INVALID_JSON": arguments}) };
        serde_json::from_value(broken).unwrap_or_default()
    });
    Content::ToolUse { id: identifiers::ours(&id), name, input, caller: Caller::Direct }
}

fn push(sent: &mut Vec<u8>, event: &StreamEvent) {
    sse::push_named(sent, event.name(), event);
}

#[cfg(test)]
mod tests;
