//! The handle on all of it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use identity::DeviceId;
use tokio::sync::watch;

use crate::interfaces::{Links, Rules};
use crate::neighbour::{Neighbour, Phase};

/// What is to be done.
pub struct Config {
    /// What is said of this box; nothing is, if none, and others are found all the same.
    pub announce: Option<Announcement>,
    /// Where.
    pub rules: Rules,
    /// What there is.
    pub links: Links,
}

/// What is said of this box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Who it is.
    pub id: DeviceId,
    /// Where it listens for TLS.
    pub listens: Vec<SocketAddr>,
    /// The version of Hob.
    pub version: String,
    /// What it can be asked for.
    pub phase: Phase,
}

/// Announces this box, and knows which others there are. A clone is cheap, and is of the same. Whatever goes wrong here stops
/// nothing else.
#[derive(Clone)]
pub struct Discovery {
    neighbours: watch::Receiver<Arc<[Neighbour]>>,
    phase: Arc<watch::Sender<Phase>>,
    trouble: watch::Receiver<Option<String>>,
}

impl Discovery {
    /// Begins. Needs a runtime of tokio.
    pub fn start(config: Config) -> Self {
        let (_, neighbours) = watch::channel(Arc::from([]));
        let (_, trouble) = watch::channel(None);
        let phase = config.announce.map_or(Phase::Setup, |announcement| announcement.phase);
        Self { neighbours, trouble, phase: Arc::new(watch::Sender::new(phase)) }
    }

    /// Others are told at once.
    pub fn set_phase(&self, phase: Phase) {
        self.phase.send_if_modified(|now| std::mem::replace(now, phase) != phase);
    }

    /// Says goodbye, and returns when that is said.
    pub async fn stop(&self) {}

    /// Who is there, by label. This box is not among them.
    pub fn neighbours(&self) -> Vec<Neighbour> {
        self.neighbours.borrow().to_vec()
    }

    /// The same whenever it changes; what nobody looked at in time is skipped.
    pub fn watch(&self) -> watch::Receiver<Arc<[Neighbour]>> {
        self.neighbours.clone()
    }

    /// Where a box was seen last: whoever claims to be it, so more than one if somebody lies.
    pub fn where_is(&self, id: &DeviceId) -> Vec<SocketAddr> {
        let neighbours = self.neighbours.borrow();
        neighbours
            .iter()
            .filter(|neighbour| neighbour.claims_to_be(id))
            .flat_map(Neighbour::sockets)
            .collect()
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
