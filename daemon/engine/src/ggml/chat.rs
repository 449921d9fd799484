//! The model's own chat template, through the C++ shim beside this crate.

use std::ffi::{CString, c_char, c_int, c_void};
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Duration;

use protocol::Message;

use super::Model;
use crate::template::Capabilities;
use crate::watchdog::Watchdog;

/// A conversation as the model reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rendered {
    pub(crate) prompt: String,
    /// Strings that end an answer, besides the model's own end tokens.
    pub(crate) stops: Vec<String>,
}

/// Far beyond what the longest conversation takes.
const LIMIT: Duration = Duration::from_secs(5);
const WORK: &str = "the model's chat template";

pub(crate) struct ChatTemplate {
    raw: NonNull<RawTemplates>,
    _model: Option<Arc<Model>>,
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
        // The parser tries it out.
        let _watched = Watchdog::start(WORK, LIMIT);
        // SAFETY: the model is loaded, the text is terminated, and `heard` outlives the call, the only time it is used.
        let raw = unsafe { hob_chat_new(model.raw(), c"".as_ptr(), hear, (&raw mut heard).cast()) };
        NonNull::new(raw).map(|raw| Self { raw, _model: Some(model) }).ok_or(heard.reason)
    }

    #[cfg(test)]
    fn of_text(text: &str) -> Result<Self, String> {
        let mut heard = Heard::default();
        let text = terminated(text);
        // SAFETY: no model is needed for a text that is not empty; it and `heard` outlive the call.
        let raw = unsafe { hob_chat_new(std::ptr::null(), text.as_ptr(), hear, (&raw mut heard).cast()) };
        NonNull::new(raw).map(|raw| Self { raw, _model: None }).ok_or(heard.reason)
    }

    /// What the template can show besides messages.
    pub(crate) fn capabilities(&self) -> Capabilities {
        let mut heard = Heard::default();
        let _watched = Watchdog::start(WORK, LIMIT);
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
        let _watched = Watchdog::start(WORK, LIMIT);
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
        text: *const c_char,
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

#[cfg(test)]
mod tests {
    use protocol::Role;

    use super::*;

    const CHATML: &str = "{%- for message in messages %}\
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}{%- endfor %}\
        {%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}";

    const LLAMA_3: &str = "{% for message in messages %}{{ '<|start_header_id|>' + message['role'] + \
        '<|end_header_id|>\\n\\n' + message['content'] | trim + '<|eot_id|>' }}{% endfor %}\
        {% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}";

    const GEMMA: &str = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}\
        {% endif %}{% for message in messages %}{% if message['role'] == 'assistant' %}{% set role = 'model' %}\
        {% else %}{% set role = message['role'] %}{% endif %}{{ '<start_of_turn>' + role + '\\n' + \
        message['content'] | trim + '<end_of_turn>\\n' }}{% endfor %}\
        {% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}";

    fn prompt(template: &str, messages: &[(Role, &str)]) -> Result<String, String> {
        let said = |(role, content): &(Role, &str)| Message { role: *role, content: (*content).into() };
        let messages: Vec<Message> = messages.iter().map(said).collect();
        Ok(ChatTemplate::of_text(template)?.render(&messages)?.prompt)
    }

    #[test]
    fn the_families_own_templates_give_their_published_formats() {
        let turns = [(Role::User, "Hello"), (Role::Assistant, "Hi!"), (Role::User, "Why?")];

        assert_eq!(
            prompt(CHATML, &turns).unwrap(),
            "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\nHi!<|im_end|>\n\
             <|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n"
        );
        assert_eq!(
            prompt(LLAMA_3, &turns).unwrap(),
            "<|start_header_id|>user<|end_header_id|>\n\nHello<|eot_id|>\
             <|start_header_id|>assistant<|end_header_id|>\n\nHi!<|eot_id|>\
             <|start_header_id|>user<|end_header_id|>\n\nWhy?<|eot_id|>\
             <|start_header_id|>assistant<|end_header_id|>\n\n"
        );
        assert_eq!(
            prompt(GEMMA, &turns).unwrap(),
            "<start_of_turn>user\nHello<end_of_turn>\n<start_of_turn>model\nHi!<end_of_turn>\n\
             <start_of_turn>user\nWhy?<end_of_turn>\n<start_of_turn>model\n"
        );
    }

    #[test]
    fn what_a_template_can_show_is_found_by_trying() {
        let tools = CHATML.replacen("{%- for", "{%- if tools %}{{- tools | tojson }}{%- endif %}{%- for", 1);
        let of = |template: &str| ChatTemplate::of_text(template).unwrap().capabilities();

        assert_eq!(of(CHATML), Capabilities::default());
        assert_eq!(of(&tools), Capabilities { tools: true, thinking: false });
    }
}
