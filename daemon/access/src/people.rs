//! People: who owns the box and who may sign in, by what password, and what becomes of their sessions. The claim's code is
//! `claim`'s, hashing `password`'s, how often one may try `throttle`'s. What changes anything is in the audit log before it is done.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use protocol::Owner;
use state::{Clock, PersonRow, SessionRow, State};

use crate::audit::{self, Action, Audit, Event, Outcome};
use crate::caller::Pass;
use crate::claim::{Claim, NotThis};
use crate::password::{BUSY_PAUSE, Hashing, Password, PasswordHash, Rank};
use crate::person::{Person, PersonName, Provision, SignedIn, Visitor};
use crate::policy::Limits;
use crate::sessions::{Live, Session, SessionSecret, Sessions};
use crate::throttle::{Counted, Throttle, Try};
use crate::usage::Accounts;
use crate::{
    AccessError, Caller, ClaimError, Origin, PeopleError, Scope, Scopes, SetupCode, SignInError, Way, Who,
    lock, network,
};

/// Everybody who may sign in.
#[derive(Debug)]
pub(crate) struct People {
    state: State,
    clock: Clock,
    audit: Arc<Audit>,
    accounts: Arc<Accounts>,
    claim: Claim,
    /// Beside the claim, which waits for the disk.
    claimed: AtomicBool,
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
            rows.push(provide(state, audit, provision)?);
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
            claimed: claimed.into(),
            hashing: Hashing::default(),
            throttle: Throttle::default(),
            sessions: Sessions::open(state.clone(), clock.clone())?,
            known: RwLock::new(known),
            changing: Mutex::default(),
        })
    }

    /// Whether anybody owns this box.
    pub(crate) fn is_claimed(&self) -> bool {
        self.claimed.load(Ordering::Acquire)
    }

    pub(crate) fn setup_code(&self) -> Option<SetupCode> {
        self.claim.code()
    }

    pub(crate) fn claim(
        &self,
        code: Option<&str>,
        name: &PersonName,
        password: &Password,
        visitor: &Visitor<'_>,
    ) -> Result<SignedIn, ClaimError> {
        let Origin { way, address } = visitor.origin;
        let refused = |error: ClaimError, target: &str| {
            let outcome = Outcome::Refused;
            let who = if way == Way::AdminSocket { "operator" } else { "nobody" };
            self.audit.record(&Event { who, from: address, action: Action::Claim, target, outcome })?;
            Err(error)
        };
        match way {
            Way::Plaintext | Way::Forwarded => {
                return refused(ClaimError::WrongNetwork, "where nobody is heard in private");
            }
            // Whoever the system lets in here may read the code as well.
            Way::AdminSocket => {}
            Way::Loopback | Way::Lan => match self.claim.try_code(code.unwrap_or_default()) {
                Ok(()) => {}
                Err(NotThis::Wrong) => return refused(ClaimError::WrongCode, "wrong code"),
                Err(NotThis::Paused(retry_after)) => {
                    return refused(ClaimError::Paused { retry_after }, "after too many tries");
                }
                Err(NotThis::Claimed) => return refused(ClaimError::Claimed, "claimed already"),
            },
        }
        if self.is_claimed() {
            return refused(ClaimError::Claimed, "claimed already");
        }
        let hash = self
            .hashing
            .hash(password, Rank::Known)
            .map_err(|_| ClaimError::Busy { retry_after: BUSY_PAUSE })?;
        match self.claim.close(|| self.take(name, &hash, visitor)) {
            Some(taken) => Ok(taken?),
            None => refused(ClaimError::Claimed, "claimed already"),
        }
    }

    /// Makes the first person. Called by one at a time, and after that never again.
    fn take(
        &self,
        name: &PersonName,
        hash: &PasswordHash,
        visitor: &Visitor<'_>,
    ) -> Result<SignedIn, AccessError> {
        let Origin { way, address } = visitor.origin;
        let operator = way == Way::AdminSocket;
        let who = if operator { "operator".into() } else { format!("person:{name}") };
        let event = Event {
            who: &who,
            from: address,
            action: Action::Claim,
            target: &name.0,
            outcome: Outcome::Done,
        };
        let mut made = None;
        let row = self.audit.around(&event, || {
            let session = |owner| {
                made = (!operator).then(|| self.sessions.make(owner, address, visitor.agent));
                made.as_ref().map(|(_, row)| row.clone())
            };
            self.state.claim(&name.0, hash.as_str(), session)?.ok_or(AccessError::AlreadyClaimed)
        })?;
        let known = Known::read(row)?;
        let person = known.person.clone();
        self.known_mut().push(known);
        self.claimed.store(true, Ordering::Release);
        tracing::info!("the box was claimed by {name}");
        self.signed_in(person, made)
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

    fn caller(&self, person: &Person, live: &Live) -> Caller {
        Caller::by(Pass {
            who: Who::Person(Arc::clone(&person.name.0)),
            scopes: Scopes::all(),
            name: Arc::clone(&person.name.0),
            account: self.accounts.of(person.owner, Limits::default()),
            policy: None,
            end: live.end.clone(),
            session: Some(live.id().into()),
        })
    }

    /// Who comes by this session. None if it is over, or never was.
    pub(crate) fn by_session(&self, session: &str) -> Option<Caller> {
        let live = self.sessions.find(session)?;
        let known = self.known();
        let known = known.iter().find(|known| known.person.owner == live.owner())?;
        Some(self.caller(&known.person, &live))
    }

    pub(crate) fn sign_in(
        &self,
        name: &PersonName,
        password: &Password,
        visitor: &Visitor<'_>,
    ) -> Result<SignedIn, SignInError> {
        let Origin { way, address } = visitor.origin;
        let known = self.find(name);
        // Some type their password where the name belongs.
        let target = known.as_ref().map_or("an unknown name", |known| &*known.person.name.0);
        let refused = |error: SignInError| self.refused(error, "nobody", address, (Action::SignIn, target));
        if !matches!(way, Way::Loopback | Way::Lan) {
            return refused(SignInError::WrongNetwork);
        }
        // A hash of nobody takes as long, and that there is nobody by this name is told by nothing.
        let hash = match &known {
            Some(known) => known.password_hash.clone(),
            None => match self.known().first() {
                Some(first) => first.password_hash.of_nobody(),
                None => return refused(SignInError::Unclaimed),
            },
        };
        let is_known = known
            .as_ref()
            .zip(address)
            .is_some_and(|(known, address)| self.sessions.knows(known.person.owner, address));
        let account = name.0.to_lowercase();
        let (counted, rank) = match address {
            Some(address) if is_known => (vec![Counted::Known(address.to_canonical(), account)], Rank::Known),
            Some(address) => {
                (vec![Counted::Account(account), Counted::Network(network::of(address))], Rank::Stranger)
            }
            None => (vec![Counted::Account(account)], Rank::Stranger),
        };
        if let Err(error) = self.try_password(password, &hash, counted, rank) {
            return refused(error);
        }
        let _changing = lock(&self.changing);
        // By a password that was changed while it was checked, nobody comes in.
        let Some(Known { person, .. }) = self.find(name).filter(|known| known.password_hash.is(&hash)) else {
            return refused(SignInError::Wrong);
        };
        let (secret, row) = self.sessions.make(person.owner, address, visitor.agent);
        let who = format!("person:{}", person.name);
        let event = Event {
            who: &who,
            from: address,
            action: Action::SignIn,
            target: &row.id,
            outcome: Outcome::Done,
        };
        let signed_in = self.audit.around(&event, || {
            self.state.keep_session(&row)?;
            self.signed_in(person, Some((secret, row.clone())))
        });
        Ok(signed_in?)
    }

    /// Whether it is the password, unless it was tried too often, or too many wait.
    fn try_password(
        &self,
        password: &Password,
        hash: &PasswordHash,
        counted: Vec<Counted>,
        rank: Rank,
    ) -> Result<(), SignInError> {
        let begun: Try<'_> = self
            .throttle
            .begin(counted, self.clock.elapsed())
            .map_err(|retry_after| SignInError::Paused { retry_after })?;
        match self.hashing.verify(password, hash, rank) {
            Ok(true) => begun.succeeded(),
            Ok(false) => return Err(SignInError::Wrong),
            Err(_) => {
                begun.withdrawn();
                return Err(SignInError::Busy { retry_after: BUSY_PAUSE });
            }
        }
        Ok(())
    }

    /// Writes down that somebody was refused.
    fn refused<T>(
        &self,
        error: SignInError,
        who: &str,
        from: Option<std::net::IpAddr>,
        (action, target): (Action, &str),
    ) -> Result<T, SignInError> {
        let why = match &error {
            SignInError::Paused { .. } => ", after too many tries",
            SignInError::Wrong => ", wrong password",
            _ => "",
        };
        let target = format!("{target}{why}");
        self.audit.record(&Event { who, from, action, target: &target, outcome: Outcome::Refused })?;
        Err(error)
    }

    /// The password of whoever is signed in, typed again.
    pub(crate) fn confirm_password(&self, by: &Caller, password: &Password) -> Result<(), SignInError> {
        self.confirmed(by, password, Action::PasswordConfirm).map(drop)
    }

    fn confirmed(
        &self,
        by: &Caller,
        password: &Password,
        action: Action,
    ) -> Result<(Known, Arc<str>), SignInError> {
        let session = by.session().ok_or(SignInError::NotSignedIn)?;
        let known = self.of_owner(by.owner()).ok_or(SignInError::NotSignedIn)?;
        let counted = vec![Counted::Session(session.to_string())];
        match self.try_password(password, &known.password_hash, counted, Rank::Known) {
            Ok(()) => Ok((known, Arc::clone(session))),
            Err(error) => self.refused(error, &by.audited(), by.address(), (action, &known.person.name.0)),
        }
    }

    pub(crate) fn change_password(
        &self,
        by: &Caller,
        current: &Password,
        new: &Password,
    ) -> Result<(), SignInError> {
        let (known, session) = self.confirmed(by, current, Action::PasswordChange)?;
        let hash =
            self.hashing.hash(new, Rank::Known).map_err(|_| SignInError::Busy { retry_after: BUSY_PAUSE })?;
        Ok(self.set_password(&known, hash, Some(&session), (by, Action::PasswordChange))?)
    }

    pub(crate) fn reset_password(
        &self,
        by: &Caller,
        name: &PersonName,
        new: &Password,
    ) -> Result<(), PeopleError> {
        if *by.who() != Who::Operator {
            return Err(PeopleError::NotAllowed);
        }
        let known = self.find(name).ok_or_else(|| PeopleError::UnknownPerson(name.clone()))?;
        let hash =
            self.hashing.hash(new, Rank::Known).map_err(|_| PeopleError::Busy { retry_after: BUSY_PAUSE })?;
        Ok(self.set_password(&known, hash, None, (by, Action::PasswordReset))?)
    }

    fn set_password(
        &self,
        known: &Known,
        hash: PasswordHash,
        session_kept: Option<&str>,
        (by, action): (&Caller, Action),
    ) -> Result<(), AccessError> {
        let owner = known.person.owner;
        let who = by.audited();
        let target = &known.person.name.0;
        let event = Event { who: &who, from: by.address(), action, target, outcome: Outcome::Done };
        let _changing = lock(&self.changing);
        self.audit.around(&event, || {
            self.state.set_password(owner, hash.as_str(), session_kept)?;
            for known in self.known_mut().iter_mut().filter(|known| known.person.owner == owner) {
                known.password_hash = hash.clone();
                known.person.password_changed = self.clock.now();
            }
            Ok::<_, AccessError>(())
        })?;
        self.sessions.forget(|live| live.owner() == owner && Some(live.id()) != session_kept);
        Ok(())
    }

    pub(crate) fn sign_out(&self, by: &Caller) -> Result<(), PeopleError> {
        let session = by.session().ok_or(PeopleError::NotAllowed)?;
        self.end(by, session, Action::SignOut)
    }

    pub(crate) fn end_session(&self, by: &Caller, id: &str) -> Result<(), PeopleError> {
        if !by.may(Scope::Admin) {
            return Err(PeopleError::NotAllowed);
        }
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
                created: row.created,
                password_changed: row.password_changed,
            },
        })
    }
}

/// Claims the box for whom it was made for.
fn provide(state: &State, audit: &Audit, provision: &Provision) -> Result<PersonRow, AccessError> {
    let name: PersonName = provision.name.parse().map_err(AccessError::ProvisionName)?;
    let hash: PasswordHash = provision.password_hash.parse().map_err(AccessError::ProvisionHash)?;
    let event = Event {
        who: audit::DAEMON,
        from: None,
        action: Action::Claim,
        target: &name.0,
        outcome: Outcome::Done,
    };
    audit.around(&event, || state.claim(&name.0, hash.as_str(), |_| None)?.ok_or(AccessError::AlreadyClaimed))
}

#[cfg(test)]
mod tests;
