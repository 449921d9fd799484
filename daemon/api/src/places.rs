//! Places for what holds much or lasts long: so many in all, and so many of them for one owner, so that nobody has them all.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use protocol::Owner;
use tokio::{sync::Notify, time::timeout};

/// For how long one is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// All of them. A clone is the same.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    most: usize,
    most_each: usize,
    taken: Arc<Mutex<HashMap<Owner, usize>>>,
    /// Told whenever one is given back.
    freed: Arc<Notify>,
}

/// One of them, until it is dropped.
#[derive(Debug)]
pub(crate) struct Taken {
    owner: Owner,
    of: Places,
}

impl Places {
    pub(crate) fn new(most: usize, most_each: usize) -> Self {
        Self { most, most_each, taken: Arc::default(), freed: Arc::default() }
    }

    /// One of them, if there is one for this owner.
    pub(crate) fn take(&self, owner: Owner) -> Option<Taken> {
        let mut taken = self.taken();
        if taken.values().sum::<usize>() >= self.most {
            return None;
        }
        let own = taken.get(&owner).copied().unwrap_or_default();
        if own >= self.most_each {
            return None;
        }
        taken.insert(owner, own + 1);
        Some(Taken { owner, of: self.clone() })
    }

    /// The same, as soon as there is one, if that is soon.
    pub(crate) async fn wait(&self, owner: Owner) -> Option<Taken> {
        let waiting = async {
            loop {
                let mut freed = pin!(self.freed.notified());
                freed.as_mut().enable();
                if let Some(taken) = self.take(owner) {
                    return taken;
                }
                freed.await;
            }
        };
        timeout(PATIENCE, waiting).await.ok()
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<Owner, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut taken = self.of.taken();
        if let Some(own) = taken.get_mut(&self.owner) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.owner);
            }
        }
        drop(taken);
        self.of.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_has_some_and_all_have_more_and_what_is_given_back_is_there_again() {
        let places = Places::new(3, 2);
        let mut ones = vec![places.take(Owner(1)).unwrap(), places.take(Owner(1)).unwrap()];
        assert!(places.take(Owner(1)).is_none());
        let others = places.take(Owner(2)).unwrap();
        assert!(places.take(Owner(3)).is_none());

        ones.pop();
        let again = places.take(Owner(3)).unwrap();
        drop((ones, others, again));
        assert!(places.taken().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn one_is_waited_for_and_not_for_ever() {
        let places = Places::new(1, 1);
        let taken = places.take(Owner(1)).unwrap();
        assert!(places.wait(Owner(2)).await.is_none());

        let (got, ()) = tokio::join!(places.wait(Owner(2)), async { drop(taken) });
        assert!(got.is_some());
    }
}
