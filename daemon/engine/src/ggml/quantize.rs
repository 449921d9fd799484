//! Packing weights by llama.cpp's own quantiser.

use std::ffi::CString;
use std::fs::File;
use std::os::fd::AsRawFd;

use llama_cpp_sys_2 as sys;
use protocol::Quantization;

use super::log;

/// Packs one open file into another, from its beginning. `progress` hears values from 0 to 1. Blocks.
///
/// # Errors
/// What llama.cpp said.
pub(crate) fn quantize(
    from: &File,
    into: &File,
    to: Quantization,
    threads: u32,
    progress: impl FnMut(f32) + Send + 'static,
) -> Result<(), String> {
    let (from_path, into_path) = (descriptor_path(from)?, descriptor_path(into)?);
    // SAFETY: returns a plain struct.
    let mut params = unsafe { sys::llama_model_quantize_default_params() };
    params.ftype = file_type(to);
    params.nthread = i32::try_from(threads).unwrap_or(0);
    // Whether the source may be packed further is decided before.
    params.allow_requantize = true;
    log::on_tensor(Some(Box::new(progress)));
    // SAFETY: both paths are terminated and live for this call, as do the files behind them; the struct is whole.
    let failed =
        unsafe { sys::llama_model_quantize(from_path.as_ptr(), into_path.as_ptr(), &raw const params) };
    log::on_tensor(None);
    if failed == 0 { Ok(()) } else { Err(log::take_errors("llama.cpp could not quantize the model")) }
}

/// A path that opens what is open already; the quantiser knows only paths.
fn descriptor_path(file: &File) -> Result<CString, String> {
    CString::new(format!("/dev/fd/{}", file.as_raw_fd())).map_err(|error| error.to_string())
}

fn file_type(to: Quantization) -> sys::llama_ftype {
    match to {
        Quantization::F32 => sys::LLAMA_FTYPE_ALL_F32,
        Quantization::F16 => sys::LLAMA_FTYPE_MOSTLY_F16,
        Quantization::Bf16 => sys::LLAMA_FTYPE_MOSTLY_BF16,
        Quantization::Q8_0 => sys::LLAMA_FTYPE_MOSTLY_Q8_0,
        Quantization::Q4Ks => sys::LLAMA_FTYPE_MOSTLY_Q4_K_S,
        Quantization::Q4Km => sys::LLAMA_FTYPE_MOSTLY_Q4_K_M,
    }
}
