//! Paired boxes as they help with one pull: which has what, and which of them is asked for the next part. They are only ever
//! asked for blobs that the manifest names, and the pull begins whether they have answered or not.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use identity::pairing::BoxName;
use store::{BlobRef, Digest};
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};

use crate::{Peer, RegistryError};

/// How long a pull waits for the first of them to say that it has a blob, from the manifest on.
const FIRST_WORD: Duration = Duration::from_millis(500);

/// How long it waits for the others then, so that the first parts are spread already. Who comes later helps later.
const OTHERS: Duration = Duration::from_millis(100);

/// Questions to one of them at once.
const QUESTIONS: usize = 8;

/// Parts from one of them at once. So many fill the line, and the fewer they are the closer the hash follows.
const PARTS: usize = 3;

/// One that failed is left alone for so long, and for longer each time.
const REST: Duration = Duration::from_secs(2);

/// How many times that at the longest.
const LONGEST_REST: u32 = 8;

/// All of one pull. Dropping it ends the asking.
#[derive(Debug)]
pub(crate) struct Suppliers {
    all: Vec<Arc<Supplier>>,
    known: Arc<watch::Sender<Known>>,
    asking: Vec<AbortHandle>,
    first_word_until: Instant,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct Supplier {
    pub(crate) peer: Peer,
    /// Parts that are to come from it.
    running: AtomicUsize,
    places: Semaphore,
    standing: Mutex<Standing>,
}

#[derive(Clone, Copy, Debug)]
enum Standing {
    Good,
    /// It failed so often in a row, and is not asked until then if anybody else is there.
    Resting {
        failures: u32,
        until: Instant,
    },
    /// Not asked again.
    Out,
}

/// What they said.
#[derive(Debug, Default)]
struct Known {
    /// By their place among all.
    have: HashMap<Digest, Vec<usize>>,
    /// How many have not said yet.
    unsaid: HashMap<Digest, usize>,
}

impl Suppliers {
    /// These, who are being asked for these blobs from now on. The manifest is `named`'s, if it is anybody's of them: then it
    /// has all of them.
    pub(crate) fn asked(peers: Vec<Peer>, named: Option<&BoxName>, blobs: &[BlobRef]) -> Self {
        let all: Vec<Arc<Supplier>> = peers.into_iter().map(|peer| Arc::new(Supplier::of(peer))).collect();
        let mut known = Known::default();
        for blob in blobs {
            known.unsaid.insert(blob.digest, all.len());
        }
        let known = Arc::new(watch::channel(known).0);
        let blobs: Arc<[BlobRef]> = blobs.into();
        let ask = |(place, supplier): (usize, &Arc<Supplier>)| {
            let (supplier, blobs, known) = (Arc::clone(supplier), Arc::clone(&blobs), Arc::clone(&known));
            if named == Some(supplier.peer.name()) {
                blobs.iter().for_each(|blob| said(&known, blob.digest, place, true));
                return None;
            }
            Some(tokio::spawn(async move { supplier.say(place, &blobs, &known).await }).abort_handle())
        };
        let asking = all.iter().enumerate().filter_map(ask).collect();
        Self { all, known, asking, first_word_until: Instant::now() + FIRST_WORD }
    }

    /// Waits until it is clear enough who has this blob, and not for long.
    pub(crate) async fn settled(&self, digest: &Digest) {
        let mut known = self.known.subscribe();
        let somebody = known.wait_for(|known| known.is_settled(digest) || known.have.contains_key(digest));
        if timeout_at(self.first_word_until, somebody).await.is_ok() {
            let until = self.first_word_until.min(Instant::now() + OTHERS);
            let _late_ones_come_later =
                timeout_at(until, known.wait_for(|known| known.is_settled(digest))).await;
        }
    }

    /// The one to ask for a part of this blob: of those that have not failed of late, the one of whom least is asked.
    pub(crate) fn choose(&self, digest: &Digest) -> Option<Arc<Supplier>> {
        let now = Instant::now();
        self.having(digest).into_iter().filter(|one| one.is_good(now)).min_by_key(|one| one.running())
    }

    /// The same, where there is nobody else: the one that has rested most.
    pub(crate) fn choose_resting(&self, digest: &Digest) -> Option<Arc<Supplier>> {
        let having = self.having(digest).into_iter();
        having
            .filter_map(|one| Some((one.rests_until()?, one)))
            .min_by_key(|(until, _)| *until)
            .map(|(_, one)| one)
    }

    /// How long until one of those that rest has rested.
    pub(crate) fn rest_left(&self, digest: &Digest) -> Option<Duration> {
        let soonest = self.having(digest).iter().filter_map(|one| one.rests_until()).min()?;
        Some(soonest.saturating_duration_since(Instant::now()))
    }

    /// Those that said they have it, and have not been found to lie.
    pub(crate) fn having(&self, digest: &Digest) -> Vec<Arc<Supplier>> {
        let known = self.known.borrow();
        let places = known.have.get(digest).into_iter().flatten();
        places.map(|place| Arc::clone(&self.all[*place])).filter(|one| !one.is_out()).collect()
    }

