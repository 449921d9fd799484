//! Where the audit log begins and ends. The log itself is a file of `access`'s.

use std::fmt;
use std::str::FromStr;

use rusqlite::{OptionalExtension as _, params};

use crate::{State, StateError};

/// An entry of the audit log, by its number and its hash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuditPosition {
    /// Its number; 0 before the first.
    pub seq: u64,
    /// Its hash; zeros before the first.
    pub hash: AuditHash,
}

/// What binds an entry to the one before: a SHA-256, written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct AuditHash(pub [u8; 32]);

impl fmt::Display for AuditHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for AuditHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text is no hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a hash has 64 hexadecimal digits, in lower case")]
pub struct InvalidAuditHash;

impl FromStr for AuditHash {
    type Err = InvalidAuditHash;

    fn from_str(text: &str) -> Result<Self, InvalidAuditHash> {
        if text.len() != 64 || !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(InvalidAuditHash);
        }
        let mut hash = [0; 32];
        for (place, byte) in hash.iter_mut().enumerate() {
            let digits = &text[2 * place..2 * place + 2];
            *byte = u8::from_str_radix(digits, 16).map_err(|_| InvalidAuditHash)?;
        }
        Ok(Self(hash))
    }
}

/// Its number, a colon, and its hash.
impl fmt::Display for AuditPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, self.hash)
    }
}

/// A text is no position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a position is a number, a colon and 64 hexadecimal digits")]
pub struct InvalidAuditPosition;

impl FromStr for AuditPosition {
    type Err = InvalidAuditPosition;

    fn from_str(text: &str) -> Result<Self, InvalidAuditPosition> {
        let (seq, hash) = text.split_once(':').ok_or(InvalidAuditPosition)?;
        let seq = seq.parse().map_err(|_| InvalidAuditPosition)?;
        let hash = hash.parse().map_err(|_| InvalidAuditPosition)?;
        Ok(Self { seq, hash })
    }
}

/// Both ends of the audit log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuditEnds {
    /// The last entry that was removed with age.
    pub removed: AuditPosition,
    /// The last entry.
    pub last: AuditPosition,
}

impl State {
    /// Both ends of the audit log, unless it was never written to.
    ///
    /// # Errors
    /// What the database says.
    pub fn audit_ends(&self) -> Result<Option<AuditEnds>, StateError> {
        self.read(|transaction| {
            let ends = transaction.query_row(
                "SELECT removed, removed_hash, last, last_hash FROM audit",
                [],
                |row| {
                    let position =
                        |seq: i64, hash| AuditPosition { seq: seq.cast_unsigned(), hash: AuditHash(hash) };
                    Ok(AuditEnds {
                        removed: position(row.get(0)?, row.get(1)?),
                        last: position(row.get(2)?, row.get(3)?),
                    })
                },
            );
            Ok(ends.optional()?)
        })
    }

    /// Keeps both ends of the audit log.
    ///
    /// # Errors
    /// What the database says; they are as they were then.
    pub fn keep_audit_ends(&self, ends: &AuditEnds) -> Result<(), StateError> {
        self.write(|transaction| {
            transaction.execute(
                "INSERT OR REPLACE INTO audit (one, removed, removed_hash, last, last_hash) VALUES (1, ?, ?, ?, ?)",
                params![
                    ends.removed.seq.cast_signed(),
                    ends.removed.hash.0,
                    ends.last.seq.cast_signed(),
                    ends.last.hash.0
                ],
            )?;
            Ok(())
        })
    }
}
