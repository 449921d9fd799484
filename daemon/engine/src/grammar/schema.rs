//! JSON Schemas as they are compiled: with what their authors leave out and mean.

use protocol::Tool;
use serde_json::{Map, Value, json};

/// JSON mode: an object, laid out as the model likes it, but not in blanks without end.
pub(super) fn any_object() -> Value {
    json!({"type": "object", "x-guidance": {"whitespace_flexible": true, "whitespace_pattern": r"[ ]?|\n[ \t]{0,20}"}})
}

/// A schema from its text.
///
/// # Errors
/// What is wrong with it, in words for who asked.
pub(super) fn read(text: &str) -> Result<Value, String> {
    laid_out(serde_json::from_str(text).map_err(|error| error.to_string())?)
}

/// What a call of a tool brings along: always an object.
///
/// # Errors
/// What is wrong with the tool's parameters, in words for who asked.
pub(super) fn of_arguments(tool: &Tool) -> Result<Value, String> {
    let mut schema = parameters(tool)?;
    let members = schema.as_object_mut().ok_or_else(|| named(tool, "a JSON Schema is an object"))?;
    members.entry("type").or_insert_with(|| "object".into());
    members.entry("properties").or_insert_with(|| json!({}));
    laid_out(schema).map_err(|error| named(tool, &error))
}

/// One of the arguments of a tool; `None` if it has none of this name.
///
/// # Errors
/// As [`of_arguments`].
pub(super) fn of_argument(tool: &Tool, name: &str) -> Result<Option<Value>, String> {
    let schema = parameters(tool)?;
    let Some(mut argument) = schema.get("properties").and_then(|all| all.get(name)).cloned() else {
        return Ok(None);
    };
    if let Value::Object(members) = &mut argument {
        for keyword in ["$defs", "definitions"] {
            // It may refer to them.
            members.extend(schema.get(keyword).map(|shared| (keyword.to_owned(), shared.clone())));
        }
    }
    laid_out(argument).map(Some).map_err(|error| named(tool, &error))
}

/// A text would do.
pub(super) fn may_be_text(schema: &Value) -> bool {
    match schema.get("type") {
        Some(Value::String(kind)) => kind == "string",
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "string"),
        _ => schema
            .get("enum")
            .is_none_or(|values| values.as_array().is_none_or(|all| all.iter().any(Value::is_string))),
    }
}

fn parameters(tool: &Tool) -> Result<Value, String> {
    serde_json::from_str(&tool.parameters).map_err(|error| named(tool, &error.to_string()))
}

fn named(tool: &Tool, reason: &str) -> String {
    format!("parameters of the tool {:?}: {reason}", tool.name)
}

fn laid_out(mut schema: Value) -> Result<Value, String> {
    let Value::Object(top) = &mut schema else { return Err("a JSON Schema is an object".into()) };
    // On one line, as most JSON that models have read: there is less to say, and more of it is forced.
    let layout = json!({"whitespace_flexible": false, "item_separator": ", ", "key_separator": ": "});
    top.insert("x-guidance".to_owned(), layout);
    if !mentions(&schema, "allOf") {
        close(&mut schema);
    }
    Ok(schema)
}

fn mentions(schema: &Value, keyword: &str) -> bool {
    match schema {
        Value::Object(members) => {
            members.iter().any(|(name, member)| name == keyword || mentions(member, keyword))
        }
        Value::Array(items) => items.iter().any(|item| mentions(item, keyword)),
        _ => false,
    }
}

/// Objects get the properties that they list, and no others, unless they say otherwise: what is allowed beyond, a model
/// would make up. As Ollama does. Parts of an `allOf` must not be closed, since each would refuse what the others list.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                // These hold values, not schemas.
                if !["enum", "const", "default", "examples"].contains(&name.as_str()) {
                    close(member);
                }
            }
            if is_open(members) {
                members.insert("additionalProperties".to_owned(), false.into());
            }
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

fn is_open(members: &Map<String, Value>) -> bool {
    let Some(Value::Object(properties)) = members.get("properties") else { return false };
    let says = ["additionalProperties", "unevaluatedProperties", "patternProperties"];
    let required = members.get("required").and_then(Value::as_array);
    let mut required = required.into_iter().flatten().filter_map(Value::as_str);
    members.get("type").is_none_or(|kind| kind == "object")
        && !says.iter().any(|keyword| members.contains_key(*keyword))
        && required.all(|name| properties.contains_key(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_closed_where_nothing_speaks_against_it() {
        let closed = |schema: Value| read(&schema.to_string()).unwrap()["additionalProperties"] == false;
        assert!(closed(json!({"type": "object", "properties": {"a": {}}})));
        assert!(!closed(json!({"type": "object"})), "any object is meant");
        assert!(!closed(json!({"properties": {"a": {}}, "additionalProperties": {"type": "string"}})));
        assert!(!closed(json!({"properties": {"a": {}}, "required": ["b"]})), "nothing could be said");
        assert!(!closed(json!({"properties": {"a": {}}, "allOf": [{"properties": {"b": {}}}]})));
        let nested = read(r#"{"properties": {"a": {"properties": {"b": {}}}}}"#).unwrap();
        assert_eq!(nested["properties"]["a"]["additionalProperties"], false);
        let named = json!({"enum": [{"properties": {"a": 1}}]});
        assert_eq!(read(&named.to_string()).unwrap()["enum"], named["enum"]);
    }

    #[test]
    fn what_is_no_schema_is_refused() {
        assert!(read("[]").unwrap_err().contains("object"));
        assert!(read("{").is_err());
        assert!(
            read(&("{\"not\":".repeat(200) + "{}" + &"}".repeat(200))).unwrap_err().contains("recursion")
        );
    }
}
