//! Invitations: whoever administers the box has it tell them a code, and whoever brings that gets keys, once. One at a time, and in
//! memory: it ends with the daemon, and with the key or the session of whoever made it. What is to be paired is `api`'s.
//!
//! Wrong codes end an invitation for the address that they came from, and not for anybody else: who does not know the code cannot
//! keep out the one who does, unless they sit at the same address. Addresses are told apart each by itself, not by network as for
//! the setup code: all of a house have one network of IPv6, where a guest would shut out everybody with five tries. A stranger may
//! take many addresses, but all together have few tries, of 2⁴⁰ codes: one in a hundred million invitations falls to them.

use std::collections::{HashMap, HashSet};
use std::iter::once;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Mutex;
use std::time::Duration;

use state::Clock;

use crate::audit::{Action, Event, Outcome};
use crate::policy::Policy;
use crate::{
    Access, Caller, InvitationError, Key, KeyError, NewKey, OneTimeCode, Origin, Scope, Scopes, Secret, Way,
    lock,
};

/// How long one is good.
const LIFETIME: Duration = Duration::from_secs(600);
/// Wrong tries from one address.
const MOST_OF_ADDRESS: u32 = 5;
/// Wrong tries of all together: then it ends.
const MOST_OF_ALL: usize = 10_000;

/// An invitation, as it is told to whoever made it.
#[derive(Clone, Debug)]
pub struct Invitation {
    /// What is to be typed at the other end.
    pub code: OneTimeCode,
    /// When it ends, in seconds since 1970.
    pub expires: i64,
    /// What it is for.
    pub scopes: Scopes,
}

/// Somebody who came by an invitation, which is used up by that.
#[derive(Debug)]
pub struct Invited {
    /// What the keys are for that they may have.
    pub scopes: Scopes,
    /// Who invited them, from where they came.
    host: Caller,
}

/// The invitation there is, if there is one.
#[derive(Debug)]
pub(crate) struct Invitations {
    clock: Clock,
    open: Mutex<Option<Open>>,
}

#[derive(Debug)]
struct Open {
    code: OneTimeCode,
    scopes: Scopes,
    host: Caller,
    /// By the clock that does not jump.
    until: Duration,
    wrong: usize,
    tries: HashMap<Option<IpAddr>, u32>,
}

/// Why a code does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NotThis {
    Wrong,
    Spent(Duration),
    None,
}

impl Access {
    /// Invites somebody, for ten minutes. An invitation that there was is one no longer.
    ///
    /// # Errors
    /// [`InvitationError`]; nobody is invited by this then.
    pub fn invite(&self, by: &Caller, scopes: Scopes) -> Result<Invitation, InvitationError> {
        may_invite(by)?;
        if !self.is_claimed() {
            return Err(InvitationError::Unclaimed);
        }
        if scopes == Scopes::NONE || scopes.within(Scopes::of_peers()) != scopes {
            return Err(InvitationError::Scopes);
        }
        let target = scopes.iter().map(Scope::name).collect::<Vec<_>>().join(",");
        self.record(by, by.address(), Action::InvitationMake, &target, Outcome::Done)?;
        let code = self.invitations().make(by, scopes);
        Ok(Invitation { code, expires: self.now() + LIFETIME.as_secs().cast_signed(), scopes })
    }

    /// Takes the invitation back. Whether there was one.
    ///
    /// # Errors
    /// [`InvitationError`]; it stands then.
    pub fn withdraw_invitation(&self, by: &Caller) -> Result<bool, InvitationError> {
        may_invite(by)?;
        self.record(by, by.address(), Action::InvitationWithdraw, "", Outcome::Done)?;
        Ok(self.invitations().withdraw())
    }

    /// Lets somebody in who has the code, over TLS alone, and once. `name` is what they say they are called, for the audit log.
    ///
    /// # Errors
    /// [`InvitationError`].
    pub fn redeem(&self, code: &str, name: &str, origin: Origin) -> Result<Invited, InvitationError> {
        let note = |outcome, target: &str| {
            let (who, action) = ("nobody", Action::InvitationRedeem);
            self.audit().record(&Event { who, from: origin.address, action, target, outcome })
        };
        if origin.way != Way::Lan {
            note(Outcome::Refused, "where nobody is heard in private")?;
            return Err(InvitationError::WrongNetwork);
        }
        if !self.is_claimed() {
            note(Outcome::Refused, "nobody owns the box")?;
            return Err(InvitationError::Unclaimed);
        }
        match self.invitations().take(code, origin.address) {
            Ok(open) => {
                note(Outcome::Done, name)?;
                Ok(Invited { scopes: open.scopes, host: open.host.coming_from(origin.address) })
            }
            Err(NotThis::Wrong) => {
                note(Outcome::Refused, "wrong code")?;
                Err(InvitationError::WrongCode)
            }
            Err(NotThis::Spent(retry_after)) => {
                note(Outcome::Refused, "after too many tries")?;
                Err(InvitationError::Spent { retry_after })
            }
            Err(NotThis::None) => {
                note(Outcome::Refused, "nobody is invited")?;
                Err(InvitationError::None)
            }
        }
    }

