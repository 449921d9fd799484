//! A worker, driven over a socketpair with a real model.

use std::cell::Cell;
use std::fs::File;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::thread::JoinHandle;

use protocol::request::Overflow;
use protocol::{
    CacheOptions, CacheTypes, Done, Event, FromWorker, Generate, GenerateError, Input, LoadOptions, Message,
    ModelFacts, Options, Owner, Rendered, RequestId, Role, ToWorker, frame,
};

pub(crate) const ME: Owner = Owner(1);
pub(crate) const THEM: Owner = Owner(2);

/// A worker on a thread, with its model loaded.
pub(crate) struct Worker {
    pub(crate) socket: UnixStream,
    thread: Option<JoinHandle<()>>,
    pub(crate) next: u64,
    /// What it found out about its model.
    pub(crate) facts: ModelFacts,
    /// An end whose text was taken.
    end: Cell<Option<(RequestId, Done)>>,
}

impl Worker {
    pub(crate) fn start(context_tokens: u32, sequences: u32) -> Self {
        let options = options(context_tokens, sequences, None);
        Self::load(options).unwrap_or_else(|reason| panic!("instead of a loaded model: {reason}"))
    }

    /// With a Modelfile's TEMPLATE.
    pub(crate) fn start_with(template: &str) -> Result<Self, String> {
        Self::load(options(512, 1, Some(template.into())))
    }

    pub(crate) fn load(options: LoadOptions) -> Result<Self, String> {
        Self::load_with(options, None)
    }

    /// With a file for prefixes.
    pub(crate) fn load_with(options: LoadOptions, prefixes: Option<File>) -> Result<Self, String> {
        Self::load_files(options, engine::Files { prefixes, ..files() })
    }

    pub(crate) fn load_files(options: LoadOptions, files: engine::Files) -> Result<Self, String> {
        let context_tokens = options.context_tokens;
        let (socket, theirs) = UnixStream::pair().unwrap();
        let thread = std::thread::spawn(move || {
            engine::serve(theirs, files, engine::System { accounts: || None, measure: || None }).unwrap()
        });
        frame::write(&socket, &ToWorker::Load(options)).unwrap();
        loop {
            match frame::read(&socket).unwrap().unwrap() {
                FromWorker::Loading(_) => {}
                FromWorker::Loaded(facts) => {
                    assert_eq!(facts.context_tokens, context_tokens);
                    return Ok(Self { socket, thread: Some(thread), next: 0, facts, end: Cell::default() });
                }
                FromWorker::LoadFailed { reason } => return Err(reason),
                other => panic!("instead of a loaded model: {other:?}"),
            }
        }
    }

    pub(crate) fn begin(&mut self, work: Generate) -> RequestId {
        let request = self.announce(&work);
        frame::write(&self.socket, &ToWorker::Generate(request, Box::new(work))).unwrap();
        request
    }

    /// What would be read for a generation.
    pub(crate) fn render(&mut self, work: Generate) -> Result<Rendered, GenerateError> {
        let request = self.announce(&work);
        self.render_as(request, work)
    }

    /// The same under a number whose files were sent, or taken back.
    pub(crate) fn render_as(
        &mut self,
        request: RequestId,
        work: Generate,
    ) -> Result<Rendered, GenerateError> {
        frame::write(&self.socket, &ToWorker::Render(request, Box::new(work))).unwrap();
        match self.last_word() {
            FromWorker::Rendered(from, rendered) if from == request => Ok(rendered),
            FromWorker::Failed(from, error) if from == request => Err(error),
            other => panic!("instead of a prompt: {other:?}"),
        }
    }

    /// What tokens stand for.
    pub(crate) fn detokenize(&mut self, tokens: Vec<i32>) -> Result<Vec<Vec<u8>>, GenerateError> {
        self.next += 1;
        let request = RequestId(self.next);
        frame::write(&self.socket, &ToWorker::Detokenize(request, tokens)).unwrap();
        match self.last_word() {
            FromWorker::Detokenized(from, pieces) if from == request => Ok(pieces),
            FromWorker::Failed(from, error) if from == request => Err(error),
            other => panic!("instead of pieces: {other:?}"),
        }
    }

    /// The next that it says, but that it lives.
    fn last_word(&self) -> FromWorker {
        loop {
            match frame::read(&self.socket).unwrap().unwrap() {
                FromWorker::Alive | FromWorker::Reading(..) => {}
                other => return other,
            }
        }
    }

