//! People: who owns the box and who may sign in, and what becomes of their sessions. How the first comes to own it is
//! `claiming`'s, how others come and go `members`', what they do with a password `passwords`'. What changes anything is in the audit log before it is done.

mod claiming;
mod members;
mod passwords;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use protocol::Owner;
use state::{Clock, PersonRow, SessionRow, State};
use tokio::sync::SetOnce;

use crate::audit::{Action, Audit, Event, Outcome};
use crate::caller::Pass;
use crate::claim::Claim;
use crate::life::{Age, Life};
use crate::password::{Hashing, PasswordHash};
use crate::person::{Person, PersonName, Provision, SignedIn};
use crate::policy::Limits;
use crate::sessions::{Live, Session, SessionSecret, Sessions};
use crate::throttle::Throttle;
use crate::usage::Accounts;
use crate::{AccessError, Caller, OneTimeCode, PeopleError, Scope, Who};

/// Everybody who may sign in.
#[derive(Debug)]
pub(crate) struct People {
    state: State,
    clock: Clock,
    audit: Arc<Audit>,
    accounts: Arc<Accounts>,
    claim: Claim,
    /// Beside the claim, which waits for the disk.
    claimed: SetOnce<()>,
    hashing: Hashing,
    throttle: Throttle,
    sessions: Sessions,
    known: RwLock<Vec<Known>>,
    /// Held while sessions are begun by a password, or it is changed.
    changing: Mutex<()>,
}

/// A person in memory.
#[derive(Clone, Debug)]
struct Known {
    person: Person,
    password_hash: PasswordHash,
}

impl People {
    pub(crate) fn open(
        state: &State,
        clock: &Clock,
        audit: &Arc<Audit>,
        accounts: &Arc<Accounts>,
        (runtime_dir, provision): (&Path, Option<&Provision>),
    ) -> Result<Self, AccessError> {
        let mut rows = state.people()?;
        if let Some(provision) = provision.filter(|_| rows.is_empty()) {
            rows.push(claiming::provide(state, audit, provision)?);
        }
        let known = rows.into_iter().map(Known::read).collect::<Result<Vec<_>, _>>()?;
        let claimed = !known.is_empty();
        let claim = if claimed {
            Claim::closed(runtime_dir, clock.clone())
        } else {
            Claim::open(runtime_dir, clock.clone())
        };
        let claim = claim.map_err(|source| AccessError::SetupCode { folder: runtime_dir.into(), source })?;
        Ok(Self {
            state: state.clone(),
            clock: clock.clone(),
            audit: Arc::clone(audit),
            accounts: Arc::clone(accounts),
            claim,
            claimed: SetOnce::new_with(claimed.then_some(())),
            hashing: Hashing::default(),
            throttle: Throttle::default(),
            sessions: Sessions::open(state.clone(), clock.clone())?,
            known: RwLock::new(known),
            changing: Mutex::default(),
        })
    }

    /// Whether anybody owns this box.
    pub(crate) fn is_claimed(&self) -> bool {
        self.claimed.initialized()
    }

    /// Returns once somebody does.
    pub(crate) async fn claimed(&self) {
        self.claimed.wait().await;
    }

    pub(crate) fn setup_code(&self) -> Option<OneTimeCode> {
        self.claim.code()
    }

    fn signed_in(
        &self,
        person: Person,
        made: Option<(SessionSecret, SessionRow)>,
    ) -> Result<SignedIn, AccessError> {
        let Some((secret, row)) = made else {
            return Ok(SignedIn { person, caller: Caller::operator(), session: None });
        };
        let live = self.sessions.begin(row)?;
        let caller = self.caller(&person, &live);
        Ok(SignedIn { person, caller, session: Some(secret) })
    }

    /// Somebody who claimed the box where no sessions are taken: themselves for this once.
    fn claimed_here(&self, person: Person) -> SignedIn {
        let caller = self.pass(&person, None);
        SignedIn { person, caller, session: None }
    }

    fn caller(&self, person: &Person, live: &Arc<Live>) -> Caller {
        self.pass(person, Some(live))
    }

    fn pass(&self, person: &Person, live: Option<&Arc<Live>>) -> Caller {
        let life = live.map(|live| Life {
            end: live.end.clone(),
            age: Age::Session { live: Arc::clone(live), clock: self.clock.clone() },
        });
        Caller::by(Pass {
            who: Who::Person(Arc::clone(&person.name.0)),
            scopes: person.role.scopes(),
            name: Arc::clone(&person.name.0),
            account: self.accounts.of(person.owner, Limits::default()),
            policy: None,
            life,
            session: live.map(|live| live.id().into()),
        })
    }

    /// Who comes by this session. None if it is over, or never was.
    pub(crate) fn by_session(&self, session: &str) -> Option<Caller> {
        let live = self.sessions.find(session)?;
        let known = self.known();
        let known = known.iter().find(|known| known.person.owner == live.owner())?;
        Some(self.caller(&known.person, &live))
    }

    pub(crate) fn sign_out(&self, by: &Caller) -> Result<(), PeopleError> {
        let session = by.session().ok_or(PeopleError::NotAllowed)?;
        self.end(by, session, Action::SignOut)
    }

    pub(crate) fn end_session(&self, by: &Caller, id: &str) -> Result<(), PeopleError> {
        if !by.may(Scope::Admin) {
            return Err(PeopleError::NotAllowed);
        }
        by.still().map_err(AccessError::from)?;
        if !self.sessions.list().iter().any(|session| session.id == id) {
            return Err(PeopleError::UnknownSession);
        }
        self.end(by, id, Action::SessionEnd)
    }

    fn end(&self, by: &Caller, id: &str, action: Action) -> Result<(), PeopleError> {
        let who = by.audited();
        let event = Event { who: &who, from: by.address(), action, target: id, outcome: Outcome::Done };
        let ended =
            self.audit.around(&event, || Ok::<_, AccessError>(self.sessions.end(|live| live.id() == id)?))?;
        if ended > 0 { Ok(()) } else { Err(PeopleError::UnknownSession) }
    }

    pub(crate) fn sessions(&self) -> Vec<Session> {
        self.sessions.list()
    }

    pub(crate) fn list(&self) -> Vec<Person> {
        self.known().iter().map(|known| known.person.clone()).collect()
    }

    /// Ends the sessions that are over by now, and writes what is not yet written.
    pub(crate) fn flush(&self) -> Result<(), AccessError> {
        let sessions = self.sessions.flush();
        self.audit.flush()?;
        Ok(sessions?)
    }

    fn find(&self, name: &PersonName) -> Option<Known> {
        self.known().iter().find(|known| known.person.name.is(name)).cloned()
    }

    fn of_owner(&self, owner: Owner) -> Option<Known> {
        self.known().iter().find(|known| known.person.owner == owner).cloned()
    }

    fn known(&self) -> std::sync::RwLockReadGuard<'_, Vec<Known>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn known_mut(&self) -> std::sync::RwLockWriteGuard<'_, Vec<Known>> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn read(row: PersonRow) -> Result<Self, AccessError> {
        let damaged = || AccessError::Person { name: row.name.clone() };
        Ok(Self {
            password_hash: row.password_hash.parse().map_err(|_| damaged())?,
            person: Person {
                owner: row.owner,
                name: row.name.parse().map_err(|_| damaged())?,
                role: row.role.parse().map_err(|_| damaged())?,
                created: row.created,
                password_changed: row.password_changed,
            },
        })
    }
}

#[cfg(test)]
mod tests;
