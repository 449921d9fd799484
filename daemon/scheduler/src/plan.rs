//! What to do for a request, given what is in memory. Pure: decides only, so every rule is tested without a model.
//!
//! A model that does not fit as it is wanted is first given fewer slots (requests that it answers at once), down to one;
//! then idle models go, the coldest first; then the request waits for models that are in use; and only where all of that
//! could not make room does it get a shorter context, if it left that to us. So a context is cut as the last thing
//! before a refusal: it changes answers, where the others cost time. A model that is pinned goes for no other.

use protocol::LoadOptions;

/// A way to load a model, and what it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    /// Of one sequence.
    pub(crate) context_tokens: u32,
    pub(crate) sequences: u32,
    pub(crate) bytes: u64,
    /// The context is as long as was wanted.
    pub(crate) whole: bool,
}

impl Size {
    /// Whether it asks for no more than another.
    pub(crate) fn is_within(self, other: Self) -> bool {
        self.context_tokens <= other.context_tokens && self.sequences <= other.sequences
    }
}

/// What stands in a model's own place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Empty,
    Loading,
    /// Loaded, and would do or not.
    Ready {
        serves: bool,
        busy: bool,
    },
}

/// What holds one of the other models in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// Nothing: its process is about to end.
    Leaving,
    /// A load, an answer, or somebody who waits for it.
    Use,
    /// Only that nobody needed its room yet.
    Idle,
    /// Its owner's word that it stays.
    Pin,
}

/// One of the other models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) bytes: u64,
    pub(crate) hold: Hold,
}

/// All but the model's own place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) budget_bytes: u64,
    /// Models at once.
    pub(crate) max_loaded: usize,
    /// The coldest first.
    pub(crate) others: Vec<Standing>,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Use,
    Load(Size),
    /// Unload what stands in the place, then ask again.
    Replace,
    /// Unload this one of the others, then ask again.
    Evict(usize),
    /// Ask again when something changed.
    Wait,
    Refuse(Refusal),
}

/// Why no waiting helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    TooBig,
    /// As many models as there may be are pinned.
    TooMany,
}

/// What to do for a model that can be loaded in the sizes of `want`, the best first.
pub(crate) fn next_step(place: Place, want: &[Size], room: &Room) -> Step {
    match (place, load(want, room)) {
        (Place::Ready { serves: true, .. }, _) => Step::Use,
        (Place::Loading, _) => Step::Wait,
        // Better known before it is unloaded in vain.
        (_, Step::Refuse(refusal)) => Step::Refuse(refusal),
        (Place::Ready { busy: true, .. }, _) => Step::Wait,
        (Place::Ready { .. }, Step::Load(_)) => Step::Replace,
        (_, step) => step,
    }
}

/// The same beside a request that has waited for so many bytes for so long that they are not to be taken from it.
pub(crate) fn next_step_beside(
    place: Place,
    want: &[Size],
    room: &Room,
    reserved_bytes: Option<u64>,
) -> Step {
    let step = next_step(place, want, room);
    let takes_room = matches!(step, Step::Load(_) | Step::Replace | Step::Evict(_));
    let Some(reserved) = reserved_bytes.filter(|_| takes_room) else { return step };
    let less = Room {
        budget_bytes: room.budget_bytes.saturating_sub(reserved),
        max_loaded: room.max_loaded.saturating_sub(1),
        others: room.others.clone(),
    };
    match next_step(place, want, &less) {
        // Later, there is room again.
        Step::Refuse(_) => Step::Wait,
        step => step,
    }
}

/// As if nothing stood in the model's own place.
fn load(want: &[Size], room: &Room) -> Step {
    if room.count(&[Hold::Pin]) >= room.max_loaded {
        return Step::Refuse(Refusal::TooMany);
    }
    let (whole, shorter) = want.split_at(want.partition_point(|size| size.whole));
    [whole, shorter]
        .into_iter()
        .find_map(|sizes| load_one_of(sizes, room))
        .unwrap_or(Step::Refuse(Refusal::TooBig))
}

/// `None` if none of these will ever fit.
fn load_one_of(sizes: &[Size], room: &Room) -> Option<Step> {
    let fits = |holds: &[Hold]| {
        let bytes = room.budget_bytes.saturating_sub(room.bytes(holds));
        sizes.iter().find(|size| size.bytes <= bytes).copied()
    };
    let full = room.count(&[Hold::Use, Hold::Idle, Hold::Pin]) >= room.max_loaded;
    if !full && let Some(size) = fits(&[Hold::Use, Hold::Idle, Hold::Pin]) {
        // What leaves is still there.
        return Some(if room.held_bytes() + size.bytes <= room.budget_bytes {
            Step::Load(size)
        } else {
            Step::Wait
        });
    }
    if fits(&[Hold::Use, Hold::Pin]).is_some()
        && let Some(coldest) = room.coldest(sizes)
    {
        return Some(Step::Evict(coldest));
    }
    fits(&[Hold::Pin]).map(|_| Step::Wait)
}