    /// A number for a request, under which its files are sent.
    pub(crate) fn announce(&mut self, work: &Generate) -> RequestId {
        self.next += 1;
        let request = RequestId(self.next);
        for file in &*work.media.0 {
            // In two parts, as a long one comes.
            let (first, last) = file.split_at(file.len() / 2);
            frame::write(&self.socket, &ToWorker::Media(request, first.into(), false)).unwrap();
            frame::write(&self.socket, &ToWorker::Media(request, last.into(), true)).unwrap();
        }
        request
    }

    pub(crate) fn cancel(&self, request: RequestId) {
        frame::write(&self.socket, &ToWorker::Cancel(request)).unwrap();
    }

    pub(crate) fn next_event(&self) -> (RequestId, Event) {
        if let Some((request, done)) = self.end.take() {
            return (request, Event::Done(done));
        }
        match frame::read(&self.socket).unwrap().unwrap() {
            FromWorker::Said(request, said, _) => (request, Event::Said(said)),
            FromWorker::Done(request, text, done) => {
                self.end.set(Some((request, done)));
                (request, Event::Said(text))
            }
            FromWorker::Failed(request, error) => (request, Event::Failed(error)),
            FromWorker::Alive | FromWorker::Reading(..) => self.next_event(),
            other => panic!("instead of an event: {other:?}"),
        }
    }

    /// The whole answers of all requests that run.
    pub(crate) fn all(&mut self, requests: &[RequestId]) -> Vec<(String, Done)> {
        let mut answers: Vec<(String, Option<Done>)> = vec![Default::default(); requests.len()];
        while answers.iter().any(|(_, done)| done.is_none()) {
            let (from, event) = self.next_event();
            let at = requests.iter().position(|request| *request == from).unwrap();
            match event {
                Event::Said(more) => answers[at].0 += &more.text,
                Event::Done(done) => answers[at].1 = Some(done),
                Event::Failed(error) => panic!("{error}"),
            }
        }
        answers.into_iter().map(|(text, done)| (text, done.unwrap())).collect()
    }

    /// The whole answer of the only request that runs.
    pub(crate) fn answer(&mut self, work: Generate) -> Result<(String, Done), GenerateError> {
        let request = self.begin(work);
        let mut text = String::new();
        loop {
            let (from, event) = self.next_event();
            assert_eq!(from, request);
            match event {
                Event::Said(more) => text += &more.text,
                Event::Done(done) => return Ok((text, done)),
                Event::Failed(error) => return Err(error),
            }
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.socket.shutdown(std::net::Shutdown::Both).unwrap();
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the worker did not end cleanly");
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "tests find the model cache as the scripts do")]
pub(crate) fn model_path() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| std::env::home_dir().map(|home| home.join(".cache"))).unwrap();
    cache.join("hob/models/SmolLM2-135M-Instruct.Q4_1.gguf")
}

pub(crate) fn open_model(name: &str) -> File {
    File::open(model_path().with_file_name(name))
        .expect("the test model is missing: run scripts/fetch-models")
}

pub(crate) fn files() -> engine::Files {
    let model = open_model("SmolLM2-135M-Instruct.Q4_1.gguf");
    engine::Files {
        model,
        adapters: Vec::new(),
        draft: None,
        projector: None,
        output: None,
        prefixes: None,
        remote: Vec::new(),
    }
}

pub(crate) fn options(context_tokens: u32, sequences: u32, template: Option<String>) -> LoadOptions {
    LoadOptions {
        purpose: protocol::Purpose::Generate,
        context_tokens,
        batch_tokens: 512,
        sequences,
        max_step_ms: 200,
        speculation: true,
        cache_types: CacheTypes::default(),
        cache: CacheOptions::default(),
        threads: Some(1),
        gpu_blocks: None,
        mmap: true,
        template,
        remote: Vec::new(),
    }
}

pub(crate) fn greedy(num_predict: u32) -> Options {
    Options { temperature: 0.0, num_predict: Some(num_predict), ..Options::default() }
}

pub(crate) fn chat(question: &str, options: Options) -> Generate {
    let message = Message::new(Role::User, question);
    Generate { owner: ME, overflow: Overflow::Refuse, ..Generate::new(Input::Chat(vec![message]), options) }
}

pub(crate) fn raw(text: String, options: Options, overflow: Overflow) -> Generate {
    Generate { owner: ME, overflow, ..Generate::new(Input::Raw(text), options) }
}
