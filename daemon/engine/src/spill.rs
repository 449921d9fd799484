//! Prefixes outside the KV cache: computed before, kept in memory as ggml hands them out, and on the disk if the owner wants
//! that. In the KV cache, every token that nobody uses slows down all others; here it costs only its bytes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::Owner;

use crate::cache::View;
use crate::ggml::Token;

/// A prefix, and what was computed for it.
#[derive(Debug)]
pub(crate) struct Spilled {
    pub(crate) owner: Owner,
    pub(crate) tokens: Vec<Token>,
    pub(crate) state: Vec<u8>,
}

impl Spilled {
    /// Tokens of `prompt` that it saves.
    fn serves(&self, owner: Owner, prompt: &[Token], parts: bool) -> usize {
        let view = View { owner: self.owner, cached: &self.tokens, idle: true, last_used: 0 };
        view.serves(owner, prompt, parts)
    }

    fn bytes(&self) -> usize {
        self.state.len() + size_of_val(&self.tokens[..])
    }
}

/// The prefixes in memory. Used by the loop and by whoever reads the disk for it.
#[derive(Debug)]
pub(crate) struct Spill {
    most_bytes: usize,
    /// The coldest first.
    prefixes: Mutex<Vec<Arc<Spilled>>>,
}

impl Spill {
    pub(crate) fn new(most_bytes: usize) -> Self {
        Self { most_bytes, prefixes: Mutex::default() }
    }

    /// Whether anything is kept at all.
    pub(crate) fn is_on(&self) -> bool {
        self.most_bytes > 0
    }

    /// Whether there is nothing to gain from keeping these tokens: they are here already.
    pub(crate) fn has(&self, owner: Owner, tokens: &[Token], parts: bool) -> bool {
        self.prefixes().iter().any(|kept| {
            kept.owner == owner
                && kept.tokens.starts_with(tokens)
                && (parts || kept.tokens.len() == tokens.len())
        })
    }

    /// Keeps a prefix, in place of those that it goes on from, and gives up the coldest ones for it.
    pub(crate) fn put(&self, spilled: Arc<Spilled>, parts: bool) {
        if spilled.bytes() > self.most_bytes {
            return;
        }
        let mut prefixes = self.prefixes();
        if parts {
            prefixes.retain(|kept| kept.owner != spilled.owner || !spilled.tokens.starts_with(&kept.tokens));
        }
        prefixes.push(spilled);
        let mut bytes: usize = prefixes.iter().map(|kept| kept.bytes()).sum();
        while bytes > self.most_bytes {
            bytes -= prefixes.remove(0).bytes();
        }
    }

    /// The prefix that saves most of a prompt, if it saves more than `have` tokens; and how many.
    pub(crate) fn best(
        &self,
        owner: Owner,
        prompt: &[Token],
        parts: bool,
        have: usize,
    ) -> Option<(Arc<Spilled>, usize)> {
        let mut prefixes = self.prefixes();
        let saved = prefixes.iter().map(|kept| kept.serves(owner, prompt, parts));
        let (at, saved) = saved.enumerate().max_by_key(|(_, saved)| *saved).filter(|best| best.1 > have)?;
        let best = prefixes.remove(at);
        prefixes.push(Arc::clone(&best));
        Some((best, saved))
    }

    fn prefixes(&self) -> MutexGuard<'_, Vec<Arc<Spilled>>> {
        self.prefixes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: Owner = Owner(1);

    fn spilled(tokens: std::ops::Range<Token>, bytes: usize) -> Arc<Spilled> {
        Arc::new(Spilled { owner: ME, tokens: tokens.collect(), state: vec![0; bytes] })
    }

    fn saved(spill: &Spill, prompt: std::ops::Range<Token>) -> Option<usize> {
        spill.best(ME, &prompt.collect::<Vec<_>>(), true, 0).map(|(_, saved)| saved)
    }

    #[test]
    fn the_longest_beginning_is_found_and_the_coldest_goes() {
        let spill = Spill::new(3000);
        spill.put(spilled(0..50, 1000), true);
        spill.put(spilled(500..550, 1000), true);
        assert_eq!((saved(&spill, 0..100), saved(&spill, 500..510)), (Some(50), Some(9)));

        spill.put(spilled(900..950, 1000), true);

        assert_eq!((saved(&spill, 0..100), saved(&spill, 500..510)), (None, Some(9)), "it was used last");
        spill.put(spilled(0..50, 4000), true);
        assert_eq!(saved(&spill, 0..100), None, "it could never fit");
    }

    #[test]
    fn what_goes_on_from_a_prefix_takes_its_place() {
        let spill = Spill::new(10_000);
        spill.put(spilled(0..50, 1000), true);
        spill.put(spilled(0..80, 1000), true);
        assert_eq!(spill.prefixes().len(), 1);
        let shorter: Vec<Token> = (0..60).collect();
        assert!(spill.has(ME, &shorter, true) && !spill.has(ME, &shorter, false));
        assert!(!spill.has(Owner(2), &shorter, true));
    }

    #[test]
    fn nobody_gets_what_was_computed_for_another() {
        let spill = Spill::new(10_000);
        spill.put(spilled(0..50, 1000), true);
        assert!(spill.best(Owner(2), &(0..100).collect::<Vec<_>>(), true, 0).is_none());
    }
}
