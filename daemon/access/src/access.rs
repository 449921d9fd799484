//! The one that is asked who somebody is. It holds the parts: keys, people, and the accounts of what both use.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::civil::Date;
use protocol::Owner;
use state::{Clock, State};

use crate::audit::Audit;
use crate::invitation::Invitations;
use crate::keys::Keys;
use crate::on_behalf::Behalves;
use crate::people::People;
use crate::person::Provision;
use crate::policy::Limits;
use crate::quota::{self, Usage};
use crate::time::Time;
use crate::usage::{Account, Accounts, DayUsage};
use crate::{
    AccessError, Caller, Credential, Denied, Key, KeyError, KeyId, NewKey, Origin, Presented, Scope, Secret,
    Way, is_hob_key,
};

/// What it is made with.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the time comes from.
    pub clock: Clock,
    /// Where the setup code is put, for those whom the system lets read it.
    pub runtime_dir: PathBuf,
    /// Where the audit log is.
    pub audit_dir: PathBuf,
    /// Who owns the box, if that is settled before it is first switched on.
    pub provision: Option<Provision>,
}

/// Who may do what. A clone is cheap, and is of the same.
///
/// [`Access::identify`] reads memory alone. What changes anything blocks on the disk, and is done when it returns.
#[derive(Clone, Debug)]
pub struct Access {
    parts: Arc<Parts>,
}

#[derive(Debug)]
struct Parts {
    state: State,
    time: Time,
    accounts: Arc<Accounts>,
    /// Of those who present nothing on this machine.
    local: Arc<Account>,
    keys: Keys,
    people: People,
    invitations: Invitations,
    behalves: Behalves,
    audit: Arc<Audit>,
}

impl Access {
    /// Reads who there is.
    ///
    /// # Errors
    /// [`AccessError`]: nobody is let in then, as it is not known who may be.
    pub fn open(state: State, config: Config) -> Result<Self, AccessError> {
        let rows = state.keys()?;
        let seen =
            rows.iter().flat_map(|row| [Some(row.key.created), row.last_used, row.revoked]).flatten().max();
        let audit = Arc::new(Audit::open(state.clone(), config.clock.clone(), &config.audit_dir)?);
        let time = Time::new(config.clock.clone(), seen.unwrap_or_default());
        let accounts = Arc::new(Accounts::open(&state, &time)?);
        let keys = Keys::open(&state, &time, &accounts, &audit, rows)?;
        let local = accounts.of(Owner::default(), Limits::default());
        let claim = (config.runtime_dir.as_path(), config.provision.as_ref());
        let people = People::open(&state, &config.clock, &audit, &accounts, claim)?;
        let (invitations, behalves) = (Invitations::new(config.clock), Behalves::default());
        let parts = Parts { state, time, accounts, local, keys, people, invitations, behalves, audit };
        Ok(Self { parts: Arc::new(parts) })
    }

