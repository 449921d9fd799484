//! Browsers that are signed in: all in memory, where they are found by the hash of what the browser has, and written through to
//! the state. Who may sign in is `people`'s to know.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use protocol::Owner;
use rand::distr::{Alphanumeric, SampleString as _};
use sha2::{Digest as _, Sha256};
use state::{CLOCK_SET, Clock, SessionRow, State, StateError};
use tokio_util::sync::CancellationToken;

use crate::audit;

/// What a browser has to be known by: 256 random bits. Told to it once; only its hash is kept.
#[derive(Clone)]
pub struct SessionSecret(String);

/// Letters and digits that carry 256 bits.
const SECRET_LENGTH: usize = 43;

impl SessionSecret {
    fn generate() -> Self {
        Self(Alphanumeric.sample_string(&mut rand::rng(), SECRET_LENGTH))
    }

    /// The text, to be told to the browser.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// Not the secret: it would stand in a log.
impl fmt::Debug for SessionSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionSecret")
    }
}

/// A session, as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// What it is called. It opens nothing.
    pub id: String,
    /// Whose it is.
    pub owner: Owner,
    /// Seconds since 1970.
    pub created: i64,
    /// Seconds since 1970.
    pub last_seen: i64,
    /// From where it was made.
    pub address: Option<IpAddr>,
    /// What the browser says it is.
    pub agent: String,
}

/// Without a request for so long it is over.
const MOST_IDLE: i64 = 12 * 3600;
/// And after so long at the latest.
const MOST_AGE: i64 = 7 * 24 * 3600;
/// Between two notes of when it was last seen.
const NOTE_SECONDS: i64 = 60;
/// Of one person. The one that was not seen for longest makes room.
const MOST_OF_ONE: usize = 32;
/// Of what a browser says it is.
const MOST_AGENT: usize = 200;

#[derive(Debug)]
pub(crate) struct Sessions {
    state: State,
    clock: Clock,
    by_hash: RwLock<HashMap<[u8; 32], Arc<Live>>>,
}

/// One in memory.
#[derive(Debug)]
pub(crate) struct Live {
    row: SessionRow,
    made: Moment,
    seen: AtomicI64,
    seen_running: AtomicI64,
    noted: AtomicI64,
    /// Cancelled when it is over.
    pub(crate) end: CancellationToken,
}

/// A time, by a clock that can be set and by one that cannot.
#[derive(Clone, Copy, Debug)]
struct Moment {
    wall: i64,
    running: i64,
}

impl Moment {
    fn of(clock: &Clock) -> Self {
        Self { wall: clock.now(), running: i64::try_from(clock.elapsed().as_secs()).unwrap_or(i64::MAX) }
    }

    /// Seconds. A box that was asleep, or off, knows of them by the clock that can be set; one whose clock was set meanwhile, or
    /// set back, by the other.
    fn since(self, then: Self) -> i64 {
        let running = self.running.saturating_sub(then.running);
        if self.wall < CLOCK_SET || then.wall < CLOCK_SET {
            running
        } else {
            running.max(self.wall - then.wall)
        }
    }
}

impl Live {
    fn new(row: SessionRow, now: Moment) -> Self {
        Self {
            made: Moment { wall: row.created, running: now.running },
            seen: row.seen.into(),
            seen_running: now.running.into(),
            noted: row.seen.into(),
            end: CancellationToken::new(),
            row,
        }
    }

    fn is_over(&self, now: Moment) -> bool {
        let seen = Moment {
            wall: self.seen.load(Ordering::Relaxed),
            running: self.seen_running.load(Ordering::Relaxed),
        };
        now.since(seen) >= MOST_IDLE || now.since(self.made) >= MOST_AGE
    }

    pub(crate) fn is_over_by(&self, clock: &Clock) -> bool {
        self.is_over(Moment::of(clock))
    }

    pub(crate) fn id(&self) -> &str {
        &self.row.id
    }

    pub(crate) fn owner(&self) -> Owner {
        self.row.owner
    }

    fn listed(&self) -> Session {
        Session {
            id: self.row.id.clone(),
            owner: self.row.owner,
            created: self.row.created,
            last_seen: self.seen.load(Ordering::Relaxed),
            address: self.address(),
            agent: self.row.agent.clone(),
        }
    }

    fn address(&self) -> Option<IpAddr> {
        self.row.address.as_ref()?.parse().ok()
    }
}

impl Sessions {
    /// Reads those that are not over.
    pub(crate) fn open(state: State, clock: Clock) -> Result<Self, StateError> {
        let now = Moment::of(&clock);
        // One from before the clock was set may be of any age once it is.
        let unknown_age = |row: &SessionRow| row.created < CLOCK_SET && now.wall >= CLOCK_SET;
        let (over, live): (Vec<_>, Vec<_>) = state
            .sessions()?
            .into_iter()
            .map(|row| (unknown_age(&row), Live::new(row, now)))
            .partition(|(unknown_age, live)| *unknown_age || live.is_over(now));
        state.end_sessions(over.iter().map(|(_, live)| live.id()))?;
        let by_hash = live.into_iter().map(|(_, live)| (live.row.hash, Arc::new(live))).collect();
        Ok(Self { state, clock, by_hash: RwLock::new(by_hash) })
    }

