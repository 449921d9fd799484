//! Go's dialect of JSON, which Ollama's clients grew up with: names in any case, unknown fields ignored, `null` for
//! absent, the decoder's words on a wrong type, `<`, `>` and `&` escaped. Which fields there are is the families'.

use std::io::{self, Write};

use protocol::Role;
use serde::Serialize;
use serde_json::{Map, Value, ser::Formatter};

use crate::{error::Invalid, strays::Strays};

/// Tokens beside a chosen one whose log-probabilities may be asked for, in every family.
pub(crate) const MOST_LOGPROBS: u32 = 20;

/// The first JSON value of a body; what follows it is ignored.
pub(crate) fn parse(bytes: &[u8]) -> Result<Value, Invalid> {
    match serde_json::Deserializer::from_slice(bytes).into_iter().next() {
        Some(Ok(value)) => Ok(value),
        None => Err(Invalid::new("unexpected EOF")),
        Some(Err(error)) if error.is_eof() => Err(Invalid::new("unexpected EOF")),
        Some(Err(error)) => Err(Invalid::new(syntax_message(bytes, &error))),
    }
}

/// One value as Go writes it.
pub(crate) fn encode(value: &impl Serialize) -> Vec<u8> {
    let mut written = Vec::with_capacity(256);
    append(&mut written, value);
    written
}

/// The same behind what is there.
pub(crate) fn append(written: &mut Vec<u8>, value: &impl Serialize) {
    let mut serializer = serde_json::Serializer::with_formatter(written, GoFormatter);
    value.serialize(&mut serializer).expect("our own types have text keys and cannot fail to serialize");
}

/// As plain as it can be, but that nothing in a text can be mistaken for HTML.
struct GoFormatter;

impl Formatter for GoFormatter {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment.as_bytes();
        while let Some(at) = rest.iter().position(|byte| matches!(byte, b'<' | b'>' | b'&')) {
            writer.write_all(&rest[..at])?;
            writer.write_all(match rest[at] {
                b'<' => b"\\u003c",
                b'>' => b"\\u003e",
                _ => b"\\u0026",
            })?;
            rest = &rest[at + 1..];
        }
        writer.write_all(rest)
    }
}

/// The fields of one object, taken out one by one.
#[derive(Debug)]
pub(crate) struct Fields {
    /// The Go type, for error texts.
    name: &'static str,
    map: Map<String, Value>,
    strays: Strays,
}

impl Fields {
    pub(crate) fn of(name: &'static str, value: Value) -> Result<Self, Invalid> {
        let map = match value {
            Value::Object(map) => map.into_iter().map(|(key, value)| (key.to_lowercase(), value)).collect(),
            Value::Null => Map::new(),
            other => {
                let kind = kind(&other);
                return Err(Invalid::new(format!(
                    "json: cannot unmarshal {kind} into Go value of type {name}"
                )));
            }
        };
        Ok(Self { name, map, strays: Strays::default() })
    }

    /// The value as it is; `null` is absent.
    pub(crate) fn take(&mut self, field: &str) -> Option<Value> {
        #[cfg(test)]
        taken::note(self.name, field);
        self.map.shift_remove(field).filter(|value| !value.is_null())
    }

    /// A text; absent and empty are the same, as in Go.
    pub(crate) fn text(&mut self, field: &str) -> Result<Option<String>, Invalid> {
        match self.take(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text).filter(|text| !text.is_empty())),
            Some(other) => Err(self.mismatch(field, &other, "string")),
        }
    }

    pub(crate) fn flag(&mut self, field: &str) -> Result<Option<bool>, Invalid> {
        match self.take(field) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(other) => Err(self.mismatch(field, &other, "bool")),
        }
    }

    pub(crate) fn integer(&mut self, field: &str) -> Result<Option<i64>, Invalid> {
        let Some(value) = self.take(field) else { return Ok(None) };
        value.as_i64().map(Some).ok_or_else(|| self.mismatch(field, &value, "int"))
    }

    pub(crate) fn list(&mut self, field: &str, of: &str) -> Result<Option<Vec<Value>>, Invalid> {
        match self.take(field) {
            None => Ok(None),
            Some(Value::Array(items)) => Ok(Some(items)),
            Some(other) => Err(self.mismatch(field, &other, &format!("[]{of}"))),
        }
    }

    /// A list of token ids.
    pub(crate) fn tokens(&mut self, field: &str) -> Result<Option<Vec<i32>>, Invalid> {
        let Some(items) = self.list(field, "int")? else { return Ok(None) };
        let token = |item: &Value| item.as_i64().and_then(|token| i32::try_from(token).ok());
        items
            .iter()
            .map(|item| token(item).ok_or_else(|| self.mismatch(field, item, "int")))
            .collect::<Result<_, _>>()
            .map(Some)
    }

    /// A list of objects.
    pub(crate) fn objects(&mut self, field: &str, name: &'static str) -> Result<Vec<Self>, Invalid> {
        self.list(field, name)?.unwrap_or_default().into_iter().map(|item| Self::of(name, item)).collect()
    }

    /// A map; its keys keep their case.
    pub(crate) fn map(&mut self, field: &str) -> Result<Map<String, Value>, Invalid> {
        match self.take(field) {
            None => Ok(Map::new()),
            Some(Value::Object(map)) => Ok(map),
            Some(other) => Err(self.mismatch(field, &other, "map[string]interface {}")),
        }
    }

    /// Notes something that nobody asked for.
    pub(crate) fn stray(&mut self, name: &str) {
        self.strays.note(name);
    }

    /// Notes what nobody asked for in a part of this, which is over.
    pub(crate) fn leave(&mut self, part: Self) {
        self.strays.take_in(part.left());
    }

    /// Tells the log of fields that nobody asked for. Go's decoder leaves them out, and clients rely on that.
    pub(crate) fn finish(self) {
        let name = self.name;
        self.left().tell(name);
    }

    fn left(mut self) -> Strays {
        self.map.keys().for_each(|field| self.strays.note(field));
        self.strays
    }

    /// Refuses a field that is not built yet, unless it says nothing.
    pub(crate) fn refuse(&mut self, field: &str) -> Result<(), Invalid> {
        match self.take(field) {
            Some(value) if says_something(&value) => Err(Invalid::unsupported(field)),
            _ => Ok(()),
        }
    }

    pub(crate) fn mismatch(&self, field: &str, found: &Value, expected: &str) -> Invalid {
        let (name, kind) = (self.name, kind(found));
        Invalid::of(
            field,
            format!("json: cannot unmarshal {kind} into Go struct field {name}.{field} of type {expected}"),
        )
    }
}

