//! A response as it comes about: a generation's events become items, and the events that tell of them. Where the first come
//! from and the others go to is not known here, nor is what is kept.

use protocol::{CallPart, Done, FinishReason, Said};

use super::{
    conversation,
    events::{ContentPart, Numbered, StreamEvent},
    items::{FunctionCall, Item, ItemStatus, Message, Part, Reasoning, Role, Summary, Thought},
    response::{Failure, IncompleteDetails, IncompleteReason, Response, Status, Usage},
    tools::Namespaces,
};
use crate::{
    identifier,
    json::{Harmless, TextOrList},
    openai::{
        logprobs::{self, TokenLogprob},
        seconds,
    },
};

/// How what a model says is told.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Telling {
    pub(super) namespaces: Namespaces,
    /// Thoughts are told as a summary.
    pub(super) summarised: bool,
    /// Thoughts are told as `encrypted_content`, too.
    pub(super) sealed: bool,
}

/// A response under way.
#[derive(Debug)]
pub(super) struct Progress {
    response: Response,
    telling: Telling,
    /// What the last item of the output is becoming.
    open: Option<Open>,
    /// How likely tokens were of which nothing was told yet.
    untold: Vec<protocol::TokenLogprob>,
    /// Events that were not taken yet.
    events: Vec<Numbered>,
    /// Of the next event.
    number: u64,
}

/// An item that grows.
#[derive(Debug)]
enum Open {
    Thought {
        id: String,
        text: String,
    },
    Text {
        id: String,
        text: String,
        logprobs: Vec<TokenLogprob>,
    },
    /// Which of the answer's calls, and as far as it goes.
    Call(u32, FunctionCall),
}

/// How a response ended.
#[derive(Debug)]
pub(super) enum End {
    Done(Done),
    Failed(Failure),
    Cancelled,
}

impl Progress {
    pub(super) fn new(response: Response, telling: Telling) -> Self {
        Self { response, telling, open: None, untold: Vec::new(), events: Vec::new(), number: 0 }
    }

    pub(super) fn response(&self) -> &Response {
        &self.response
    }

    /// The events since the last time.
    pub(super) fn take(&mut self) -> Vec<Numbered> {
        std::mem::take(&mut self.events)
    }

    /// It is there.
    pub(super) fn create(&mut self, status: Status) {
        self.response.status = status;
        self.tell(StreamEvent::Created { response: self.boxed() });
        if status == Status::Queued {
            self.tell(StreamEvent::Queued { response: self.boxed() });
        }
    }

    /// The model is at it.
    pub(super) fn start(&mut self) {
        self.response.status = Status::InProgress;
        self.tell(StreamEvent::InProgress { response: self.boxed() });
    }

    /// More of the answer: thoughts, then text, then calls, as they come together.
    pub(super) fn said(&mut self, said: Said) {
        let Said { text, thinking, calls, logprobs, .. } = said;
        // Tokens come without text where what they say is not yet a whole character, or may be a stop string.
        self.untold.extend(logprobs);
        if !thinking.is_empty() {
            self.thought(thinking.clone());
        }
        if !text.is_empty() {
            let mut tokens = std::mem::take(&mut self.untold);
            if !matches!(self.open, Some(Open::Text { .. })) {
                let before = before_text(&tokens, &thinking, &text);
                tokens.drain(..before);
            }
            self.text(text, logprobs::tokens(&tokens));
        }
        if !thinking.is_empty() || !calls.is_empty() {
            // Of thoughts and calls this is not told.
            self.untold.clear();
        }
        for part in calls {
            self.called(part);
        }
    }

    /// Nothing more comes. What is told last waits until the response was kept.
    pub(super) fn end(&mut self, end: End) {
        match end {
            End::Done(done) => {
                let cut = done.reason == FinishReason::Length;
                self.close(if cut { ItemStatus::Incomplete } else { ItemStatus::Completed });
                self.response.usage = Some(Usage::from(&done));
                self.response.status = if cut { Status::Incomplete } else { Status::Completed };
                let reason = IncompleteReason::MaxOutputTokens;
                self.response.incomplete_details = cut.then_some(IncompleteDetails { reason });
                self.response.completed_at = (!cut).then(seconds::now);
            }
            End::Failed(failure) => {
                self.drop_open();
                self.response.status = Status::Failed;
                self.response.error = Some(failure);
            }
            End::Cancelled => {
                self.drop_open();
                self.response.status = Status::Cancelled;
            }
        }
    }

