//! What [`Access`] does for people and with the audit log. It passes on to `people` and `audit`, which do it.

use std::collections::HashMap;
use std::net::IpAddr;

use protocol::Owner;
use tokio::sync::watch;

use crate::audit::{Action, AuditError, Entries, Event, Newest, Noted, Outcome};
use crate::{
    Access, AccessError, Caller, ClaimError, OneTimeCode, Password, PeopleError, Person, PersonName, Role,
    Scope, Session, SignInError, SignedIn, Visitor,
};

impl Access {
    /// The code by which the box is claimed, to be shown to whoever may see its console; `None` once it is.
    pub fn setup_code(&self) -> Option<OneTimeCode> {
        self.persons().setup_code()
    }

    /// Makes the first person, who owns the box, and signs them in if they come over TLS. At the admin socket no code is asked
    /// for. Blocks for as long as hashing a password takes: some hundred milliseconds, more the first time.
    ///
    /// # Errors
    /// [`ClaimError`]; it is not claimed by this then.
    pub fn claim(
        &self,
        code: Option<&str>,
        name: &PersonName,
        password: &Password,
        visitor: &Visitor<'_>,
    ) -> Result<SignedIn, ClaimError> {
        self.persons().claim(code, name, password, visitor)
    }

    /// Signs somebody in, over TLS alone. Blocks for as long as hashing a password takes.
    ///
    /// # Errors
    /// [`SignInError`].
    pub fn sign_in(
        &self,
        name: &PersonName,
        password: &Password,
        visitor: &Visitor<'_>,
    ) -> Result<SignedIn, SignInError> {
        self.persons().sign_in(name, password, visitor)
    }

    /// Ends the session that somebody came by, and what is being answered to it.
    ///
    /// # Errors
    /// [`PeopleError`] if they came by none.
    pub fn sign_out(&self, by: &Caller) -> Result<(), PeopleError> {
        self.persons().sign_out(by)
    }

    /// All sessions, the oldest first. In memory.
    pub fn sessions(&self) -> Vec<Session> {
        self.persons().sessions()
    }

    /// Ends a session, and what is being answered to it.
    ///
    /// # Errors
    /// [`PeopleError`].
    pub fn end_session(&self, by: &Caller, id: &str) -> Result<(), PeopleError> {
        self.persons().end_session(by, id)
    }

    /// Whether this is the password of whoever is signed in, who types it again for what needs that. Blocks as signing in does.
    ///
    /// # Errors
    /// [`SignInError`] if it is not.
    pub fn confirm_password(&self, by: &Caller, password: &Password) -> Result<(), SignInError> {
        self.persons().confirm_password(by, password)
    }

    /// Gives whoever is signed in another password, and ends all of their sessions but this. Blocks as signing in does.
    ///
    /// # Errors
    /// [`SignInError`]; the old password stands then.
    pub fn change_password(
        &self,
        by: &Caller,
        current: &Password,
        new: &Password,
    ) -> Result<(), SignInError> {
        self.persons().change_password(by, current, new)
    }

    /// Gives somebody another password, and ends all of their sessions but the one by which they ask themselves. Blocks as signing
    /// in does.
    ///
    /// # Errors
    /// [`PeopleError`]; the old password stands then.
    pub fn reset_password(&self, by: &Caller, name: &PersonName, new: &Password) -> Result<(), PeopleError> {
        self.persons().reset_password(by, name, new)
    }

    /// Makes somebody who may sign in. Blocks for as long as hashing a password takes.
    ///
    /// # Errors
    /// [`PeopleError`]; nobody was made then.
    pub fn add_person(
        &self,
        by: &Caller,
        name: &PersonName,
        password: &Password,
        role: Role,
    ) -> Result<Person, PeopleError> {
        self.persons().add(by, name, password, role)
    }

    /// Removes somebody, with what they talked about, and ends all that is being answered to them. Not the last who owns the box,
    /// and nobody themselves.
    ///
    /// # Errors
    /// [`PeopleError`]; they are still there then.
    pub fn remove_person(&self, by: &Caller, name: &PersonName) -> Result<(), PeopleError> {
        self.persons().remove(by, name)
    }

    /// When people were last seen, in seconds since 1970, to the minute. Who never signed in is not among them.
    ///
    /// # Errors
    /// What the state says.
    pub fn last_seen(&self) -> Result<HashMap<Owner, i64>, AccessError> {
        self.persons().last_seen()
    }

    /// Everybody who may sign in. In memory.
    pub fn people(&self) -> Vec<Person> {
        self.persons().list()
    }

    /// Writes in the audit log what somebody did, or was refused; of refusals some a minute, and the count of the rest. It is on
    /// the disk then. What changes anything is to be written before it is done, and not to be done if it cannot be. The target
    /// is a name, an id or a path, and never a secret.
    ///
    /// # Errors
    /// [`AuditError`]; it is not written then.
    pub fn record(
        &self,
        by: &Caller,
        from: Option<IpAddr>,
        action: Action,
        target: &str,
        outcome: Outcome,
    ) -> Result<(), AuditError> {
        self.audit().record(&Event { who: &by.audited(), from, action, target, outcome })
    }

    /// Writes in the audit log what somebody does to a model. Of those who do not administer the box some in an hour are written,
    /// and the count of the rest: they could drive out all else. That something failed is to be told of what was written alone.
    ///
    /// # Errors
    /// [`AuditError`]; it is not written then.
    pub fn record_act(
        &self,
        by: &Caller,
        action: Action,
        target: &str,
        outcome: Outcome,
    ) -> Result<Noted, AuditError> {
        let event = Event { who: &by.audited(), from: by.address(), action, target, outcome };
        // That it failed belongs to what is written already.
        if by.may(Scope::Admin) || outcome != Outcome::Done {
            self.audit().record(&event).map(|()| Noted::Written)
        } else {
            self.audit().record_act(&event)
        }
    }

    /// Writes in the audit log what the daemon did by itself: that it started, that it stops, that it issued a certificate.
    ///
    /// # Errors
    /// [`AuditError`]; it is not written then.
    pub fn record_own(&self, action: Action, target: &str, outcome: Outcome) -> Result<(), AuditError> {
        self.audit().record(&Event { who: crate::audit::DAEMON, from: None, action, target, outcome })
    }

    /// The lines of the audit log after an entry, the oldest first. Reading them blocks on the disk.
    ///
    /// # Errors
    /// [`AuditError`] if they cannot be listed.
    pub fn audit_entries(&self, after: u64) -> Result<Entries, AuditError> {
        self.audit().entries(after)
    }

    /// The entries of the audit log before one, or all of them, the newest first. Reading them blocks on the disk.
    pub fn newest_audit_entries(&self, before: Option<u64>) -> Newest {
        self.audit().newest(before)
    }

    /// Follows the number of the audit log's last entry.
    pub fn follow_audit(&self) -> watch::Receiver<u64> {
        self.audit().follow()
    }
}
