//! ggml's RPC: a device of another box, at the other end of a stream that this process was born with, and this box's device lent
//! at such a stream. Neither opens a socket.

use std::os::fd::{IntoRawFd, OwnedFd};
use std::ptr::NonNull;

use llama_cpp_sys_2 as sys;

unsafe extern "C" {
    fn hob_remote_lend(fd: i32, threads: usize, bytes: usize) -> bool;
    fn hob_remote_device(fd: i32) -> sys::ggml_backend_dev_t;
}

/// Computes for whoever is at the other end of the stream, with so many bytes, until it ends. Blocks.
///
/// # Errors
/// If there is no device to compute with.
pub(crate) fn lend(stream: OwnedFd, threads: u32, bytes: u64) -> Result<(), String> {
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    // SAFETY: the descriptor is open and given away here; the call keeps nothing of ours.
    match unsafe { hob_remote_lend(stream.into_raw_fd(), threads as usize, bytes) } {
        true => Ok(()),
        false => Err("there is no device to lend".into()),
    }
}

/// A device of another box. It and the connection to it last as long as the process; when the box goes, so does the process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Remote(NonNull<sys::ggml_backend_device>);

impl Remote {
    /// The one at the other end; `None` if it lends none. Blocks until it said so.
    pub(crate) fn connect(stream: OwnedFd) -> Option<Self> {
        // SAFETY: the descriptor is open and given away here.
        NonNull::new(unsafe { hob_remote_device(stream.into_raw_fd()) }).map(Self)
    }

    pub(super) fn raw(self) -> sys::ggml_backend_dev_t {
        self.0.as_ptr()
    }
}
