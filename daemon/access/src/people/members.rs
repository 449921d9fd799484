//! How others than the first come to be able to sign in, and cease to be. The last who owns the box stays.

use std::collections::HashMap;

use protocol::Owner;
use state::NewPerson;

use super::{Known, People};
use crate::audit::{Action, Event, Outcome};
use crate::password::{BUSY_PAUSE, Password, Rank};
use crate::person::{Person, PersonName, Role};
use crate::{AccessError, Caller, PeopleError, Scope, lock};

impl People {
    pub(crate) fn add(
        &self,
        by: &Caller,
        name: &PersonName,
        password: &Password,
        role: Role,
    ) -> Result<Person, PeopleError> {
        allow(by)?;
        if !self.is_claimed() {
            return Err(PeopleError::Unclaimed);
        }
        let taken = || PeopleError::NameTaken(name.clone());
        if self.find(name).is_some() {
            return Err(taken());
        }
        let hash = self
            .hashing
            .hash(password, Rank::Known)
            .map_err(|_| PeopleError::Busy { retry_after: BUSY_PAUSE })?;
        let _changing = lock(&self.changing);
        by.still().map_err(AccessError::from)?;
        if self.find(name).is_some() {
            return Err(taken());
        }
        let target = format!("{name}, {}", role.name());
        let row = self.done(by, Action::PersonMake, &target, || {
            let new = NewPerson { name: &name.0, password_hash: hash.as_str(), role: role.name() };
            self.state.add_person(&new).map_err(AccessError::from)?.ok_or_else(taken)
        })?;
        let known = Known::read(row)?;
        let person = known.person.clone();
        self.known_mut().push(known);
        Ok(person)
    }

    /// Ends all that is being answered to them as well.
    pub(crate) fn remove(&self, by: &Caller, name: &PersonName) -> Result<(), PeopleError> {
        allow(by)?;
        let changing = lock(&self.changing);
        by.still().map_err(AccessError::from)?;
        let Known { person, .. } = self.find(name).ok_or_else(|| PeopleError::UnknownPerson(name.clone()))?;
        if by.session().is_some() && by.owner() == person.owner {
            return Err(PeopleError::Oneself);
        }
        let owners = self.known().iter().filter(|known| known.person.role == Role::Owner).count();
        if person.role == Role::Owner && owners == 1 {
            return Err(PeopleError::LastOwner);
        }
        self.done(by, Action::PersonRemove, &person.name.0, || {
            self.state.remove_person(person.owner).map_err(AccessError::from)?;
            self.known_mut().retain(|known| known.person.owner != person.owner);
            Ok::<_, PeopleError>(())
        })?;
        self.sessions.forget(|live| live.owner() == person.owner);
        self.throttle.forget(&person.name.0.to_lowercase());
        drop(changing);
        if let Err(error) = self.state.forget_gone() {
            tracing::error!(%error, "what {} talked about is not all deleted; that is done at the next start", person.name);
        }
        Ok(())
    }

    /// When people were last seen, to the minute. Who never signed in was not.
    pub(crate) fn last_seen(&self) -> Result<HashMap<Owner, i64>, AccessError> {
        let noted = self.state.people()?.into_iter().filter_map(|row| Some((row.owner, row.seen?)));
        let mut seen: HashMap<_, _> = noted.collect();
        for session in self.sessions.list() {
            let last = seen.entry(session.owner).or_insert(session.last_seen);
            *last = session.last_seen.max(*last);
        }
        Ok(seen)
    }

    /// Does what was written down first.
    fn done<T>(
        &self,
        by: &Caller,
        action: Action,
        target: &str,
        work: impl FnOnce() -> Result<T, PeopleError>,
    ) -> Result<T, PeopleError> {
        let who = by.audited();
        let event = Event { who: &who, from: by.address(), action, target, outcome: Outcome::Done };
        self.audit.around(&event, work)
    }
}

/// A second lock behind the table of routes.
pub(super) fn allow(by: &Caller) -> Result<(), PeopleError> {
    if !by.may(Scope::Admin) {
        return Err(PeopleError::NotAllowed);
    }
    Ok(by.still().map_err(AccessError::from)?)
}
