//! An end for work that cannot be interrupted: a template of C++'s that runs on and on. This process holds one model and
//! ends with it; the daemon tells those who wait, and starts another for the next one.

use std::io::Write;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// Ends the process, unless it is dropped in time.
#[derive(Debug)]
pub(crate) struct Watchdog(#[expect(dead_code, reason = "dropping it is what ends the watch")] Sender<()>);

impl Watchdog {
    /// Watches some `work` that is about to begin.
    pub(crate) fn start(work: &'static str, limit: Duration) -> Self {
        let (sender, dropped) = channel::<()>();
        std::thread::spawn(move || {
            if dropped.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                let told = format!("{work} took more than {limit:?}; the worker ends\n");
                // Nowhere is left to report a failure to log.
                let _unwritten = std::io::stderr().write_all(told.as_bytes());
                std::process::abort();
            }
        });
        Self(sender)
    }
}
