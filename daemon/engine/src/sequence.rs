//! One sequence of the KV cache: the tokens in it, and the request that is growing it, if any.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use protocol::event::{Done, FinishReason, PromptRead};
use protocol::{Generate, GenerateError, Owner, Priority, PromptProgress, RequestId};

use crate::adapters::Scales;
use crate::budget::Reading;
use crate::draft::{Drafter, Source};
use crate::ggml::{Model, Sampler, SequenceId, Token};
use crate::grammar::Bound;
use crate::output::{Flow, TextStream};
use crate::projection::Span;
use crate::prompt::Prompt;
use crate::reply::Telling;

/// A sequence, running or idle. An idle one keeps its tokens as a cached prefix.
pub(crate) struct Sequence {
    pub(crate) id: SequenceId,
    /// Whose tokens they are, as [`Running::kin`] has it.
    pub(crate) kin: Owner,
    /// What the KV cache holds, position by position.
    pub(crate) cached: Vec<Token>,
    pub(crate) running: Option<Running>,
    /// It may have tokens in common with another one in the KV cache.
    pub(crate) shared: bool,
    /// Older tokens were forgotten, and those that follow were computed with them: it serves no other prompt.
    pub(crate) shifted: bool,
    /// What it holds was given to be kept elsewhere.
    pub(crate) spilled: bool,
    /// When it last ended, to give up the coldest prefix first.
    pub(crate) last_used: u64,
}

/// A request in a sequence.
pub(crate) struct Running {
    pub(crate) request: RequestId,
    pub(crate) owner: Owner,
    pub(crate) priority: Priority,
    /// Of the model's adapters.
    pub(crate) scales: Scales,
    /// Images and recordings among the tokens, where negative numbers stand for them.
    pub(crate) spans: Vec<Span>,
    /// Nobody reads its answer now, so none is made.
    pub(crate) held: bool,
    /// When it last took part in a step, by the loop's count.
    pub(crate) stepped: u64,
    /// Prompt and what was sampled since. Those past `Sequence::cached` wait to be computed.
    pub(crate) tokens: Vec<Token>,
    pub(crate) sampler: Sampler,
    /// Where this sequence's last token lies in the step's batch, if its logits come with it; guesses follow it there.
    pub(crate) output: Option<usize>,
    pub(crate) guess: Vec<Token>,
    pub(crate) guessed_by: Source,
    pub(crate) drafter: Drafter,
    /// Since when it has had its place.
    pub(crate) since: Instant,
    /// The form that the answer is to have.
    pub(crate) bound: Option<Bound>,
    /// What tells the answer's parts apart, if it has any.
    pub(crate) telling: Option<Arc<Mutex<Telling>>>,
    /// With each token is told how likely it was, and so many others.
    pub(crate) top_logprobs: Option<usize>,
    /// The same with each token of the prompt.
    pub(crate) prompt_logprobs: Option<usize>,
    /// Prompt tokens of which that was told, and those of which this step tells it: where each is in the step's batch.
    pub(crate) weighed: usize,
    pub(crate) weighs: Vec<usize>,
    /// Strings that the request wants it to end at; the first of the `text`'s own.
    stops: Vec<String>,
    /// Control tokens that are text here.
    preserved: Vec<Token>,
    /// What the answer had to begin with, until it is told.
    opening: Opening,
    text: TextStream,
    /// Tokens at the start that are never forgotten.
    keep: usize,
    generated: usize,
    prompt_tokens: usize,
    cached_tokens: usize,
    /// How much of the prompt was said to be read.
    told_read: Option<usize>,
    limit: usize,
    admitted: Instant,
    first_token: Option<Instant>,
}

/// What an answer had to begin with.
#[derive(Default)]
struct Opening {
    tokens: Vec<Token>,
    text: String,
}

/// What a sampled token led to.
pub(crate) enum Sampled {
    /// Goes on; the text may be empty.
    Text(String),
    /// The last text, and the end.
    End(String, Done),
    /// It cannot go on.
    Failed(GenerateError),
}

impl Sequence {
    /// What is to be read before the next token can be sampled, beyond the last one sampled.
    pub(crate) fn reading(&self) -> Option<Reading> {
        let running = self.running.as_ref()?;
        let left = running.tokens.len() - self.cached.len();
        (left > 1 || running.first_token.is_none()).then_some(Reading { owner: running.owner.0, left })
    }

    /// The image or recording that is to be read next.
    pub(crate) fn span(&self) -> Option<&Span> {
        let next = self.cached.len();
        self.running.as_ref()?.spans.iter().find(|span| (span.start..span.end()).contains(&next))
    }

    /// Takes part in a step with these scales, unless it is held.
    pub(crate) fn steps_with(&self, scales: &Scales) -> bool {
        self.running.as_ref().is_some_and(|running| running.scales == *scales && !running.held)
    }

