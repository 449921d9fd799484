//! Guessing how a text goes on: what followed the last few tokens when they came before in it. Cheap to make, checked by
//! the model in one step with the token that it follows; a wrong guess costs a part of a step, a right one saves a step.

use std::collections::HashMap;
use std::time::Duration;

use crate::ggml::Token;

/// Tokens that must have come before, in this order, for what followed them to be a guess.
const CONTEXT: usize = 3;

const LONGEST: usize = 16;
const FIRST: usize = 4;

/// Tokens without a guess, after guesses that did not pay.
const PAUSE: usize = 32;

/// Guesses for one answer.
#[derive(Debug)]
pub(crate) struct Drafter {
    /// What comes after the last place of each context, as far as `seen`.
    after: HashMap<[Token; CONTEXT], usize>,
    seen: usize,
    repeats: Gate,
    /// Guesses of a draft model, which cost more than those of the text itself.
    model: Gate,
}

/// Whose guess it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Source {
    #[default]
    Repeats,
    Model,
}

impl Drafter {
    /// `draft_tokens` are a draft model's first guess; with 0 it is not asked.
    pub(crate) fn new(draft_tokens: usize) -> Self {
        Self {
            after: HashMap::new(),
            seen: 0,
            repeats: Gate::new(FIRST),
            model: Gate::new(draft_tokens.min(LONGEST)),
        }
    }

    /// How `tokens` may go on; `most` tokens of that at most.
    pub(crate) fn guess(&mut self, tokens: &[Token], most: usize) -> Vec<Token> {
        // The end itself is not noted yet, or it would be found.
        for end in (self.seen + CONTEXT).max(CONTEXT)..tokens.len() {
            self.after.insert(context(&tokens[..end]), end);
            self.seen = end - CONTEXT + 1;
        }
        if tokens.len() < CONTEXT {
            return Vec::new();
        }
        let Some(start) = self.after.get(&context(tokens)) else { return Vec::new() };
        let end = (start + self.repeats.open().min(most)).min(tokens.len());
        tokens[*start..end].to_vec()
    }

    /// The text is another one from here on.
    pub(crate) fn forget(&mut self) {
        self.after.clear();
        self.seen = 0;
    }

    /// Tokens that a draft model may guess now.
    pub(crate) fn asks_model(&self) -> usize {
        self.model.open()
    }

    /// What became of a guess, or that there was none.
    pub(crate) fn learn(&mut self, source: Source, guessed: usize, right: usize) {
        match source {
            Source::Repeats if guessed == 0 => {
                self.repeats.wait();
                self.model.wait();
            }
            Source::Repeats => self.repeats.learn(guessed, right),
            // To ask it in vain costs as much as a wrong guess.
            Source::Model => self.model.learn(guessed.max(1), right),
        }
    }
}

/// How long guesses may be: they grow while they are right, shrink while they are not, and rest when that goes on.
#[derive(Debug)]
struct Gate {
    first: usize,
    /// Tokens that the next guess may have.
    length: usize,
    /// Tokens to come before the next guess.
    pause: usize,
}

impl Gate {
    fn new(first: usize) -> Self {
        Self { first, length: first, pause: 0 }
    }

    fn open(&self) -> usize {
        if self.pause > 0 { 0 } else { self.length }
    }

    fn wait(&mut self) {
        self.pause = self.pause.saturating_sub(1);
    }

    fn learn(&mut self, guessed: usize, right: usize) {
        if right == guessed {
            self.length = (self.length * 2).min(LONGEST);
        } else if right * 3 < guessed * 2 {
            // A guess of which a third is wrong costs as much as it saves.
            self.length /= 2;
            if self.length == 0 {
                (self.length, self.pause) = ((self.first / 2).max(1), PAUSE);
            }
        }
    }
}

/// Whether a draft model is worth its time on this machine: steps with it and without it are timed.
#[derive(Debug, Default)]
pub(crate) struct Payoff {
    /// Seconds a token, without any guess.
    plain: Option<f64>,
    /// The same where the draft model was asked.
    drafted: Option<f64>,
    /// Steps of the present trial.
    tried: u32,
    /// Steps without it, before it is tried again.
    rest: u32,
    last_rest: u32,
}

