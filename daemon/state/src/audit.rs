//! Where the audit log begins and ends. The log itself is a file of `access`'s.

use rusqlite::{OptionalExtension as _, params};

use crate::{State, StateError};

/// An entry of the audit log, by its number and its hash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuditPosition {
    /// Its number; 0 before the first.
    pub seq: u64,
    /// SHA-256; zeros before the first.
    pub hash: [u8; 32],
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
                    let position = |seq: i64, hash| AuditPosition { seq: seq.cast_unsigned(), hash };
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
                    ends.removed.hash,
                    ends.last.seq.cast_signed(),
                    ends.last.hash
                ],
            )?;
            Ok(())
        })
    }
}
