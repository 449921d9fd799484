//! The keys there are: all in memory, where they are found by the hash of their text, and written through to the state. What a
//! key's text looks like is `key`'s, what one may is `policy`'s.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use protocol::Owner;
use state::{KeyRow, LastUse, NewKeyRow, State};
use tokio_util::sync::CancellationToken;

use crate::audit::{Action, Audit, Event, Outcome};
use crate::caller::{Pass, Who};
use crate::key::{self, Hash, InvalidKey, KeyId, Secret};
use crate::life::{Age, Life};
use crate::policy::Policy;
use crate::time::Time;
use crate::usage::{Account, Accounts};
use crate::{Caller, Denied, KeyError, OpenKeysError};

/// A key, as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its public name.
    pub id: KeyId,
    /// What people call it.
    pub name: String,
    /// Its first and last characters.
    pub shown: String,
    /// Whose what it asks for is.
    pub owner: Owner,
    /// What it may, and how much.
    pub policy: Arc<Policy>,
    /// When it was made. Seconds since 1970, as are all times here.
    pub created: i64,
    /// From when on it is of no use.
    pub expires: Option<i64>,
    /// When it was last presented, to the minute.
    pub last_used: Option<i64>,
}

/// A key that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKey {
    /// What people will call it: 1 to 64 characters.
    pub name: String,
    /// What it may, and how much.
    pub policy: Policy,
    /// From when on it is of no use, in seconds since 1970.
    pub expires: Option<i64>,
}

/// Seconds between two notes of when a key was last used.
const NOTE_SECONDS: u64 = 60;

/// Characters of a name.
const MOST_NAME: usize = 64;

/// Patterns, and networks, of one key: each is tried with each request.
const MOST_ENTRIES: usize = 64;

/// Never, among seconds.
const NEVER: i64 = i64::MIN;

#[derive(Debug)]
pub(crate) struct Keys {
    state: State,
    time: Time,
    accounts: Arc<Accounts>,
    audit: Arc<Audit>,
    by_hash: RwLock<HashMap<Hash, Arc<Live>>>,
    /// Held while the state and the memory are changed alike.
    changing: Mutex<()>,
}

/// A key in memory.
#[derive(Debug)]
struct Live {
    id: KeyId,
    name: String,
    shown: String,
    created: i64,
    expires: Option<i64>,
    policy: Arc<Policy>,
    account: Arc<Account>,
    label: Arc<str>,
    revoked: bool,
    last_used: AtomicI64,
    /// When it was last used, as far as is written.
    noted: AtomicI64,
    /// Of those who came by it since it was last over.
    end: Mutex<CancellationToken>,
}

impl Keys {
    pub(crate) fn open(
        state: &State,
        time: &Time,
        accounts: &Arc<Accounts>,
        audit: &Arc<Audit>,
        rows: Vec<KeyRow>,
    ) -> Result<Self, OpenKeysError> {
        let live = |row: KeyRow| {
            let hash = Hash(row.key.hash);
            Ok((hash, Arc::new(Live::new(row, accounts)?)))
        };
        let by_hash = rows.into_iter().map(live).collect::<Result<_, OpenKeysError>>()?;
        Ok(Self {
            state: state.clone(),
            time: time.clone(),
            accounts: Arc::clone(accounts),
            audit: Arc::clone(audit),
            by_hash: RwLock::new(by_hash),
            changing: Mutex::default(),
        })
    }

    /// Who comes by this text. It is looked up by its hash, and compared with nothing else: see [`Hash`].
    pub(crate) fn identify(&self, text: &str, address: Option<IpAddr>) -> Result<Caller, Denied> {
        let hash = key::parse(text).map_err(|invalid| match invalid {
            InvalidKey::NotOurs => Denied::NotAKey,
            InvalidKey::Mistyped => Denied::MistypedKey,
        })?;
        let key = self.live().get(&hash).map(Arc::clone).ok_or(Denied::UnknownKey)?;
        if key.revoked {
            return Err(Denied::RevokedKey);
        }
        // Taken first: should it be over from here on, then so is this.
        let end = lock(&key.end).clone();
        let now = self.time.now();
        if key.is_expired(now) {
            return Err(Denied::ExpiredKey);
        }
        if !key.policy.allows_address(address) {
            return Err(Denied::WrongNetwork);
        }
        key.last_used.store(now, Ordering::Relaxed);
        Ok(Caller::by(Pass {
            who: Who::Key(key.id),
            scopes: key.policy.granted(),
            name: Arc::clone(&key.label),
            account: Arc::clone(&key.account),
            policy: Some(Arc::clone(&key.policy)),
            life: Some(Life { end, age: Age::Key { expires: key.expires, time: self.time.clone() } }),
            session: None,
        }))
    }

