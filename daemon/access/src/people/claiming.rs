//! How the box comes to be somebody's: by the code that its console shows, at its admin socket, or before it is first switched
//! on. Which code it is, and how often one may try, is `claim`'s.

use state::{NewPerson, PersonRow, State};

use super::{Known, People};
use crate::audit::{self, Action, Audit, Event, Outcome};
use crate::claim::NotThis;
use crate::password::{BUSY_PAUSE, Password, PasswordHash, Rank};
use crate::person::{PersonName, Provision, Role, SignedIn, Visitor};
use crate::{AccessError, ClaimError, Origin, Way};

impl People {
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
            Way::Loopback | Way::Lan => match self.claim.try_code(code.unwrap_or_default(), address) {
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
                // Signed in is only who comes by a way where sessions are taken.
                made = (way == Way::Lan).then(|| self.sessions.make(owner, address, visitor.agent));
                made.as_ref().map(|(_, row)| row.clone())
            };
            self.state.claim(&owner(name, hash), session)?.ok_or(AccessError::AlreadyClaimed)
        })?;
        let known = Known::read(row)?;
        let person = known.person.clone();
        self.known_mut().push(known);
        // Whoever comes second was turned away above.
        let _first = self.claimed.set(());
        tracing::info!("the box was claimed by {name}");
        if way == Way::Loopback {
            return Ok(self.claimed_here(person));
        }
        self.signed_in(person, made)
    }
}

/// Claims the box for whom it was made for.
pub(super) fn provide(state: &State, audit: &Audit, provision: &Provision) -> Result<PersonRow, AccessError> {
    let name = PersonName::new(&provision.name).map_err(AccessError::ProvisionName)?;
    let hash: PasswordHash = provision.password_hash.parse().map_err(AccessError::ProvisionHash)?;
    let event = Event {
        who: audit::DAEMON,
        from: None,
        action: Action::Claim,
        target: &name.0,
        outcome: Outcome::Done,
    };
    audit.around(&event, || state.claim(&owner(&name, &hash), |_| None)?.ok_or(AccessError::AlreadyClaimed))
}

fn owner<'a>(name: &'a PersonName, hash: &'a PasswordHash) -> NewPerson<'a> {
    NewPerson { name: &name.0, password_hash: hash.as_str(), role: Role::Owner.name() }
}
