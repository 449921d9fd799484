//! YAML of one document. What is to be in a file is `merge`'s to know.

use std::str::FromStr as _;

use serde_json::{Map, Value};
use yaml_edit::{Document, Mapping, ScalarType, ScalarValue, Sequence, YamlFile, YamlNode, YamlValue};

use super::{Format, MergeError, called, is_same, is_tables, misplaced};

pub(super) fn read(text: &str) -> Result<Value, MergeError> {
    let file = parse(text)?;
    let Some(document) = only_document(&file)? else { return Ok(Value::Object(Map::new())) };
    Ok(plain(&YamlValue::from_document(&document).map_err(unreadable)?))
}

pub(super) fn write(text: &str, wanted: &Map<String, Value>) -> Result<String, MergeError> {
    let file = parse(text)?;
    let Some(document) = only_document(&file)? else {
        // A file of comments, as some tools come with.
        let document = Document::new_mapping();
        fill(&document.as_mapping().ok_or_else(|| misplaced(""))?, wanted)?;
        let gap = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        return Ok(format!("{text}{gap}{}\n", document.to_string().trim_end()));
    };
    fill(&document.as_mapping().ok_or_else(|| misplaced(""))?, wanted)?;
    Ok(file.to_string())
}

fn parse(text: &str) -> Result<YamlFile, MergeError> {
    YamlFile::from_str(text).map_err(unreadable)
}

fn only_document(file: &YamlFile) -> Result<Option<Document>, MergeError> {
    let mut documents = file.documents();
    let first = documents.next();
    match documents.next() {
        None => Ok(first),
        Some(_) => Err(unreadable(SeveralDocuments)),
    }
}

#[derive(Debug, thiserror::Error)]
#[error("it is several documents in one")]
struct SeveralDocuments;

fn unreadable(error: impl std::error::Error + Send + Sync + 'static) -> MergeError {
    MergeError::Unreadable { format: Format::Yaml, source: Box::new(error) }
}

fn fill(there: &Mapping, wanted: &Map<String, Value>) -> Result<(), MergeError> {
    for (name, value) in wanted {
        let name = name.as_str();
        match value {
            Value::Object(inner) => {
                if there.get_mapping(name).is_none() {
                    there.set(name, Mapping::new_pending_block());
                }
                fill(&there.get_mapping(name).ok_or_else(|| misplaced(name))?, inner)?;
            }
            Value::Array(items) if is_tables(items) => {
                if there.get_sequence(name).is_none() {
                    there.set(name, Sequence::new_pending_block());
                }
                fill_list(&there.get_sequence(name).ok_or_else(|| misplaced(name))?, items)?;
            }
            value => {
                let old = there.get(name).map(|old| meaning(&old));
                if old.as_ref() != Some(value) {
                    there.set(name, input(value));
                }
            }
        }
    }
    Ok(())
}

fn fill_list(list: &Sequence, items: &[Value]) -> Result<(), MergeError> {
    for item in items.iter().filter_map(Value::as_object) {
        let mut place = list.values().position(|old| is_same(&meaning(&old), item));
        if place.is_none() {
            // What it is called comes first, and the rest in its order.
            let (field, name) = called(item).ok_or_else(|| misplaced("a list"))?;
            list.push(YamlValue::Mapping([(field.to_owned(), YamlValue::from(name))].into()));
            place = list.len().checked_sub(1);
        }
        let element = place.and_then(|place| list.get(place));
        fill(
            element.as_ref().and_then(|element| element.as_mapping()).ok_or_else(|| misplaced("a list"))?,
            item,
        )?;
    }
    Ok(())
}

/// What a part of a document means by itself; a reference to another part means nothing.
fn meaning(node: &YamlNode) -> Value {
    match node {
        YamlNode::Scalar(scalar) => scalar_meaning(&ScalarValue::from_scalar(scalar)),
        YamlNode::Sequence(list) => list.values().map(|item| meaning(&item)).collect(),
        YamlNode::Mapping(inner) => {
            let entries = inner.iter().map(|(name, value)| {
                let name = meaning(&name);
                (name.as_str().map_or_else(|| name.to_string(), Into::into), meaning(&value))
            });
            Value::Object(entries.collect())
        }
        YamlNode::Alias(_) | YamlNode::TaggedNode(_) => Value::Null,
    }
}

fn plain(value: &YamlValue) -> Value {
    match value {
        YamlValue::Scalar(scalar) => scalar_meaning(scalar),
        YamlValue::Sequence(items) => items.iter().map(plain).collect(),
        YamlValue::Mapping(inner) => inner.iter().map(|(name, value)| (name.clone(), plain(value))).collect(),
        YamlValue::OrderedMapping(pairs) | YamlValue::Pairs(pairs) => {
            pairs.iter().map(|(name, value)| Value::from(vec![name.as_str().into(), plain(value)])).collect()
        }
        YamlValue::Set(names) => names.iter().map(|name| Value::from(name.as_str())).collect(),
        YamlValue::Tagged(tag, inner) => Value::from(vec![tag.as_str().into(), plain(inner)]),
    }
}

fn scalar_meaning(scalar: &ScalarValue) -> Value {
    let integer = || scalar.to_i64().map(Value::from);
    let float = || scalar.to_f64().map(Value::from);
    match scalar.scalar_type() {
        ScalarType::Null => Value::Null,
        _ => scalar
            .to_bool()
            .map(Value::from)
            .or_else(integer)
            .or_else(float)
            .unwrap_or_else(|| scalar.value().into()),
    }
}

fn input(value: &Value) -> YamlValue {
    match value {
        Value::Null => YamlValue::Scalar(ScalarValue::null()),
        Value::Bool(value) => YamlValue::from(*value),
        Value::Number(number) => number
            .as_i64()
            .map_or_else(|| YamlValue::from(number.as_f64().unwrap_or_default()), YamlValue::from),
        Value::String(text) => YamlValue::from(text.as_str()),
        Value::Array(items) => YamlValue::Sequence(items.iter().map(input).collect()),
        Value::Object(inner) => {
            YamlValue::Mapping(inner.iter().map(|(name, value)| (name.clone(), input(value))).collect())
        }
    }
}
