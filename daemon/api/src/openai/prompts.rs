//! What may be read several at a time, in this family: texts, or the numbers of tokens.

use serde::{Deserialize, Deserializer, de::Error};
use serde_json::Value;
use utoipa::ToSchema;

/// A text, texts, the tokens of one, or those of several.
#[derive(Clone, Debug, PartialEq, ToSchema)]
#[serde(untagged)]
pub(crate) enum Prompts {
    Text(String),
    Texts(Vec<String>),
    Tokens(Vec<i32>),
    TokenLists(Vec<Vec<i32>>),
}

impl<'de> Deserialize<'de> for Prompts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = match Value::deserialize(deserializer)? {
            Value::String(text) => Some(Self::Text(text)),
            Value::Array(items) => match items.first() {
                None | Some(Value::String(_)) => {
                    items.into_iter().map(text).collect::<Option<_>>().map(Self::Texts)
                }
                Some(Value::Array(_)) => {
                    items.iter().map(tokens).collect::<Option<_>>().map(Self::TokenLists)
                }
                Some(_) => tokens(&Value::Array(items)).map(Self::Tokens),
            },
            _ => None,
        };
        read.ok_or_else(|| {
            D::Error::custom("it must be a text, a list of texts, a list of tokens or a list of such lists")
        })
    }
}

fn text(item: Value) -> Option<String> {
    match item {
        Value::String(text) => Some(text),
        _ => None,
    }
}

fn tokens(list: &Value) -> Option<Vec<i32>> {
    list.as_array()?.iter().map(|item| i32::try_from(item.as_i64()?).ok()).collect()
}
