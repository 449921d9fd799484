//! How far the reader of an answer is behind the worker that makes it, and when that is too far. Decides only.

/// What waits of one answer.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    events: usize,
    held: bool,
}

/// So many events wait for a reader who does not come, some kilobytes each at the most.
const MOST: usize = 64;

/// A worker goes on before its reader has nothing left: there and back takes a moment.
const FEW: usize = 16;

/// What the worker is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    Hold,
    Release,
}

impl Backlog {
    /// One more waits.
    pub(crate) fn grow(&mut self) -> Option<Pace> {
        self.events += 1;
        let too_many = !self.held && self.events >= MOST;
        self.held |= too_many;
        too_many.then_some(Pace::Hold)
    }

    /// One was read.
    pub(crate) fn shrink(&mut self) -> Option<Pace> {
        self.events = self.events.saturating_sub(1);
        let caught_up = self.held && self.events <= FEW;
        self.held &= !caught_up;
        caught_up.then_some(Pace::Release)
    }

    pub(crate) fn is_held(&self) -> bool {
        self.held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_held_once_and_released_once_its_reader_has_caught_up() {
        let mut backlog = Backlog::default();
        let grown: Vec<_> = (0..MOST + 10).filter_map(|_| backlog.grow()).collect();
        assert_eq!((grown, backlog.is_held()), (vec![Pace::Hold], true));

        let read: Vec<_> = (0..MOST + 10).map(|_| backlog.shrink()).collect();
        assert_eq!(read.iter().position(Option::is_some), Some(MOST + 10 - FEW - 1));
        assert_eq!(read.iter().flatten().count(), 1);

        assert!(
            (0..1000).all(|_| backlog.grow().or(backlog.shrink()).is_none()),
            "one that keeps up is never held"
        );
    }
}
