//! What people are called, what they are here and may, and from where they come to the door. Who there is, is `people`'s.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use protocol::Owner;

use crate::{Caller, Origin, Scope, Scopes, SessionSecret, audit};

/// A box that is claimed before it is first switched on.
#[derive(Clone)]
pub struct Provision {
    /// Whose it is.
    pub name: String,
    /// Of the password, by argon2, as a PHC string.
    pub password_hash: String,
}

/// Not the hash.
impl fmt::Debug for Provision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provision").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What somebody signs in with besides a password. Names that differ in the case of English letters alone are the same.
#[derive(Clone, Debug)]
pub struct PersonName(pub(crate) Arc<str>);

/// A text is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name has 1 to 64 characters that can be seen, and neither begins nor ends with a blank")]
pub struct InvalidPersonName;

impl FromStr for PersonName {
    type Err = InvalidPersonName;

    fn from_str(text: &str) -> Result<Self, InvalidPersonName> {
        let fits = (1..=64).contains(&text.chars().count()) && text.trim() == text;
        let seen = text.chars().all(audit::is_print);
        if fits && seen { Ok(Self(text.into())) } else { Err(InvalidPersonName) }
    }
}

/// A text is no name for somebody new.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidNewName {
    /// It is none at all.
    #[error(transparent)]
    Invalid(#[from] InvalidPersonName),
    /// It is one, but in an address it would be another place.
    #[error("a name has no / and no \\ in it, and is neither . nor ..")]
    Path,
}

impl fmt::Display for PersonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl PersonName {
    /// That of somebody who is new here. What stands for another place in an address is none: who was made before such names
    /// were refused signs in by it still.
    ///
    /// # Errors
    /// [`InvalidNewName`].
    pub fn new(text: &str) -> Result<Self, InvalidNewName> {
        let name = text.parse()?;
        let is_path = matches!(text, "." | "..") || text.contains(['/', '\\']);
        if is_path { Err(InvalidNewName::Path) } else { Ok(name) }
    }

    /// As it was typed when it was made.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

/// What somebody is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Owns the box, and may do everything. There is one at least.
    Owner,
    /// May use its models, and change nothing but their own password.
    Member,
}

impl Role {
    /// As it is written in requests and in the state.
    pub fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Member => "member",
        }
    }

    pub(crate) fn scopes(self) -> Scopes {
        match self {
            Self::Owner => Scopes::all(),
            Self::Member => [Scope::Infer, Scope::Embed, Scope::ModelsRead].into_iter().collect(),
        }
    }
}

/// A text is no role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("somebody is an \"owner\" or a \"member\"")]
pub struct InvalidRole;

impl FromStr for Role {
    type Err = InvalidRole;

    fn from_str(text: &str) -> Result<Self, InvalidRole> {
        [Self::Owner, Self::Member].into_iter().find(|role| role.name() == text).ok_or(InvalidRole)
    }
}

/// Somebody who may sign in, as they are listed.
#[derive(Clone, Debug)]
pub struct Person {
    /// Whose answers are theirs.
    pub owner: Owner,
    /// What they sign in with.
    pub name: PersonName,
    /// What they are here.
    pub role: Role,
    /// Seconds since 1970.
    pub created: i64,
    /// Seconds since 1970.
    pub password_changed: i64,
}

/// Somebody at the door, who is not known yet.
#[derive(Clone, Copy, Debug)]
pub struct Visitor<'a> {
    /// Where they come from.
    pub origin: Origin,
    /// What their browser says it is; empty if it says nothing.
    pub agent: &'a str,
}

/// Somebody who is known from now on.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// Who they are.
    pub person: Person,
    /// What they may.
    pub caller: Caller,
    /// What their browser is known by from now on. `None` at the admin socket, where nobody needs one.
    pub session: Option<SessionSecret>,
}