    /// The last event, after [`Progress::end`]. OpenAI has none for what was cancelled.
    pub(super) fn last(&mut self) {
        let response = self.boxed();
        match self.response.status {
            Status::Completed => self.tell(StreamEvent::Completed { response }),
            Status::Incomplete => self.tell(StreamEvent::Incomplete { response }),
            Status::Failed => self.tell(StreamEvent::Failed { response }),
            Status::Queued | Status::InProgress | Status::Cancelled => {}
        }
    }

    /// The last event where the response could not be kept.
    pub(super) fn not_kept(&mut self, message: String) {
        self.tell(StreamEvent::Error { code: "server_error", message, param: None });
    }

    fn thought(&mut self, delta: String) {
        if !matches!(self.open, Some(Open::Thought { .. })) {
            let id = identifier::fresh("rs_");
            let open = Reasoning {
                id: Some(id.clone()),
                content: (!self.telling.summarised).then(Vec::new),
                status: Some(ItemStatus::InProgress),
                ..Reasoning::default()
            };
            self.open(Open::Thought { id: id.clone(), text: String::new() }, Item::Reasoning(open));
            let (item_id, output_index) = (id, self.index());
            self.tell(match self.telling.summarised {
                true => {
                    let part = Summary::SummaryText { text: String::new() };
                    StreamEvent::SummaryPartAdded { item_id, output_index, summary_index: 0, part }
                }
                false => {
                    let part = ContentPart::Thought(Thought::ReasoningText { text: String::new() });
                    StreamEvent::PartAdded { item_id, output_index, content_index: 0, part }
                }
            });
        }
        let (summarised, output_index) = (self.telling.summarised, self.index());
        if let Some(Open::Thought { id, text }) = &mut self.open {
            *text += &delta;
            let item_id = id.clone();
            self.tell(match summarised {
                true => StreamEvent::SummaryDelta { item_id, output_index, summary_index: 0, delta },
                false => StreamEvent::ThoughtDelta { item_id, output_index, content_index: 0, delta },
            });
        }
    }

    fn text(&mut self, delta: String, logprobs: Vec<TokenLogprob>) {
        if !matches!(self.open, Some(Open::Text { .. })) {
            let id = identifier::fresh("msg_");
            let open = message(id.clone(), ItemStatus::InProgress, Vec::new());
            self.open(Open::Text { id: id.clone(), text: String::new(), logprobs: Vec::new() }, open);
            let part = ContentPart::Said(Part::output_text(String::new(), Vec::new()));
            let output_index = self.index();
            self.tell(StreamEvent::PartAdded { item_id: id, output_index, content_index: 0, part });
        }
        let output_index = self.index();
        if let Some(Open::Text { id, text, logprobs: all }) = &mut self.open {
            *text += &delta;
            all.extend_from_slice(&logprobs);
            let item_id = id.clone();
            self.tell(StreamEvent::TextDelta { item_id, output_index, content_index: 0, delta, logprobs });
        }
    }

    fn called(&mut self, part: CallPart) {
        if let Some(begun) = part.begun {
            let (namespace, name) = self.telling.namespaces.split(&begun.name);
            let call = FunctionCall {
                id: Some(identifier::fresh("fc_")),
                status: Some(ItemStatus::InProgress),
                call_id: begun.id,
                name,
                namespace,
                arguments: String::new(),
                caller: Harmless,
                is_async: Harmless,
                created_by: Harmless,
            };
            self.open(Open::Call(part.index, call.clone()), Item::FunctionCall(call));
        }
        if part.arguments.is_empty() {
            return;
        }
        let output_index = self.index();
        match &mut self.open {
            Some(Open::Call(index, call)) if *index == part.index => {
                call.arguments += &part.arguments;
                let item_id = call.id.clone().unwrap_or_default();
                self.tell(StreamEvent::ArgumentsDelta { item_id, output_index, delta: part.arguments });
            }
            // One call ends before the next begins; at least it does not end up in another one.
            _ => tracing::warn!(call = part.index, "a call went on after its end"),
        }
    }

    /// Begins an item, after the end of the one before.
    fn open(&mut self, open: Open, item: Item) {
        self.close(ItemStatus::Completed);
        self.open = Some(open);
        self.response.output.push(item.clone());
        self.tell(StreamEvent::ItemAdded { output_index: self.index(), item });
    }

