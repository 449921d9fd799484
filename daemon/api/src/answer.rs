//! A generation whose first event is in, so that an early failure still gets a status of its own.

use std::time::{Duration, Instant};

use futures_util::{Stream, stream};
use protocol::{Done, Event, Generate, GenerateError, PromptRead, Said, ToolCall};
use scheduler::{Answer, Load};

use crate::{Api, error::Error, tools};

/// A generation under way. Dropping it cancels.
pub(crate) struct Running {
    first: Option<Event>,
    /// What its prompt took, if more than the end was told.
    read: Option<PromptRead>,
    answer: Answer,
    started: Instant,
}

impl Running {
    /// Returns once the first event is in, and with an error if that is a failure.
    pub(crate) async fn begin(api: &Api, load: Load, generate: Generate) -> Result<Self, Error> {
        let started = Instant::now();
        let answer = api.scheduler.generate(load, generate).await?;
        let mut running = Self { first: None, read: None, answer, started };
        match running.next().await {
            Event::Failed(error) => Err(error.into()),
            first => Ok(Self { first: Some(first), ..running }),
        }
    }

    /// The next event. After [`Event::Done`] or [`Event::Failed`] there is nothing to ask for.
    pub(crate) async fn next(&mut self) -> Event {
        if let Some(first) = self.first.take() {
            return first;
        }
        loop {
            match self.answer.next().await.unwrap_or(Event::Failed(GenerateError::WorkerDied)) {
                Event::Said(mut said) => {
                    self.read = self.read.or(said.read.take());
                    if !said.is_empty() {
                        return Event::Said(said);
                    }
                }
                end => return end,
            }
        }
    }

    /// All events to the end of the answer, which is told as well.
    pub(crate) fn events(self) -> impl Stream<Item = Event> + Send {
        stream::unfold(Some(self), async |running| {
            let mut running = running?;
            let event = running.next().await;
            let more = matches!(event, Event::Said(_));
            Some((event, more.then_some(running)))
        })
    }

    /// The whole answer.
    pub(crate) async fn finish(mut self) -> Result<Whole, Error> {
        let mut said = Said::default();
        loop {
            match self.next().await {
                Event::Said(more) => said.append(more),
                Event::Done(done) => return Ok(Whole::of(said, done)),
                Event::Failed(error) => return Err(error.into()),
            }
        }
    }

    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    /// What the prompt took, as soon as something was said.
    pub(crate) fn read(&self) -> Option<PromptRead> {
        self.read
    }

    pub(crate) fn load_time(&self) -> Duration {
        self.answer.load_time
    }
}

/// An answer that is complete.
pub(crate) struct Whole {
    /// All of it but its calls.
    pub(crate) said: Said,
    pub(crate) calls: Vec<ToolCall>,
    pub(crate) done: Done,
}

impl Whole {
    pub(crate) fn of(mut said: Said, done: Done) -> Self {
        let mut calls = Vec::new();
        for part in std::mem::take(&mut said.calls) {
            tools::gather(&mut calls, part);
        }
        Self { said, calls, done }
    }
}
