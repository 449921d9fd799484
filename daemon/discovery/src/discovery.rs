//! The handle on all of it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use identity::DeviceId;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::announcement::Announcement;
use crate::interfaces::{Links, Rules};
use crate::neighbour::{Neighbour, Phase, label_of};
use crate::session::Outlets;
use crate::supervisor::Supervisor;

/// What is to be done.
pub struct Config {
    /// Who this box is, which is none of the others, whoever announces it.
    pub own: Option<DeviceId>,
    /// What is said of this box; nothing is, if none, and others are found all the same.
    pub announce: Option<Announcement>,
    /// Where.
    pub rules: Rules,
    /// What there is.
    pub links: Links,
}

/// Announces this box, and knows which others there are. A clone is cheap, and is of the same. Whatever goes wrong here stops
/// nothing else.
#[derive(Clone)]
pub struct Discovery {
    neighbours: watch::Receiver<Arc<[Neighbour]>>,
    trouble: watch::Receiver<Option<String>>,
    phase: Arc<watch::Sender<Phase>>,
    stop: CancellationToken,
    task: TaskTracker,
}

/// How long a goodbye may take.
const LAST_WORDS: Duration = Duration::from_secs(3);
/// Places at which one box is looked for, as anybody may claim to be it.
const MOST_PLACES: usize = 32;

impl Discovery {
    /// Begins. Needs a runtime of tokio.
    pub fn start(config: Config) -> Self {
        let (known, neighbours) = watch::channel(Arc::from([]));
        let (told, trouble) = watch::channel(None);
        let said = config.announce.as_ref().map_or(Phase::Setup, |announcement| announcement.phase);
        let (phase, asked) = watch::channel(said);
        let (stop, task) = (CancellationToken::new(), TaskTracker::new());
        let outlets = Outlets { neighbours: known, trouble: told };
        task.spawn(Supervisor { config, outlets, phase: asked, stop: stop.clone() }.run());
        task.close();
        Self { neighbours, trouble, phase: Arc::new(phase), stop, task }
    }

    /// Others are told at once.
    pub fn set_phase(&self, phase: Phase) {
        self.phase.send_if_modified(|now| std::mem::replace(now, phase) != phase);
    }

    /// Says goodbye, and returns when that was said.
    pub async fn stop(&self) {
        self.stop.cancel();
        if tokio::time::timeout(LAST_WORDS, self.task.wait()).await.is_err() {
            tracing::warn!("no goodbye could be said on the network");
        }
    }

    /// Who is there, by label. This box is not among them.
    pub fn neighbours(&self) -> Vec<Neighbour> {
        self.neighbours.borrow().to_vec()
    }

    /// The same, whenever it changes; what nobody looked at in time is skipped.
    pub fn watch(&self) -> watch::Receiver<Arc<[Neighbour]>> {
        self.neighbours.clone()
    }

    /// Where a box was seen last. Whoever claims to be it is among those, so that none is to be trusted for that.
    pub fn where_is(&self, id: &DeviceId) -> Vec<SocketAddr> {
        let neighbours = self.neighbours.borrow();
        let (by_name, by_others): (Vec<_>, Vec<_>) = neighbours
            .iter()
            .filter(|neighbour| neighbour.claims_to_be(id))
            .partition(|neighbour| neighbour.label == id.label());
        let all = by_name.into_iter().chain(by_others).flat_map(Neighbour::sockets);
        all.take(MOST_PLACES).collect()
    }

    /// Where boxes of this name are, as `hob-abcd.local`: for systems that do not look up such names.
    pub fn places_of(&self, host: &str) -> Vec<SocketAddr> {
        let label = label_of(host);
        let neighbours = self.neighbours.borrow();
        let called = neighbours.iter().filter(|neighbour| Some(neighbour.label.as_str()) == label);
        called.flat_map(Neighbour::sockets).take(MOST_PLACES).collect()
    }

    /// What is wrong with it, for the box's owner.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.borrow().clone()
    }
}

impl fmt::Debug for Discovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Discovery").finish_non_exhaustive()
    }
}
