//! Who asks, once it is known, and what they may. Everything behind the front door is told this and nothing of keys.

use std::future::pending;
use std::net::IpAddr;
use std::sync::Arc;

use protocol::{Owner, Priority};

use crate::key::KeyId;
use crate::life::{Life, Over};
use crate::policy::Policy;
use crate::quota::{Exceeded, Standing, Usage};
use crate::usage::{Account, Permit};
use crate::{Scope, Scopes};

/// Who asks. A clone is cheap.
#[derive(Clone, Debug)]
pub struct Caller {
    who: Who,
    scopes: Scopes,
    /// By what name logs know them.
    name: Arc<str>,
    /// Where what they use is counted. Nobody has none.
    account: Option<Arc<Account>>,
    /// What limits them, if they came by a key.
    policy: Option<Arc<Policy>>,
    /// How long what they presented lasts.
    life: Option<Life>,
    /// The id of the session that they came by.
    session: Option<Arc<str>>,
    /// From where; `None` by a UNIX socket.
    address: Option<IpAddr>,
    /// Whose it is that they ask for, if it is not their own.
    behalf: Option<Owner>,
}

/// Whom a caller turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// Presented nothing, and came from elsewhere.
    Nobody,
    /// A program on this machine that presented nothing.
    Local,
    /// Whoever the system lets open the admin socket.
    Operator,
    /// Whoever presented this key.
    Key(KeyId),
    /// Somebody who signed in, by this name.
    Person(Arc<str>),
}

/// What a key or a session gives whoever comes by it.
pub(crate) struct Pass {
    pub(crate) who: Who,
    pub(crate) scopes: Scopes,
    pub(crate) name: Arc<str>,
    pub(crate) account: Arc<Account>,
    /// Of keys.
    pub(crate) policy: Option<Arc<Policy>>,
    /// How long the key or the session lasts, if it is one.
    pub(crate) life: Option<Life>,
    /// The id of the session.
    pub(crate) session: Option<Arc<str>>,
}

impl Caller {
    /// Somebody who presented nothing and came from elsewhere.
    pub fn nobody() -> Self {
        Self::unknown(Who::Nobody, "nobody", Scopes::NONE)
    }

    /// A program on this machine. It may what it may with Ollama, and administer nothing: who is on the loopback is not known.
    pub fn local() -> Self {
        let scopes =
            Scope::ALL.into_iter().filter(|scope| !matches!(scope, Scope::Admin | Scope::Split)).collect();
        Self::unknown(Who::Local, "local", scopes)
    }

    /// Whoever the system lets open the admin socket.
    pub fn operator() -> Self {
        Self::unknown(Who::Operator, "operator", Scopes::all())
    }

    fn unknown(who: Who, name: &str, scopes: Scopes) -> Self {
        Self {
            who,
            scopes,
            name: name.into(),
            account: None,
            policy: None,
            life: None,
            session: None,
            address: None,
            behalf: None,
        }
    }

    pub(crate) fn by(pass: Pass) -> Self {
        let Pass { who, scopes, name, account, policy, life, session } = pass;
        Self { who, scopes, name, account: Some(account), policy, life, session, address: None, behalf: None }
    }

    /// The same, whose requests are counted there.
    pub(crate) fn counted(self, account: &Arc<Account>) -> Self {
        Self { account: Some(Arc::clone(account)), ..self }
    }

    /// The same, with the same account and limits, but on behalf of somebody of theirs.
    pub(crate) fn on_behalf_of(self, owner: Owner) -> Self {
        Self { behalf: Some(owner), ..self }
    }

    /// The same, from there.
    pub(crate) fn coming_from(self, address: Option<IpAddr>) -> Self {
        Self { address, ..self }
    }

    /// The same, who may not do this here.
    pub(crate) fn without(self, scope: Scope) -> Self {
        let others: Scopes = Scope::ALL.into_iter().filter(|other| *other != scope).collect();
        Self { scopes: self.scopes.within(others), ..self }
    }

