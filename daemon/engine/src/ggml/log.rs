//! What ggml logs: warnings and errors go to standard error, the last errors are kept as the reason of a failure, since
//! its functions answer no more than null.

use std::ffi::{CStr, c_char, c_void};
use std::io::Write;
use std::sync::{Mutex, PoisonError};

use llama_cpp_sys_2 as sys;

/// The callback is the process's, so what it keeps must be as well.
static ERRORS: Mutex<String> = Mutex::new(String::new());

/// Whoever wants to know how far the quantiser is: it tells nobody but the log.
static TENSORS: Mutex<Option<TensorListener>> = Mutex::new(None);

/// Hears values from 0 to 1.
pub(super) type TensorListener = Box<dyn FnMut(f32) + Send>;

const KEPT_BYTES: usize = 2000;

/// Routes the log of ggml, llama.cpp and mtmd here.
pub(super) fn capture() {
    // SAFETY: the callback is a plain function and uses no user data.
    unsafe {
        sys::llama_log_set(Some(note), std::ptr::null_mut());
        sys::mtmd_log_set(Some(note), std::ptr::null_mut());
        sys::mtmd_helper_log_set(Some(note), std::ptr::null_mut());
    }
}

/// The errors since the last call, on one line; `fallback` if there were none.
pub(crate) fn take_errors(fallback: &str) -> String {
    let errors = std::mem::take(&mut *ERRORS.lock().unwrap_or_else(PoisonError::into_inner));
    let line = errors.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() { fallback.into() } else { line }
}

/// From now on, `listener` hears of each tensor that the quantiser begins.
pub(super) fn on_tensor(listener: Option<TensorListener>) {
    *TENSORS.lock().unwrap_or_else(PoisonError::into_inner) = listener;
}

/// Of `[  12/ 272] blk.0.attn_q.weight …`, how much is done.
fn tensors_done(line: &str) -> Option<f32> {
    let (number, total) = line.strip_prefix('[')?.split_once(']')?.0.split_once('/')?;
    let (number, total): (f32, f32) = (number.trim().parse().ok()?, total.trim().parse().ok()?);
    (total > 0.0).then_some((number - 1.0) / total)
}

fn hear_of_tensor(line: &str) {
    if let Some(part) = tensors_done(line)
        && let Some(listener) = &mut *TENSORS.lock().unwrap_or_else(PoisonError::into_inner)
    {
        listener(part);
    }
}

/// A full KV cache is nothing to report: the coldest prefix makes room.
fn is_expected(line: &str) -> bool {
    line.contains("failed to find a memory slot")
}

unsafe extern "C" fn note(level: sys::ggml_log_level, text: *const c_char, _: *mut c_void) {
    // SAFETY: llama.cpp passes a terminated string that lives for this call.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    if level < sys::GGML_LOG_LEVEL_WARN || level == sys::GGML_LOG_LEVEL_CONT || is_expected(&text) {
        hear_of_tensor(&text);
        return;
    }
    // Nowhere is left to report a failure to log.
    let _unwritten = std::io::stderr().write_all(text.as_bytes());
    if level >= sys::GGML_LOG_LEVEL_ERROR {
        let mut errors = ERRORS.lock().unwrap_or_else(PoisonError::into_inner);
        if errors.len() + text.len() < KEPT_BYTES {
            errors.push_str(&text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::tensors_done;

    #[test]
    fn a_line_of_the_quantiser_says_how_far_it_is() {
        assert_eq!(tensors_done("[   2/   4] output.weight - [64, 4, 1, 1], type = f16, "), Some(0.25));
        assert_eq!(tensors_done("size = 1.00 MiB"), None);
        assert_eq!(tensors_done("[ 0/ 0]"), None);
    }
}
