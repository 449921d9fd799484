//! Where a paired box is by now. Anybody may announce that it is somewhere, or have its address by now: so a place counts only once
//! the box itself, which is told nothing for that, has shown that it is there.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use identity::pairing::{Paired, PairingError};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Mutex as Turn;
use tokio::task::{JoinError, JoinSet};

use crate::Whereabouts;

/// How long a box may take to show that it is somewhere.
const PATIENCE: Duration = Duration::from_secs(2);
/// For so long nobody but the likeliest place is asked.
const HEAD_START: Duration = Duration::from_millis(200);
/// For so long it need not be shown again.
const FRESH: Duration = Duration::from_secs(1);

/// Of one paired box. A clone is cheap, and is of the same.
#[derive(Clone)]
pub(crate) struct Places(Arc<Inner>);

struct Inner {
    paired: Paired,
    whereabouts: Whereabouts,
    /// Where it was shown last, and when.
    shown: Mutex<Option<(SocketAddr, Instant)>>,
    /// It is looked for once at a time.
    turn: Turn<()>,
}

impl Places {
    pub(crate) fn of(paired: &Paired, whereabouts: Whereabouts) -> Self {
        let paired = paired.clone().with_key(None);
        Self(Arc::new(Inner { paired, whereabouts, shown: Mutex::default(), turn: Turn::default() }))
    }

    /// Whether these are of a box that was paired there and by that name.
    pub(crate) fn are_of(&self, paired: &Paired) -> bool {
        let known = &self.0.paired;
        (known.address(), known.place()) == (paired.address(), paired.place())
    }

    /// The port at which it was shown last, or was paired.
    pub(crate) fn port(&self) -> u16 {
        let shown = *self.0.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.map_or(self.0.paired.address().port(), |(place, _)| place.port())
    }

    /// Where the box is, as it has just shown.
    pub(crate) async fn find(&self) -> io::Result<SocketAddr> {
        let _turn = self.0.turn.lock().await;
        let shown = *self.0.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((place, at)) = shown
            && at.elapsed() < FRESH
        {
            return Ok(place);
        }
        let found = self.look(shown.map(|(place, _)| place)).await?;
        *self.0.shown.lock().unwrap_or_else(PoisonError::into_inner) = Some((found, Instant::now()));
        Ok(found)
    }

    /// Where it was last, then everywhere at once: whoever claims to be it in many places does not keep it from being found.
    async fn look(&self, last: Option<SocketAddr>) -> io::Result<SocketAddr> {
        let seen = (self.0.whereabouts)(&self.0.paired.id());
        let mut places: Vec<SocketAddr> = Vec::new();
        for place in last.into_iter().chain(self.0.paired.place()).chain(seen) {
            if !places.contains(&place) {
                places.push(place);
            }
        }
        let (mut tried, mut failed) = (JoinSet::new(), Failed(None));
        let mut places = places.into_iter();
        if let Some(likeliest) = places.next() {
            self.try_at(likeliest, &mut tried);
            let ended = tokio::time::timeout(HEAD_START, tried.join_next()).await;
            if let Some(place) = ended.ok().flatten().and_then(|ended| failed.unless(ended)) {
                return Ok(place);
            }
        }
        places.for_each(|place| self.try_at(place, &mut tried));
        tried.spawn(self.clone().by_name());
        match failed.first(&mut tried).await {
            Some(place) => Ok(place),
            None => Err(failed.told()),
        }
    }

    fn try_at(&self, place: SocketAddr, tried: &mut JoinSet<Tried>) {
        let inner = Arc::clone(&self.0);
        tried.spawn_blocking(move || inner.paired.prove(place, PATIENCE).map(|()| place).map_err(Some));
    }

    /// Where its address leads.
    async fn by_name(self) -> Tried {
        let address = self.0.paired.address();
        let host = address.host();
        let led = tokio::net::lookup_host((host.as_str(), address.port()));
        let Ok(Ok(led)) = tokio::time::timeout(PATIENCE, led).await else { return Err(None) };
        let (mut tried, mut failed) = (JoinSet::new(), Failed(None));
        led.for_each(|place| self.try_at(place, &mut tried));
        match failed.first(&mut tried).await {
            Some(place) => Ok(place),
            None => Err(failed.0),
        }
    }
}

/// A place, or why it is none, if that says anything.
type Tried = Result<SocketAddr, Option<PairingError>>;

/// Why there is no place: that somebody else is there, rather than nobody.
struct Failed(Option<PairingError>);

impl Failed {
    async fn first(&mut self, tried: &mut JoinSet<Tried>) -> Option<SocketAddr> {
        while let Some(ended) = tried.join_next().await {
            if let Some(place) = self.unless(ended) {
                return Some(place);
            }
        }
        None
    }

    fn unless(&mut self, ended: Result<Tried, JoinError>) -> Option<SocketAddr> {
        match ended {
            Ok(Ok(place)) => return Some(place),
            Ok(Err(Some(other)))
                if self.0.is_none() || matches!(other, PairingError::Certificates { .. }) =>
            {
                self.0 = Some(other);
            }
            _ => {}
        }
        None
    }

    fn told(self) -> io::Error {
        self.0.map_or_else(
            || io::Error::new(io::ErrorKind::NotFound, "its name is not known"),
            io::Error::other,
        )
    }
}

impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Places").field(self.0.paired.address()).finish()
    }
}

impl Resolve for Places {
    /// Whatever its name: its certificates tell whether it is the one.
    fn resolve(&self, _name: Name) -> Resolving {
        let places = self.clone();
        Box::pin(async move {
            let found = places.find().await?;
            // The port is the address's: of a box that has another by now, the next request says that.
            Ok(Box::new(std::iter::once(found)) as Addrs)
        })
    }
}