    pub(crate) fn create(
        &self,
        by: &Caller,
        new: NewKey,
        secret: &Secret,
    ) -> Result<(Key, Secret), KeyError> {
        let created = self.time.now();
        new.check(created)?;
        let id = KeyId::generate();
        let policy = serde_json::to_string(&new.policy).map_err(KeyError::Policy)?;
        let key = NewKeyRow {
            id: id.to_string(),
            hash: secret.hash().0,
            shown: secret.shown(),
            name: new.name,
            policy,
            created,
            expires: new.expires,
        };
        let _changing = self.change(by)?;
        let owner = self.audited(by, Action::KeyMake, (id, &key.name), || Ok(self.state.add_key(&key)?))?;
        let live = Live::new(KeyRow { owner, key, last_used: None, revoked: None }, &self.accounts)?;
        let listed = live.listed();
        self.live_mut().insert(secret.hash(), Arc::new(live));
        Ok((listed, secret.clone()))
    }

    /// One change at a time, and none by a key that the one before has ended.
    fn change(&self, by: &Caller) -> Result<MutexGuard<'_, ()>, KeyError> {
        let changing = lock(&self.changing);
        by.still()?;
        Ok(changing)
    }

    /// Does what was written down first.
    fn audited<T>(
        &self,
        by: &Caller,
        action: Action,
        (id, name): (KeyId, &str),
        work: impl FnOnce() -> Result<T, KeyError>,
    ) -> Result<T, KeyError> {
        let (who, target) = (by.audited(), format!("{id} {name}"));
        let event = Event { who: &who, from: by.address(), action, target: &target, outcome: Outcome::Done };
        self.audit.around(&event, work)
    }

    /// All that were not revoked, in the order in which they were made.
    pub(crate) fn list(&self) -> Vec<Key> {
        let mut keys: Vec<_> =
            self.live().values().filter(|key| !key.revoked).map(|key| key.listed()).collect();
        keys.sort_by_key(|key| key.owner);
        keys
    }

    pub(crate) fn revoke(&self, by: &Caller, id: KeyId) -> Result<(), KeyError> {
        let changing = self.change(by)?;
        let (hash, key) = self.find(id)?;
        let now = self.time.now();
        self.audited(by, Action::KeyRevoke, (id, &key.name), || {
            Ok(self.state.revoke_key(key.account.owner, now)?)
        })?;
        let gone = Live { revoked: true, ..key.again() };
        self.live_mut().insert(hash, Arc::new(gone));
        lock(&key.end).cancel();
        drop(changing);
        if let Err(error) = self.state.forget_gone() {
            tracing::error!(%error, "what was talked about by the key {id} is not all deleted; that is done at the next start");
        }
        Ok(())
    }

    /// Gives a key another text. The old one is unknown from here on, and whoever came by it is ended.
    pub(crate) fn rotate(&self, by: &Caller, id: KeyId) -> Result<(Key, Secret), KeyError> {
        let _changing = self.change(by)?;
        let (hash, key) = self.find(id)?;
        let secret = Secret::generate();
        let shown = secret.shown();
        let owner = key.account.owner;
        self.audited(by, Action::KeyRotate, (id, &key.name), || {
            Ok(self.state.rotate_key(owner, &secret.hash().0, &shown)?)
        })?;
        let fresh = Live { shown, ..key.again() };
        let listed = fresh.listed();
        let mut live = self.live_mut();
        live.remove(&hash);
        live.insert(secret.hash(), Arc::new(fresh));
        drop(live);
        lock(&key.end).cancel();
        Ok((listed, secret))
    }

    /// Ends those who came by keys that have expired by now.
    pub(crate) fn end_expired(&self) {
        let now = self.time.now();
        for key in self.live().values().filter(|key| key.is_expired(now)) {
            // Another in its place, should the clock have been wrong.
            std::mem::take(&mut *lock(&key.end)).cancel();
        }
    }

    /// When keys were last used, as far as it is worth a note.
    pub(crate) fn unnoted(&self) -> Vec<LastUse> {
        let live = self.live();
        let uses = live.values().map(|key| {
            let [when, noted] = [&key.last_used, &key.noted].map(|time| time.load(Ordering::Relaxed));
            (LastUse { owner: key.account.owner, when }, when.abs_diff(noted))
        });
        uses.filter(|(last, since)| last.when != NEVER && *since >= NOTE_SECONDS)
            .map(|(last, _)| last)
            .collect()
    }

    /// These were noted.
    pub(crate) fn note(&self, uses: &[LastUse]) {
        for key in self.live().values() {
            if let Some(last) = uses.iter().find(|last| last.owner == key.account.owner) {
                key.noted.store(last.when, Ordering::Relaxed);
            }
        }
    }

    fn find(&self, id: KeyId) -> Result<(Hash, Arc<Live>), KeyError> {
        let live = self.live();
        let found = live.iter().find(|(_, key)| key.id == id && !key.revoked);
        found.map(|(hash, key)| (*hash, Arc::clone(key))).ok_or(KeyError::Unknown(id))
    }

    fn live(&self) -> RwLockReadGuard<'_, HashMap<Hash, Arc<Live>>> {
        self.by_hash.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn live_mut(&self) -> RwLockWriteGuard<'_, HashMap<Hash, Arc<Live>>> {
        self.by_hash.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl NewKey {
    fn check(&self, now: i64) -> Result<(), KeyError> {
        let length = self.name.chars().count();
        if !(1..=MOST_NAME).contains(&length) || self.name.chars().any(char::is_control) {
            return Err(KeyError::Name);
        }
        if self.policy.scopes == crate::Scopes::NONE {
            return Err(KeyError::NoScopes);
        }
        if self.policy.scopes != self.policy.granted() {
            return Err(KeyError::NotForPeers);
        }
        if self.policy.models.len().max(self.policy.networks.len()) > MOST_ENTRIES {
            return Err(KeyError::TooMany { most: MOST_ENTRIES });
        }
        match self.expires {
            Some(expires) if expires <= now => Err(KeyError::Past),
            _ => Ok(()),
        }
    }
}

