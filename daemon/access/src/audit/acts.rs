//! How much of what callers do to models is written down, of whom any program on this machine may be one: some of each kind in an
//! hour for each, and how many more there were. So nobody drives out what the owner did. Pure.

use std::collections::HashMap;
use std::time::Duration;

use super::Action;
use super::refusals::Verdict;

const WINDOW: Duration = Duration::from_secs(3600);
/// Written of one kind and one caller in a window. By kind, so that a push does not hide behind copies.
const MOST: u32 = 30;

/// One window. There are no more callers than keys that somebody made.
#[derive(Debug, Default)]
pub(super) struct Acts {
    since: Duration,
    counts: HashMap<(String, Action), Count>,
}

#[derive(Debug, Default)]
struct Count {
    written: u32,
    left_out: u64,
}

/// What was not written of one kind and one caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MoreActs {
    pub(super) who: String,
    pub(super) action: Action,
    pub(super) count: u64,
}

impl Acts {
    /// Whether the next is written.
    pub(super) fn admit(&mut self, who: &str, action: Action) -> Verdict {
        let count = self.counts.entry((who.to_owned(), action)).or_default();
        if count.written < MOST {
            count.written += 1;
            return Verdict::Write;
        }
        count.left_out += 1;
        Verdict::LeaveOut
    }

    /// Something that was left out, once the window is over; when there is nothing, another begins.
    pub(super) fn left_out(&mut self, elapsed: Duration) -> Option<MoreActs> {
        if elapsed.saturating_sub(self.since) < WINDOW {
            return None;
        }
        let more = self.counts.iter().find(|(_, count)| count.left_out > 0);
        if more.is_none() {
            *self = Self { since: elapsed, ..Self::default() };
            return None;
        }
        more.map(|((who, action), count)| MoreActs {
            who: who.clone(),
            action: *action,
            count: count.left_out,
        })
    }

    /// This was written down.
    pub(super) fn told(&mut self, more: MoreActs) {
        self.counts.remove(&(more.who, more.action));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_one_hides_nothing_of_others_nor_what_else_they_did_and_is_counted() {
        let mut acts = Acts::default();

        let copies = (0..1000).filter(|_| acts.admit("local", Action::ModelCopy) == Verdict::Write).count();
        assert_eq!(copies, MOST as usize);
        assert_eq!(acts.admit("local", Action::ModelPush), Verdict::Write);
        assert_eq!(acts.admit("key:a", Action::ModelCopy), Verdict::Write);
        assert_eq!(acts.left_out(WINDOW - Duration::from_secs(1)), None);

        let more = acts.left_out(WINDOW).unwrap();
        let count = 1000 - u64::from(MOST);
        assert_eq!(more, MoreActs { who: "local".into(), action: Action::ModelCopy, count });
        acts.told(more);
        assert_eq!(acts.left_out(WINDOW), None);
        assert_eq!(acts.admit("local", Action::ModelCopy), Verdict::Write);
    }
}
