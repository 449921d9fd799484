//! A worker without a model: it loads at once, and says what scripts want said, when they want it. Like the real one it goes
//! by steps, in each of which every answer that is due gets a token, and everything is sent at the step's end.

use std::io::{BufWriter, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use protocol::{
    Done, Embed, Embedded, FinishReason, FrameError, FromWorker, Generate, LoadOptions, ModelFacts,
    PromptProgress, Rendered, RequestId, Said, ToWorker, frame,
};

use crate::script::Script;

/// Of every prompt.
const PROMPT_TOKENS: u32 = 8;

/// Numbers of a vector, as all-MiniLM-L6-v2 has.
const VECTOR: usize = 384;

/// How often it says that it works.
const ALIVE: Duration = Duration::from_secs(1);

/// Answers until the daemon hangs up.
pub(crate) fn run() -> Result<(), FrameError> {
    let (socket, _files) = platform::process::inherited()?;
    let (sender, arrived) = mpsc::channel();
    let mut reader = socket.try_clone()?;
    std::thread::spawn(move || {
        while let Ok(Some(message)) = frame::read(&mut reader) {
            if sender.send(message).is_err() {
                break;
            }
        }
    });
    Worker { out: BufWriter::new(socket), answers: Vec::new(), alive: Instant::now() }.serve(&arrived)
}

struct Worker {
    out: BufWriter<UnixStream>,
    answers: Vec<Answer>,
    alive: Instant,
}

struct Answer {
    request: RequestId,
    script: Script,
    said: u32,
    due: Instant,
    held: bool,
}

impl Worker {
    fn serve(mut self, arrived: &Receiver<ToWorker>) -> Result<(), FrameError> {
        loop {
            match arrived.recv_timeout(self.until_due()) {
                Ok(message) => {
                    self.take(message)?;
                    while let Ok(message) = arrived.try_recv() {
                        self.take(message)?;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            self.step()?;
            self.out.flush()?;
        }
    }

    fn until_due(&self) -> Duration {
        let due = self.answers.iter().filter(|answer| !answer.held).map(|answer| answer.due).min();
        due.map_or(ALIVE, |due| due.saturating_duration_since(Instant::now()).min(ALIVE))
    }

    fn take(&mut self, message: ToWorker) -> Result<(), FrameError> {
        match message {
            ToWorker::Load(options) => self.tell(&FromWorker::Loaded(facts(&options))),
            ToWorker::Generate(request, work) => self.begin(request, &work, 0),
            ToWorker::Resume(request, work, told) => {
                self.begin(request, &work, u32::try_from(told.len()).unwrap_or(u32::MAX))
            }
            ToWorker::Embed(request, work) => self.tell(&FromWorker::Embedded(request, embedded(&work))),
            ToWorker::Render(request, _) => self.tell(&FromWorker::Rendered(request, rendered())),
            ToWorker::Detokenize(request, tokens) => {
                let pieces = tokens.iter().map(|_| b" word".to_vec()).collect();
                self.tell(&FromWorker::Detokenized(request, pieces))
            }
            ToWorker::Cancel(request) => {
                self.answers.retain(|answer| answer.request != request);
                Ok(())
            }
            ToWorker::Hold(request) => {
                self.hold(request, |answer| answer.held = true);
                Ok(())
            }
            ToWorker::Release(request) => {
                self.hold(request, |answer| answer.held = false);
                Ok(())
            }
            ToWorker::Quantize(_) => {
                self.tell(&FromWorker::LoadFailed { reason: "a script packs nothing".into() })
            }
            ToWorker::Lend(_) => {
                self.tell(&FromWorker::LoadFailed { reason: "a script lends nothing".into() })
            }
            ToWorker::Media(..) => Ok(()),
        }
    }

    fn begin(&mut self, request: RequestId, work: &Generate, said: u32) -> Result<(), FrameError> {
        let script = Script::of(work);
        let due = Instant::now() + script.first();
        self.answers.push(Answer { request, script, said, due, held: false });
        self.tell(&FromWorker::Reading(request, PromptProgress { tokens: PROMPT_TOKENS, read: 0 }))
    }

    fn hold(&mut self, request: RequestId, change: impl Fn(&mut Answer)) {
        self.answers.iter_mut().filter(|answer| answer.request == request).for_each(change);
    }

    /// A token for everyone who is due.
    fn step(&mut self) -> Result<(), FrameError> {
        let now = Instant::now();
        let mut answers = std::mem::take(&mut self.answers);
        for answer in answers.iter_mut().filter(|answer| !answer.held && answer.due <= now) {
            let said = if answer.script.stamped { stamp() } else { answer.script.token(answer.said) };
            answer.due += answer.script.every();
            if answer.said < answer.script.tokens() {
                answer.said += 1;
                self.tell(&FromWorker::Said(answer.request, Said::from(said), vec![7]))?;
            }
            // An answer's end follows its last token at once, as with a real one.
            if answer.said == answer.script.tokens() {
                self.tell(&FromWorker::Done(answer.request, Said::default(), done(answer.said)))?;
            }
        }
        answers.retain(|answer| answer.said < answer.script.tokens());
        self.answers = answers;
        // While somebody waits; before it has loaded, nobody does.
        if !self.answers.is_empty() && now >= self.alive + ALIVE {
            self.alive = now;
            self.tell(&FromWorker::Alive)?;
        }
        Ok(())
    }

    fn tell(&mut self, message: &FromWorker) -> Result<(), FrameError> {
        frame::write(&mut self.out, message)
    }
}

fn facts(options: &LoadOptions) -> ModelFacts {
    ModelFacts {
        context_tokens: options.context_tokens,
        resident_bytes: 1 << 20,
        gpu_bytes: 0,
        parts: None,
        has_chat_template: true,
    }
}

fn embedded(work: &Embed) -> Embedded {
    let inputs = work.inputs.len();
    let prompt_tokens = u32::try_from(inputs).unwrap_or(u32::MAX);
    Embedded { vectors: vec![vec![0.5; VECTOR]; inputs], prompt_tokens }
}

fn rendered() -> Rendered {
    Rendered { text: " word".into(), tokens: vec![7], media: 0 }
}

fn done(tokens: u32) -> Done {
    Done {
        reason: FinishReason::Stop,
        prompt_tokens: PROMPT_TOKENS,
        cached_tokens: 0,
        generated_tokens: tokens,
        thinking_tokens: 0,
        stop: None,
        prompt_time: Duration::ZERO,
        generate_time: Duration::ZERO,
        context: Vec::new(),
    }
}

/// The clock that all processes of a machine share.
fn stamp() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("[{}]", now.as_nanos())
}