/// Steps of a trial.
const TRIAL: u32 = 4;
const FIRST_REST: u32 = 128;
const LONGEST_REST: u32 = 4096;

/// How much the newest step counts.
const WEIGHT: f64 = 0.2;

impl Payoff {
    /// Whether to ask in this step.
    pub(crate) fn is_open(&self) -> bool {
        self.rest == 0 && self.plain.is_some()
    }

    /// A step without any guess.
    pub(crate) fn learn_plain(&mut self, tokens: usize, taken: Duration) {
        self.rest = self.rest.saturating_sub(1);
        average(&mut self.plain, tokens, taken);
    }

    /// A step with the draft model's time, whatever it guessed.
    pub(crate) fn learn_drafted(&mut self, tokens: usize, taken: Duration) {
        average(&mut self.drafted, tokens, taken);
        self.tried += 1;
        if self.tried < TRIAL {
            return;
        }
        if self.drafted > self.plain {
            self.last_rest = (self.last_rest * 2).clamp(FIRST_REST, LONGEST_REST);
            (self.rest, self.tried, self.drafted) = (self.last_rest, 0, None);
        } else {
            self.last_rest = 0;
        }
    }
}

fn average(known: &mut Option<f64>, tokens: usize, taken: Duration) {
    if tokens > 0 {
        let one = taken.as_secs_f64() / tokens as f64;
        let before = known.unwrap_or(one);
        *known = Some(before + WEIGHT * (one - before));
    }
}

fn context(tokens: &[Token]) -> [Token; CONTEXT] {
    let mut last = [0; CONTEXT];
    last.copy_from_slice(&tokens[tokens.len() - CONTEXT..]);
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_followed_before_is_guessed_to_follow_again() {
        let mut drafter = Drafter::new(0);
        let mut tokens = vec![1, 2, 3, 4, 5, 6, 7, 8, 9];
        assert!(drafter.guess(&tokens, 16).is_empty());
        tokens.extend([1, 2, 3]);
        assert_eq!(drafter.guess(&tokens, 16), [4, 5, 6, 7]);
        assert_eq!(drafter.guess(&tokens, 2), [4, 5]);
        tokens.extend([9, 9, 1, 2, 3]);
        assert_eq!(drafter.guess(&tokens, 16), [9, 9, 1, 2], "the last time counts");
        assert!(drafter.guess(&[1, 2], 16).is_empty());
    }

    #[test]
    fn guesses_grow_while_they_are_right_and_rest_when_they_are_not() {
        let mut drafter = Drafter::new(4);
        let tokens: Vec<Token> = (0..40).chain(0..3).collect();
        drafter.learn(Source::Repeats, 4, 4);
        assert_eq!(drafter.guess(&tokens, 16).len(), 8);
        for _ in 0..4 {
            drafter.learn(Source::Repeats, 8, 0);
        }
        assert!(drafter.guess(&tokens, 16).is_empty());
        assert_eq!(drafter.asks_model(), 4, "that of the other source is its own");
        for _ in 0..PAUSE {
            drafter.learn(Source::Repeats, 0, 0);
        }
        assert_eq!(drafter.guess(&tokens, 16).len(), 2);
    }

    #[test]
    fn a_draft_model_that_costs_more_than_it_saves_rests_ever_longer() {
        let ms = Duration::from_millis;
        let mut payoff = Payoff::default();
        assert!(!payoff.is_open(), "there is nothing to compare with yet");
        payoff.learn_plain(1, ms(10));
        for rest in [FIRST_REST, FIRST_REST * 2] {
            for _ in 0..TRIAL {
                assert!(payoff.is_open());
                payoff.learn_drafted(2, ms(30));
            }
            for _ in 0..rest {
                assert!(!payoff.is_open());
                payoff.learn_plain(1, ms(10));
            }
        }
        for _ in 0..TRIAL * 8 {
            assert!(payoff.is_open());
            payoff.learn_drafted(4, ms(30));
        }
    }

    #[test]
    fn a_draft_model_that_may_guess_nothing_is_never_asked() {
        let mut drafter = Drafter::new(0);
        for _ in 0..100 {
            drafter.learn(Source::Repeats, 0, 0);
            assert_eq!(drafter.asks_model(), 0);
        }
    }
}