    /// Who asks. In memory, and in microseconds, as it is asked of every request.
    ///
    /// A browser sends its cookie unasked, so a session that is over, or that came where none is taken, is as if there were none.
    /// A key is sent on purpose: one that is of no use is refused, even where none is needed.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn identify(&self, presented: &Presented<'_>) -> Result<Caller, Denied> {
        Ok(self.recognise(presented)?.coming_from(presented.origin.address))
    }

    fn recognise(&self, presented: &Presented<'_>) -> Result<Caller, Denied> {
        let Origin { way, address } = presented.origin;
        let local = |caller: Caller| caller.counted(&self.parts.local);
        let unknown = || if way == Way::Loopback { local(Caller::local()) } else { Caller::nobody() };
        match way {
            Way::AdminSocket => return Ok(local(Caller::operator())),
            Way::Lan | Way::Plaintext if !self.is_claimed() => return Ok(Caller::nobody()),
            Way::Loopback | Way::Forwarded | Way::Lan | Way::Plaintext => {}
        }
        let caller = match presented.credential {
            Credential::None => unknown(),
            // Programs that know only of other services insist on one, whatever it is.
            Credential::Key(text) if way == Way::Loopback && !is_hob_key(text) => unknown(),
            Credential::Key(text) => self.parts.keys.identify(text, address)?,
            // A browser sends its cookie to whatever listens at any port of this machine, so that none of them is worth anything.
            Credential::Session(text) if way == Way::Lan => {
                self.parts.people.by_session(text).unwrap_or_else(unknown)
            }
            Credential::Session(_) => unknown(),
        };
        Ok(if way == Way::Plaintext { caller.without(Scope::Admin) } else { caller })
    }

    pub(crate) fn persons(&self) -> &People {
        &self.parts.people
    }

    pub(crate) fn state(&self) -> &State {
        &self.parts.state
    }

    pub(crate) fn all_keys(&self) -> &Keys {
        &self.parts.keys
    }

    pub(crate) fn invitations(&self) -> &Invitations {
        &self.parts.invitations
    }

    pub(crate) fn behalves(&self) -> &Behalves {
        &self.parts.behalves
    }

    pub(crate) fn audit(&self) -> &Audit {
        &self.parts.audit
    }

    /// What time it is for keys and what they use, in seconds since 1970. On a box whose clock was not set, it is not the clock's.
    pub fn now(&self) -> i64 {
        self.parts.time.now()
    }

    /// Whether somebody owns this box. Until then it lets nobody in from the network.
    pub fn is_claimed(&self) -> bool {
        self.parts.people.is_claimed()
    }

    /// Returns once somebody does.
    pub async fn claimed(&self) {
        self.parts.people.claimed().await;
    }

    /// Makes a key. Its text is told here, and never again.
    ///
    /// # Errors
    /// [`KeyError`]; none was made then.
    pub fn create_key(&self, by: &Caller, new: NewKey) -> Result<(Key, Secret), KeyError> {
        self.create_key_of(by, new, Secret::generate())
    }

    /// The same, of a text that somebody was told already.
    ///
    /// # Errors
    /// [`KeyError`]; none was made then, and the text is that of no key.
    pub fn create_key_of(&self, by: &Caller, new: NewKey, secret: Secret) -> Result<(Key, Secret), KeyError> {
        allow(by)?;
        self.parts.keys.create(by, new, &secret)
    }

    /// All keys that were not revoked, in the order in which they were made. In memory.
    pub fn keys(&self) -> Vec<Key> {
        self.parts.keys.list()
    }

    /// Ends a key for good, and all that is being answered to it.
    ///
    /// # Errors
    /// [`KeyError`]; it is as it was then.
    pub fn revoke_key(&self, by: &Caller, id: KeyId) -> Result<(), KeyError> {
        allow(by)?;
        self.parts.keys.revoke(by, id)
    }

    /// Gives a key another text; all else of it stays. The old text is of no use from here on, and all that is being answered to
    /// it ends.
    ///
    /// # Errors
    /// [`KeyError`]; the old text stands then.
    pub fn rotate_key(&self, by: &Caller, id: KeyId) -> Result<(Key, Secret), KeyError> {
        allow(by)?;
        self.parts.keys.rotate(by, id)
    }

    /// What was used from one day on, to another, both included; by day, then by owner. Revoked keys are among them.
    ///
    /// # Errors
    /// What the state says.
    pub fn usage(&self, from: Date, to: Date) -> Result<Vec<DayUsage>, AccessError> {
        self.flush()?;
        let [from, to] = [from, to].map(quota::days_since_1970);
        let labels: std::collections::HashMap<_, _> = self.parts.state.labels()?.into_iter().collect();
        let rows = self.parts.state.usage(from, to)?.into_iter();
        Ok(rows
            .map(|row| DayUsage {
                owner: row.owner,
                label: labels.get(&row.owner).cloned().unwrap_or_default(),
                day: quota::date(row.day),
                requests: row.requests,
                tokens: Usage { prompt_tokens: row.prompt_tokens, completion_tokens: row.completion_tokens },
            })
            .collect())
    }

    /// Writes what was used meanwhile, and ends what came by keys and sessions that are over by now. To be called every few
    /// seconds, and when the daemon stops. Blocks on the disk.
    ///
    /// # Errors
    /// What the state says; what was not written is, the next time. What is over has ended all the same.
    pub fn flush(&self) -> Result<(), AccessError> {
        let Parts { state, accounts, keys, people, .. } = &*self.parts;
        keys.end_expired();
        let people = people.flush();
        let uses = keys.unnoted();
        accounts.flush(state, &uses)?;
        keys.note(&uses);
        people
    }
}

/// A second lock behind the table of routes.
fn allow(by: &Caller) -> Result<(), KeyError> {
    if !by.may(Scope::Admin) {
        return Err(KeyError::NotAllowed);
    }
    Ok(by.still()?)
}

#[cfg(test)]
mod tests;
