//! The audit log: who did what to the box, and who tried. Lines of JSON, each bound to the one before by a hash, and each on the
//! disk before what it tells of is done. Never what is asked of a model, never a key, a password or a code.
//!
//! `entry` knows a line, `log` the files, `read` what lies in them, `newest` the same from its end on, `verify` what a whole chain is, `refusals` how much of what strangers do is written and `acts` of what callers do,
//! `reserve` what room is kept for it.

mod acts;
mod entry;
mod log;
mod newest;
mod read;
mod refusals;
mod reserve;
mod verify;

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use state::{Clock, State, StateError};
use tokio::sync::watch;

use crate::lock;
use acts::Acts;
use refusals::{Refusals, Verdict};

pub(crate) use entry::is_print;
pub use entry::{Action, Entry, InvalidEntry, Outcome, printable};
pub use newest::Newest;
pub use read::Entries;
pub use state::{AuditEnds, AuditHash, AuditPosition};
pub use verify::{Finding, Report, verify};

/// Something to be written down.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// Who: the words of [`Entry::who`].
    pub who: &'a str,
    /// From where; `None` by a UNIX socket, and for what the daemon does by itself.
    pub from: Option<IpAddr>,
    /// What.
    pub action: Action,
    /// With what: a name, an id, a path. Never a secret.
    pub target: &'a str,
    /// How it ended.
    pub outcome: Outcome,
}

/// What the daemon is called in the log.
pub(crate) const DAEMON: &str = "hob";

/// The audit log. What is to be changed and cannot be written down is not changed: `record` comes first.
#[derive(Debug)]
pub struct Audit {
    clock: Clock,
    state: State,
    written: Mutex<Written>,
    /// The number of the last entry.
    last: watch::Sender<u64>,
}

#[derive(Debug)]
struct Written {
    log: log::Log,
    /// Of wrong passwords and codes.
    credentials: Refusals,
    /// Of requests, of which anybody can send many.
    requests: Refusals,
    /// Of what callers do to models.
    acts: Acts,
}

/// What became of something that was to be written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noted {
    /// It is on the disk.
    Written,
    /// There was more of it than is written, and the count will be.
    Counted,
}

