//! JSON, with or without comments. What is to be in a file is `merge`'s to know.

use jsonc_parser::ParseOptions;
use jsonc_parser::cst::{CstArray, CstInputValue, CstObject, CstRootNode};
use serde_json::{Map, Value};

use super::{Format, MergeError, is_same, is_tables, misplaced};

pub(super) fn read(text: &str) -> Result<Value, MergeError> {
    Ok(parse(text)?.to_serde_value().unwrap_or_else(|| Value::Object(Map::new())))
}

pub(super) fn write(text: &str, wanted: &Map<String, Value>) -> Result<String, MergeError> {
    if text.trim().is_empty() {
        let text = serde_json::to_string_pretty(wanted).map_err(unreadable)?;
        return Ok(text + "\n");
    }
    let root = parse(text)?;
    fill(&root.object_value_or_create().ok_or_else(|| misplaced(""))?, wanted)?;
    Ok(root.to_string())
}

fn parse(text: &str) -> Result<CstRootNode, MergeError> {
    // Some editors begin a file with a mark that is no text.
    CstRootNode::parse(text.trim_start_matches('\u{feff}'), &ParseOptions::default()).map_err(unreadable)
}

fn unreadable(error: impl std::error::Error + Send + Sync + 'static) -> MergeError {
    MergeError::Unreadable { format: Format::Json, source: Box::new(error) }
}

fn fill(object: &CstObject, wanted: &Map<String, Value>) -> Result<(), MergeError> {
    for (name, value) in wanted {
        let Some(property) = object.get(name) else {
            object.append(name, input(value));
            continue;
        };
        let old = property.to_serde_value().unwrap_or(Value::Null);
        match value {
            Value::Object(inner) if !old.is_null() => {
                fill(&property.object_value().ok_or_else(|| misplaced(name))?, inner)?;
            }
            Value::Array(items) if is_tables(items) && !old.is_null() => {
                fill_list(&property.array_value().ok_or_else(|| misplaced(name))?, items)?;
            }
            value if *value != old => property.set_value(input(value)),
            _ => {}
        }
    }
    Ok(())
}

fn fill_list(list: &CstArray, items: &[Value]) -> Result<(), MergeError> {
    for (value, item) in items.iter().filter_map(|value| Some((value, value.as_object()?))) {
        let same = list.elements().into_iter().find(|old| {
            let old = old.to_serde_value();
            old.is_some_and(|old| is_same(&old, item))
        });
        match same {
            Some(old) => fill(&old.as_object().ok_or_else(|| misplaced("a list"))?, item)?,
            None => drop(list.append(input(value))),
        }
    }
    Ok(())
}

fn input(value: &Value) -> CstInputValue {
    match value {
        Value::Null => CstInputValue::Null,
        Value::Bool(value) => CstInputValue::Bool(*value),
        Value::Number(number) => CstInputValue::Number(number.to_string()),
        Value::String(text) => CstInputValue::String(text.clone()),
        Value::Array(items) => CstInputValue::Array(items.iter().map(input).collect()),
        Value::Object(inner) => {
            CstInputValue::Object(inner.iter().map(|(name, value)| (name.clone(), input(value))).collect())
        }
    }
}
