//! Answers of the families, read as they grow.

use protocol::{Done, FinishReason, Message, Role, Tool};
use std::time::Duration;

use super::*;
use crate::ggml::{Calls, ChatTemplate, Conversation};

fn tools() -> Vec<Tool> {
    let tool = |name: &str, properties: &str| {
        let parameters = format!(r#"{{"type": "object", "properties": {properties}}}"#);
        let function = format!(r#"{{"name": "{name}", "description": "", "parameters": {parameters}}}"#);
        let definition = format!(r#"{{"type": "function", "function": {function}}}"#);
        Tool { name: name.into(), parameters, definition }
    };
    vec![tool("weather", r#"{"city": {"type": "string"}}"#), tool("now", "{}")]
}

/// An answer of one of the families, read by its template.
fn telling(template: &str) -> Telling {
    let messages = [Message::new(Role::User, "Rain?")];
    let tools = tools();
    let conversation = Conversation {
        tools: &tools,
        calls: Calls::Perhaps,
        parallel: true,
        think: true,
        ..Conversation::of(&messages)
    };
    let rendered = ChatTemplate::of_text(template).unwrap().render(conversation).unwrap();
    Telling::new(Reader::Chat(ChatParser::new(&rendered).unwrap()), true)
}

fn done() -> Done {
    Done {
        reason: FinishReason::Stop,
        prompt_tokens: 1,
        cached_tokens: 0,
        generated_tokens: 1,
        thinking_tokens: 0,
        stop: None,
        prompt_time: Duration::ZERO,
        generate_time: Duration::ZERO,
        context: Vec::new(),
    }
}

/// All that is told of a text that comes in pieces of so many bytes.
fn told(template: &str, text: &str, pieces: usize) -> Reply {
    let mut telling = telling(template);
    let mut said = Said::default();
    let mut characters = text.chars().peekable();
    while characters.peek().is_some() {
        let piece: String = characters.by_ref().take(pieces).collect();
        let chunk = Chunk { said: piece.into(), tokens: Vec::new(), done: None };
        telling.take(chunk).into_iter().for_each(|chunk| said.append(chunk.said));
    }
    let last = Chunk { said: Said::default(), tokens: Vec::new(), done: Some(done()) };
    telling.take(last).into_iter().for_each(|chunk| said.append(chunk.said));
    let mut calls: Vec<ToolCall> = Vec::new();
    for part in said.calls {
        if let Some(begun) = part.begun {
            calls.push(ToolCall { id: begun.id, name: begun.name, arguments: String::new() });
        }
        calls[part.index as usize].arguments += &part.arguments;
    }
    Reply { content: said.text, thinking: said.thinking, calls }
}

fn calls(reply: &Reply) -> Vec<(&str, serde_json::Value)> {
    let arguments = |call: &ToolCall| serde_json::from_str(&call.arguments).unwrap();
    reply.calls.iter().map(|call| (&call.name[..], arguments(call))).collect()
}

macro_rules! template {
    ($name:literal) => {
        include_str!(concat!("../../tests/chat/", $name, ".jinja"))
    };
}

#[test]
fn the_families_calls_are_told_part_by_part() {
    let oslo = || ("weather", serde_json::json!({"city": "Oslo"}));
    let cases = [
        (
            template!("qwen"),
            "<think>\nRain?\n</think>\n\nI look.\n<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \
             \"Oslo\"}}\n</tool_call>\n<tool_call>\n{\"name\": \"now\", \"arguments\": {}}\n</tool_call>",
            ("Rain?", "I look."),
            vec![oslo(), ("now", serde_json::json!({}))],
        ),
        (
            template!("llama"),
            r#"{"name": "weather", "parameters": {"city": "Oslo"}}"#,
            ("", ""),
            vec![oslo()],
        ),
        (
            template!("mistral"),
            r#"[TOOL_CALLS][{"name": "weather", "arguments": {"city": "Oslo"}, "id": "123456789"}]"#,
            ("", ""),
            vec![oslo()],
        ),
        (template!("qwen"), "No rain, <b>none</b>.", ("", "No rain, <b>none</b>."), Vec::new()),
    ];
    for (template, text, (thinking, content), called) in cases {
        for pieces in [1, 3, 1000] {
            let reply = told(template, text, pieces);
            assert_eq!((reply.thinking.trim(), reply.content.trim()), (thinking, content), "{text}");
            assert_eq!(calls(&reply), called, "{text}");
            assert!(reply.calls.iter().all(|call| !call.id.is_empty()));
        }
    }
}

#[test]
fn tokens_of_thoughts_are_counted() {
    let thought = "<think>\nRain or sun?\n</think>\n\n";
    for (text, expected) in [
        (format!("{thought}No rain."), thought.len()),
        ("No rain.".to_owned(), 0),
        ("<think>\nRain or".to_owned(), 16),
    ] {
        let mut telling = telling(template!("qwen"));
        let mut counted = None;
        let characters = text.chars().map(|character| (character.to_string(), None));
        // The end is a token as well.
        let end = Done { generated_tokens: text.len() as u32, ..done() };
        for (piece, done) in characters.chain([(String::new(), Some(end))]) {
            let chunk = telling.take(Chunk { said: piece.into(), tokens: vec![1], done });
            counted = chunk.and_then(|chunk| chunk.done).map(|done| done.thinking_tokens as usize);
        }
        let counted = counted.unwrap();
        assert!(counted.abs_diff(expected) <= 2, "{counted} and not {expected} of {text:?}");
        // Told by one worker and ended by another.
        let mut telling = self::telling(template!("qwen"));
        text.chars().for_each(|character| telling.skip(&character.to_string(), 1));
        let end = Done { generated_tokens: text.len() as u32, ..done() };
        let last = telling.take(Chunk { said: Said::default(), tokens: vec![1], done: Some(end) }).unwrap();
        assert_eq!(last.done.map(|done| done.thinking_tokens as usize), Some(counted), "{text:?}");
    }
}

#[test]
fn what_looked_like_a_call_and_was_none_is_told_as_text() {
    for text in ["See <tool_call>\nnothing", "{\"name\": \"nobody\"}", "[TOOL_CALLS] and so on"] {
        for template in [template!("qwen"), template!("llama"), template!("mistral")] {
            let reply = told(template, text, 2);
            assert!(reply.calls.is_empty(), "{reply:?}");
            // Of marks and blanks, some may be gone.
            let kept = reply.content.split_whitespace().last().unwrap_or_default();
            assert!(text.contains(kept) && text.ends_with(kept) && !kept.is_empty(), "{text}: {reply:?}");
        }
    }
}

#[test]
fn long_texts_are_read_in_larger_steps_and_lose_nothing() {
    let text = "word ".repeat(2000);
    assert_eq!(told(template!("qwen"), &text, 1).content, text);
}

#[test]
fn what_another_worker_told_is_not_told_again() {
    let text = "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Os";
    let mut telling = telling(template!("qwen"));
    telling.skip(text, 1);
    let rest = Chunk { said: "lo\"}}\n</tool_call>".into(), tokens: vec![1], done: Some(done()) };
    let chunk = telling.take(rest).unwrap();
    let parts: Vec<_> = chunk.said.calls.iter().map(|part| (&part.begun, &part.arguments[..])).collect();
    assert_eq!(parts, [(&None, "lo\"}")]);
}
