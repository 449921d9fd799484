//! The model's own chat template, and what its answers look like, through the C++ shim beside this crate.

use std::ffi::{CString, c_char, c_int, c_void};
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Duration;

use protocol::{Message, Tool, ToolCall};
use serde_json::{Value, json};

use super::Model;
use crate::reply::Reply;
use crate::template::Capabilities;
use crate::watchdog::Watchdog;

/// A conversation as the model reads it, and how its answer is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rendered {
    pub(crate) prompt: String,
    /// The end of the prompt, where the answer begins.
    pub(crate) generation_prompt: String,
    /// Strings that end an answer, besides the model's own end tokens.
    pub(crate) stops: Vec<String>,
    /// Special tokens that are part of an answer's form.
    pub(crate) preserved: Vec<String>,
    /// What stands around what the model thinks; nothing for one that does not.
    pub(crate) thinking: Option<Marks>,
    /// What calls of tools begin with.
    pub(crate) triggers: Vec<Trigger>,
    /// For [`ChatParser::new`], and a description of the answer's form as `common_peg_arena` writes it.
    pub(crate) parser: String,
    format: c_int,
}

/// What stands around a part of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Marks {
    pub(crate) start: String,
    /// Any of them.
    pub(crate) ends: Vec<String>,
}

/// What calls of tools begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    Word(String),
    /// A regular expression; if it has a group, they begin there.
    Pattern(String),
}

/// What is to be rendered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conversation<'a> {
    pub(crate) messages: &'a [Message],
    pub(crate) tools: &'a [Tool],
    pub(crate) calls: Calls,
    /// Several calls may stand in one answer.
    pub(crate) parallel: bool,
    pub(crate) think: bool,
    /// How hard, if that was said.
    pub(crate) effort: &'static str,
    /// A JSON Schema that the answer follows, as text.
    pub(crate) schema: &'a str,
}

impl<'a> Conversation<'a> {
    /// Nothing but messages.
    pub(crate) fn of(messages: &'a [Message]) -> Self {
        Self {
            messages,
            tools: &[],
            calls: Calls::Never,
            parallel: false,
            think: false,
            effort: "",
            schema: "",
        }
    }
}

/// Whether tools are called. The numbers are the shim's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Calls {
    Perhaps = 0,
    Required = 1,
    Never = 2,
}

/// Far beyond what the longest conversation takes.
const LIMIT: Duration = Duration::from_secs(5);
const WORK: &str = "the model's chat template";
const READING: &str = "reading an answer";

/// Has llama.cpp log nothing of what it reads here. Once, before any other thread is started.
pub(super) fn quiet() {
    // SAFETY: it sets a number that only other functions of this file read.
    unsafe { hob_chat_quiet() };
}

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
    pub(crate) fn of_text(text: &str) -> Result<Self, String> {
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
        Capabilities { tools: bits & 1 != 0, thinking: bits & 2 != 0, insert: false }
    }

    /// Renders a conversation, ending where the model's answer begins.
    ///
    /// # Errors
    /// What the template said, e.g. that roles must alternate.
    pub(crate) fn render(&self, conversation: Conversation<'_>) -> Result<Rendered, String> {
        let messages = terminated(&Value::from_iter(conversation.messages.iter().map(message)).to_string());
        let tools = terminated(&format!("[{}]", definitions(conversation.tools)));
        let [effort, schema] = [conversation.effort, conversation.schema].map(terminated);
        let mut heard = Heard::default();
        let _watched = Watchdog::start(WORK, LIMIT);
        // SAFETY: all texts are terminated and live for the call, as does `heard`.
        let format = unsafe {
            hob_chat_apply(
                self.raw.as_ptr(),
                messages.as_ptr(),
                tools.as_ptr(),
                conversation.calls as c_int,
                conversation.parallel,
                conversation.think,
                effort.as_ptr(),
                schema.as_ptr(),
                hear,
                (&raw mut heard).cast(),
            )
        };
        if format < 0 { Err(heard.reason) } else { Ok(Rendered { format, ..heard.rendered }) }
    }
}

impl Drop for ChatTemplate {
    fn drop(&mut self) {
        // SAFETY: ours, freed once.
        unsafe { hob_chat_free(self.raw.as_ptr()) };
    }
}

/// Tells content, thinking and calls of one answer apart.
pub(crate) struct ChatParser {
    raw: NonNull<RawParser>,
}

// SAFETY: data of its own, which reading does not change.
unsafe impl Send for ChatParser {}

impl ChatParser {
    /// For the answer to what was rendered.
    ///
    /// # Errors
    /// What llama.cpp said.
    pub(crate) fn new(rendered: &Rendered) -> Result<Self, String> {
        let [parser, begin] = [&rendered.parser, &rendered.generation_prompt].map(|text| terminated(text));
        let mut heard = Heard::default();
        // SAFETY: both texts are terminated, they and `heard` live for the call; the format is the one that came with them.
        let raw = unsafe {
            hob_chat_parser_new(
                parser.as_ptr(),
                begin.as_ptr(),
                rendered.format,
                hear,
                (&raw mut heard).cast(),
            )
        };
        NonNull::new(raw).map(|raw| Self { raw }).ok_or(heard.reason)
    }