/// Which fields were asked for, so that a test can see that no more and no fewer are described.
#[cfg(test)]
pub(crate) mod taken {
    use std::{cell::RefCell, collections::BTreeSet};

    thread_local! {
        static TAKEN: RefCell<BTreeSet<(&'static str, String)>> = RefCell::default();
    }

    pub(super) fn note(name: &'static str, field: &str) {
        TAKEN.with_borrow_mut(|taken| taken.insert((name, field.to_owned())));
    }

    /// Of the Go type, by this thread.
    pub(crate) fn of(name: &str) -> BTreeSet<String> {
        TAKEN.with_borrow(|taken| {
            taken.iter().filter(|(of, _)| *of == name).map(|(_, field)| field.clone()).collect()
        })
    }
}

/// The speaker of a message, by any of the names in use.
pub(crate) fn role(name: &str) -> Result<Role, Invalid> {
    Ok(match name.to_lowercase().as_str() {
        "system" | "developer" => Role::System,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" => Role::Tool,
        _ => {
            return Err(Invalid::of(
                "messages",
                format!("invalid role: {name:?} (must be \"system\", \"user\", \"assistant\" or \"tool\")"),
            ));
        }
    })
}

fn says_something(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Bool(true) => true,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn syntax_message(bytes: &[u8], error: &serde_json::Error) -> String {
    let line = bytes.split(|byte| *byte == b'\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
    let at = error.column().saturating_sub(1);
    match line.get(at) {
        Some(byte) => {
            let character = char::from(*byte).escape_default();
            format!("invalid character '{character}' at line {}, column {}", error.line(), error.column())
        }
        None => format!("json: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_match_in_any_case_and_null_is_absent() {
        let mut fields = Fields::of("T", json!({"MoDel": "a", "stream": null})).unwrap();

        assert_eq!(fields.text("model").unwrap().as_deref(), Some("a"));
        assert_eq!(fields.flag("stream").unwrap(), None);
    }

    #[test]
    fn a_wrong_type_is_told_in_gos_words() {
        let mut fields = Fields::of("GenerateRequest", json!({"stream": "yes"})).unwrap();

        assert_eq!(
            fields.flag("stream").unwrap_err().message,
            "json: cannot unmarshal string into Go struct field GenerateRequest.stream of type bool"
        );
    }

    #[test]
    fn text_after_the_first_value_is_ignored_and_a_cut_value_is_not() {
        assert_eq!(parse(b"{\"a\":1} and more").unwrap(), json!({"a": 1}));
        assert_eq!(parse(b"{\"a\":").unwrap_err().message, "unexpected EOF");
        assert_eq!(parse(b"{\"a\":x}").unwrap_err().message, "invalid character 'x' at line 1, column 6");
    }

    #[test]
    fn what_nobody_asked_for_is_told_with_that_of_the_parts() {
        let mut fields = Fields::of("T", json!({"model": "m", "warmth": 1, "parts": [{"hue": 1}]})).unwrap();
        fields.text("model").unwrap();
        for part in fields.objects("parts", "Part").unwrap() {
            fields.leave(part);
        }

        assert_eq!(fields.left().to_string(), "hue, warmth");
    }

    #[test]
    fn what_html_could_mistake_is_escaped() {
        assert_eq!(encode(&"<a&b>"), br#""\u003ca\u0026b\u003e""#);
        assert_eq!(encode(&json!({"<": ["\"&\n", 1]})), br#"{"\u003c":["\"\u0026\n",1]}"#);
    }
}
