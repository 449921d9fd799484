//! A generation under way. Its first event is waited for a while, so that an early failure gets a status of its own, and not
//! for ever, so that whoever is between us and the client sees that something comes.

use std::future;
use std::iter;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::{Stream, stream};
use protocol::{Done, Event, Generate, GenerateError, Input, Message, PromptRead, Said, ToolCall};
use scheduler::{Answer, Load};

use crate::{Api, cut::Cut, error::Error, quota::Tally, tools};

/// How long a stream's headers may wait for its first event. After that they are sent, and what goes wrong is told in the
/// stream. Proxies and clients give up after some 30 seconds without a byte.
pub(crate) const HEADERS_WITHIN: Duration = Duration::from_secs(10);

/// A generation under way. Dropping it cancels.
pub(crate) struct Running {
    progress: Progress,
    /// What ends it before its end.
    cut: Cut,
    started: Instant,
}

enum Progress {
    /// The model is being loaded, or reads the prompt.
    Starting(Starting),
    /// The first event is in.
    Going(Option<Event>, Box<Reader>),
    /// It never began, or was cut off.
    Over,
}

type Starting = Pin<Box<dyn Future<Output = Result<(Event, Box<Reader>), Error>> + Send>>;

/// An answer, of which what its prompt took is told apart.
struct Reader {
    answer: Answer,
    read: Option<PromptRead>,
    tally: Tally,
}

impl Running {
    /// Returns once the first event is in, and with an error if that is a failure.
    pub(crate) async fn begin(api: &Api, load: Load, generate: Generate) -> Result<Self, Error> {
        let mut running = Self::starting(api, load, generate, Tally::of(api));
        future::poll_fn(|context| running.begun(context)).await?;
        Ok(running)
    }

    /// The same, but for no longer than [`HEADERS_WITHIN`]: what fails later is an event. A box that passed the request on waits
    /// itself, and may ask another as long as nothing was said.
    pub(crate) async fn begin_soon(api: &Api, load: Load, generate: Generate) -> Result<Self, Error> {
        if api.hop.is_some() {
            return Self::begin(api, load, generate).await;
        }
        let mut running = Self::starting(api, load, generate, Tally::of(api));
        match tokio::time::timeout(HEADERS_WITHIN, future::poll_fn(|context| running.begun(context))).await {
            Ok(begun) => begun.map(|()| running),
            Err(_) => Ok(running),
        }
    }

    /// The same of several to one prompt, of which one must have begun: the others may have to wait until it is over.
    pub(crate) async fn begin_several(
        api: &Api,
        load: &Load,
        each: impl Iterator<Item = Generate>,
    ) -> Result<Vec<Self>, Error> {
        // The prompt is read once, and counts once.
        let tallies = iter::once(Tally::of(api)).chain(iter::repeat_with(|| Tally::without_prompt(api)));
        let starting = |(generate, tally)| Self::starting(api, load.clone(), generate, tally);
        let mut all: Vec<Self> = each.zip(tallies).map(starting).collect();
        let begun = future::poll_fn(|context| any_begun(&mut all, context));
        if api.hop.is_some() {
            return begun.await.map(|()| all);
        }
        match tokio::time::timeout(HEADERS_WITHIN, begun).await {
            Ok(begun) => begun.map(|()| all),
            Err(_) => Ok(all),
        }
    }

    fn starting(api: &Api, load: Load, generate: Generate, tally: Tally) -> Self {
        let starting = Box::pin(start(api.clone(), load, generate, tally));
        Self { progress: Progress::Starting(starting), cut: Cut::of(api), started: Instant::now() }
    }

    /// Ready once the first event is in.
    fn begun(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let Progress::Starting(starting) = &mut self.progress else { return Poll::Ready(Ok(())) };
        if let Poll::Ready(why) = Pin::new(&mut self.cut).poll(context) {
            self.progress = Progress::Over;
            return Poll::Ready(Err(why.into()));
        }
        starting.as_mut().poll(context).map(|begun| {
            self.progress = Progress::Over;
            let (first, answer) = begun?;
            self.progress = Progress::Going(Some(first), answer);
            Ok(())
        })
    }

    /// The next event. After [`Event::Done`] or [`Event::Failed`] there is nothing to ask for.
    pub(crate) async fn next(&mut self) -> Event {
        // Its headers are sent, and its status with them: of how it failed only the words are left.
        self.try_next().await.unwrap_or_else(|error| match error {
            Error::Generate(error) => Event::Failed(error),
            error => Event::Failed(GenerateError::Engine { reason: error.message() }),
        })
    }

