//! What a password is good for: signing in, saying once more that it is oneself, and having another. How it is hashed is
//! `password`'s, how often one may try `throttle`'s.

use std::net::IpAddr;
use std::sync::Arc;

use super::{Known, People, members::allow};
use crate::audit::{Action, Event, Outcome};
use crate::password::{BUSY_PAUSE, Password, PasswordHash, Rank};
use crate::person::{PersonName, SignedIn, Visitor};
use crate::throttle::{Counted, Try};
use crate::{AccessError, Caller, Origin, PeopleError, SignInError, Way, lock, network_of};

impl People {
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
        if way != Way::Lan {
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
                (vec![Counted::Account(account), Counted::Network(network_of(address))], Rank::Stranger)
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
        from: Option<IpAddr>,
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
        allow(by)?;
        let known = self.find(name).ok_or_else(|| PeopleError::UnknownPerson(name.clone()))?;
        let hash =
            self.hashing.hash(new, Rank::Known).map_err(|_| PeopleError::Busy { retry_after: BUSY_PAUSE })?;
        let own = by.session().filter(|_| by.owner() == known.person.owner);
        Ok(self.set_password(&known, hash, own.map(|session| &**session), (by, Action::PasswordReset))?)
    }

    pub(super) fn set_password(
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
        by.still()?;
        self.audit.around(&event, || {
            self.state.set_password(owner, hash.as_str(), session_kept)?;
            for known in self.known_mut().iter_mut().filter(|known| known.person.owner == owner) {
                known.password_hash = hash.clone();
                known.person.password_changed = self.clock.now();
            }
            Ok::<_, AccessError>(())
        })?;
        self.throttle.forget(&target.to_lowercase());
        self.sessions.forget(|live| live.owner() == owner && Some(live.id()) != session_kept);
        Ok(())
    }
}
