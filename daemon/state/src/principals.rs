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
}

impl PrincipalKind {
    fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Person => "person",
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
