//! Prefixes that were computed before: which sequence of the KV cache serves a new prompt best, and which one goes.

use protocol::Owner;

use crate::ggml::Token;
use crate::sequence::Sequence;

/// Where a prompt goes, and what it finds there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placement {
    /// The sequence it runs in.
    pub(crate) target: usize,
    /// The sequence that has its beginning; may be the target itself.
    pub(crate) source: usize,
    /// Tokens of that beginning.
    pub(crate) shared: usize,
}

/// What the choice needs to know of a sequence.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    pub(crate) owner: Owner,
    /// What the KV cache holds of it.
    pub(crate) cached: &'a [Token],
    pub(crate) idle: bool,
    pub(crate) last_used: u64,
}

impl<'a> From<&'a Sequence> for View<'a> {
    fn from(sequence: &'a Sequence) -> Self {
        Self {
            owner: sequence.kin,
            // What was computed with tokens that are forgotten is for its own request alone.
            cached: if sequence.shifted { &[] } else { &sequence.cached },
            idle: sequence.running.is_none(),
            last_used: sequence.last_used,
        }
    }
}

impl View<'_> {
    /// Tokens of `prompt` that need not be computed. Its last one always is, since its logits are needed. A memory that
    /// cannot be cut (`parts` is false) serves as a whole or not at all.
    pub(crate) fn serves(&self, owner: Owner, prompt: &[Token], parts: bool) -> usize {
        if self.owner != owner {
            return 0;
        }
        let shared = common_prefix(self.cached, prompt).min(prompt.len().saturating_sub(1));
        if parts || shared == self.cached.len() { shared } else { 0 }
    }

    /// Whether so little of it comes after the first `shared` tokens that it is not worth a sequence of its own.
    fn ends_near(&self, shared: usize) -> bool {
        let rest = self.cached.len() - shared;
        shared > 0 && (rest <= SHORT_REST || rest * 4 <= self.cached.len())
    }
}

const SHORT_REST: usize = 64;

/// Waiting for somebody else's prompt to be read is worth it from so many tokens on.
const WORTH_WAITING: usize = 64;

/// The place for a prompt; `None` if nothing is idle.
pub(crate) fn place(views: &[View], owner: Owner, prompt: &[Token], parts: bool) -> Option<Placement> {
    let serves = |at: &usize| views[*at].serves(owner, prompt, parts);
    // Among equals an idle one, which can be taken over.
    let source = (0..views.len()).max_by_key(|at| (serves(at), views[*at].idle))?;
    let shared = serves(&source);
    if views[source].idle && views[source].ends_near(shared) {
        return Some(Placement { target: source, source, shared });
    }
    let idle = (0..views.len()).filter(|at| views[*at].idle);
    // An empty one, else the coldest; the source only if it is all there is.
    let target = idle.min_by_key(|at| {
        (*at == source && shared > 0, !views[*at].cached.is_empty(), views[*at].last_used)
    })?;
    Some(Placement { target, source, shared })
}

/// Whether a prompt had better wait, as another one that begins alike is just being read. `reading` has what those are to
/// be, and how much of that is there.
pub(crate) fn is_worth_waiting<'a>(
    prompt: &[Token],
    have: usize,
    reading: impl IntoIterator<Item = (&'a [Token], usize)>,
) -> bool {
    let most = prompt.len().saturating_sub(1);
    reading.into_iter().any(|(tokens, done)| {
        let shared = common_prefix(tokens, prompt).min(most);
        shared >= have.max(done) + WORTH_WAITING
    })
}

/// How many tokens two texts begin with in common.
pub(crate) fn common_prefix(one: &[Token], other: &[Token]) -> usize {
    one.iter().zip(other).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: Owner = Owner(1);
    const EMPTY: View = View { owner: ME, cached: &[], idle: true, last_used: 0 };

    fn tokens(range: std::ops::Range<Token>) -> Vec<Token> {
        range.collect()
    }

    #[test]
    fn a_conversation_goes_on_in_its_own_sequence() {
        let (prompt, cached) = (tokens(0..300), tokens(0..200));
        let warm = View { cached: &cached, last_used: 5, ..EMPTY };
        let found = place(&[EMPTY, warm], ME, &prompt, true);
        assert_eq!(found, Some(Placement { target: 1, source: 1, shared: 200 }));
        let same = place(&[EMPTY, View { cached: &prompt, ..warm }], ME, &prompt, true);
        assert_eq!(
            same,
            Some(Placement { target: 1, source: 1, shared: 299 }),
            "the last token is computed anew"
        );
    }

    #[test]
    fn a_prefix_that_others_may_want_is_copied() {
        let prompt: Vec<Token> = (0..500).chain(9000..9010).collect();
        let cached = tokens(0..1000);
        let warm = View { cached: &cached, last_used: 5, ..EMPTY };
        let running = View { idle: false, ..warm };
        for source in [warm, running] {
            let found = place(&[source, EMPTY], ME, &prompt, true);
            assert_eq!(found, Some(Placement { target: 1, source: 0, shared: 500 }));
        }
        let alone = place(&[warm], ME, &prompt, true);
        assert_eq!(alone, Some(Placement { target: 0, source: 0, shared: 500 }));
        assert_eq!(place(&[running], ME, &prompt, true), None);
    }

    #[test]
    fn the_coldest_goes_and_nothing_is_shared_between_owners() {
        let (one, two, prompt) = (tokens(0..100), tokens(200..300), tokens(0..150));
        let theirs = View { owner: Owner(2), cached: &one, idle: true, last_used: 9 };
        let cold = View { cached: &two, last_used: 3, ..EMPTY };
        let found = place(&[theirs, cold], ME, &prompt, true).unwrap();
        assert_eq!((found.target, found.shared), (1, 0));
    }

    #[test]
    fn a_memory_that_cannot_be_cut_serves_as_a_whole() {
        let (prompt, cached) = (tokens(0..300), tokens(0..200));
        let whole = View { cached: &cached, ..EMPTY };
        assert_eq!(whole.serves(ME, &prompt, false), 200);
        assert_eq!(whole.serves(ME, &prompt[..150], false), 0);
        assert_eq!(whole.serves(ME, &cached, false), 0, "its last token cannot be computed anew");
    }

    #[test]
    fn a_prompt_waits_for_one_that_begins_alike() {
        let (long, other) = (tokens(0..500), tokens(700..900));
        assert!(is_worth_waiting(&long, 0, [(&other[..], 0), (&long[..], 10)]));
        assert!(!is_worth_waiting(&long, 480, [(&long[..], 10)]), "it has nearly all of it already");
        assert!(!is_worth_waiting(&long, 0, [(&long[..], 499)]), "all of it was read");
    }
}
