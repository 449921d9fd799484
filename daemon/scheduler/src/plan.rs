//! What to do for a request, given what is in memory. Pure: decides only, so every rule is tested without a model.

use protocol::LoadOptions;

/// What stands in a model's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Empty,
    /// A model that is being loaded, and would do or not.
    Loading {
        fits: bool,
    },
    /// A model that is loaded, and would do or not.
    Ready {
        fits: bool,
        busy: bool,
    },
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Use,
    Load,
    /// Unload what stands in the place, then ask again.
    Replace,
    /// Unload another, then ask again.
    Evict,
    /// Ask again when something changed.
    Wait,
}

/// `full`: as many models are loaded as may be. `evictable`: one of them is idle.
pub(crate) fn next_step(place: Place, full: bool, evictable: bool) -> Step {
    match place {
        Place::Ready { fits: true, .. } => Step::Use,
        Place::Ready { fits: false, busy: false } => Step::Replace,
        Place::Ready { fits: false, busy: true } | Place::Loading { .. } => Step::Wait,
        Place::Empty if !full => Step::Load,
        Place::Empty if evictable => Step::Evict,
        Place::Empty => Step::Wait,
    }
}

/// Whether a model that was loaded with `have` serves a request that wants `want`: more than enough is enough, so that a
/// smaller context never reloads.
pub(crate) fn serves(have: &LoadOptions, want: &LoadOptions) -> bool {
    have.context_tokens >= want.context_tokens
        && have.sequences >= want.sequences
        && (want.threads.is_none() || want.threads == have.threads)
        && (want.gpu_blocks.is_none() || want.gpu_blocks == have.gpu_blocks)
}

#[cfg(test)]
mod tests {
    use protocol::{CacheOptions, Secret};

    use super::*;

    const HAVE: LoadOptions = LoadOptions {
        context_tokens: 4096,
        batch_tokens: 512,
        sequences: 4,
        max_step_ms: 200,
        speculation: true,
        cache: CacheOptions { bytes: 0, file_bytes: 0, secret: Secret(Vec::new()) },
        threads: None,
        gpu_blocks: None,
        mmap: true,
        template: None,
    };

    #[test]
    fn a_smaller_context_never_reloads_and_a_larger_one_does() {
        assert!(serves(&HAVE, &LoadOptions { context_tokens: 2048, ..HAVE }));
        assert!(!serves(&HAVE, &LoadOptions { context_tokens: 8192, ..HAVE }));
        assert!(!serves(&HAVE, &LoadOptions { threads: Some(1), ..HAVE }));
    }

    #[test]
    fn a_busy_model_is_never_taken_away() {
        assert_eq!(next_step(Place::Ready { fits: false, busy: true }, true, true), Step::Wait);
        assert_eq!(next_step(Place::Ready { fits: false, busy: false }, true, false), Step::Replace);
    }

    #[test]
    fn room_is_made_only_when_there_is_none() {
        assert_eq!(next_step(Place::Empty, false, true), Step::Load);
        assert_eq!(next_step(Place::Empty, true, true), Step::Evict);
        assert_eq!(next_step(Place::Empty, true, false), Step::Wait);
    }
}
