//! The boxes that have a part of a model that does not fit here: those that this one is paired with, are near, and have the same
//! engine.

use std::collections::HashMap;
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use identity::DeviceId;
use registry::{Neighbourhood, Peer, tunnel};
use scheduler::{Borrowed, Later, Lenders, Offer};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Each token goes over the network and back several times.
const FARTHEST: Duration = Duration::from_millis(2);

/// Who would not lend itself, or did not say, is not asked again for so long: each request for a model that does not fit asks.
const REST: Duration = Duration::from_secs(10);

/// Those that this box is paired with.
#[derive(Debug)]
pub(super) struct Neighbours {
    neighbourhood: Neighbourhood,
    /// When those that are left alone may be asked again.
    rests: Mutex<HashMap<DeviceId, Instant>>,
}

impl Neighbours {
    pub(super) fn new(neighbourhood: Neighbourhood) -> Self {
        Self { neighbourhood, rests: Mutex::default() }
    }

    fn rests(&self) -> MutexGuard<'_, HashMap<DeviceId, Instant>> {
        self.rests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lenders for Neighbours {
    fn offers(&self) -> Later<'_, Vec<Offer>> {
        Box::pin(async {
            let mut asked = JoinSet::new();
            self.rests().retain(|_, until| Instant::now() < *until);
            for peer in self.neighbourhood.peers() {
                if self.rests().contains_key(&peer.id()) {
                    continue;
                }
                asked.spawn(async move {
                    let offer = offer(&peer).await;
                    (peer, offer)
                });
            }
            let mut offers = Vec::new();
            for (peer, offer) in asked.join_all().await {
                let lender = peer.name().to_string();
                match offer {
                    Ok(bytes) => offers.push(Offer { lender, bytes }),
                    Err(reason) => {
                        tracing::info!(lender, reason, "a box is not asked for a part of a model");
                        self.rests().insert(peer.id(), Instant::now() + REST);
                    }
                }
            }
            offers
        })
    }

    fn borrow<'a>(&'a self, lender: &'a str, bytes: u64) -> Later<'a, Result<Borrowed, String>> {
        Box::pin(async move {
            let peers = self.neighbourhood.peers();
            let peer = peers.into_iter().find(|peer| peer.name().to_string() == lender);
            let peer = peer.ok_or_else(|| format!("{lender} is not paired with this box any more"))?;
            let refused = |reason: String| format!("{lender} does not lend itself: {reason}");
            let theirs = peer.borrow(engine::BUILD, bytes).await;
            let theirs = theirs.map_err(|error| refused(error.to_string()))?;
            let (stream, ours) = UnixStream::pair().map_err(|error| refused(error.to_string()))?;
            let lost = CancellationToken::new();
            let borrowed = Borrowed { stream, lost: lost.clone() };
            let lender = lender.to_owned();
            // It ends with the worker at our end, or the box at the other.
            tokio::spawn(async move {
                // The worker dies of the stream's end, and by then it must be known of what.
                let held = ours.try_clone();
                if tunnel::carry(ours, theirs).await == tunnel::End::Theirs {
                    tracing::warn!(lender, "a box that lent itself for a part of a model is gone");
                    lost.cancel();
                }
                drop(held);
            });
            Ok(borrowed)
        })
    }
}

/// What a box would lend, or why it is not asked.
async fn offer(peer: &Peer) -> Result<u64, String> {
    let distance = peer.distance().await.map_err(|error| error.to_string())?;
    if distance > FARTHEST {
        return Err(format!("it is {distance:?} away, and no more than {FARTHEST:?} would do"));
    }
    let lendable = peer.lendable().await.map_err(|error| error.to_string())?;
    if lendable.engine != engine::BUILD {
        return Err(format!("its engine is {}, and this one's is {}", lendable.engine, engine::BUILD));
    }
    Ok(lendable.bytes)
}
