//! What the loop makes of a step's logits: tokens, and what they say.

use std::time::Instant;

use protocol::{Done, GenerateError, Logprob, Said, TokenLogprob};

use super::{HungUp, Loop};
use crate::ggml::{Likelihoods, Model, Token};
use crate::grammar::Bound;
use crate::reply::Chunk;
use crate::sequence::{Running, Sampled};

/// What came of one sequence's logits.
#[derive(Default)]
struct Drawn {
    said: Said,
    tokens: Vec<Token>,
    /// Guesses that were right.
    right: usize,
    end: Option<Result<Done, GenerateError>>,
}

impl Loop {
    /// Takes the next tokens of all that were computed; how many.
    pub(super) fn sample(&mut self) -> Result<usize, HungUp> {
        let (now, mut tokens, mut read) = (Instant::now(), 0, Vec::new());
        for at in 0..self.sequences.len() {
            self.weigh(at)?;
            let Some(running) = &mut self.sequences[at].running else { continue };
            let Some(first) = running.output.take() else { continue };
            let just_read = running.is_first().then(|| running.prompt_read());
            if just_read.is_some() {
                read.push(at);
            }
            let mut drawn = self.draw(at, first, now);
            drawn.said.read = just_read;
            tokens += drawn.tokens.len();
            self.tell(at, drawn)?;
        }
        read.into_iter().for_each(|at| self.keep_prompt(at));
        Ok(tokens)
    }

    /// Tells how likely the tokens were that a prompt has next.
    fn weigh(&mut self, at: usize) -> Result<(), HungUp> {
        let Some(running) = &mut self.sequences[at].running else { return Ok(()) };
        let (Some(count), false) = (running.prompt_logprobs, running.weighs.is_empty()) else {
            return Ok(());
        };
        let mut said = Said::default();
        for index in std::mem::take(&mut running.weighs) {
            let (Some(row), Some(token)) = (self.batch.row(index), running.tokens.get(running.weighed + 1))
            else {
                break;
            };
            let likelihoods = self.context.likelihoods(row, count);
            let chosen = self.context.likelihood(row, *token, &likelihoods);
            said.prompt_logprobs.push(told(&self.model, *token, chosen, &likelihoods));
            running.weighed += 1;
        }
        self.outbox.said(running.request, said, Vec::new())
    }

    /// Draws a sequence's next token, and those after it as long as they are what was guessed.
    fn draw(&mut self, at: usize, first: usize, now: Instant) -> Drawn {
        let sequence = &mut self.sequences[at];
        let mut drawn = Drawn::default();
        let Some(running) = &mut sequence.running else { return drawn };
        drawn.end = running.unasked(now).map(Ok);
        if drawn.end.is_some() {
            return drawn;
        }
        let guess = std::mem::take(&mut running.guess);
        while let Some(row) = self.batch.row(first + drawn.right) {
            let context = &mut self.context;
            let likelihoods = running.top_logprobs.map(|count| context.likelihoods(row, count));
            match running.bound.as_ref().map(Bound::mask).transpose() {
                Ok(mask) => {
                    mask.flatten().into_iter().for_each(|mask| context.allow_only(row, mask.as_slice()))
                }
                Err(reason) => {
                    drawn.end = Some(Err(GenerateError::Format { reason }));
                    break;
                }
            }
            let token = running.sampler.sample(context, row);
            if let Some(likelihoods) = likelihoods.filter(|_| !self.model.is_end(token)) {
                let chosen = context.likelihood(row, token, &likelihoods);
                drawn.said.logprobs.push(told(&self.model, token, chosen, &likelihoods));
            }
            let known = drawn.tokens.len();
            if take(running, token, &self.model, now, &mut drawn) {
                break;
            }
            // Tokens that had to follow stand where the next guess was computed.
            if guess.get(drawn.right) != Some(&token) || drawn.tokens.len() > known + 1 {
                break;
            }
            sequence.cached.push(token);
            drawn.right += 1;
        }
        running.drafter.learn(running.guessed_by, guess.len(), drawn.right);
        if drawn.right < guess.len() {
            self.context.forget(sequence.id, sequence.cached.len());
        }
        drawn
    }

    /// Sends what was said, and lets go of an answer that ended.
    fn tell(&mut self, at: usize, drawn: Drawn) -> Result<(), HungUp> {
        let Some(running) = &self.sequences[at].running else { return Ok(()) };
        let Drawn { said, tokens, end, .. } = drawn;
        let (request, ended) = (running.request, end.is_some());
        match (end, &running.telling) {
            (Some(Err(error)), _) => self.outbox.failed(request, error)?,
            (end, Some(telling)) => {
                let done = end.and_then(Result::ok);
                self.readers.read(request, telling, Chunk { said, tokens, done });
            }
            (Some(Ok(done)), None) => self.outbox.done(request, said, done)?,
            (None, None) => self.outbox.said(request, said, tokens)?,
        }
        if ended {
            self.retire(at);
        }
        Ok(())
    }
}

/// Takes a token into an answer; whether that ends it.
fn take(running: &mut Running, token: Token, model: &Model, now: Instant, drawn: &mut Drawn) -> bool {
    match running.take(token, model, now, &mut drawn.tokens) {
        Sampled::Text(text) => drawn.said.text += &text,
        Sampled::End(text, done) => {
            drawn.said.text += &text;
            drawn.end = Some(Ok(done));
        }
        Sampled::Failed(error) => drawn.end = Some(Err(error)),
    }
    drawn.end.is_some()
}

fn told(model: &Model, token: Token, logprob: f32, likelihoods: &Likelihoods) -> TokenLogprob {
    let told = |token: Token, logprob: f32| {
        let mut bytes = Vec::new();
        model.append_special_piece(token, &mut bytes);
        Logprob { token, bytes, logprob }
    };
    let top = likelihoods.top.iter().map(|(token, logprob)| told(*token, *logprob));
    TokenLogprob { chosen: told(token, logprob), top: top.collect() }
}
