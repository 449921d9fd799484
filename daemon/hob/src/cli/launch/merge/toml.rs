//! TOML. What is to be in a file is `merge`'s to know. Lists of tables are not changed here, as no tool needs it; `merge`
//! would notice.

use serde_json::{Map, Value};
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, TableLike};

use super::{Format, MergeError, misplaced};

pub(super) fn read(text: &str) -> Result<Value, MergeError> {
    Ok(table(parse(text)?.as_table()))
}

pub(super) fn write(text: &str, wanted: &Map<String, Value>) -> Result<String, MergeError> {
    let mut document = parse(text)?;
    fill(document.as_table_mut(), wanted)?;
    Ok(document.to_string())
}

fn parse(text: &str) -> Result<DocumentMut, MergeError> {
    text.parse().map_err(|error: toml_edit::TomlError| MergeError::Unreadable {
        format: Format::Toml,
        source: Box::new(error),
    })
}

fn fill(there: &mut dyn TableLike, wanted: &Map<String, Value>) -> Result<(), MergeError> {
    for (name, value) in wanted {
        match value {
            Value::Object(inner) => {
                let there = there.entry(name).or_insert_with(|| {
                    let mut table = Table::new();
                    // One that only holds tables needs no line of its own.
                    table.set_implicit(inner.values().all(Value::is_object));
                    Item::Table(table)
                });
                fill(there.as_table_like_mut().ok_or_else(|| misplaced(name))?, inner)?;
            }
            value => {
                let mut new = input(value);
                match there.get_mut(name) {
                    Some(Item::Value(old)) if plain(old) != *value => {
                        *new.decor_mut() = old.decor().clone();
                        *old = new;
                    }
                    Some(Item::Value(_)) => {}
                    Some(_) => return Err(misplaced(name)),
                    None => drop(there.insert(name, Item::Value(new))),
                }
            }
        }
    }
    Ok(())
}

/// A null cannot be said in TOML, and nobody wants one.
fn input(value: &Value) -> toml_edit::Value {
    match value {
        Value::Null => String::new().into(),
        Value::Bool(value) => (*value).into(),
        Value::Number(number) => {
            number.as_i64().map_or_else(|| number.as_f64().unwrap_or_default().into(), Into::into)
        }
        Value::String(text) => text.into(),
        Value::Array(items) => items.iter().map(input).collect::<Array>().into(),
        Value::Object(inner) => {
            inner.iter().map(|(k, v)| (k.clone(), input(v))).collect::<InlineTable>().into()
        }
    }
}

fn table(table: &dyn TableLike) -> Value {
    let entries = table.iter().map(|(name, item)| {
        let value = match item {
            Item::None => Value::Null,
            Item::Value(value) => plain(value),
            Item::Table(inner) => self::table(inner),
            Item::ArrayOfTables(list) => list.iter().map(|inner| self::table(inner)).collect(),
        };
        (name.to_owned(), value)
    });
    Value::Object(entries.collect())
}

fn plain(value: &toml_edit::Value) -> Value {
    match value {
        toml_edit::Value::String(text) => text.value().as_str().into(),
        toml_edit::Value::Integer(number) => (*number.value()).into(),
        toml_edit::Value::Float(number) => (*number.value()).into(),
        toml_edit::Value::Boolean(value) => (*value.value()).into(),
        toml_edit::Value::Datetime(time) => time.value().to_string().into(),
        toml_edit::Value::Array(items) => items.iter().map(plain).collect(),
        toml_edit::Value::InlineTable(inner) => table(inner),
    }
}
