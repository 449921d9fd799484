//! `hob worker` from its first frame to its last: load, then one thread that reads the socket and prepares prompts, and
//! this one that runs the batch loop.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{BufReader, Seek, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use protocol::{
    CacheTypes, FrameError, FromWorker, LoadOptions, MemoryParts, ModelFacts, Owner, Purpose, Quantization,
    RequestId, ToWorker, frame,
};

use crate::draft_model::DraftModel;
use crate::embed;
use crate::ggml::{
    self, Adapter, Context, ContextOptions, LoadError, Model, ModelOptions, Projector, Remote,
};
use crate::grammar::{Grammars, Specials};
use crate::listener::Listener;
use crate::outbox::Outbox;
use crate::prefix_file::PrefixFile;
use crate::projection::{self, Projection};
use crate::prompt::PromptBuilder;
use crate::spill::{Spill, Spilled};
use crate::step::{HungUp, Limits, Loop, StepRequests};
use crate::template::GoTemplate;
use crate::threads::Accounts;

/// Why a worker ended before the daemon hung up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The socket failed, or what came over it was not ours.
    #[error("the daemon's socket failed")]
    Socket(#[from] FrameError),
    /// The first frame was not `Load`.
    #[error("the daemon sent {0} before a model was loaded")]
    OutOfOrder(&'static str),
}

/// The open files that a worker has to do with.
#[derive(Debug)]
pub struct Files {
    /// The model.
    pub model: File,
    /// LoRA adapters that are laid over its weights.
    pub adapters: Vec<File>,
    /// A smaller model that guesses what the model will say.
    pub draft: Option<File>,
    /// What turns images and recordings into what the model reads.
    pub projector: Option<File>,
    /// Where it is packed to, if that is what is wanted.
    pub output: Option<File>,
    /// Where prefixes are kept that outlive the worker.
    pub prefixes: Option<File>,
    /// Streams to other boxes that have a part of the model.
    pub remote: Vec<OwnedFd>,
}

/// Tells how many bytes this process takes, if the system says so.
pub type Measure = fn() -> Option<u64>;

/// What the system tells, and is not asked here.
#[derive(Clone, Copy, Debug)]
pub struct System {
    /// Of processors.
    pub accounts: Accounts,
    /// Of memory.
    pub measure: Measure,
}

/// Loads the model file and answers requests until the daemon hangs up; or packs it. Blocks.
///
/// # Errors
/// [`ServeError`]; a model that cannot be loaded is no error here, the daemon is told.
pub fn serve(socket: UnixStream, mut files: Files, system: System) -> Result<(), ServeError> {
    let prefixes = files.prefixes.take();
    let mut reader = BufReader::new(socket.try_clone().map_err(FrameError::Io)?);
    let outbox = Outbox::new(socket);
    let options = match frame::read(&mut reader)? {
        Some(ToWorker::Load(options)) => options,
        Some(ToWorker::Quantize(to)) => {
            let last = match quantize(files.model, files.output, to, &outbox) {
                Ok(()) => FromWorker::Quantized,
                Err(reason) => FromWorker::LoadFailed { reason },
            };
            return Ok(outbox.send(&last)?);
        }
        Some(_) => return Err(ServeError::OutOfOrder("a request")),
        None => return Ok(()),
    };
    if options.purpose == Purpose::Embed {
        return embed::serve(reader, files, &options, system, outbox);
    }
    let loaded = match Loaded::load(files, &options, system.measure, &outbox) {
        Ok(loaded) => loaded,
        Err(reason) => {
            outbox.send(&FromWorker::LoadFailed { reason })?;
            return Ok(());
        }
    };
    outbox.send(&FromWorker::Loaded(loaded.facts.clone()))?;

    let (intake, arrivals) = channel();
    let spill = Arc::new(Spill::new(usize::try_from(options.cache.bytes).unwrap_or(usize::MAX)));
    let parts = loaded.context.keeps_parts();
    let shelf = prefixes.and_then(|file| Shelf::open(file, &options, parts));
    let limits = projection::Limits {
        context_tokens: loaded.facts.context_tokens as usize,
        piece_tokens: loaded.context.piece_tokens(),
    };
    let start = |projector| Projection::start(projector, limits, intake.clone(), outbox.clone());
    let projection = loaded.projector.map(start);
    let listener = Listener {
        projection,
        media: HashMap::new(),
        grammars: Grammars::new(Arc::clone(&loaded.model), loaded.specials),
        prompts: loaded.prompts,
        adapters: loaded.context.adapters(),
        cancellations: Arc::clone(&loaded.cancellations),
        intake,
        outbox: outbox.clone(),
        spill: Arc::clone(&spill),
        shelf: shelf.clone(),
    };
    std::thread::spawn(move || listener.run(reader));
    let limits = Limits {
        context_tokens: loaded.facts.context_tokens as usize,
        threads: options.threads.unwrap_or_else(cores),
        accounts: system.accounts,
        speculation: options.speculation,
        running: options.sequences as usize,
        step: Duration::from_millis(options.max_step_ms.into()),
    };
    let batch_loop = Loop::new(loaded.model, loaded.context, limits, loaded.cancellations, outbox, spill);
    let (disk, keeper) = shelf.map(Shelf::start).unzip();
    let mut batch_loop = batch_loop.with_draft(loaded.draft).with_disk(disk);
    let HungUp = batch_loop.run(&arrivals);
    batch_loop.spill_all();
    // With it goes the way to the disk, which ends who keeps what came by it.
    drop(batch_loop);
    if let Some(keeper) = keeper {
        // One that panicked has said so.
        let _ended = keeper.join();
    }
    Ok(())
}

/// The file of prefixes, read by one thread and written by another.
#[derive(Clone)]
pub(crate) struct Shelf {
    file: Arc<Mutex<PrefixFile>>,
    pub(crate) parts: bool,
}

impl Shelf {
    /// `None` if the file cannot be used; everything goes on without it.
    fn open(file: File, options: &LoadOptions, parts: bool) -> Option<Self> {
        let kind = ggml::cache_kind(options.cache_types);
        let opened = PrefixFile::open(file, &options.cache.secret.0, &kind, options.cache.file_bytes);
        let warn = |error: &std::io::Error| tell(&format!("prefixes on the disk are not used: {error}"));
        let file = opened.inspect_err(warn).ok()?;
        Some(Self { file: Arc::new(Mutex::new(file)), parts })
    }

    /// A thread that keeps what is sent to it.
    fn start(self) -> (Sender<Arc<Spilled>>, JoinHandle<()>) {
        let (sender, spilled) = channel();
        (sender, std::thread::spawn(move || self.keep_all(&spilled)))
    }

    pub(crate) fn fetch(&self, owner: Owner, prompt: &[i32], have: usize) -> Option<Arc<Spilled>> {
        self.lock().fetch(owner, prompt, self.parts, have)
    }

    fn keep_all(&self, spilled: &Receiver<Arc<Spilled>>) {
        for prefix in spilled {
            if let Err(error) = self.lock().keep(&prefix, self.parts) {
                tell(&format!("a prefix was not kept on the disk: {error}"));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, PrefixFile> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// To standard error, which the daemon logs.
fn tell(words: &str) {
    // Nowhere is left to report a failure to log.
    let _unwritten = writeln!(std::io::stderr(), "{words}");
}

/// # Errors
/// Why the model cannot be packed, in words for its owner.
fn quantize(mut model: File, output: Option<File>, to: Quantization, outbox: &Outbox) -> Result<(), String> {
    let output = output.ok_or("there is nowhere to write to")?;
    check_header(&mut model)?;
    ggml::start();
    let heard = outbox.clone();
    let progress = move |part| {
        // A daemon that is gone ends this process.
        let _unsent = heard.send(&FromWorker::Loading(part));
    };
    ggml::quantize(&model, &output, to, cores(), progress)
}

struct Loaded {
    model: Arc<Model>,
    context: Context,
    draft: Option<DraftModel>,
    projector: Option<Projector>,
    prompts: PromptBuilder,
    specials: Arc<Specials>,
    cancellations: Arc<Cancellations>,
    facts: ModelFacts,
}

impl Loaded {
    /// # Errors
    /// Why the model cannot be used, in words for its owner.
    fn load(
        mut files: Files,
        options: &LoadOptions,
        measure: Measure,
        outbox: &Outbox,
    ) -> Result<Self, String> {
        let header = check_header(&mut files.model)?;
        let mut beside_bytes = 0;
        for adapter in &mut files.adapters {
            beside_bytes += check_header(adapter)?.tensor_bytes();
        }
        if let Some(projector) = &mut files.projector {
            let header = check_header(projector)?;
            if !header.is_projector() {
                return Err("its projector is none".into());
            }
            beside_bytes += header.tensor_bytes();
        }
        if let Some(draft) = &mut files.draft
            && !check_header(draft)?.shares_vocabulary(&header)
        {
            return Err("its draft model has another vocabulary".into());
        }
        let written = options.template.as_deref().filter(|template| !template.is_empty());
        let template = written.map(GoTemplate::parse).transpose().map_err(|error| error.to_string())?;
        ggml::start();
        let say = |error: LoadError| error.to_string();
        let progress = |part| {
            // A daemon that is gone is noticed by the listener.
            let _unsent = outbox.send(&FromWorker::Loading(part));
        };
        let here = ModelOptions::here(options);
        let there = ModelOptions { remote: remote(files.remote, &options.remote)?, ..here.clone() };
        let model = Arc::new(Model::load(files.model, there, progress).map_err(say)?);
        if !model.has_decoder() {
            return Err("this model does not generate text".into());
        }
        // Before the context, which takes their size into account.
        let adapters = files.adapters.into_iter().map(|file| Adapter::load(Arc::clone(&model), file));
        let adapters = adapters.collect::<Result<Vec<_>, _>>().map_err(say)?;
        let context_tokens = model.capped_context(options.context_tokens);
        let cancellations = Arc::new(Cancellations::default());
        let total_tokens = context_tokens.saturating_mul(options.sequences);
        let context_options = ContextOptions {
            total_tokens,
            batch_tokens: options.batch_tokens,
            running: options.sequences,
            threads: options.threads.unwrap_or_else(cores),
            cache_types: options.cache_types,
        };
        let context = Context::new(Arc::clone(&model), context_options, Arc::clone(&cancellations.abort))
            .and_then(|context| context.with_adapters(adapters))
            .map_err(say)?;
        let draft = match files.draft.filter(|_| options.speculation && context.keeps_parts()) {
            Some(file) => draft_model(file, here, context_options, &cancellations).map_err(say)?,
            None => None,
        };
        let has_chat_template = template.is_some() || model.has_chat_template();
        let specials = Arc::new(Specials::of(&model));
        let projector = files
            .projector
            .map(|file| projector(&model, &file, context_options.threads))
            .transpose()
            .map_err(say)?;
        let prompts = PromptBuilder::new(Arc::clone(&model), context_tokens, template, Arc::clone(&specials))
            .map_err(|reason| format!("the model's chat template cannot be read: {reason}"))?
            .with_marker(projector.as_ref().map(|projector| projector.marker().to_owned()));
        // Measured last: the KV cache was written to when it was made, so it is in RAM as a whole, and the weights count
        // as a whole wherever they are. Only the compute buffers are still to be touched, which no step has used.
        let computed = model.weight_bytes() + model.kv_bytes_per_token() * u64::from(total_tokens);
        let facts = ModelFacts {
            context_tokens,
            resident_bytes: measure().unwrap_or(computed),
            gpu_bytes: 0,
            parts: parts(&context, draft.as_ref(), beside_bytes),
            has_chat_template,
        };
        Ok(Self { model, context, draft, projector, prompts, specials, cancellations, facts })
    }
}

/// What ggml has of it all, with weights that it does not count with the model's.
fn parts(context: &Context, draft: Option<&DraftModel>, beside_bytes: u64) -> Option<MemoryParts> {
    let own = context.memory()?;
    let draft = draft.map_or(Some(MemoryParts::default()), DraftModel::memory)?;
    Some(MemoryParts {
        weights_bytes: own.weights_bytes + draft.weights_bytes + beside_bytes,
        cache_bytes: own.cache_bytes + draft.cache_bytes,
        compute_bytes: own.compute_bytes + draft.compute_bytes,
    })
}

/// Other boxes' devices, and how many layers each has.
fn remote(streams: Vec<OwnedFd>, layers: &[u32]) -> Result<Vec<(Remote, u32)>, String> {
    if streams.len() != layers.len() {
        return Err("other boxes have a part of the model, and not all of them are reached".into());
    }
    let connect = |(stream, layers): (OwnedFd, &u32)| Some((Remote::connect(stream)?, *layers));
    let devices = streams.into_iter().zip(layers).map(connect);
    devices.collect::<Option<_>>().ok_or_else(|| "a box that lends itself has no device".into())
}

/// What turns files into what the model reads. The mark that stands for one is made up anew for each worker, so that nobody
/// can write it.
fn projector(model: &Arc<Model>, file: &File, threads: u32) -> Result<Projector, LoadError> {
    let marker = format!("<__media_{:016x}__>", rand::random::<u64>());
    Projector::load(Arc::clone(model), file, marker, threads)
}

/// A smaller model that guesses, with a context for as many sequences as the model's; `None` if its memory cannot forget
/// guesses that were wrong.
fn draft_model(
    file: File,
    options: ModelOptions,
    of_model: ContextOptions,
    cancellations: &Cancellations,
) -> Result<Option<DraftModel>, LoadError> {
    let model = Arc::new(Model::load(file, options, |_| {})?);
    if !model.has_decoder() || !model.keeps_parts() {
        tell("the draft model is not used: it cannot take back what it guessed");
        return Ok(None);
    }
    let context_tokens = model.capped_context(of_model.total_tokens / of_model.running);
    let total_tokens = context_tokens * of_model.running;
    let options = ContextOptions { total_tokens, cache_types: CacheTypes::default(), ..of_model };
    let context = Context::new(model, options, Arc::clone(&cancellations.abort))?;
    Ok(Some(DraftModel::new(context, context_tokens)))
}

/// Some ten times the longest of the models in use.
const MAX_TEMPLATE_BYTES: usize = 256 << 10;

/// No file reaches ggml unchecked, whoever put it into the store.
pub(crate) fn check_header(file: &mut File) -> Result<gguf::Header, String> {
    let bytes = file.metadata().map_err(|error| error.to_string())?.len();
    let header = gguf::Header::read(&mut BufReader::new(&*file), bytes).map_err(|error| error.to_string())?;
    let template = header.chat_template().map_or(0, str::len);
    if template > MAX_TEMPLATE_BYTES {
        return Err(format!(
            "the model's chat template has {template} bytes, {MAX_TEMPLATE_BYTES} at most are read"
        ));
    }
    file.rewind().map_err(|error| error.to_string())?;
    Ok(header)
}

pub(crate) fn cores() -> u32 {
    std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(1))
}

/// Requests that nobody waits for any more, and the flag that stops a step none but they take part in.
#[derive(Default)]
pub(crate) struct Cancellations {
    state: Mutex<CancelState>,
    abort: Arc<AtomicBool>,
}

#[derive(Default)]
struct CancelState {
    cancelled: HashSet<RequestId>,
    step: StepRequests,
}

impl Cancellations {
    /// Ends the running step when set.
    pub(crate) fn abort(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.abort)
    }

    pub(crate) fn add(&self, request: RequestId) {
        let mut state = self.lock();
        state.cancelled.insert(request);
        if !state.step.is_empty() && state.step.iter().all(|request| state.cancelled.contains(request)) {
            self.abort.store(true, Ordering::Relaxed);
        }
    }

    /// What was cancelled since the last call.
    pub(crate) fn take(&self) -> HashSet<RequestId> {
        std::mem::take(&mut self.lock().cancelled)
    }

    pub(crate) fn begin_step(&self, requests: StepRequests) {
        self.lock().step = requests;
    }

    pub(crate) fn end_step(&self) {
        self.lock().step.clear();
        self.abort.store(false, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, CancelState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
