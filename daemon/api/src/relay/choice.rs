//! Which box answers a request best. Pure: how the model stands at each box comes in, an order goes out.
//!
//! What counts is how many turns a request waits before it begins: none where the model is in memory and a place is free. Where
//! that is the same, this box wins, as nothing goes over the network; among others, the one that has answered this beginning
//! before, as it has kept what it computed. That one is found without keeping a record: each box draws a number from its ID and
//! the beginning, and the highest wins (rendezvous hashing), so that a box that comes or goes moves what is its own and nothing
//! else. A box that has more than its share already comes after the others (bounded load).

use std::cmp::Reverse;

/// How a model stands at a box, as far as it matters who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// In memory: answers so many at once, and has so many to answer.
    Loaded { sequences: u32, load: u32 },
    /// On its way there.
    Loading { sequences: u32, load: u32 },
    /// On the disk, and would be loaded at once.
    Room,
    /// On the disk, and would wait for others to make room, or nobody knows.
    Full,
    /// It would not be loaded at all.
    Unfit,
}

/// Loading a model takes about as long as so many answers.
const LOAD_TURNS: u32 = 2;
/// Waiting for room, and then loading.
const ROOM_TURNS: u32 = 4;

impl Standing {
    /// About how many answers end before a new one begins.
    pub(super) fn turns(self) -> u32 {
        let queue =
            |sequences: u32, load: u32| (load + 1).saturating_sub(sequences).div_ceil(sequences.max(1));
        match self {
            Self::Loaded { sequences, load } => queue(sequences, load),
            Self::Loading { sequences, load } => 1 + queue(sequences, load),
            Self::Room => LOAD_TURNS,
            Self::Full => ROOM_TURNS,
            Self::Unfit => u32::MAX,
        }
    }

    /// With so many requests more.
    pub(super) fn and(self, more: u32) -> Self {
        match self {
            Self::Loaded { sequences, load } => Self::Loaded { sequences, load: load.saturating_add(more) },
            Self::Loading { sequences, load } => Self::Loading { sequences, load: load.saturating_add(more) },
            // It is loaded for the first of them.
            Self::Room if more > 0 => Self::Loading { sequences: 1, load: more },
            other => other,
        }
    }

    fn load(self) -> u64 {
        match self {
            Self::Loaded { load, .. } | Self::Loading { load, .. } => load.into(),
            Self::Room | Self::Full | Self::Unfit => 0,
        }
    }

    fn sequences(self) -> u64 {
        match self {
            Self::Loaded { sequences, .. } | Self::Loading { sequences, .. } => sequences.max(1).into(),
            Self::Room | Self::Full | Self::Unfit => 1,
        }
    }
}

/// Another box that has the model.
#[derive(Clone, Copy, Debug)]
pub(super) struct Other<'a> {
    pub(super) id: &'a str,
    pub(super) standing: Standing,
}

/// What requests have in common that begin alike: a model, an owner, and the beginning of a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Affinity([u8; 32]);

impl Affinity {
    pub(super) fn of(model: &str, owner: &str, beginning: &[u8; 32]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("hob 2026-11 who answers");
        for part in [model.as_bytes(), owner.as_bytes(), beginning] {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
        }
        Self(*hasher.finalize().as_bytes())
    }

