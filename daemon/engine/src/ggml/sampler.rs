//! A chain of llama.cpp's samplers for one request.

use std::ptr::NonNull;

use llama_cpp_sys_2 as sys;
use protocol::Options;

use super::context::LogitsRow;
use super::{Context, Model, Token};

pub(crate) struct Sampler {
    chain: NonNull<sys::llama_sampler>,
    /// Tokens that the penalties look back; 0 when they are off.
    lookback: usize,
}

// SAFETY: a chain is data of its own; it is moved, never shared.
unsafe impl Send for Sampler {}

impl Sampler {
    /// The order is llama-server's: biases, penalties, top-k, typical, top-p, min-p, temperature, draw.
    pub(crate) fn new(model: &Model, options: &Options, context_tokens: u32) -> Self {
        let lookback = penalty_lookback(options, context_tokens);
        let biases: Vec<sys::llama_logit_bias> = options
            .logit_bias
            .iter()
            .map(|(token, bias)| sys::llama_logit_bias { token: *token, bias: *bias })
            .collect();
        // SAFETY: plain constructors. Each result is handed to the chain, which frees it; options are ranged at the edge, and
        // tokens were checked when the prompt was made. The array of biases is copied.
        let chain = unsafe {
            let chain = sys::llama_sampler_chain_init(sys::llama_sampler_chain_default_params());
            let add = |sampler| sys::llama_sampler_chain_add(chain, sampler);
            if !biases.is_empty() {
                add(sys::llama_sampler_init_logit_bias(
                    model.vocab_size(),
                    i32::try_from(biases.len()).unwrap_or(i32::MAX),
                    biases.as_ptr(),
                ));
            }
            if lookback > 0 {
                add(sys::llama_sampler_init_penalties(
                    model.vocab_size(),
                    lookback,
                    options.repeat_penalty,
                    options.frequency_penalty,
                    options.presence_penalty,
                ));
            }
            if options.temperature <= 0.0 {
                add(sys::llama_sampler_init_greedy());
            } else {
                add(sys::llama_sampler_init_top_k(i32::try_from(options.top_k).unwrap_or(i32::MAX)));
                add(sys::llama_sampler_init_typical(options.typical_p, 1));
                add(sys::llama_sampler_init_top_p(options.top_p, 1));
                add(sys::llama_sampler_init_min_p(options.min_p, 1));
                add(sys::llama_sampler_init_temp(options.temperature));
                add(sys::llama_sampler_init_dist(options.seed.unwrap_or(RANDOM_SEED)));
            }
            chain
        };
        let chain =
            NonNull::new(chain).expect("llama.cpp throws when it is out of memory, it does not return null");
        Self { chain, lookback: usize::try_from(lookback).unwrap_or(0) }
    }

    /// Lets the penalties see a prompt.
    pub(crate) fn accept_prompt(&mut self, prompt: &[Token]) {
        let looked_at = &prompt[prompt.len().saturating_sub(self.lookback)..];
        // Negative ones stand for what is no text.
        for token in looked_at.iter().filter(|token| **token >= 0) {
            // SAFETY: the chain is ours; tokens of a prompt come from the tokenizer or were checked against it.
            unsafe { sys::llama_sampler_accept(self.chain.as_ptr(), *token) };
        }
    }

    /// Draws so often in vain, as if so many tokens had been sampled.
    pub(crate) fn skip(&mut self, draws: usize) {
        let mut candidate = sys::llama_token_data { id: 0, logit: 0.0, p: 1.0 };
        for _ in 0..draws {
            let mut candidates =
                sys::llama_token_data_array { data: &raw mut candidate, size: 1, selected: -1, sorted: true };
            // SAFETY: the last of the chain draws, or is greedy; the chain is ours and never empty, and the array is one long.
            unsafe {
                let last = sys::llama_sampler_chain_n(self.chain.as_ptr()) - 1;
                let draw = sys::llama_sampler_chain_get(self.chain.as_ptr(), last);
                sys::llama_sampler_apply(draw, &raw mut candidates);
            }
        }
    }

    /// Lets the penalties see a token that was not drawn.
    pub(crate) fn accept(&mut self, token: Token) {
        // SAFETY: the chain is ours; the token is one of the vocabulary.
        unsafe { sys::llama_sampler_accept(self.chain.as_ptr(), token) };
    }