    /// All that was said so far, from the answer's beginning; `ended` if nothing follows.
    ///
    /// # Errors
    /// What is wrong with it, for this model's form.
    pub(crate) fn read(&self, text: &str, ended: bool) -> Result<Reply, String> {
        let mut heard = Heard::default();
        let _watched = Watchdog::start(READING, LIMIT);
        // SAFETY: the text is as long as said; it and `heard` outlive the call.
        let done = unsafe {
            hob_chat_parse(
                self.raw.as_ptr(),
                text.as_ptr().cast(),
                text.len(),
                !ended,
                hear,
                (&raw mut heard).cast(),
            )
        };
        if done { Ok(heard.reply) } else { Err(heard.reason) }
    }
}

impl Drop for ChatParser {
    fn drop(&mut self) {
        // SAFETY: ours, freed once.
        unsafe { hob_chat_parser_free(self.raw.as_ptr()) };
    }
}

/// A message in OpenAI's form.
fn message(message: &Message) -> Value {
    let mut shown = json!({"role": message.role.as_str(), "content": message.content});
    if !message.thinking.is_empty() {
        shown["reasoning_content"] = message.thinking.as_str().into();
    }
    if !message.calls.is_empty() {
        shown["tool_calls"] = message.calls.iter().map(call).collect();
    }
    if !message.tool_name.is_empty() {
        shown["name"] = message.tool_name.as_str().into();
    }
    if !message.call_id.is_empty() {
        shown["tool_call_id"] = message.call_id.as_str().into();
    }
    shown
}

fn call(call: &ToolCall) -> Value {
    json!({"type": "function", "id": call.id, "function": {"name": call.name, "arguments": call.arguments}})
}

fn definitions(tools: &[Tool]) -> String {
    tools.iter().map(|tool| tool.definition.as_str()).collect::<Vec<_>>().join(",")
}

/// C strings end at a NUL, which no vocabulary can say anyway.
fn terminated(text: &str) -> CString {
    let bytes: Vec<u8> = text.bytes().filter(|byte| *byte != 0).collect();
    CString::new(bytes).unwrap_or_default()
}

#[derive(Default)]
struct Heard {
    rendered: Rendered,
    reply: Reply,
    reason: String,
}

impl Heard {
    /// The numbers are the shim's.
    fn take(&mut self, kind: c_int, text: String) {
        let (rendered, reply) = (&mut self.rendered, &mut self.reply);
        match kind {
            0 => self.reason = text,
            1 => rendered.prompt = text,
            2 => rendered.generation_prompt = text,
            3 => rendered.stops.push(text),
            5 => rendered.triggers.push(Trigger::Word(text)),
            6 => rendered.triggers.push(Trigger::Pattern(text)),
            7 => rendered.preserved.push(text),
            8 => rendered.thinking.get_or_insert_default().start = text,
            9 => rendered.thinking.get_or_insert_default().ends.push(text),
            10 => rendered.parser = text,
            11 => reply.content = text,
            12 => reply.thinking = text,
            13 => reply.calls.push(ToolCall { name: text, ..ToolCall::default() }),
            14 => reply.calls.last_mut().into_iter().for_each(|call| call.arguments.clone_from(&text)),
            15 => reply.calls.last_mut().into_iter().for_each(|call| call.id.clone_from(&text)),
            _ => {}
        }
    }
}

unsafe extern "C" fn hear(user: *mut c_void, kind: c_int, text: *const c_char, length: usize) {
    // SAFETY: the shim passes our `Heard` back, and a text of this length that lives for the call.
    let (heard, text) =
        unsafe { (&mut *user.cast::<Heard>(), std::slice::from_raw_parts(text.cast::<u8>(), length)) };
    heard.take(kind, String::from_utf8_lossy(text).into_owned());
}

#[repr(C)]
struct RawTemplates {
    _opaque: [u8; 0],
}

#[repr(C)]
struct RawParser {
    _opaque: [u8; 0],
}

type Emit = unsafe extern "C" fn(*mut c_void, c_int, *const c_char, usize);

unsafe extern "C" {
    fn hob_chat_quiet();
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
        messages: *const c_char,
        tools: *const c_char,
        calls: c_int,
        parallel: bool,
        think: bool,
        effort: *const c_char,
        schema: *const c_char,
        emit: Emit,
        user: *mut c_void,
    ) -> c_int;
    fn hob_chat_parser_new(
        parser: *const c_char,
        generation_prompt: *const c_char,
        format: c_int,
        emit: Emit,
        user: *mut c_void,
    ) -> *mut RawParser;
    fn hob_chat_parser_free(parser: *mut RawParser);
    fn hob_chat_parse(
        parser: *const RawParser,
        text: *const c_char,
        length: usize,
        partial: bool,
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
        let said = |(role, content): &(Role, &str)| Message::new(*role, *content);
        let messages: Vec<Message> = messages.iter().map(said).collect();
        Ok(ChatTemplate::of_text(template)?.render(Conversation::of(&messages))?.prompt)
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
        assert_eq!(of(&tools), Capabilities::default(), "no calls are shown");
    }
}
