//! What the loop guesses ahead: from the text itself where it repeats, else by a smaller model, if there is one.

use super::Loop;
use crate::adapters::Scales;
use crate::draft::Source;
use crate::draft_model::Question;
use crate::ggml::{Batch, MOST_GUESSED, Output};
use crate::sequence::{Running, Sequence};

impl Loop {
    /// Guesses how the texts of decoding sequences go on; whether the draft model was asked.
    pub(super) fn guess(&mut self, scales: &Scales) -> bool {
        let mut left = MOST_GUESSED;
        let steps = |sequence: &&mut Sequence| sequence.is_decoding() && sequence.steps_with(scales);
        for sequence in self.sequences.iter_mut().filter(steps) {
            let Some(running) = &mut sequence.running else { continue };
            if !running.may_guess() {
                continue;
            }
            let most = left.min(room(running, self.limits.context_tokens));
            running.guess = running.drafter.guess(&running.tokens, most);
            // What stands for an image is nothing that could be said.
            running.guess.truncate(running.guess.iter().position(|token| *token < 0).unwrap_or(usize::MAX));
            running.guessed_by = Source::Repeats;
            left -= running.guess.len();
        }
        self.ask_draft_model(left, scales)
    }

    fn ask_draft_model(&mut self, mut left: usize, scales: &Scales) -> bool {
        let Some(draft) = self.draft.as_mut().filter(|_| self.payoff.is_open()) else { return false };
        let mut asked = false;
        let mut questions = Vec::new();
        let steps = |it: &Sequence| it.is_decoding() && it.steps_with(scales);
        for (at, sequence) in self.sequences.iter().enumerate().filter(|(_, it)| steps(it)) {
            let Some(running) = &sequence.running else { continue };
            let asks = running.drafter.asks_model().min(room(running, self.limits.context_tokens));
            let most = asks.min(left);
            if running.may_guess() && running.spans.is_empty() && running.guess.is_empty() && most > 0 {
                left -= most;
                questions.push(Question { at, owner: running.owner, tokens: &running.tokens, most });
            }
        }
        let places: Vec<usize> = questions.iter().map(|question| question.at).collect();
        for (at, guess) in places.into_iter().zip(draft.guess(&questions)) {
            if let (Some(running), Some(guess)) = (&mut self.sequences[at].running, guess) {
                running.guess = guess;
                running.guessed_by = Source::Model;
                asked = true;
            }
        }
        asked
    }
}

/// Tokens that may be guessed of an answer, beyond the next one.
fn room(running: &Running, context_tokens: usize) -> usize {
    running.tokens_left().min(context_tokens.saturating_sub(running.tokens.len()))
}

/// Adds to a sequence's last token in the batch what was guessed to follow it; how many tokens.
pub(super) fn append(sequence: &mut Sequence, batch: &mut Batch) -> usize {
    let Some(running) = &mut sequence.running else { return 0 };
    let start = sequence.cached.len();
    let fits = running.output.is_some();
    let mut added = 0;
    while fits && added < running.guess.len() {
        let (position, token) = (start + added, running.guess[added]);
        if batch.push(sequence.id, position, token, Output::Logits).is_err() {
            break;
        }
        added += 1;
    }
    running.guess.truncate(added);
    added
}