    /// Waits for its next token, all before it being there.
    pub(crate) fn is_decoding(&self) -> bool {
        self.running.is_some() && self.reading().is_none()
    }
}

/// What ended an answer.
enum End {
    /// The model, or the form that it is bound to.
    Turn,
    /// One of the strings that do, by its number.
    StopString(usize),
    Limit,
}

/// An answer without a limit of its own ends after so many contexts, as Ollama's do.
const CONTEXTS: usize = 10;

impl Running {
    pub(crate) fn new(
        admission: Admission,
        model: &Model,
        cached_tokens: usize,
        context_tokens: usize,
        now: Instant,
    ) -> Self {
        let Admission { request, work, prompt, scales, mut bound, told, arrived } = admission;
        let Prompt { tokens, stops, preserved, mut telling, spans, .. } = prompt;
        let prompt_tokens = tokens.len();
        let mut text = TextStream::new(work.options.stop.iter().cloned().chain(stops));
        for token in &told {
            append_piece(model, *token, &preserved, text.held());
            // Said already, as far as it could be.
            if let (Flow::Text(said), Some(telling)) = (text.advance(), &mut telling) {
                telling.skip(&said, *token);
            }
        }
        let opening = bound.as_mut().map(|bound| std::mem::take(&mut bound.opening)).unwrap_or_default();
        let opening =
            Opening::of(opening, &mut text, |token, text| append_piece(model, token, &preserved, text));
        let tokens = [tokens, told, opening.tokens.clone()].concat();
        let mut sampler = Sampler::new(model, &work.options, context_tokens as u32);
        sampler.accept_prompt(&tokens);
        let told = tokens.len() - prompt_tokens - opening.tokens.len();
        sampler.skip(bound.as_ref().map_or(told, |bound| bound.drawn));
        let asked = work.options.num_predict.map_or(usize::MAX, |limit| limit as usize);
        // What stands for a file cannot be moved or read again.
        let shifts = work.options.shift && model.keeps_parts() && spans.is_empty();
        let most = match shifts {
            true => context_tokens * CONTEXTS,
            false => context_tokens.saturating_sub(prompt_tokens),
        };
        Self {
            request,
            owner: work.owner,
            priority: work.priority,
            scales,
            spans,
            held: false,
            stepped: 0,
            sampler,
            output: None,
            guess: Vec::new(),
            guessed_by: Source::default(),
            drafter: Drafter::new(work.options.draft_tokens as usize),
            since: now,
            bound,
            telling: telling.map(|telling| Arc::new(Mutex::new(telling))),
            top_logprobs: work.top_logprobs.map(|count| count as usize),
            prompt_logprobs: work.prompt_logprobs.map(|count| count as usize),
            weighed: 0,
            weighs: Vec::new(),
            preserved,
            opening,
            text,
            prompt_tokens,
            cached_tokens,
            told_read: None,
            limit: asked.min(most.max(1)),
            stops: work.options.stop,
            keep: (work.options.num_keep as usize).min(context_tokens / 2),
            generated: tokens.len() - prompt_tokens,
            tokens,
            admitted: arrived,
            first_token: None,
        }
    }

    /// How much of the prompt is read, if that is more than was told, before anything is said.
    pub(crate) fn reads_on(&mut self, read: usize) -> Option<PromptProgress> {
        let read = read.min(self.prompt_tokens);
        if self.first_token.is_some() || self.told_read == Some(read) {
            return None;
        }
        self.told_read = Some(read);
        let count = |tokens: usize| u32::try_from(tokens).unwrap_or(u32::MAX);
        Some(PromptProgress { tokens: count(self.prompt_tokens), read: count(read) })
    }

    /// Takes a sampled token in, and with it those that the answer's form has follow it; all of them are added to `told`.
    pub(crate) fn take(
        &mut self,
        token: Token,
        model: &Model,
        now: Instant,
        told: &mut Vec<Token>,
    ) -> Sampled {
        told.append(&mut self.opening.tokens);
        let opening = std::mem::take(&mut self.opening.text);
        told.push(token);
        let mut said = match self.advance(token, model, now) {
            Sampled::Text(text) => opening + &text,
            Sampled::End(text, done) => return Sampled::End(opening + &text, done),
            failed @ Sampled::Failed(_) => return failed,
        };
        let Some(bound) = &self.bound else { return Sampled::Text(said) };
        let forced = match bound.accept(token) {
            Ok(forced) => forced,
            Err(reason) => return Sampled::Failed(GenerateError::Format { reason }),
        };
        let is_over = bound.is_over();
        for token in forced {
            told.push(token);
            self.sampler.accept(token);
            match self.advance(token, model, now) {
                Sampled::Text(more) => said += &more,
                Sampled::End(more, done) => return Sampled::End(said + &more, done),
                failed @ Sampled::Failed(_) => return failed,
            }
        }
        match is_over {
            true => Sampled::End(said + &self.text.finish(), self.done(End::Turn, now)),
            false => Sampled::Text(said),
        }
    }