    /// It said that it had the blob, and does not have it.
    pub(crate) fn lacks(&self, digest: &Digest, one: &Arc<Supplier>) {
        self.known.send_modify(|known| {
            if let Some(having) = known.have.get_mut(digest) {
                having.retain(|place| !Arc::ptr_eq(&self.all[*place], one));
            }
        });
    }
}

impl Drop for Suppliers {
    fn drop(&mut self) {
        self.asking.iter().for_each(AbortHandle::abort);
    }
}

impl Known {
    fn is_settled(&self, digest: &Digest) -> bool {
        self.unsaid.get(digest).is_none_or(|unsaid| *unsaid == 0)
    }
}

fn said(known: &watch::Sender<Known>, digest: Digest, place: usize, has: bool) {
    known.send_modify(|known| {
        if let Some(unsaid) = known.unsaid.get_mut(&digest) {
            *unsaid = unsaid.saturating_sub(1);
        }
        if has {
            known.have.entry(digest).or_default().push(place);
        }
    });
}

impl Supplier {
    fn of(peer: Peer) -> Self {
        let (running, places) = (AtomicUsize::new(0), Semaphore::new(PARTS));
        Self { peer, running, places, standing: Mutex::new(Standing::Good) }
    }

    pub(crate) fn name(&self) -> &BoxName {
        self.peer.name()
    }

    /// Says of each blob whether it has it. Once it does not answer, it is not asked of the others.
    async fn say(&self, place: usize, blobs: &[BlobRef], known: &watch::Sender<Known>) {
        let answers = stream::iter(blobs.to_vec())
            .map(async |blob: BlobRef| (blob.digest, self.peer.has_blob(&blob).await));
        let mut answers = std::pin::pin!(answers.buffered(QUESTIONS));
        let mut told = 0;
        while let Some((digest, answer)) = answers.next().await {
            told += 1;
            match answer {
                Ok(has) => said(known, digest, place, has),
                Err(error) => {
                    tracing::debug!(peer = %self.name(), %error, "a paired box does not say what it has");
                    said(known, digest, place, false);
                    break;
                }
            }
        }
        blobs.iter().skip(told).for_each(|blob| said(known, blob.digest, place, false));
    }

    /// One more part comes from it, until what is returned is dropped. Waits for its turn.
    pub(crate) async fn begin(&self) -> Running<'_> {
        let counted = Counted::of(&self.running);
        Running { _counted: counted, _place: self.places.acquire().await.ok() }
    }

    /// It sent something.
    pub(crate) fn succeeded(&self) {
        let mut standing = self.standing();
        if matches!(*standing, Standing::Resting { .. }) {
            *standing = Standing::Good;
        }
    }

    /// It did not send what it was asked for.
    pub(crate) fn failed(&self, error: &RegistryError) {
        let mut standing = self.standing();
        tracing::info!(peer = %self.name(), %error, "a paired box failed in a pull");
        *standing = if error.is_transient() { standing.rested(Instant::now()) } else { Standing::Out };
    }

    /// What it sent was not what it had to be.
    pub(crate) fn lied(&self) {
        *self.standing() = Standing::Out;
    }

    pub(crate) fn is_good(&self, now: Instant) -> bool {
        self.standing().is_good(now)
    }

    fn rests_until(&self) -> Option<Instant> {
        match *self.standing() {
            Standing::Resting { until, .. } => Some(until),
            Standing::Good | Standing::Out => None,
        }
    }

    fn is_out(&self) -> bool {
        matches!(*self.standing(), Standing::Out)
    }

    fn running(&self) -> usize {
        self.running.load(Ordering::Relaxed)
    }

    fn standing(&self) -> std::sync::MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Standing {
    fn is_good(self, now: Instant) -> bool {
        match self {
            Self::Good => true,
            Self::Resting { until, .. } => until <= now,
            Self::Out => false,
        }
    }

    /// After one more failure that may have been chance.
    fn rested(self, now: Instant) -> Self {
        match self {
            // All parts that come from it fail together, and count once.
            Self::Resting { until, .. } if until > now => self,
            Self::Resting { failures, .. } => {
                let failures = failures + 1;
                Self::Resting { failures, until: now + REST * failures.min(LONGEST_REST) }
            }
            Self::Good => Self::Resting { failures: 1, until: now + REST },
            Self::Out => Self::Out,
        }
    }
}

/// A part that is coming from a box.
pub(crate) struct Running<'a> {
    _counted: Counted<'a>,
    _place: Option<SemaphorePermit<'a>>,
}

struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn of(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_fails_again_and_again_rests_longer_and_who_lied_is_not_asked_again() {
        let start = Instant::now();
        let once = Standing::Good.rested(start);
        assert!(!once.is_good(start) && once.is_good(start + REST));
        // The other parts that broke off with the first.
        assert!(once.rested(start).is_good(start + REST));

        let again = once.rested(start + REST);
        assert!(!again.is_good(start + REST * 2) && again.is_good(start + REST * 3));
        let mut many = again;
        for _ in 0..99 {
            many = many.rested(start + REST * 1000);
        }
        assert!(many.is_good(start + REST * (1000 + LONGEST_REST)));
        assert!(!Standing::Out.rested(start).is_good(start + REST * 1000));
    }
}
