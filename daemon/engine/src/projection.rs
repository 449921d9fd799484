//! The thread that turns images and recordings into what the model reads, so that the batch loop goes on meanwhile.

use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::{Ability, GenerateError, Media, NO_TOKEN, Rendered, RequestId};

use crate::ggml::{Chunk, MediaChunk, Projector, Token};
use crate::media::{self, Decoded};
use crate::outbox::Outbox;
use crate::sequence::Admission;
use crate::step::{HungUp, Intake};

/// A file's place in a prompt.
#[derive(Clone)]
pub(crate) struct Span {
    /// The first of the tokens that stand for it.
    pub(crate) start: usize,
    pub(crate) tokens: usize,
    /// What is read in their place.
    pub(crate) embeddings: Arc<Vec<f32>>,
    /// All of it looks at all of it, so it is read in one piece.
    pub(crate) is_non_causal: bool,
}

impl Span {
    pub(crate) fn end(&self) -> usize {
        self.start + self.tokens
    }
}

/// What is done with a prompt that has files.
pub(crate) enum Job {
    /// It is made whole for the loop.
    Admit(Box<Admission>),
    /// It is told.
    Render(Sketch),
}

/// A prompt that is told, but for its tokens.
pub(crate) struct Sketch {
    /// What the projector splits.
    pub(crate) text: String,
    pub(crate) media: Media,
    pub(crate) rendered: Rendered,
}

/// Sends requests that bring files to the projector.
pub(crate) struct Projection {
    work: Sender<(RequestId, Job)>,
    /// Those that nobody has cancelled.
    wanted: Arc<Mutex<HashSet<RequestId>>>,
}

/// Of what was encoded before. An image of a conversation comes again with each turn.
const CACHE_BYTES: usize = 32 << 20;

impl Projection {
    pub(crate) fn start(
        projector: Projector,
        limits: Limits,
        intake: Sender<Intake>,
        outbox: Outbox,
    ) -> Self {
        let (work, jobs) = channel();
        let wanted = Arc::new(Mutex::new(HashSet::new()));
        let studio = Studio {
            projector,
            limits,
            encoded: Encoded::default(),
            intake,
            outbox,
            wanted: Arc::clone(&wanted),
        };
        std::thread::spawn(move || studio.run(&jobs));
        Self { work, wanted }
    }

    pub(crate) fn project(&self, request: RequestId, job: Job) {
        lock(&self.wanted).insert(request);
        // A thread that is gone could not reach the daemon, which is gone as well then.
        let _unread = self.work.send((request, job));
    }

    pub(crate) fn cancel(&self, request: RequestId) {
        lock(&self.wanted).remove(&request);
    }
}

/// What prompts must keep to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) context_tokens: usize,
    /// Tokens that can be read in one piece.
    pub(crate) piece_tokens: usize,
}

struct Studio {
    projector: Projector,
    limits: Limits,
    encoded: Encoded,
    intake: Sender<Intake>,
    outbox: Outbox,
    wanted: Arc<Mutex<HashSet<RequestId>>>,
}

impl Studio {
    fn run(mut self, jobs: &Receiver<(RequestId, Job)>) {
        for (request, mut job) in jobs {
            if !lock(&self.wanted).contains(&request) {
                continue;
            }
            let done = match &mut job {
                Job::Admit(admission) => self.complete(admission),
                Job::Render(sketch) => self.count(sketch),
            };
            if !lock(&self.wanted).remove(&request) {
                continue;
            }
            let sent = match (done, job) {
                (Ok(()), Job::Admit(admission)) => {
                    self.intake.send(Intake::Admit(admission)).map_err(|_| HungUp)
                }
                (Ok(()), Job::Render(sketch)) => self.outbox.rendered(request, sketch.rendered),
                (Err(error), _) => self.outbox.failed(request, error).and_then(|()| self.outbox.flush()),
            };
            if sent.is_err() {
                return;
            }
        }
    }

    /// Gives what is told of a prompt its tokens. Nothing is encoded for that.
    fn count(&mut self, sketch: &mut Sketch) -> Result<(), GenerateError> {
        let tokens = &mut sketch.rendered.tokens;
        for chunk in self.split(&sketch.text, &sketch.media)? {
            match chunk {
                Chunk::Text(text) => tokens.extend(text),
                Chunk::Media(chunk) => tokens.extend(std::iter::repeat_n(NO_TOKEN, chunk.tokens)),
            }
        }
        if self.begins_twice(tokens) {
            tokens.remove(0);
        }
        Ok(())
    }

    fn split(&mut self, text: &str, media: &Media) -> Result<Vec<Chunk>, GenerateError> {
        let files = self.files(&media.0)?;
        self.projector.split(text, &files).map_err(invalid)
    }

    /// Some templates write the token that the tokenizer adds.
    fn begins_twice(&self, tokens: &[Token]) -> bool {
        tokens.starts_with(&[self.projector.bos(); 2])
    }