    /// One that is to be kept, and then begun.
    pub(crate) fn make(
        &self,
        owner: Owner,
        address: Option<IpAddr>,
        agent: &str,
    ) -> (SessionSecret, SessionRow) {
        let secret = SessionSecret::generate();
        let now = self.clock.now();
        let row = SessionRow {
            id: format!("ses_{}", Alphanumeric.sample_string(&mut rand::rng(), 8)),
            hash: hash(&secret.0),
            owner,
            created: now,
            seen: now,
            address: address.map(|address| address.to_canonical().to_string()),
            agent: audit::printable(agent, MOST_AGENT),
        };
        (secret, row)
    }

    /// Begins one that was kept.
    pub(crate) fn begin(&self, row: SessionRow) -> Result<Arc<Live>, StateError> {
        let live = Arc::new(Live::new(row, Moment::of(&self.clock)));
        let mut all = self.by_hash.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(live.row.hash, Arc::clone(&live));
        let of_owner = || all.values().filter(|other| other.owner() == live.owner());
        let longest_unseen = (of_owner().count() > MOST_OF_ONE).then(|| {
            of_owner().min_by_key(|other| other.seen_running.load(Ordering::Relaxed)).map(Arc::clone)
        });
        drop(all);
        if let Some(unseen) = longest_unseen.flatten() {
            self.end(|other| other.id() == unseen.id())?;
        }
        Ok(live)
    }

    /// The one that a browser has, if it is not over. It is seen now.
    pub(crate) fn find(&self, secret: &str) -> Option<Arc<Live>> {
        if secret.len() != SECRET_LENGTH {
            return None;
        }
        let live = Arc::clone(self.read().get(&hash(secret))?);
        let now = Moment::of(&self.clock);
        if live.is_over(now) {
            return None;
        }
        live.seen.store(now.wall, Ordering::Relaxed);
        live.seen_running.store(now.running, Ordering::Relaxed);
        Some(live)
    }

    /// All that are not over, the oldest first.
    pub(crate) fn list(&self) -> Vec<Session> {
        let now = Moment::of(&self.clock);
        let mut listed: Vec<_> =
            self.read().values().filter(|live| !live.is_over(now)).map(|live| live.listed()).collect();
        listed.sort_by(|one, other| (one.created, &one.id).cmp(&(other.created, &other.id)));
        listed
    }

    /// Whether somebody is signed in from there.
    pub(crate) fn knows(&self, owner: Owner, address: IpAddr) -> bool {
        let now = Moment::of(&self.clock);
        let address = Some(address.to_canonical());
        self.read()
            .values()
            .any(|live| live.owner() == owner && live.address() == address && !live.is_over(now))
    }

    /// Ends some: at once, even if the state does not keep it.
    pub(crate) fn end(&self, which: impl Fn(&Live) -> bool) -> Result<usize, StateError> {
        let ended = self.forget(which);
        self.state.end_sessions(ended.iter().map(|live| live.id()))?;
        Ok(ended.len())
    }

    /// The same of those that the state has ended already.
    pub(crate) fn forget(&self, which: impl Fn(&Live) -> bool) -> Vec<Arc<Live>> {
        let mut all = self.by_hash.write().unwrap_or_else(PoisonError::into_inner);
        let ended: Vec<_> = all.extract_if(|_, live| which(live)).map(|(_, live)| live).collect();
        drop(all);
        for live in &ended {
            live.end.cancel();
        }
        ended
    }

    /// Ends those that are over by now, and writes when the others were last seen.
    pub(crate) fn flush(&self) -> Result<(), StateError> {
        let now = Moment::of(&self.clock);
        if self.read().values().any(|live| live.is_over(now)) {
            self.end(|live| live.is_over(now))?;
        }
        let unnoted = |live: &&Arc<Live>| {
            (live.seen.load(Ordering::Relaxed) - live.noted.load(Ordering::Relaxed)).abs() >= NOTE_SECONDS
        };
        let seen: Vec<_> = self.read().values().filter(unnoted).map(Arc::clone).collect();
        if seen.is_empty() {
            return Ok(());
        }
        let seen: Vec<_> = seen.iter().map(|live| (live, live.seen.load(Ordering::Relaxed))).collect();
        self.state.sessions_seen(seen.iter().map(|(live, seen)| (live.id(), *seen)))?;
        for (live, seen) in seen {
            live.noted.store(seen, Ordering::Relaxed);
        }
        Ok(())
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, HashMap<[u8; 32], Arc<Live>>> {
        self.by_hash.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The secret has more bits than anybody can guess, so that no slow hash is needed, and finding it by its hash tells nothing.
fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret).into()
}