    fn advance(&mut self, token: Token, model: &Model, now: Instant) -> Sampled {
        self.first_token.get_or_insert(now);
        if model.is_end(token) {
            return Sampled::End(self.text.finish(), self.done(End::Turn, now));
        }
        self.tokens.push(token);
        self.generated += 1;
        append_piece(model, token, &self.preserved, self.text.held());
        match self.text.advance() {
            Flow::Stopped(text, stop) => Sampled::End(text, self.done(End::StopString(stop), now)),
            Flow::Text(text) if self.generated >= self.limit => {
                Sampled::End(text + &self.text.finish(), self.done(End::Limit, now))
            }
            Flow::Text(text) => Sampled::Text(text),
        }
    }

    /// Whoever shares what is computed for it.
    pub(crate) fn kin(&self) -> Owner {
        self.scales.kin(self.owner)
    }

    /// It is to be told how likely the token is that follows the one at `position`.
    pub(crate) fn weighs(&self, position: usize) -> bool {
        self.prompt_logprobs.is_some() && position + 1 < self.prompt_tokens && position >= self.weighed
    }

    /// Its next tokens may be guessed.
    pub(crate) fn may_guess(&self) -> bool {
        self.bound.as_ref().is_none_or(Bound::is_free) && self.top_logprobs.is_none()
    }

    /// Nothing was sampled here yet.
    pub(crate) fn is_first(&self) -> bool {
        self.first_token.is_none()
    }

    /// What its prompt took.
    pub(crate) fn prompt_read(&self) -> PromptRead {
        PromptRead { prompt_tokens: self.prompt_tokens as u32, cached_tokens: self.cached_tokens as u32 }
    }

    /// Tokens that may still come after the next one.
    pub(crate) fn tokens_left(&self) -> usize {
        self.limit.saturating_sub(self.generated + 1)
    }

    /// Forgets the older half of a full context, but for its beginning: the first of the forgotten, and how many.
    pub(crate) fn shift(&mut self, context_tokens: usize) -> (usize, usize) {
        let count = (context_tokens - self.keep) / 2;
        self.tokens.drain(self.keep..self.keep + count);
        self.drafter.forget();
        (self.keep, count)
    }

    /// The end of an answer of which nothing is wanted, now that its prompt was read.
    pub(crate) fn unasked(&self, now: Instant) -> Option<Done> {
        (self.limit == 0).then(|| self.done(End::Limit, now))
    }

    fn done(&self, end: End, now: Instant) -> Done {
        let first = self.first_token.unwrap_or(now);
        let (reason, stop) = match end {
            End::Turn => (FinishReason::Stop, None),
            End::StopString(at) => (FinishReason::Stop, self.stops.get(at).cloned()),
            End::Limit => (FinishReason::Length, None),
        };
        Done {
            reason,
            stop,
            // Whoever tells the answer's parts apart knows.
            thinking_tokens: 0,
            prompt_tokens: self.prompt_tokens as u32,
            cached_tokens: self.cached_tokens as u32,
            generated_tokens: self.generated as u32,
            prompt_time: first.saturating_duration_since(self.admitted),
            generate_time: now.saturating_duration_since(first).max(Duration::from_nanos(1)),
            context: self.tokens.iter().copied().filter(|token| *token >= 0).collect(),
        }
    }
}

impl Opening {
    fn of(tokens: Vec<Token>, stream: &mut TextStream, append: impl Fn(Token, &mut Vec<u8>)) -> Self {
        let mut text = String::new();
        for token in &tokens {
            append(*token, stream.held());
            // Only a template's own stop strings could be in it, and they are in no form.
            let (Flow::Text(more) | Flow::Stopped(more, _)) = stream.advance();
            text += &more;
        }
        Self { tokens, text }
    }
}

fn append_piece(model: &Model, token: Token, preserved: &[Token], text: &mut Vec<u8>) {
    match preserved.contains(&token) {
        true => model.append_special_piece(token, text),
        false => model.append_piece(token, text),
    }
}

/// A request that is ready to run.
pub(crate) struct Admission {
    pub(crate) request: RequestId,
    pub(crate) work: Generate,
    pub(crate) prompt: Prompt,
    pub(crate) scales: Scales,
    pub(crate) bound: Option<Bound>,
    /// Tokens of the answer that were told already.
    pub(crate) told: Vec<Token>,
    pub(crate) arrived: Instant,
}