impl Live {
    fn new(row: KeyRow, accounts: &Accounts) -> Result<Self, OpenKeysError> {
        let damaged = || OpenKeysError { id: row.key.id.clone() };
        let id: KeyId = row.key.id.parse().map_err(|_| damaged())?;
        let policy: Policy = serde_json::from_str(&row.key.policy).map_err(|_| damaged())?;
        let last_used = row.last_used.unwrap_or(NEVER);
        Ok(Self {
            id,
            label: id.to_string().into(),
            name: row.key.name,
            shown: row.key.shown,
            created: row.key.created,
            expires: row.key.expires,
            account: accounts.of(row.owner, policy.limits),
            policy: Arc::new(policy),
            revoked: row.revoked.is_some(),
            last_used: AtomicI64::new(last_used),
            noted: AtomicI64::new(last_used),
            end: Mutex::default(),
        })
    }

    /// The same key, of whom nobody has come yet.
    fn again(&self) -> Self {
        let copy = |time: &AtomicI64| AtomicI64::new(time.load(Ordering::Relaxed));
        Self {
            id: self.id,
            name: self.name.clone(),
            shown: self.shown.clone(),
            created: self.created,
            expires: self.expires,
            policy: Arc::clone(&self.policy),
            account: Arc::clone(&self.account),
            label: Arc::clone(&self.label),
            revoked: self.revoked,
            last_used: copy(&self.last_used),
            noted: copy(&self.noted),
            end: Mutex::default(),
        }
    }

    fn is_expired(&self, now: i64) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    fn listed(&self) -> Key {
        let last_used = self.last_used.load(Ordering::Relaxed);
        Key {
            id: self.id,
            name: self.name.clone(),
            shown: self.shown.clone(),
            owner: self.account.owner,
            policy: Arc::clone(&self.policy),
            created: self.created,
            expires: self.expires,
            last_used: (last_used != NEVER).then_some(last_used),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
