//! Whether an audit log is what was written: each line by its own hash, each by the one before, and both ends by what the state
//! knows of them. Pure, over lines from wherever they come.

use std::fmt;

use state::{AuditEnds, AuditPosition};

use super::{Entry, InvalidEntry};

/// What a check found out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How many entries there are.
    pub entries: u64,
    /// The number of the first; 0 if there is none.
    pub first: u64,
    /// The last one.
    pub last: AuditPosition,
    /// What is wrong, in the order of the log; no more than [`Report::MOST_FINDINGS`].
    pub findings: Vec<Finding>,
}

/// Something that is wrong with a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// A line says something else than what was written.
    Line {
        /// Which line, from 1.
        line: u64,
        /// How.
        what: InvalidEntry,
    },
    /// Entries are not there.
    Missing {
        /// The first of them.
        from: u64,
        /// The last of them.
        to: u64,
    },
    /// An entry stands where another should, or a second time.
    Order {
        /// Its number.
        seq: u64,
        /// The number that should be there.
        expected: u64,
    },
    /// An entry was bound to another one than that before it.
    Unbound {
        /// Its number.
        seq: u64,
    },
    /// The last entry that the state knows of is another one.
    OtherEnd {
        /// Its number.
        seq: u64,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { line, what } => write!(f, "line {line} {what}"),
            Self::Missing { from, to } if from == to => write!(f, "entry {from} is missing"),
            Self::Missing { from, to } => write!(f, "entries {from} to {to} are missing"),
            Self::Order { seq, expected } => write!(f, "entry {seq} stands where {expected} should"),
            Self::Unbound { seq } => write!(f, "entry {seq} does not follow from the one before it"),
            Self::OtherEnd { seq } => write!(f, "entry {seq} is not the one that was written last"),
        }
    }
}

impl Report {
    /// How many findings are told.
    pub const MOST_FINDINGS: usize = 100;

    /// Whether all is as it was written.
    pub fn is_whole(&self) -> bool {
        self.findings.is_empty()
    }

    fn found(&mut self, finding: Finding) {
        if self.findings.len() < Self::MOST_FINDINGS {
            self.findings.push(finding);
        }
    }
}

/// Checks lines, the oldest first, as [`super::Entries`] and the files in the order of their names have them. Without `ends`, what was
/// cut off from either end is not missed.
///
/// # Errors
/// What reading a line says.
pub fn verify<E>(
    lines: impl IntoIterator<Item = Result<String, E>>,
    ends: Option<AuditEnds>,
) -> Result<Report, E> {
    let mut report = Report::default();
    let mut before = ends.map(|ends| ends.removed);
    let mut end_seen = false;
    for (number, line) in (1..).zip(lines) {
        let entry = match Entry::parse(&line?) {
            Ok(entry) => entry,
            Err(what) => {
                report.found(Finding::Line { line: number, what });
                // What stands there instead is told by what follows.
                before = None;
                continue;
            }
        };
        if let Some(before) = before {
            follow(&mut report, before, &entry);
        }
        report.entries += 1;
        if report.first == 0 {
            report.first = entry.seq;
        }
        let position = entry.position();
        (before, report.last) = (Some(position), position);
        end_seen |= ends.is_some_and(|ends| ends.last == position);
    }
    if let Some(last) = ends.map(|ends| ends.last).filter(|last| last.seq > 0 && !end_seen) {
        report.found(if report.last.seq < last.seq {
            Finding::Missing { from: report.last.seq + 1, to: last.seq }
        } else {
            Finding::OtherEnd { seq: last.seq }
        });
    }
    Ok(report)
}

fn follow(report: &mut Report, before: AuditPosition, entry: &Entry) {
    let expected = before.seq + 1;
    if entry.seq > expected {
        report.found(Finding::Missing { from: expected, to: entry.seq - 1 });
    } else if entry.seq < expected {
        report.found(Finding::Order { seq: entry.seq, expected });
    } else if entry.previous() != before.hash {
        report.found(Finding::Unbound { seq: entry.seq });
    }
}