    /// Draws the next token and remembers it.
    pub(crate) fn sample(&mut self, context: &mut Context, row: LogitsRow) -> Token {
        // SAFETY: a row is only made by a decode that computed its logits, and `take_row` checked that it was the last one.
        unsafe { sys::llama_sampler_sample(self.chain.as_ptr(), context.raw(), context.take_row(row)) }
    }
}

/// How likely tokens are.
pub(crate) struct Likelihoods {
    /// The logarithm of the sum that makes logits probabilities.
    norm: f32,
    /// The likeliest first, each with the logarithm of its probability.
    pub(crate) top: Vec<(Token, f32)>,
}

impl Context {
    /// A number for each token of the vocabulary.
    fn logits(&mut self, row: LogitsRow) -> &mut [f32] {
        let (index, vocabulary) = (self.take_row(row), self.vocabulary());
        // SAFETY: `take_row` checked that the logits of this row are there; they are as many as the model has tokens, and
        // nobody else looks at them while the context is borrowed.
        unsafe { std::slice::from_raw_parts_mut(sys::llama_get_logits_ith(self.raw(), index), vocabulary) }
    }

    /// Makes all tokens impossible but those whose bit is set.
    pub(crate) fn allow_only(&mut self, row: LogitsRow, allowed: &[u32]) {
        let words = allowed.iter().copied().chain(std::iter::repeat(0));
        for (logits, word) in self.logits(row).chunks_mut(u32::BITS as usize).zip(words) {
            match word {
                0 => logits.fill(f32::NEG_INFINITY),
                u32::MAX => {}
                _ => {
                    let refused = logits.iter_mut().enumerate().filter(|(bit, _)| word & (1 << bit) == 0);
                    refused.for_each(|(_, logit)| *logit = f32::NEG_INFINITY);
                }
            }
        }
    }

    /// How likely tokens are, with the likeliest `count`.
    pub(crate) fn likelihoods(&mut self, row: LogitsRow, count: usize) -> Likelihoods {
        let logits = self.logits(row);
        let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f64 = logits.iter().map(|logit| f64::from(logit - most).exp()).sum();
        let norm = most + sum.ln() as f32;
        let mut order: Vec<usize> = (0..logits.len()).collect();
        let count = count.min(order.len());
        let falling = |one: &usize, other: &usize| logits[*other].total_cmp(&logits[*one]);
        if count > 0 {
            order.select_nth_unstable_by(count - 1, falling);
        }
        order.truncate(count);
        order.sort_by(falling);
        Likelihoods {
            norm,
            top: order.into_iter().map(|token| (token as Token, logits[token] - norm)).collect(),
        }
    }

    /// The logarithm of a token's probability, which must not have been made impossible since.
    pub(crate) fn likelihood(&mut self, row: LogitsRow, token: Token, among: &Likelihoods) -> f32 {
        let logit = usize::try_from(token).ok().and_then(|at| self.logits(row).get(at).copied());
        logit.unwrap_or(f32::NEG_INFINITY) - among.norm
    }

    /// The token that is most likely, and how likely it is, from 0 to 1.
    pub(crate) fn most_likely(&mut self, row: LogitsRow) -> (Token, f32) {
        let logits = self.logits(row);
        let best = |(at, most): (usize, f32), (next, logit): (usize, &f32)| {
            if *logit > most { (next, *logit) } else { (at, most) }
        };
        let (token, most) = logits.iter().enumerate().fold((0, f32::NEG_INFINITY), best);
        let others: f32 = logits.iter().map(|logit| (logit - most).exp()).sum();
        (token as Token, 1.0 / others)
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        // SAFETY: ours, freed once; the chain frees its members.
        unsafe { sys::llama_sampler_free(self.chain.as_ptr()) };
    }
}

/// llama.cpp draws a seed of its own for this value.
const RANDOM_SEED: u32 = 0xFFFF_FFFF;

fn penalty_lookback(options: &Options, context_tokens: u32) -> i32 {
    let off =
        options.repeat_penalty == 1.0 && options.presence_penalty == 0.0 && options.frequency_penalty == 0.0;
    if off {
        return 0;
    }
    let tokens = options.repeat_last_n.unwrap_or(context_tokens).min(context_tokens);
    i32::try_from(tokens).unwrap_or(i32::MAX)
}
