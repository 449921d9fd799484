//! What paired boxes said last of their models. Each is asked when a request wants to know and its word is old; one that does not
//! answer is left alone for a while. No request waits for long: what comes later is there for the next.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared, join_all},
};
use http::{Method, StatusCode};
use identity::DeviceId;
use registry::{Neighbourhood, Peer, RegistryError};
use tokio::time::{Instant, timeout};

use super::told::{Report, Told};

/// What all boxes said.
#[derive(Default)]
pub(super) struct Reports(Mutex<HashMap<DeviceId, Entry>>);

/// How long a request waits for others' word.
pub(super) const BRIEFLY: Duration = Duration::from_millis(300);
/// The same of one that nobody could answer then.
pub(super) const NOTHING_ELSE: Duration = Duration::from_secs(3);

/// For so long nobody is asked again.
const FRESH: Duration = Duration::from_secs(2);
/// What is older tells nothing.
const STALE: Duration = Duration::from_secs(15);
/// For a box to answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(3);
/// For so long a box is left alone that did not answer, and twice as long each time that it does not again.
const REST: Duration = Duration::from_secs(2);
const LONGEST_REST: Duration = Duration::from_secs(30);
/// Nobody has as many models.
const MOST_BYTES: usize = 4 << 20;

/// One of them.
#[derive(Default)]
struct Entry {
    said: Option<Said>,
    /// It is being asked.
    asking: Option<Shared<BoxFuture<'static, ()>>>,
    failures: u32,
    rests_until: Option<Instant>,
    /// What was last said of it in the log.
    trouble: Option<Trouble>,
}

/// Its word.
struct Said {
    report: Arc<Report>,
    at: Instant,
    /// Requests that it was sent since.
    sent: u32,
}

/// What is known of one.
pub(super) struct Heard {
    pub(super) peer: Peer,
    pub(super) report: Arc<Report>,
    pub(super) sent: u32,
}

/// Why a box is not to be asked for anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Trouble {
    #[error("it cannot be reached")]
    Unreachable,
    #[error(
        "the key that it gave us does not have the scope infer; pair it anew, or make a key there that has"
    )]
    LacksScope,
    #[error("the key that it gave us is of no use any more; pair it anew")]
    Revoked,
    #[error("it has no word for what its models are about: its version of hob is too old")]
    TooOld,
    #[error("it answers with the status {0}")]
    Status(StatusCode),
    #[error("what it says is no list of models")]
    Nonsense,
}

impl Reports {
    /// What those said that are paired, no older than it may be. Those that have to be asked get `patience` for it.
    pub(super) async fn of(
        self: &Arc<Self>,
        neighbourhood: &Neighbourhood,
        patience: Duration,
    ) -> Vec<Heard> {
        let peers = neighbourhood.peers();
        let asked = peers.iter().filter_map(|peer| self.ask(peer));
        let _late = timeout(patience, join_all(asked)).await;
        let mut entries = self.entries();
        // Of one that was forgotten, nothing is kept.
        entries.retain(|id, _| peers.iter().any(|peer| peer.id() == *id));
        let now = Instant::now();
        let heard = |peer: Peer| {
            let said = entries.get(&peer.id())?.said.as_ref().filter(|said| now - said.at < STALE)?;
            Some(Heard { report: Arc::clone(&said.report), sent: said.sent, peer })
        };
        peers.into_iter().filter_map(heard).collect()
    }

    /// Notes that a box gets a request, of which it has not told yet.
    pub(super) fn sent(&self, peer: &Peer) {
        if let Some(said) = self.entries().get_mut(&peer.id()).and_then(|entry| entry.said.as_mut()) {
            said.sent += 1;
        }
    }

    /// Notes that a box did not answer a request.
    pub(super) fn failed(&self, peer: &Peer) {
        self.heard(peer, Err(Trouble::Unreachable));
    }

    /// Done once it has answered; nothing, if it is not to be asked.
    fn ask(self: &Arc<Self>, peer: &Peer) -> Option<Shared<BoxFuture<'static, ()>>> {
        let mut entries = self.entries();
        let entry = entries.entry(peer.id()).or_default();
        let now = Instant::now();
        let fresh = entry.said.as_ref().is_some_and(|said| now - said.at < FRESH);
        let rests = entry.rests_until.is_some_and(|until| now < until);
        if fresh || rests {
            return None;
        }
        if let Some(asking) = &entry.asking {
            return Some(asking.clone());
        }
        let (reports, peer) = (Arc::clone(self), peer.clone());
        // By itself, so that whoever has no more patience leaves it to the next. It ends by its own time.
        let task = tokio::spawn(async move {
            reports.heard(&peer, ask(&peer).await);
        });
        let asking = task.map(drop).boxed().shared();
        entry.asking = Some(asking.clone());
        Some(asking)
    }

    fn heard(&self, peer: &Peer, said: Result<Report, Trouble>) {
        let mut entries = self.entries();
        let entry = entries.entry(peer.id()).or_default();
        entry.asking = None;
        match said {
            Ok(report) => {
                if entry.trouble.take().is_some() {
                    tracing::info!(peer = %peer.name(), "this paired box answers again");
                }
                let said = Said { report: Arc::new(report), at: Instant::now(), sent: 0 };
                *entry = Entry { said: Some(said), ..Entry::default() };
            }
            Err(trouble) => {
                let rest = REST.saturating_mul(1 << entry.failures.min(8)).min(LONGEST_REST);
                entry.failures += 1;
                entry.rests_until = Some(Instant::now() + rest);
                entry.said = None;
                if entry.trouble != Some(trouble) {
                    entry.trouble = Some(trouble);
                    tracing::warn!(peer = %peer.name(), "nothing is passed to this paired box: {trouble}");
                }
            }
        }
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<DeviceId, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn ask(peer: &Peer) -> Result<Report, Trouble> {
    let request = peer.request(Method::GET, "/peer/models").map_err(|_| Trouble::Unreachable)?;
    let (status, text) =
        peer.answer(request, MOST_BYTES, ANSWERS_WITHIN).await.map_err(|error| match error {
            RegistryError::Malformed(_) => Trouble::Nonsense,
            _ => Trouble::Unreachable,
        })?;
    match status {
        StatusCode::OK => {}
        StatusCode::FORBIDDEN => return Err(Trouble::LacksScope),
        StatusCode::UNAUTHORIZED => return Err(Trouble::Revoked),
        StatusCode::NOT_FOUND => return Err(Trouble::TooOld),
        status => return Err(Trouble::Status(status)),
    }
    let told: Told = serde_json::from_slice(&text).map_err(|_| Trouble::Nonsense)?;
    Ok(told.into())
}