    /// What a box draws.
    fn drawn(&self, id: &str) -> u64 {
        let drawn = blake3::keyed_hash(&self.0, id.as_bytes());
        let (first, _) = drawn.as_bytes().split_at(size_of::<u64>());
        first.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}

/// The others that are better than this box, the best first, by their places in the list. Without the model here, all are.
pub(super) fn order(here: Option<Standing>, others: &[Other<'_>], affinity: &Affinity) -> Vec<usize> {
    let least = here.map_or(u32::MAX, Standing::turns);
    let turns = |index: &usize| others[*index].standing.turns();
    let mut better: Vec<usize> = (0..others.len()).filter(|index| turns(index) < least).collect();
    let Some(best) = better.iter().map(turns).min() else { return better };
    let equals: Vec<Standing> =
        better.iter().filter(|index| turns(index) == best).map(|index| others[*index].standing).collect();
    better.sort_by_cached_key(|index| {
        let other = others[*index];
        let turns = other.standing.turns();
        let full = turns == best && !has_share_left(other.standing, &equals);
        (turns, full, Reverse(affinity.drawn(other.id)))
    });
    better
}

/// Whether one more is not more than a quarter above a box's share of all that its equals have to answer. There is always one
/// with that much left.
fn has_share_left(one: Standing, equals: &[Standing]) -> bool {
    let load: u64 = equals.iter().map(|equal| equal.load()).sum();
    let sequences: u64 = equals.iter().map(|equal| equal.sequences()).sum();
    let share = (5 * (load + 1) * one.sequences()).div_ceil(4 * sequences.max(1));
    one.load() < share
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Standing::{Full, Loaded, Loading, Room, Unfit};
    use super::*;

    const IDLE: Standing = Loaded { sequences: 4, load: 0 };

    fn affinity(number: u64) -> Affinity {
        Affinity::of("m", "o", blake3::hash(&number.to_le_bytes()).as_bytes())
    }

    fn others<'a>(ids: &[&'a str], standing: Standing) -> Vec<Other<'a>> {
        ids.iter().map(|id| Other { id, standing }).collect()
    }

    fn first<'a>(others: &[Other<'a>], affinity: &Affinity) -> &'a str {
        others[order(None, others, affinity)[0]].id
    }

    #[test]
    fn this_box_answers_unless_another_does_so_sooner() {
        let busy = Loaded { sequences: 4, load: 4 };
        let passes =
            |here, there| !order(here, &[Other { id: "b", standing: there }], &affinity(0)).is_empty();

        assert!(!passes(Some(IDLE), IDLE), "what costs the same costs nothing here");
        assert!(!passes(Some(busy), busy) && !passes(Some(Room), Room) && !passes(Some(Full), Full));
        assert!(passes(Some(busy), IDLE) && passes(Some(Room), IDLE) && passes(Some(Unfit), Full));
        assert!(passes(Some(Room), busy), "a load takes longer than one answer");
        assert!(!passes(Some(Room), Loaded { sequences: 1, load: 9 }), "and not longer than nine");
        assert!(!passes(Some(busy), Room) && passes(Some(Loaded { sequences: 4, load: 16 }), Room));
        assert!(passes(None, Full) && !passes(None, Unfit));
        assert!(passes(Some(Full), Loading { sequences: 1, load: 1 }));
    }

    #[test]
    fn the_others_are_asked_in_the_order_in_which_they_would_begin() {
        let standing = [Full, Loaded { sequences: 1, load: 1 }, Room, IDLE];
        let others: Vec<_> = standing
            .into_iter()
            .zip(["a", "b", "c", "d"])
            .map(|(standing, id)| Other { id, standing })
            .collect();

        assert_eq!(order(None, &others, &affinity(0)), [3, 1, 2, 0]);
        assert_eq!(order(Some(Room), &others, &affinity(0)), [3, 1]);
    }

    #[test]
    fn what_was_sent_and_not_yet_heard_of_counts() {
        assert_eq!(IDLE.and(4).turns(), 1);
        assert!(Room.and(3).turns() > Room.turns());
    }

    proptest! {
        #[test]
        fn a_box_that_goes_moves_what_was_its_own_and_nothing_else(
            gone in 0_usize..5, number: u64,
        ) {
            let ids = ["a", "b", "c", "d", "e"];
            let all = others(&ids, IDLE);
            let mut left = all.clone();
            left.remove(gone);

            let (before, after) = (first(&all, &affinity(number)), first(&left, &affinity(number)));

            prop_assert!(before == after || before == ids[gone]);
        }

        #[test]
        fn nobody_gets_much_more_than_a_share(
            sequences in proptest::collection::vec(1_u32..9, 2..6), numbers in proptest::collection::vec(0_u64..3, 1..60),
        ) {
            let ids = ["a", "b", "c", "d", "e", "f"];
            // All are beyond their places, so that only shares tell them apart.
            let mut loads = vec![0; sequences.len()];
            for number in numbers {
                let others: Vec<_> = sequences.iter().zip(&loads).zip(ids).map(|((sequences, load), id)| {
                    Other { id, standing: Loaded { sequences: *sequences, load: *load } }
                }).collect();
                let index = order(None, &others, &affinity(number))[0];
                loads[index] += 1;
                let best: Vec<_> = others.iter().filter(|other| other.standing.turns() == others[index].standing.turns()).collect();
                let total: u64 = best.iter().map(|other| other.standing.load()).sum::<u64>() + 1;
                let capacity: u64 = best.iter().map(|other| other.standing.sequences()).sum();
                let most = (1.25 * total as f64 * f64::from(sequences[index]) / capacity as f64).ceil();
                prop_assert!(f64::from(loads[index]) <= most, "{loads:?} of {sequences:?}");
            }
        }
    }

    #[test]
    fn beginnings_are_spread_over_all_and_each_stays_where_it_was() {
        let all = others(&["a", "b", "c"], IDLE);
        let mut counts = std::collections::HashMap::new();
        for number in 0..300 {
            *counts.entry(first(&all, &affinity(number))).or_insert(0) += 1;
            assert_eq!(first(&all, &affinity(number)), first(&all, &affinity(number)));
        }

        assert!(counts.len() == 3 && counts.values().all(|count| *count > 60), "{counts:?}");
    }

    #[test]
    fn models_owners_and_beginnings_are_told_apart() {
        let of =
            |model, owner, beginning: &[u8]| Affinity::of(model, owner, blake3::hash(beginning).as_bytes());
        assert_ne!(of("m", "o", b"a"), of("m", "o", b"b"));
        assert_ne!(of("m", "o", b"a"), of("m", "p", b"a"));
        assert_ne!(of("mo", "", b"a"), of("m", "o", b"a"));
    }
}
