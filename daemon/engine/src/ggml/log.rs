//! What ggml logs: warnings and errors go to standard error, the last errors are kept as the reason of a failure, since
//! its functions answer no more than null.

use std::ffi::{CStr, c_char, c_void};
use std::io::Write;
use std::sync::{Mutex, PoisonError};

use llama_cpp_sys_2 as sys;

/// The callback is the process's, so what it keeps must be as well.
static ERRORS: Mutex<String> = Mutex::new(String::new());

const KEPT_BYTES: usize = 2000;

/// Routes the log of ggml and llama.cpp here.
pub(super) fn capture() {
    // SAFETY: the callback is a plain function and uses no user data.
    unsafe { sys::llama_log_set(Some(note), std::ptr::null_mut()) };
}

/// The errors since the last call, on one line; `fallback` if there were none.
pub(crate) fn take_errors(fallback: &str) -> String {
    let errors = std::mem::take(&mut *ERRORS.lock().unwrap_or_else(PoisonError::into_inner));
    let line = errors.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() { fallback.into() } else { line }
}

unsafe extern "C" fn note(level: sys::ggml_log_level, text: *const c_char, _: *mut c_void) {
    if level < sys::GGML_LOG_LEVEL_WARN || level == sys::GGML_LOG_LEVEL_CONT {
        return;
    }
    // SAFETY: llama.cpp passes a terminated string that lives for this call.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    // Nowhere is left to report a failure to log.
    let _unwritten = std::io::stderr().write_all(text.as_bytes());
    if level >= sys::GGML_LOG_LEVEL_ERROR {
        let mut errors = ERRORS.lock().unwrap_or_else(PoisonError::into_inner);
        if errors.len() + text.len() < KEPT_BYTES {
            errors.push_str(&text);
        }
    }
}