    /// Makes a key for somebody who was invited: a person, or a box whose ID is not proven. Nobody says by what they are called that
    /// they are who had a key before: that one stays, and the new one is told from it by a number.
    ///
    /// # Errors
    /// [`KeyError`]; none was made then. [`KeyError::NoScopes`] if they were invited for what only a box may that is known.
    pub fn create_invited_key(&self, invited: &Invited, name: String) -> Result<(Key, Secret), KeyError> {
        let others: Scopes = Scope::ALL.into_iter().filter(|scope| *scope != Scope::Split).collect();
        let policy = Policy::new(invited.scopes.within(others));
        let name = self.free_name(name);
        self.all_keys().create(&invited.host, NewKey { name, policy, expires: None }, &Secret::generate())
    }

    /// Makes the key of a box that was invited and has proven its ID. Those that it had are ended: it is one box.
    ///
    /// # Errors
    /// [`KeyError`]; none was made then, or one that it had before is not ended.
    pub fn create_invited_peer_key(
        &self,
        invited: &Invited,
        name: String,
        peer: String,
    ) -> Result<(Key, Secret), KeyError> {
        let policy = Policy { peer: Some(peer.clone()), ..Policy::new(invited.scopes) };
        let new = NewKey { name, policy, expires: None };
        let made = self.all_keys().create(&invited.host, new, &Secret::generate())?;
        self.revoke_keys_of(&invited.host, &peer, Some(&made.0))?;
        Ok(made)
    }

    /// Makes the key of a box that this one goes to be paired with, of a text that it was told already: its name and its whole ID,
    /// and what it may. Those that it had are ended.
    ///
    /// # Errors
    /// [`KeyError`]; none was made then, or one that it had before is not ended.
    pub fn create_peer_key(
        &self,
        by: &Caller,
        (name, peer): (String, String),
        scopes: Scopes,
        secret: Secret,
    ) -> Result<Key, KeyError> {
        let policy = Policy { peer: Some(peer.clone()), ..Policy::new(scopes) };
        let (key, _) = self.create_key_of(by, NewKey { name, policy, expires: None }, secret)?;
        self.revoke_keys_of(by, &peer, Some(&key))?;
        Ok(key)
    }

    /// Ends the keys that a paired box has here, by its whole ID.
    ///
    /// # Errors
    /// [`KeyError`]; those that were not ended are as they were.
    pub fn revoke_peer_keys(&self, by: &Caller, peer: &str) -> Result<(), KeyError> {
        if !by.may(Scope::Admin) {
            return Err(KeyError::NotAllowed);
        }
        self.revoke_keys_of(by, peer, None)
    }

    fn free_name(&self, name: String) -> String {
        let taken: HashSet<String> = self.keys().into_iter().map(|key| key.name).collect();
        let short: String = name.chars().take(57).collect();
        let numbered = (2..).map(|number| format!("{short} {number}"));
        once(name).chain(numbered.take(taken.len())).find(|name| !taken.contains(name)).unwrap_or(short)
    }

    fn revoke_keys_of(&self, by: &Caller, peer: &str, but: Option<&Key>) -> Result<(), KeyError> {
        let is_its =
            |key: &Key| key.policy.peer.as_deref() == Some(peer) && but.is_none_or(|but| but.id != key.id);
        self.keys().into_iter().filter(is_its).try_for_each(|key| {
            self.all_keys().revoke(by, key.id)?;
            self.behalves().forget(key.owner);
            Ok(())
        })
    }
}

/// A second lock behind the table of routes.
fn may_invite(by: &Caller) -> Result<(), InvitationError> {
    if !by.may(Scope::Admin) {
        return Err(InvitationError::NotAllowed);
    }
    Ok(by.still()?)
}

impl Invitations {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, open: Mutex::default() }
    }

    fn make(&self, by: &Caller, scopes: Scopes) -> OneTimeCode {
        let code = OneTimeCode::generate();
        *lock(&self.open) = Some(Open {
            code: code.clone(),
            scopes,
            host: by.clone(),
            until: self.clock.elapsed() + LIFETIME,
            wrong: 0,
            tries: HashMap::new(),
        });
        code
    }

    fn withdraw(&self) -> bool {
        let open = lock(&self.open).take();
        open.is_some_and(|open| open.is_good(self.clock.elapsed()))
    }

    /// Takes the invitation if this is its code. A wrong one is counted before anybody is told.
    fn take(&self, typed: &str, from: Option<IpAddr>) -> Result<Open, NotThis> {
        let mut slot = lock(&self.open);
        let now = self.clock.elapsed();
        if slot.as_ref().is_some_and(|open| !open.is_good(now)) {
            *slot = None;
        }
        let open = slot.as_mut().ok_or(NotThis::None)?;
        let tries = open.tries.entry(from.map(place)).or_default();
        // The right one does not count either, or five tries would be any number.
        if *tries >= MOST_OF_ADDRESS {
            return Err(NotThis::Spent(open.until.saturating_sub(now)));
        }
        if OneTimeCode::typed(typed).is_some_and(|typed| typed.is(&open.code)) {
            return slot.take().ok_or(NotThis::None);
        }
        *tries += 1;
        open.wrong += 1;
        if open.wrong >= MOST_OF_ALL {
            *slot = None;
            tracing::warn!("the invitation ended: its code was tried {MOST_OF_ALL} times in vain");
        }
        Err(NotThis::Wrong)
    }
}

impl Open {
    fn is_good(&self, now: Duration) -> bool {
        now < self.until && !self.host.is_over()
    }
}

/// By what tries from there are counted.
fn place(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        // This machine has millions of addresses.
        from if from.is_loopback() => Ipv4Addr::LOCALHOST.into(),
        from => from,
    }
}

#[cfg(test)]
mod tests;
