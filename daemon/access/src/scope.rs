//! What may be allowed: the scopes of keys. Which route needs which is `api`'s table. Pure.

use std::fmt;
use std::str::FromStr;

/// One thing that may be allowed. Nothing else is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Asking models to answer.
    Infer,
    /// Asking models for vectors and scores.
    Embed,
    /// Seeing which models there are, and what they are made of.
    ModelsRead,
    /// Pulling, making, copying, pushing and removing models.
    ModelsWrite,
    /// Reading figures about the box. There are none yet: no route asks for this one.
    Metrics,
    /// People, keys, sessions, certificates, the audit log.
    Admin,
    /// Lending a part of a model that runs on another box this one's memory and processor. Whoever may that is trusted as this box
    /// is: what it sends is computed without a check. No key has it that was not made for it.
    Split,
}

impl Scope {
    /// All there are.
    pub const ALL: [Self; 7] = [
        Self::Infer,
        Self::Embed,
        Self::ModelsRead,
        Self::ModelsWrite,
        Self::Metrics,
        Self::Admin,
        Self::Split,
    ];

    /// As it is written in requests, on the command line and in the state.
    pub fn name(self) -> &'static str {
        match self {
            Self::Infer => "infer",
            Self::Embed => "embed",
            Self::ModelsRead => "models.read",
            Self::ModelsWrite => "models.write",
            Self::Metrics => "metrics",
            Self::Admin => "admin",
            Self::Split => "split",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A word that is no scope's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no scope; there are infer, embed, models.read, models.write, metrics, admin and split")]
pub struct UnknownScope(pub String);

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        Self::ALL.into_iter().find(|scope| scope.name() == text).ok_or_else(|| UnknownScope(text.to_owned()))
    }
}

/// A set of them.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    /// Nothing.
    pub const NONE: Self = Self(0);

    /// Everything.
    pub fn all() -> Self {
        Scope::ALL.into_iter().collect()
    }

    /// Whether it is among them.
    pub fn contains(self, scope: Scope) -> bool {
        self.0 & bit(scope) != 0
    }

    /// Those of them that are in the other as well.
    #[must_use]
    pub fn within(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// In the order of [`Scope::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.contains(*scope))
    }
}

fn bit(scope: Scope) -> u8 {
    1 << scope as u8
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |all, scope| all | bit(scope)))
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_sets_and_each_has_a_name_of_its_own() {
        let set: Scopes = [Scope::Embed, Scope::Admin].into_iter().collect();
        assert!(set.contains(Scope::Embed) && !set.contains(Scope::Infer));
        assert_eq!(set.iter().collect::<Vec<_>>(), [Scope::Embed, Scope::Admin]);
        assert_eq!(set.within([Scope::Embed, Scope::Infer].into_iter().collect()).iter().count(), 1);
        for scope in Scope::ALL {
            assert_eq!(scope.name().parse(), Ok(scope));
            assert!(Scopes::all().contains(scope) && !Scopes::NONE.contains(scope));
        }
        assert!("root".parse::<Scope>().is_err());
    }
}
