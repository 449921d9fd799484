//! Who has something of their own here: a number each, by which stored answers, caches and figures are told apart. Who is who
//! is the business of `keys` and of people's tables.

use protocol::Owner;
use rusqlite::{Transaction, params};

use crate::StateError;

/// What kind of principal it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PrincipalKind {
    Key,
    Person,
    /// Somebody for whom a paired box asks.
    Behalf,
}

impl PrincipalKind {
    fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Person => "person",
            Self::Behalf => "peer",
        }
    }
}

/// Makes one, with a number that nobody had before: not even somebody who is gone.
pub(crate) fn add(
    transaction: &Transaction<'_>,
    kind: PrincipalKind,
    label: &str,
    created: i64,
) -> Result<Owner, StateError> {
    let insert = "INSERT INTO principals (kind, label, created) VALUES (?, ?, ?)";
    transaction.execute(insert, params![kind.name(), label, created])?;
    Ok(Owner(transaction.last_insert_rowid().cast_unsigned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Clock, State};

    #[test]
    fn the_number_of_somebody_who_is_gone_is_nobodys() {
        let folder = tempfile::TempDir::new().unwrap();
        let open = || State::open(folder.path(), Clock::of(|| 0)).unwrap();
        let made =
            |state: &State| state.write(|transaction| add(transaction, PrincipalKind::Key, "k", 0)).unwrap();

        let first = made(&open());
        open().write(|transaction| Ok(transaction.execute("DELETE FROM principals", [])?)).unwrap();

        assert!(first > Owner::default() && made(&open()) > first);
    }
}
