//! How many tokens of an answer are thoughts.

use protocol::Said;

/// Counts tokens as what they say is told: those of thoughts, with the marks around them, and what is told of them.
#[derive(Debug, Default)]
pub(super) struct Thoughts {
    counted: usize,
    /// Told nothing yet, at the beginning or after something else: thoughts, if that is what comes.
    open: usize,
    thinks: bool,
}

impl Thoughts {
    /// Takes in what so many tokens led to.
    pub(super) fn count(&mut self, said: &Said, tokens: usize) {
        self.open += tokens;
        if !said.text.is_empty() || !said.calls.is_empty() {
            (self.thinks, self.open) = (false, 0);
        } else if self.thinks || !said.thinking.is_empty() {
            self.thinks = true;
            self.counted += std::mem::take(&mut self.open);
        }
    }

    pub(super) fn tokens(&self) -> u32 {
        u32::try_from(self.counted).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_up_to_the_first_of_the_answer_are_thoughts() {
        let mut thoughts = Thoughts::default();
        let thought = || Said { thinking: "hm".into(), ..Said::default() };
        // A mark, two thoughts, the other mark with a blank, and the answer.
        for said in [Said::default(), thought(), thought(), Said::default(), "Yes".into(), "!".into()] {
            thoughts.count(&said, 1);
        }
        assert_eq!(thoughts.tokens(), 4);

        thoughts.count(&Said::default(), 2);
        thoughts.count(&thought(), 1);
        assert_eq!(thoughts.tokens(), 7, "it thinks again");
    }

    #[test]
    fn an_answer_without_thoughts_has_none() {
        let mut thoughts = Thoughts::default();
        for said in [Said::default(), "Yes".into(), Said::default()] {
            thoughts.count(&said, 3);
        }
        assert_eq!(thoughts.tokens(), 0);
    }
}
