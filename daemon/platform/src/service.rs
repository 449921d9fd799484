//! What the system's service manager hands over and wants to be told: systemd's sockets and notifications.
#![expect(unsafe_code, reason = "sockets are handed over by number")]

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

pub use sd_notify::NotifyState;

/// The sockets that systemd opened for this service, each with its `FileDescriptorName`. None without systemd. To be called once.
///
/// # Errors
/// If what is handed over makes no sense.
pub fn sockets() -> io::Result<Vec<(String, OwnedFd)>> {
    let handed_over = sd_notify::listen_fds_with_names()?;
    // SAFETY: the numbers are those that systemd gave this very process to own, which sd-notify has checked by LISTEN_PID, and
    // nobody else takes them: this is called once.
    Ok(handed_over.map(|(number, name)| (name, unsafe { OwnedFd::from_raw_fd(number) })).collect())
}

/// Tells the service manager that the service begins anew, and says when it is ready again. It must not take that for an end.
///
/// # Errors
/// If there is one, and it does not listen.
pub fn reloading() -> io::Result<()> {
    // Of the system's, who wants to know since when.
    sd_notify::notify(&[NotifyState::Reloading, NotifyState::monotonic_usec_now()?])
}

/// Tells the service manager, if there is one.
///
/// # Errors
/// If there is one, and it does not listen.
pub fn tell(state: &[NotifyState<'_>]) -> io::Result<()> {
    sd_notify::notify(state)
}