impl Room {
    fn held(&self, holds: &[Hold]) -> impl Iterator<Item = &Standing> {
        self.others.iter().filter(move |other| holds.contains(&other.hold))
    }

    fn count(&self, holds: &[Hold]) -> usize {
        self.held(holds).count()
    }

    fn bytes(&self, holds: &[Hold]) -> u64 {
        self.held(holds).map(|other| other.bytes).fold(0, u64::saturating_add)
    }

    /// Bytes that a model may ever have, however long it waits.
    pub(crate) fn most_bytes(&self) -> u64 {
        self.budget_bytes.saturating_sub(self.pinned_bytes())
    }

    /// Of all that are there, those that leave included.
    pub(crate) fn held_bytes(&self) -> u64 {
        self.bytes(&[Hold::Leaving, Hold::Use, Hold::Idle, Hold::Pin])
    }

    pub(crate) fn pinned_bytes(&self) -> u64 {
        self.bytes(&[Hold::Pin])
    }

    /// The idle model that goes because all together take too much, as they do when one took more than was thought.
    pub(crate) fn excess(&self) -> Option<usize> {
        let too_much = self.bytes(&[Hold::Use, Hold::Idle, Hold::Pin]) > self.budget_bytes;
        self.others.iter().position(|other| too_much && other.hold == Hold::Idle)
    }

    /// The idle model that goes first: the coldest of those whose going alone is enough, so that a small one does not go
    /// in vain before a big one; else the coldest.
    fn coldest(&self, sizes: &[Size]) -> Option<usize> {
        let staying = self.bytes(&[Hold::Use, Hold::Idle, Hold::Pin]);
        let least = sizes.iter().map(|size| size.bytes).min().unwrap_or(0);
        let idle = || (0..self.others.len()).filter(|index| self.others[*index].hold == Hold::Idle);
        let enough =
            |index: &usize| (staying - self.others[*index].bytes).saturating_add(least) <= self.budget_bytes;
        idle().find(enough).or_else(|| idle().next())
    }
}

/// What will come of a request if nobody else asks for anything, and how many models go for it: the last step is to use,
/// to load, to wait or to refuse.
pub(crate) fn foresee(place: Place, want: &[Size], mut room: Room) -> (Step, usize) {
    let (mut place, mut evicted) = (place, 0);
    loop {
        match next_step(place, want, &room) {
            Step::Replace => place = Place::Empty,
            Step::Evict(index) => {
                room.others.remove(index);
                evicted += 1;
            }
            Step::Wait if room.count(&[Hold::Leaving]) > 0 => {
                room.others.retain(|other| other.hold != Hold::Leaving);
            }
            step => return (step, evicted),
        }
    }
}

/// The ways to load a model for a request, the best first: its context with ever fewer slots, then ever shorter halves of
/// it with one slot, down to `least_context`. `bytes` tells what one takes.
pub(crate) fn sizes(want: &LoadOptions, least_context: u32, bytes: impl Fn(u32, u32) -> u64) -> Vec<Size> {
    let context = want.context_tokens;
    let size = |context_tokens, sequences| Size {
        context_tokens,
        sequences,
        bytes: bytes(context_tokens, sequences),
        whole: context_tokens == context,
    };
    let whole = (1..=want.sequences.max(1)).rev().map(|sequences| size(context, sequences));
    let halves = std::iter::successors(Some(context / 2), |tokens| Some(tokens / 2));
    let shorter = halves.take_while(|tokens| *tokens >= least_context.max(1)).map(|tokens| size(tokens, 1));
    whole.chain(shorter).collect()
}

/// The longest context, in steps of 256 tokens, that takes no more than `most_bytes` with one slot.
pub(crate) fn longest_context(
    context_tokens: u32,
    most_bytes: u64,
    bytes: impl Fn(u32) -> u64,
) -> Option<u32> {
    const STEP: u32 = 256;
    let (mut fits, mut too_long) = (0, context_tokens / STEP + 1);
    while too_long - fits > 1 {
        let middle = fits.midpoint(too_long);
        *(if bytes(middle * STEP) <= most_bytes { &mut fits } else { &mut too_long }) = middle;
    }
    (fits > 0).then_some(fits * STEP)
}

/// How a model in memory was wanted, and whether it got less.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Have<'a> {
    pub(crate) wanted: &'a LoadOptions,
    pub(crate) size: Size,
}

/// Whether it serves a request that wants `want`, and of the context at least `least_context`. More than enough is enough,
/// so that a smaller context never reloads; nor does less than was wanted, where memory allowed no more.
pub(crate) fn serves(have: Have<'_>, want: &LoadOptions, least_context: u32) -> bool {
    let Have { wanted, size } = have;
    // A context past the trained length was cut, so what was asked for is what is compared.
    wanted.purpose == want.purpose
        && wanted.context_tokens >= want.context_tokens
        && (size.whole || size.context_tokens >= least_context)
        && wanted.sequences >= want.sequences
        && (want.threads.is_none() || want.threads == wanted.threads)
        && (want.gpu_blocks.is_none() || want.gpu_blocks == wanted.gpu_blocks)
}

#[cfg(test)]
mod tests;