    /// The next event, or why there never was one.
    pub(crate) async fn try_next(&mut self) -> Result<Event, Error> {
        if matches!(self.progress, Progress::Starting(_)) {
            future::poll_fn(|context| self.begun(context)).await?;
        }
        let Progress::Going(first, reader) = &mut self.progress else {
            return Ok(Event::Failed(GenerateError::WorkerDied));
        };
        if let Some(first) = first.take() {
            return Ok(first);
        }
        tokio::select! {
            // First, so that it is seen in an answer whose events are there as soon as they are asked for.
            biased;
            why = &mut self.cut => {
                // With it go the lease and the sequence.
                self.progress = Progress::Over;
                Ok(Event::Failed(why))
            }
            event = reader.next() => Ok(event),
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
            match self.try_next().await? {
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
        match &self.progress {
            Progress::Going(_, reader) => reader.read,
            Progress::Starting(_) | Progress::Over => None,
        }
    }

    /// How long it waited for its model; nothing until the first event is in.
    pub(crate) fn load_time(&self) -> Duration {
        match &self.progress {
            Progress::Going(_, reader) => reader.answer.load_time,
            Progress::Starting(_) | Progress::Over => Duration::ZERO,
        }
    }
}

/// Ready once one has begun, or failed. All are looked at, so that each is on its way.
fn any_begun(all: &mut [Running], context: &mut Context<'_>) -> Poll<Result<(), Error>> {
    let mut any = Poll::Pending;
    for running in all {
        if let Poll::Ready(begun) = running.begun(context) {
            begun?;
            any = Poll::Ready(Ok(()));
        }
    }
    any
}

async fn start(
    api: Api,
    load: Load,
    generate: Generate,
    mut tally: Tally,
) -> Result<(Event, Box<Reader>), Error> {
    let prompt_bytes = bytes_of(&generate.input);
    let answer = api.generate(load, generate).await?;
    tally.begun(prompt_bytes);
    let mut reader = Box::new(Reader { answer, read: None, tally });
    match reader.next().await {
        Event::Failed(error) => Err(error.into()),
        first => Ok((first, reader)),
    }
}

/// Text of a prompt. A token that is given as such takes about as much.
fn bytes_of(input: &Input) -> usize {
    let said = |messages: &[Message]| messages.iter().map(|message| message.content.len()).sum::<usize>();
    match input {
        Input::Chat(messages) => said(messages),
        Input::Raw(text) => text.len(),
        Input::Tokens(tokens) => size_of_val(tokens.as_slice()),
        Input::Infill { prefix, suffix, .. } => prefix.len() + suffix.len(),
        Input::Continue { context, turn } => size_of_val(context.as_slice()) + said(turn),
    }
}

impl Reader {
    async fn next(&mut self) -> Event {
        loop {
            match self.answer.next().await.unwrap_or(Event::Failed(GenerateError::WorkerDied)) {
                Event::Said(mut said) => {
                    self.read = self.read.or(said.read.take());
                    self.tally.said(&said, self.read);
                    if !said.is_empty() {
                        return Event::Said(said);
                    }
                }
                Event::Done(done) => {
                    self.tally.done(&done);
                    return Event::Done(done);
                }
                failed @ Event::Failed(_) => {
                    self.tally.failed();
                    return failed;
                }
            }
        }
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

#[cfg(test)]
mod tests {
    use access::Scope;
    use futures_util::FutureExt;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::tests::{Rig, scopes};

    fn running(
        starting: impl Future<Output = Result<(Event, Box<Reader>), Error>> + Send + 'static,
    ) -> Running {
        let progress = Progress::Starting(Box::pin(starting));
        Running { progress, cut: Cut::never(), started: Instant::now() }
    }

    #[test]
    fn several_answers_are_all_on_their_way_and_one_that_fails_is_told_at_once() {
        let waiting = || running(future::pending());
        let failing = || running(future::ready(Err(Error::BodyCut)));
        let first = |mut all: Vec<Running>| {
            future::poll_fn(move |context| any_begun(&mut all, context)).now_or_never()
        };

        assert!(first(vec![waiting(), waiting()]).is_none());
        assert!(matches!(first(vec![waiting(), failing(), waiting()]), Some(Err(Error::BodyCut))));
    }

    #[tokio::test]
    async fn an_answer_that_is_cut_off_ends_with_why_and_is_let_go_of() {
        struct Dropped(CancellationToken);
        impl Drop for Dropped {
            fn drop(&mut self) {
                self.0.cancel();
            }
        }
        let rig = Rig::new();
        for (cut, expected) in [
            (Box::new(|rig: &Rig| rig.revoke_all()) as Box<dyn Fn(&Rig)>, GenerateError::Revoked),
            (Box::new(|rig: &Rig| rig.api.cut()), GenerateError::Stopping),
        ] {
            let api = Api { caller: rig.by_key(&rig.key(scopes(&[Scope::Infer]))), ..rig.api.clone() };
            let dropped = CancellationToken::new();
            let held = Dropped(dropped.clone());
            let starting = async move {
                let _held = held;
                future::pending().await
            };
            let mut running = Running { cut: Cut::of(&api), ..running(starting) };
            assert!(running.next().now_or_never().is_none());

            cut(&rig);

            let last = tokio::time::timeout(Duration::from_secs(9), running.next()).await;
            assert_eq!(last, Ok(Event::Failed(expected)));
            assert!(dropped.is_cancelled());
        }
    }
}