/// Why something cannot be written down, or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// The disk refuses.
    #[error("cannot {action} the audit log at {path}: {source}; nothing is changed that cannot be written there", path = path.display())]
    Io {
        /// What was to be done.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Another process writes it.
    #[error("another hob writes the audit log in {path}: stop that one first", path = path.display())]
    InUse {
        /// Where.
        path: PathBuf,
    },
    /// The state refuses to keep where the log ends.
    #[error("cannot keep where the audit log ends: {0}; nothing is changed that cannot be written there")]
    State(#[from] StateError),
}

impl Audit {
    /// Opens the log in a folder of its own, which is made if need be. What a power cut left half written is put aside, and what
    /// is missing is told: both are written down, and the chain goes on.
    ///
    /// # Errors
    /// [`AuditError`] if the log cannot be written.
    pub fn open(state: State, clock: Clock, folder: &Path) -> Result<Self, AuditError> {
        let known = state.audit_ends()?;
        let (log, noticed) = log::Log::open(folder, known)?;
        let written = Written {
            log,
            credentials: Refusals::default(),
            requests: Refusals::default(),
            acts: Acts::default(),
        };
        let last = watch::Sender::new(written.log.ends().last.seq);
        let audit = Self { clock, state, written: Mutex::new(written), last };
        for notice in noticed {
            let (action, target) = match &notice {
                log::Notice::Torn { bytes, aside } => {
                    tracing::warn!(
                        bytes,
                        aside,
                        "the last entry of the audit log was not written whole, as when the power goes; it was put aside"
                    );
                    (Action::AuditTorn, format!("{bytes} bytes, kept as {aside}"))
                }
                log::Notice::Broken(what) => {
                    tracing::error!(
                        "the audit log is not what was written: {what}; `hob audit verify` tells more"
                    );
                    (Action::AuditBroken, what.clone())
                }
            };
            audit.record(&Event {
                who: DAEMON,
                from: None,
                action,
                target: &target,
                outcome: Outcome::Done,
            })?;
        }
        Ok(audit)
    }

    /// Writes something down; it is on the disk then. Of what is refused, some a minute are written for each address and for
    /// all, and the rest is counted.
    ///
    /// # Errors
    /// [`AuditError`]; it is not written then, and must not be done.
    pub fn record(&self, event: &Event<'_>) -> Result<(), AuditError> {
        let mut written = lock(&self.written);
        if event.outcome == Outcome::Refused {
            let elapsed = self.clock.elapsed();
            self.write_left_out(&mut written, elapsed)?;
            let refusals = if event.action == Action::Request {
                &mut written.requests
            } else {
                &mut written.credentials
            };
            if refusals.admit(event.from) == Verdict::LeaveOut {
                return Ok(());
            }
        }
        self.append(&mut written.log, event)
    }

    /// Writes down what a caller does to models, of which some in an hour are written, and the rest is counted.
    ///
    /// # Errors
    /// [`AuditError`]; it is not written then, and must not be done.
    pub(crate) fn record_act(&self, event: &Event<'_>) -> Result<Noted, AuditError> {
        let mut written = lock(&self.written);
        self.write_left_out(&mut written, self.clock.elapsed())?;
        if written.acts.admit(event.who, event.action) == Verdict::LeaveOut {
            return Ok(Noted::Counted);
        }
        self.append(&mut written.log, event)?;
        Ok(Noted::Written)
    }

    /// Writes down how many refusals were left out in the minutes before; to be called now and then.
    ///
    /// # Errors
    /// [`AuditError`]; it is tried again the next time.
    pub fn flush(&self) -> Result<(), AuditError> {
        self.write_left_out(&mut lock(&self.written), self.clock.elapsed())
    }

    fn write_left_out(&self, written: &mut Written, elapsed: Duration) -> Result<(), AuditError> {
        let Written { log, credentials, requests, acts } = written;
        while let Some(more) = acts.left_out(elapsed) {
            let target = format!("{} more in an hour", more.count);
            let (who, action, outcome) = (&more.who, more.action, Outcome::Done);
            self.append(log, &Event { who, from: None, action, target: &target, outcome })?;
            acts.told(more);
        }
        for (refusals, action) in [(credentials, Action::SignIn), (requests, Action::Request)] {
            let Some(left_out) = refusals.left_out(elapsed) else { continue };
            let target = left_out.to_string();
            let outcome = Outcome::Refused;
            self.append(
                log,
                &Event { who: "nobody", from: left_out.most, action, target: &target, outcome },
            )?;
            refusals.begin(elapsed);
        }
        Ok(())
    }

    /// Does something that is written down first. If it fails, that is written as well.
    pub(crate) fn around<T, E: From<AuditError>>(
        &self,
        event: &Event<'_>,
        work: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        self.record(event)?;
        let done = work();
        if done.is_err()
            && let Err(error) = self.record(&Event { outcome: Outcome::Failed, ..*event })
        {
            tracing::error!(
                "the audit log says that something was done which was not ({:?}): {error}",
                event.action
            );
        }
        done
    }

    fn append(&self, log: &mut log::Log, event: &Event<'_>) -> Result<(), AuditError> {
        let appended = self.append_within_limits(log, event);
        let last = log.ends().last.seq;
        self.last.send_if_modified(|told| std::mem::replace(told, last) != last);
        appended
    }

    fn append_within_limits(&self, log: &mut log::Log, event: &Event<'_>) -> Result<(), AuditError> {
        log.append(&self.time(), event)?;
        self.state.keep_audit_ends(&log.ends())?;
        // One that is removed is written down, which may fill the next.
        while let Some(oldest) = log.beyond_limit() {
            let target = format!("entries up to {}", oldest.removed.seq);
            let event = Event {
                who: DAEMON,
                from: None,
                action: Action::AuditForget,
                target: &target,
                outcome: Outcome::Done,
            };
            log.append(&self.time(), &event)?;
            log.forget(&oldest);
            self.state.keep_audit_ends(&log.ends())?;
            log.remove(&oldest)?;
        }
        Ok(())
    }

    /// As if the disk were full.
    #[cfg(test)]
    pub(crate) fn break_for_test(&self) {
        let read_only = std::fs::File::open("/dev/null").unwrap();
        lock(&self.written).log.write_to_for_test(read_only);
    }

    fn time(&self) -> String {
        jiff::Timestamp::from_second(self.clock.now()).unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string()
    }

    /// The lines of all entries after one, the oldest first, up to the last that is written now. Reading them blocks.
    ///
    /// # Errors
    /// [`AuditError`] if the folder cannot be listed.
    pub fn entries(&self, after: u64) -> Result<Entries, AuditError> {
        lock(&self.written).log.entries(after)
    }

    /// All entries before one, or all there are now, the newest first. Reading them blocks.
    pub fn newest(&self, before: Option<u64>) -> Newest {
        lock(&self.written).log.newest(before)
    }

    /// Follows the number of the last entry.
    pub fn follow(&self) -> watch::Receiver<u64> {
        self.last.subscribe()
    }
}

fn failed(action: &'static str, path: &Path, source: io::Error) -> AuditError {
    AuditError::Io { action, path: path.into(), source }
}

#[cfg(test)]
mod tests;
