//! The thread that reads a worker's socket and prepares prompts, so that a cancellation is heard while the loop computes.

use std::collections::HashMap;
use std::io::BufReader;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::time::Instant;

use protocol::{Ability, Generate, GenerateError, Media, Owner, RequestId, ToWorker, frame};

use crate::adapters::Scales;
use crate::grammar::{Bound, Form, Grammars};
use crate::outbox::Outbox;
use crate::projection::{Job, Projection, Sketch};
use crate::prompt::PromptBuilder;
use crate::sequence::Admission;
use crate::spill::Spill;
use crate::step::{HungUp, Intake};
use crate::worker::{Cancellations, Shelf};

/// Fewer tokens are computed as fast.
const WORTH_FETCHING: usize = 32;

/// Reads the socket until the daemon hangs up.
pub(crate) struct Listener {
    pub(crate) grammars: Grammars,
    /// For requests that bring files.
    pub(crate) projection: Option<Projection>,
    /// Files of requests that are still to come, the last perhaps in part.
    pub(crate) media: HashMap<RequestId, Vec<Vec<u8>>>,
    pub(crate) prompts: PromptBuilder,
    /// That the model has.
    pub(crate) adapters: usize,
    pub(crate) cancellations: Arc<Cancellations>,
    pub(crate) intake: Sender<Intake>,
    pub(crate) outbox: Outbox,
    pub(crate) spill: Arc<Spill>,
    pub(crate) shelf: Option<Shelf>,
}

impl Listener {
    pub(crate) fn run(mut self, mut socket: BufReader<UnixStream>) {
        while let Ok(Some(news)) = frame::read(&mut socket) {
            let heard = match news {
                ToWorker::Generate(request, work) => self.admit(request, *work, Vec::new()),
                ToWorker::Resume(request, work, told) => self.admit(request, *work, told),
                ToWorker::Media(request, part, is_last) => {
                    self.collect(request, &part, is_last);
                    Ok(())
                }
                ToWorker::Cancel(request) => {
                    // Of one that was too long to follow its files.
                    self.media.remove(&request);
                    self.projection.iter().for_each(|projection| projection.cancel(request));
                    self.cancellations.add(request);
                    self.intake.send(Intake::Cancelled).map_err(|_| HungUp)
                }
                ToWorker::Render(request, work) => self.render(request, *work),
                ToWorker::Detokenize(request, tokens) => match self.prompts.pieces(&tokens) {
                    Ok(pieces) => self.outbox.detokenized(request, pieces),
                    Err(error) => self.refuse(request, error),
                },
                ToWorker::Hold(request) => self.intake.send(Intake::Hold(request)).map_err(|_| HungUp),
                ToWorker::Release(request) => self.intake.send(Intake::Release(request)).map_err(|_| HungUp),
                ToWorker::Embed(request, _) => {
                    let reason = "this worker was started to generate".into();
                    self.refuse(request, GenerateError::Engine { reason })
                }
                ToWorker::Load(_) | ToWorker::Quantize(_) | ToWorker::Lend(_) => Ok(()),
            };
            if heard.is_err() {
                break;
            }
        }
        // The loop may be deep in a prompt; nobody waits for it now.
        self.cancellations.abort().store(true, Ordering::Relaxed);
    }

    fn collect(&mut self, request: RequestId, part: &[u8], is_last: bool) {
        let files = self.media.entry(request).or_insert_with(|| vec![Vec::new()]);
        files.last_mut().into_iter().for_each(|file| file.extend_from_slice(part));
        if is_last {
            files.push(Vec::new());
        }
    }

    /// Files that came ahead of a request.
    fn media_of(&mut self, request: RequestId) -> Media {
        let mut files = self.media.remove(&request).unwrap_or_default();
        // The one that would have come next.
        files.pop();
        Media(Arc::new(files))
    }

    /// Tells what would be read, and does not have it read.
    fn render(&mut self, request: RequestId, mut work: Generate) -> Result<(), HungUp> {
        work.media = self.media_of(request);
        match self.prompts.render(&work) {
            Ok((prompt, rendered)) if prompt.has_files => {
                let text = prompt.text.unwrap_or_default();
                self.project(request, Job::Render(Sketch { text, media: work.media, rendered }))
            }
            Ok((_, rendered)) => self.outbox.rendered(request, rendered),
            Err(error) => self.refuse(request, error),
        }
    }

    fn project(&self, request: RequestId, job: Job) -> Result<(), HungUp> {
        match &self.projection {
            Some(projection) => {
                projection.project(request, job);
                Ok(())
            }
            // Without one, no prompt has files.
            None => self.refuse(request, GenerateError::Unable(Ability::Vision)),
        }
    }

    fn admit(&mut self, request: RequestId, mut work: Generate, told: Vec<i32>) -> Result<(), HungUp> {
        let arrived = Instant::now();
        work.media = self.media_of(request);
        let built = self.prompts.build(&work).and_then(|mut prompt| {
            let form = prompt.form.take();
            let bound = form.map(|form| self.bind(&form, &work, &told)).transpose()?;
            Ok((prompt, bound.flatten(), Scales::asked(work.adapters.as_deref(), self.adapters)?))
        });
        match built {
            Ok((prompt, bound, scales)) if prompt.has_files => {
                let admission = Admission { request, work, prompt, scales, bound, told, arrived };
                self.project(request, Job::Admit(Box::new(admission)))
            }
            Ok((prompt, bound, scales)) => {
                self.fetch(scales.kin(work.owner), &prompt.tokens);
                let admission = Box::new(Admission { request, work, prompt, scales, bound, told, arrived });
                self.intake.send(Intake::Admit(admission)).map_err(|_| HungUp)
            }
            Err(error) => self.refuse(request, error),
        }
    }

    /// Where nothing but calls that nobody insists on would be bound, a grammar that cannot be had is done without.
    fn bind(&mut self, form: &Form, work: &Generate, told: &[i32]) -> Result<Option<Bound>, GenerateError> {
        match self.grammars.bind(form, work, told) {
            Ok(bound) => Ok(Some(bound)),
            Err(_) if !form.triggers.is_empty() => Ok(None),
            Err(reason) => Err(GenerateError::Format { reason }),
        }
    }

    /// Brings from the disk what the loop had better have in memory.
    fn fetch(&self, owner: Owner, prompt: &[i32]) {
        let Some(shelf) = &self.shelf else { return };
        let have = self.spill.best(owner, prompt, shelf.parts, 0).map_or(0, |(_, saved)| saved);
        if let Some(spilled) = shelf.fetch(owner, prompt, have + WORTH_FETCHING) {
            self.spill.put(spilled, shelf.parts);
        }
    }

    fn refuse(&self, request: RequestId, error: GenerateError) -> Result<(), HungUp> {
        self.outbox.failed(request, error)?;
        self.outbox.flush()
    }
}
