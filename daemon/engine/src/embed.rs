//! A worker whose model makes vectors of texts: load, then one thread that reads the socket and makes tokens of the inputs,
//! and this one that computes as many of them in a step as fit.

mod reader;
mod turns;

use std::collections::HashSet;
use std::io::BufReader;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::time::Duration;

use gguf::Pooling;
use protocol::{
    Embed, Embedded, FromWorker, GenerateError, LoadOptions, ModelFacts, RequestId, ToWorker, WIDEST_VECTOR,
    frame,
};

use self::reader::Reader;
use self::turns::{Request, Turns};
use crate::ggml::{self, DecodeError, Encoder, EncoderOptions, LoadError, Model, ModelOptions, Progress};
use crate::outbox::Outbox;
use crate::step::HungUp;
use crate::threads::Threads;
use crate::worker::{Cancellations, Files, ServeError, System, check_header, cores};

/// How often the daemon is told that a step gets on.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// In longer steps a token takes longer, as it is compared with those of all inputs before they are left out.
const STEP_TOKENS: usize = 256;

/// Loads the model and makes vectors until the daemon hangs up. Blocks.
pub(crate) fn serve(
    socket: BufReader<UnixStream>,
    files: Files,
    options: &LoadOptions,
    system: System,
    outbox: Outbox,
) -> Result<(), ServeError> {
    let loaded = match Loaded::load(files, options, system, &outbox) {
        Ok(loaded) => loaded,
        Err(reason) => return Ok(outbox.send(&FromWorker::LoadFailed { reason })?),
    };
    outbox.send(&FromWorker::Loaded(loaded.facts))?;
    let (intake, arrivals) = channel();
    let cancellations = Arc::clone(&loaded.cancellations);
    let listener = Listener { reader: loaded.reader, cancellations, intake, outbox: outbox.clone() };
    std::thread::spawn(move || listener.run(socket));
    let threads = Threads::new(options.threads.unwrap_or_else(cores), system.accounts);
    let step_tokens = STEP_TOKENS.min(options.batch_tokens as usize);
    let mut embed_loop = Loop {
        encoder: loaded.encoder,
        step_tokens,
        turns: Turns::default(),
        threads,
        cancellations: loaded.cancellations,
        outbox,
    };
    let pulse = Pulse::start(embed_loop.encoder.progress(), embed_loop.outbox.clone());
    let HungUp = embed_loop.run(&arrivals);
    drop(pulse);
    Ok(())
}

struct Loaded {
    encoder: Encoder,
    reader: Reader,
    cancellations: Arc<Cancellations>,
    facts: ModelFacts,
}

impl Loaded {
    /// # Errors
    /// Why the model cannot be used, in words for its owner.
    fn load(
        mut files: Files,
        options: &LoadOptions,
        system: System,
        outbox: &Outbox,
    ) -> Result<Self, String> {
        let header = check_header(&mut files.model)?;
        if !files.adapters.is_empty() {
            return Err("adapters are not laid over a model that makes vectors".into());
        }
        ggml::start();
        let say = |error: LoadError| error.to_string();
        let progress = |part| {
            // A daemon that is gone is noticed by the listener.
            let _unsent = outbox.send(&FromWorker::Loading(part));
        };
        let model_options = ModelOptions::here(options);
        let model = Arc::new(Model::load(files.model, model_options, progress).map_err(say)?);
        let pooling = header.pooling();
        if !model.has_decoder() || !(1..=WIDEST_VECTOR).contains(&model.vector_width(pooling)) {
            return Err("this model makes no vectors".into());
        }
        let context_tokens = model.capped_context(options.context_tokens);
        let cancellations = Arc::new(Cancellations::default());
        let encoder_options = EncoderOptions {
            context_tokens,
            batch_tokens: options.batch_tokens,
            sequences: options.sequences,
            threads: options.threads.unwrap_or_else(cores),
            pooling,
            causal: header.is_causal(),
        };
        let encoder = Encoder::new(Arc::clone(&model), encoder_options, cancellations.abort());
        let encoder = encoder.map_err(say)?;
        let context_tokens = context_tokens.min(u32::try_from(encoder.room()).unwrap_or(u32::MAX));
        let facts = ModelFacts {
            context_tokens,
            resident_bytes: (system.measure)().unwrap_or(model.weight_bytes()),
            gpu_bytes: 0,
            parts: encoder.memory(),
            has_chat_template: false,
        };
        let template = header.text("tokenizer.chat_template.rerank");
        let ranks = pooling == Pooling::Rank;
        let reader = Reader::new(model, context_tokens as usize, template.filter(|_| ranks));
        Ok(Self { encoder, reader, cancellations, facts })
    }
}

/// What reaches the loop.
enum Intake {
    Admit(Request),
    /// Look at the cancellations.
    Cancelled,
}

/// Reads the socket, so that a cancellation is heard while the loop computes.
struct Listener {
    reader: Reader,
    cancellations: Arc<Cancellations>,
    intake: Sender<Intake>,
    outbox: Outbox,
}

