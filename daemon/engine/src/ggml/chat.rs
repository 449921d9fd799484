//! The model's own chat template, through the C++ shim beside this crate.

use std::ffi::{CString, c_char, c_int, c_void};
use std::ptr::NonNull;
use std::sync::Arc;

use protocol::Message;

use super::Model;
use crate::template::Capabilities;

/// A conversation as the model reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rendered {
    pub(crate) prompt: String,
    /// Strings that end an answer, besides the model's own end tokens.
    pub(crate) stops: Vec<String>,
}

pub(crate) struct ChatTemplate {
    raw: NonNull<RawTemplates>,
    _model: Arc<Model>,
}

// SAFETY: only read after it was parsed; applying it makes its own interpreter.
unsafe impl Send for ChatTemplate {}

impl ChatTemplate {
    /// The template in the model's file.
    ///
    /// # Errors
    /// What the template's parser said.
    pub(crate) fn of_model(model: Arc<Model>) -> Result<Self, String> {
        let mut heard = Heard::default();
        // SAFETY: the model is loaded, and `heard` outlives the call, the only time it is used.
        let raw = unsafe { hob_chat_new(model.raw(), hear, (&raw mut heard).cast()) };
        NonNull::new(raw).map(|raw| Self { raw, _model: model }).ok_or(heard.reason)
    }

    /// What the template can show besides messages.
    pub(crate) fn capabilities(&self) -> Capabilities {
        let mut heard = Heard::default();
        // SAFETY: `heard` outlives the call, the only time it is used.
        let bits = unsafe { hob_chat_capabilities(self.raw.as_ptr(), hear, (&raw mut heard).cast()) };
        Capabilities { tools: bits & 1 != 0, thinking: bits & 2 != 0 }
    }

    /// Renders a conversation, ending where the model's answer begins.
    ///
    /// # Errors
    /// What the template said, e.g. that roles must alternate.
    pub(crate) fn render(&self, messages: &[Message]) -> Result<Rendered, String> {
        let roles: Vec<CString> = messages.iter().map(|message| terminated(message.role.as_str())).collect();
        let contents: Vec<CString> = messages.iter().map(|message| terminated(&message.content)).collect();
        let role_pointers: Vec<*const c_char> = roles.iter().map(|role| role.as_ptr()).collect();
        let content_pointers: Vec<*const c_char> = contents.iter().map(|content| content.as_ptr()).collect();
        let mut heard = Heard::default();
        // SAFETY: both arrays hold `messages.len()` terminated strings that live for the call, as does `heard`.
        let done = unsafe {
            hob_chat_apply(
                self.raw.as_ptr(),
                role_pointers.as_ptr(),
                content_pointers.as_ptr(),
                messages.len(),
                hear,
                (&raw mut heard).cast(),
            )
        };
        if done { Ok(heard.rendered) } else { Err(heard.reason) }
    }
}

impl Drop for ChatTemplate {
    fn drop(&mut self) {
        // SAFETY: ours, freed once.
        unsafe { hob_chat_free(self.raw.as_ptr()) };
    }
}

/// C strings end at a NUL, which no vocabulary can say anyway.
fn terminated(text: &str) -> CString {
    let bytes: Vec<u8> = text.bytes().filter(|byte| *byte != 0).collect();
    CString::new(bytes).unwrap_or_default()
}

#[derive(Default)]
struct Heard {
    rendered: Rendered,
    reason: String,
}

unsafe extern "C" fn hear(user: *mut c_void, kind: c_int, text: *const c_char, length: usize) {
    // SAFETY: the shim passes our `Heard` back, and a text of this length that lives for the call.
    let (heard, text) =
        unsafe { (&mut *user.cast::<Heard>(), std::slice::from_raw_parts(text.cast::<u8>(), length)) };
    let text = String::from_utf8_lossy(text).into_owned();
    match kind {
        0 => heard.rendered.prompt = text,
        1 => heard.rendered.stops.push(text),
        _ => heard.reason = text,
    }
}

#[repr(C)]
struct RawTemplates {
    _opaque: [u8; 0],
}

type Emit = unsafe extern "C" fn(*mut c_void, c_int, *const c_char, usize);

unsafe extern "C" {
    fn hob_chat_new(
        model: *const llama_cpp_sys_2::llama_model,
        emit: Emit,
        user: *mut c_void,
    ) -> *mut RawTemplates;
    fn hob_chat_free(templates: *mut RawTemplates);
    fn hob_chat_capabilities(templates: *const RawTemplates, emit: Emit, user: *mut c_void) -> c_int;
    fn hob_chat_apply(
        templates: *const RawTemplates,
        roles: *const *const c_char,
        contents: *const *const c_char,
        count: usize,
        emit: Emit,
        user: *mut c_void,
    ) -> bool;
}