    /// Ends the item that grows, and tells so.
    fn close(&mut self, status: ItemStatus) {
        let Some(open) = self.open.take() else { return };
        let (output_index, content_index, summary_index) = (self.index(), 0, 0);
        match &open {
            Open::Thought { id, text } if self.telling.summarised => {
                let (item_id, text) = (id.clone(), text.clone());
                let part = Summary::SummaryText { text: text.clone() };
                let done_id = item_id.clone();
                self.tell(StreamEvent::SummaryDone { item_id: done_id, output_index, summary_index, text });
                self.tell(StreamEvent::SummaryPartDone { item_id, output_index, summary_index, part });
            }
            Open::Thought { id, text } => {
                let (item_id, text) = (id.clone(), text.clone());
                let part = ContentPart::Thought(Thought::ReasoningText { text: text.clone() });
                let done_id = item_id.clone();
                self.tell(StreamEvent::ThoughtDone { item_id: done_id, output_index, content_index, text });
                self.tell(StreamEvent::PartDone { item_id, output_index, content_index, part });
            }
            Open::Text { id, text, logprobs } => {
                let (item_id, text, logprobs) = (id.clone(), text.clone(), logprobs.clone());
                let part = ContentPart::Said(Part::output_text(text.clone(), logprobs.clone()));
                let done_id = item_id.clone();
                self.tell(StreamEvent::TextDone {
                    item_id: done_id,
                    output_index,
                    content_index,
                    text,
                    logprobs,
                });
                self.tell(StreamEvent::PartDone { item_id, output_index, content_index, part });
            }
            Open::Call(_, call) => {
                let (name, arguments) = (call.name.clone(), call.arguments.clone());
                let item_id = call.id.clone().unwrap_or_default();
                self.tell(StreamEvent::ArgumentsDone { item_id, output_index, name, arguments });
            }
        }
        let item = self.closed(open, status);
        self.tell(StreamEvent::ItemDone { output_index, item: item.clone() });
        self.put(item);
    }

    /// What was begun and will not end stays as it is, and nothing is told of it.
    fn drop_open(&mut self) {
        if let Some(open) = self.open.take() {
            let item = self.closed(open, ItemStatus::Incomplete);
            self.put(item);
        }
    }

    /// The item that one that grew became.
    fn closed(&self, open: Open, status: ItemStatus) -> Item {
        match open {
            Open::Thought { id, text } => {
                let encrypted_content = self.telling.sealed.then(|| conversation::seal(&text));
                let (summary, content) = match self.telling.summarised {
                    true => (vec![Summary::SummaryText { text }], None),
                    false => (Vec::new(), Some(vec![Thought::ReasoningText { text }])),
                };
                let (id, status) = (Some(id), Some(status));
                Item::Reasoning(Reasoning { id, summary, content, encrypted_content, status })
            }
            Open::Text { id, text, logprobs } => message(id, status, vec![Part::output_text(text, logprobs)]),
            Open::Call(_, call) => Item::FunctionCall(FunctionCall { status: Some(status), ..call }),
        }
    }

    fn put(&mut self, item: Item) {
        if let Some(last) = self.response.output.last_mut() {
            *last = item;
        }
    }

    /// Of the last item.
    fn index(&self) -> usize {
        self.response.output.len().saturating_sub(1)
    }

    fn boxed(&self) -> Box<Response> {
        Box::new(self.response.clone())
    }

    fn tell(&mut self, event: StreamEvent) {
        self.events.push(Numbered { event, sequence_number: self.number });
        self.number += 1;
    }
}

/// How many of the tokens were said before a text that they begin: thoughts, and marks between both.
fn before_text(tokens: &[protocol::TokenLogprob], thinking: &str, text: &str) -> usize {
    let bytes: Vec<u8> = tokens.iter().flat_map(|token| &token.chosen.bytes).copied().collect();
    let thought = find(&bytes, thinking).map_or(0, |at| at + thinking.len());
    let begins = thought + find(&bytes[thought..], text).unwrap_or(0);
    let mut end = 0;
    let before = tokens.iter().take_while(|token| {
        end += token.chosen.bytes.len();
        end <= begins
    });
    before.count()
}

fn find(bytes: &[u8], text: &str) -> Option<usize> {
    // There are no windows of no bytes.
    let at = bytes.windows(text.len().max(1)).position(|window| window == text.as_bytes());
    at.filter(|_| !text.is_empty())
}

fn message(id: String, status: ItemStatus, parts: Vec<Part>) -> Item {
    let (id, status, content) = (Some(id), Some(status), TextOrList::List(parts));
    Item::Message(Message { id, status, role: Role::Assistant, content, phase: Harmless })
}

#[cfg(test)]
mod tests;