impl Listener {
    fn run(self, mut socket: BufReader<UnixStream>) {
        while let Ok(Some(news)) = frame::read(&mut socket) {
            let heard = match news {
                ToWorker::Embed(request, work) => self.admit(request, *work),
                ToWorker::Generate(request, _) | ToWorker::Resume(request, ..) => {
                    let reason = "this worker was started to make vectors".into();
                    self.refuse(request, GenerateError::Engine { reason })
                }
                ToWorker::Render(request, work) => match self.reader.render(work.input) {
                    Ok(rendered) => self.outbox.rendered(request, rendered),
                    Err(error) => self.refuse(request, error),
                },
                ToWorker::Detokenize(request, tokens) => match self.reader.detokenize(&tokens) {
                    Ok(pieces) => self.outbox.detokenized(request, pieces),
                    Err(error) => self.refuse(request, error),
                },
                ToWorker::Cancel(request) => {
                    self.cancellations.add(request);
                    self.intake.send(Intake::Cancelled).map_err(|_| HungUp)
                }
                ToWorker::Load(_)
                | ToWorker::Quantize(_)
                | ToWorker::Lend(_)
                | ToWorker::Media(..)
                | ToWorker::Hold(_)
                | ToWorker::Release(_) => Ok(()),
            };
            if heard.is_err() {
                break;
            }
        }
        // Nobody waits for the step that may be running.
        self.cancellations.abort().store(true, Ordering::Relaxed);
    }

    fn admit(&self, request: RequestId, work: Embed) -> Result<(), HungUp> {
        match self.reader.read(work.inputs, work.overflow) {
            Ok(inputs) => {
                let request = Request::new(request, work.owner, inputs);
                self.intake.send(Intake::Admit(request)).map_err(|_| HungUp)
            }
            Err(error) => self.refuse(request, error),
        }
    }

    fn refuse(&self, request: RequestId, error: GenerateError) -> Result<(), HungUp> {
        self.outbox.failed(request, error)?;
        self.outbox.flush()
    }
}

/// Takes what arrived, computes the vectors of one step, and sends what is complete.
struct Loop {
    encoder: Encoder,
    /// Of a step, if no input is longer.
    step_tokens: usize,
    turns: Turns,
    threads: Threads,
    cancellations: Arc<Cancellations>,
    outbox: Outbox,
}

impl Loop {
    /// Runs until the daemon hangs up.
    fn run(&mut self, intake: &Receiver<Intake>) -> HungUp {
        loop {
            let result = self.take_in(intake).and_then(|()| self.step());
            if result.and_then(|()| self.outbox.flush()).is_err() {
                return HungUp;
            }
        }
    }

    /// Takes all that arrived; waits for something when there is nothing to do.
    fn take_in(&mut self, intake: &Receiver<Intake>) -> Result<(), HungUp> {
        if self.turns.is_empty() {
            let first = intake.recv().map_err(|_| HungUp)?;
            self.note(first);
            self.threads.wake();
        }
        loop {
            match intake.try_recv() {
                Ok(news) => self.note(news),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return Err(HungUp),
            }
        }
        let cancelled: HashSet<RequestId> = self.cancellations.take();
        self.turns.retain(|request| !cancelled.contains(&request));
        Ok(())
    }

    fn note(&mut self, news: Intake) {
        if let Intake::Admit(request) = news {
            self.turns.push(request);
        }
    }

    fn step(&mut self) -> Result<(), HungUp> {
        let chosen = self.turns.choose(self.step_tokens, self.encoder.most_inputs());
        let inputs: Vec<_> = chosen.iter().map(|place| self.turns.tokens(*place)).collect();
        self.cancellations.begin_step(chosen.iter().map(|place| self.turns.request(*place)).collect());
        let result = self.encoder.encode(&inputs);
        self.cancellations.end_step();
        if let Some(threads) = self.threads.review() {
            self.encoder.set_threads(threads);
        }
        match result {
            Ok(vectors) => self.turns.keep(chosen, vectors),
            // All who took part are cancelled, and go with the next look.
            Err(DecodeError::Aborted) => {}
            Err(error) => {
                let error = GenerateError::Engine { reason: error.to_string() };
                self.turns.fail(chosen, &error);
            }
        }
        for (request, outcome) in self.turns.take_ended() {
            match outcome {
                Ok(embedded) => self.outbox.embedded(request, embedded)?,
                Err(error) => self.outbox.failed(request, error)?,
            }
        }
        Ok(())
    }
}

/// Tells the daemon every second that a step gets on, until it is dropped. One of a long input may take a minute, and what
/// got stuck in it is to be found out all the same.
struct Pulse(#[expect(dead_code, reason = "dropping it is what ends the pulse")] Sender<()>);

impl Pulse {
    fn start(progress: Arc<Progress>, outbox: Outbox) -> Self {
        let (sender, dropped) = channel::<()>();
        std::thread::spawn(move || {
            let mut known = progress.parts();
            while dropped.recv_timeout(HEARTBEAT) == Err(RecvTimeoutError::Timeout) {
                let parts = progress.parts();
                let gets_on = parts != std::mem::replace(&mut known, parts);
                if gets_on && outbox.alive().and_then(|()| outbox.flush()).is_err() {
                    break;
                }
            }
        });
        Self(sender)
    }
}

/// How a request ended.
type Outcome = Result<Embedded, GenerateError>;