    /// Whom it turned out to be.
    pub fn who(&self) -> &Who {
        &self.who
    }

    /// By what name logs know them: a key's id, a person's name, or how they came.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// From where; `None` by a UNIX socket, and where nobody asked.
    pub fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// The id of the session that they came by, if they did.
    pub fn session(&self) -> Option<&Arc<str>> {
        self.session.as_ref()
    }

    /// The whole ID of the paired box that they are, if they are one.
    pub fn peer(&self) -> Option<&str> {
        self.policy.as_ref()?.peer.as_deref()
    }

    /// What the audit log calls them. What they chose as a name passes for nobody else.
    pub(crate) fn audited(&self) -> String {
        match &self.who {
            Who::Nobody => "nobody".into(),
            Who::Local => "local".into(),
            Who::Operator => "operator".into(),
            Who::Key(id) => format!("key:{id}"),
            Who::Person(name) => format!("person:{name}"),
        }
    }

    /// Whether it may do this.
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(scope)
    }

    /// Whether it may use this model, by its fully qualified name. A model that it may not use is not there for it.
    pub fn may_use(&self, model: &str) -> bool {
        self.policy.as_ref().is_none_or(|policy| policy.allows_model(model))
    }

    /// Whether it may use every model, those that are yet to come as well.
    pub fn may_use_all(&self) -> bool {
        self.policy.as_ref().is_none_or(|policy| policy.models.is_empty())
    }

    /// Whose answers are kept apart from those of others, in the state and in the caches of workers.
    pub fn owner(&self) -> Owner {
        self.behalf.or_else(|| self.account_owner()).unwrap_or_default()
    }

    /// Whose account it is that what they use is counted in.
    pub(crate) fn account_owner(&self) -> Option<Owner> {
        Some(self.account.as_ref()?.owner)
    }

    /// How urgent what they ask for is.
    pub fn priority(&self) -> Priority {
        self.policy.as_ref().map_or_else(Priority::default, |policy| policy.priority)
    }

    /// Tokens of context that they may ask a model to be loaded with; any number, if it is not said.
    pub fn most_context(&self) -> Option<u32> {
        self.policy.as_ref()?.most_context.map(Into::into)
    }

    /// Tokens of one answer; any number, if it is not said.
    pub fn most_output(&self) -> Option<u32> {
        self.policy.as_ref()?.most_output.map(Into::into)
    }

    /// Lets one request in, and counts it. What is returned is held until the answer has ended, however it does.
    ///
    /// # Errors
    /// [`Exceeded`], the limit that was reached. The request was not counted then.
    pub fn admit(&self) -> Result<Permit, Exceeded> {
        self.account.as_ref().map_or_else(|| Ok(Permit::uncounted()), Account::admit)
    }

    /// Counts the tokens of an answer: of one that was cut off, too. In memory; [`crate::Access::flush`] writes it.
    pub fn count(&self, usage: Usage) {
        if let Some(account) = &self.account {
            account.count(usage);
        }
    }

    /// How it stands with the limits; `None` where there are none that can be told.
    pub fn standing(&self) -> Option<Standing> {
        self.account.as_ref()?.standing()
    }

    /// Resolves when what was presented is over: the key was revoked, rotated or has expired, the session has ended. Never for
    /// those who presented nothing. An answer that still runs ends then. Ends by age are noticed by [`crate::Access::flush`].
    pub async fn ended(&self) {
        match &self.life {
            Some(life) => life.end.cancelled().await,
            None => pending().await,
        }
    }

    /// Whether what was presented is over by now, also if nobody has noticed yet. Who asks was found out when a request's head
    /// was read, and its body may take as long as it likes.
    pub fn is_over(&self) -> bool {
        self.life.as_ref().is_some_and(Life::is_over)
    }

    /// The same, where whoever is over does no more.
    pub(crate) fn still(&self) -> Result<(), Over> {
        if self.is_over() { Err(Over) } else { Ok(()) }
    }
}
