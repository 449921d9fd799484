//! Guessing how a text goes on: what followed the last few tokens when they came before in it. Cheap to make, checked by
//! the model in one step with the token that it follows; a wrong guess costs a part of a step, a right one saves a step.

use std::collections::HashMap;

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
    /// Tokens that the next guess may have.
    length: usize,
    /// Tokens to come before the next guess.
    pause: usize,
}

impl Drafter {
    pub(crate) fn new() -> Self {
        Self { after: HashMap::new(), seen: 0, length: FIRST, pause: 0 }
    }

    /// How `tokens` may go on; `most` tokens of that at most.
    pub(crate) fn guess(&mut self, tokens: &[Token], most: usize) -> Vec<Token> {
        // The end itself is not noted yet, or it would be found.
        for end in (self.seen + CONTEXT).max(CONTEXT)..tokens.len() {
            self.after.insert(context(&tokens[..end]), end);
            self.seen = end - CONTEXT + 1;
        }
        if self.pause > 0 || tokens.len() < CONTEXT {
            return Vec::new();
        }
        let Some(start) = self.after.get(&context(tokens)) else { return Vec::new() };
        let end = (start + self.length.min(most)).min(tokens.len());
        tokens[*start..end].to_vec()
    }

    /// What became of a guess. Guesses grow while they are right, shrink while they are not, and rest when that goes on.
    pub(crate) fn learn(&mut self, guessed: usize, right: usize) {
        if guessed == 0 {
            self.pause = self.pause.saturating_sub(1);
        } else if right == guessed {
            self.length = (self.length * 2).min(LONGEST);
        } else if right * 3 < guessed * 2 {
            // A guess of which a third is wrong costs as much as it saves.

            self.length /= 2;
            if self.length == 0 {
                (self.length, self.pause) = (FIRST / 2, PAUSE);
            }
        }
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
        let mut drafter = Drafter::new();
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
        let mut drafter = Drafter::new();
        let tokens: Vec<Token> = (0..40).chain(0..3).collect();
        drafter.learn(4, 4);
        assert_eq!(drafter.guess(&tokens, 16).len(), 8);
        for _ in 0..4 {
            drafter.learn(8, 0);
        }
        assert!(drafter.guess(&tokens, 16).is_empty());
        for _ in 0..PAUSE {
            drafter.learn(0, 0);
        }
        assert_eq!(drafter.guess(&tokens, 16).len(), 2);
    }
}