    /// Gives a prompt its tokens, and what is read where its files are.
    fn complete(&mut self, admission: &mut Admission) -> Result<(), GenerateError> {
        let text = admission.prompt.text.take().unwrap_or_default();
        let chunks = self.split(&text, &admission.work.media)?;
        let prompt = &mut admission.prompt;
        let mut seen: HashMap<String, usize> = HashMap::new();
        for chunk in chunks {
            match chunk {
                Chunk::Text(tokens) => prompt.tokens.extend(tokens),
                Chunk::Media(chunk) => {
                    let part = seen.entry(chunk.id.clone()).or_default();
                    let span = self.span(&chunk, *part, prompt.tokens.len())?;
                    prompt.tokens.extend(stand_ins(&chunk.id, *part, span.tokens));
                    prompt.spans.push(span);
                    *part += 1;
                }
            }
        }
        if self.begins_twice(&prompt.tokens) {
            prompt.tokens.remove(0);
            prompt.spans.iter_mut().for_each(|span| span.start -= 1);
        }
        if prompt.tokens.last().is_none_or(|last| *last < 0) {
            return Err(invalid("a text must follow it"));
        }
        if prompt.tokens.len() >= self.limits.context_tokens {
            let count = |tokens: usize| u32::try_from(tokens).unwrap_or(u32::MAX);
            return Err(GenerateError::PromptTooLong {
                prompt_tokens: count(prompt.tokens.len()),
                context_tokens: count(self.limits.context_tokens - 1),
            });
        }
        Ok(())
    }

    fn files(&self, files: &[Vec<u8>]) -> Result<Vec<(Decoded, String)>, GenerateError> {
        let read = |bytes: &Vec<u8>| {
            let file = media::decode(bytes).map_err(invalid)?;
            match file {
                Decoded::Image { .. } if !self.projector.sees() => {
                    Err(GenerateError::Unable(Ability::Vision))
                }
                Decoded::Recording(_) if !self.projector.hears() => {
                    Err(GenerateError::Unable(Ability::Audio))
                }
                file => Ok((file, blake3::hash(bytes).to_hex().to_string())),
            }
        };
        files.iter().map(read).collect()
    }

    fn span(&mut self, chunk: &MediaChunk, part: usize, start: usize) -> Result<Span, GenerateError> {
        if chunk.is_non_causal && chunk.tokens > self.limits.piece_tokens {
            let most = self.limits.piece_tokens;
            return Err(invalid(format!(
                "it takes {} tokens, {most} at most can be read in one piece",
                chunk.tokens
            )));
        }
        let key = (chunk.id.clone(), part);
        let embeddings = match self.encoded.find(&key) {
            Some(known) => known,
            None => self.encoded.keep(key, self.projector.encode(chunk).map_err(invalid)?),
        };
        Ok(Span { start, tokens: chunk.tokens, embeddings, is_non_causal: chunk.is_non_causal })
    }
}

/// Which part of which file.
type Key = (String, usize);

/// What was encoded before, the newest last.
#[derive(Default)]
struct Encoded(Vec<(Key, Arc<Vec<f32>>)>);

impl Encoded {
    fn find(&mut self, key: &Key) -> Option<Arc<Vec<f32>>> {
        let at = self.0.iter().position(|(known, _)| known == key)?;
        let found = self.0.remove(at);
        self.0.push(found.clone());
        Some(found.1)
    }

    fn keep(&mut self, key: Key, embeddings: Vec<f32>) -> Arc<Vec<f32>> {
        let embeddings = Arc::new(embeddings);
        self.0.push((key, Arc::clone(&embeddings)));
        let bytes = |kept: &[(Key, Arc<Vec<f32>>)]| {
            kept.iter().map(|(_, numbers)| numbers.len() * size_of::<f32>()).sum::<usize>()
        };
        while bytes(&self.0) > CACHE_BYTES {
            self.0.remove(0);
        }
        embeddings
    }
}

/// Tokens that no vocabulary has, the same for the same part of the same file: so what was computed for it is found again,
/// as any other beginning of a prompt is.
fn stand_ins(id: &str, part: usize, count: usize) -> Vec<Token> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(id.as_bytes()).update(&part.to_le_bytes());
    let mut bytes = vec![0; count * size_of::<Token>()];
    hasher.finalize_xof().fill(&mut bytes);
    let negative = |number: &[u8; 4]| Token::from_le_bytes(*number) | Token::MIN;
    let (numbers, _) = bytes.as_chunks::<4>();
    numbers.iter().map(negative).collect()
}

fn invalid(reason: impl Into<String>) -> GenerateError {
    GenerateError::Media { reason: reason.into() }
}

fn lock(wanted: &Mutex<HashSet<RequestId>>) -> MutexGuard<'_, HashSet<RequestId>> {
    wanted.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stand_ins_are_the_same_for_the_same_part_and_no_tokens() {
        let one = stand_ins("a", 0, 8);
        assert!(one.iter().all(|token| *token < 0));
        assert_eq!(stand_ins("a", 0, 3), one[..3]);
        assert_ne!(stand_ins("a", 1, 8)[0], one[0]);
        assert_ne!(stand_ins("b", 0, 8)[0], one[0]);
    }

    #[test]
    fn what_was_encoded_longest_ago_goes_first() {
        let mut encoded = Encoded::default();
        let third = CACHE_BYTES / size_of::<f32>() / 3;
        for part in 0..3 {
            encoded.keep(("a".into(), part), vec![0.0; third]);
        }
        assert!(encoded.find(&("a".into(), 0)).is_some(), "used again, it stays");
        encoded.keep(("b".into(), 0), vec![0.0; third]);
        assert!(encoded.find(&("a".into(), 0)).is_some() && encoded.find(&("a".into(), 1)).is_none());
    }
}
