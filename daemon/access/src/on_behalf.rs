//! Whom a paired box asks for: people of its own, of whom it says no more than that they are not each other. Each has an owner's
//! number here, so that nothing that was kept or computed for one of them falls to another. Who may speak for somebody, and for how
//! many, is decided here; the numbers are the state's.
//!
//! A box is taken at its word that two texts are two people, and so could have numbers without end. It has so many at once; beyond
//! that, the one that was not heard of for longest is forgotten, and comes back as somebody new. It loses what was computed for
//! it; that two should share a number would tell one what the other asks.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Mutex;

use protocol::Owner;
use state::State;

use crate::{Access, Caller, OnBehalfError, lock};

/// For whom one box may ask at once.
const MOST: usize = 1000;
/// Characters of a name.
const MOST_NAME: usize = 64;

/// All for whom boxes ask.
#[derive(Debug, Default)]
pub(crate) struct Behalves {
    /// By the owner of the box's key. Read from the state when the box first asks for somebody.
    boxes: Mutex<HashMap<Owner, Known>>,
}

/// For whom one box asks.
#[derive(Debug, Default)]
struct Known {
    owners: HashMap<Box<str>, Heard>,
    /// Grows with each time that somebody is heard of.
    count: u64,
}

#[derive(Clone, Copy, Debug)]
struct Heard {
    owner: Owner,
    last: u64,
}

impl Access {
    /// The same caller, with the same account and limits, but on behalf of one of their own people, whom they call by this name:
    /// what is kept and computed is theirs. Blocks on the disk if that one is new.
    ///
    /// # Errors
    /// [`OnBehalfError`] if it is no paired box that asks, or that is no name.
    pub fn on_behalf(&self, by: &Caller, name: &str) -> Result<Caller, OnBehalfError> {
        let account = by.peer().and_then(|_| by.account_owner()).ok_or(OnBehalfError::NotAPeer)?;
        if !(1..=MOST_NAME).contains(&name.len()) || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(OnBehalfError::Name);
        }
        let owner = self.behalves().owner(self.state(), account, name)?;
        Ok(by.clone().on_behalf_of(owner))
    }
}

impl Behalves {
    /// A box whose key is of no use any more asks for nobody.
    pub(crate) fn forget(&self, account: Owner) {
        lock(&self.boxes).remove(&account);
    }

    fn owner(&self, state: &State, account: Owner, name: &str) -> Result<Owner, OnBehalfError> {
        let mut boxes = lock(&self.boxes);
        let known = match boxes.entry(account) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(first) => first.insert(Known::read(state, account)?),
        };
        known.count += 1;
        if let Some(heard) = known.owners.get_mut(name) {
            heard.last = known.count;
            return Ok(heard.owner);
        }
        let oldest = known
            .owners
            .iter()
            .min_by_key(|(_, heard)| heard.last)
            .map(|(name, heard)| (name.clone(), heard.owner));
        let oldest = oldest.filter(|_| known.owners.len() >= MOST);
        let owner = state.add_behalf(account, name, oldest.as_ref().map(|(_, owner)| *owner))?;
        if let Some((forgotten, _)) = oldest {
            known.owners.remove(&forgotten);
        }
        known.owners.insert(name.into(), Heard { owner, last: known.count });
        Ok(owner)
    }
}

impl Known {
    /// The older ones are taken to have been heard of less.
    fn read(state: &State, account: Owner) -> Result<Self, OnBehalfError> {
        let mut known = Self::default();
        for (owner, name) in state.behalves(account)? {
            known.count += 1;
            known.owners.insert(name.into(), Heard { owner, last: known.count });
        }
        Ok(known)
    }
}

#[cfg(test)]
mod tests;
