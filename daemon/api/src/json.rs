//! Bodies as OpenAI's and Anthropic's services read them: strictly, into the types that the families have for them, and
//! telling where that stands which is wrong. Ollama's dialect of JSON is `go_json`'s.
#![expect(unused_qualifications, reason = "in what is derived of a generic list")]

use std::fmt;
use std::marker::PhantomData;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, Error as _, IgnoredAny, SeqAccess, Visitor, value::SeqAccessDeserializer},
};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{ObjectBuilder, Schema, SchemaType, Type},
    },
};

use crate::error::Invalid;

/// One value, and nothing behind it.
///
/// # Errors
/// What serde says, behind the path of the field at fault.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Invalid> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        match path.as_str() {
            "." | "?" => Invalid::new(error.into_inner().to_string()),
            _ => Invalid::of(&path, format!("{path}: {}", error.inner())),
        }
    })?;
    reader.end().map_err(|error| Invalid::new(error.to_string()))?;
    Ok(value)
}

/// One value, written.
pub(crate) fn encode(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("our own types have text keys and cannot fail to serialize")
}

/// What cannot be honoured here. It may be left out, or say `null`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Refused;

impl<'de> Deserialize<'de> for Refused {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Option::<IgnoredAny>::deserialize(deserializer)? {
            None => Ok(Self),
            Some(_) => Err(D::Error::custom("this cannot be had from Hob; leave it out")),
        }
    }
}

/// What makes no difference to the answer of a local model; whatever it says is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Harmless;

impl<'de> Deserialize<'de> for Harmless {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

impl PartialSchema for Refused {
    fn schema() -> RefOr<Schema> {
        let about = "Cannot be honoured here: anything but null is refused.";
        ObjectBuilder::new().schema_type(Type::Null).description(Some(about)).into()
    }
}

impl ToSchema for Refused {}

impl PartialSchema for Harmless {
    fn schema() -> RefOr<Schema> {
        let about = "Makes no difference to the answer of a local model: anything is taken.";
        ObjectBuilder::new().schema_type(SchemaType::AnyValue).description(Some(about)).into()
    }
}

impl ToSchema for Harmless {}

/// A text, or a list of something else.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum TextOrList<T> {
    Text(String),
    List(Vec<T>),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for TextOrList<T> {
    /// By hand: an untagged enum would forget which item of the list is wrong, and why.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextOrListVisitor(PhantomData))
    }
}

struct TextOrListVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for TextOrListVisitor<T> {
    type Value = TextOrList<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string or a list")
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(TextOrList::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
        Ok(TextOrList::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(list)).map(TextOrList::List)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        model: String,
        #[serde(default)]
        audio: Refused,
        #[serde(default)]
        user: Harmless,
        stop: Option<TextOrList<u32>>,
    }

    fn body(text: &str) -> Result<Body, Invalid> {
        parse(text.as_bytes())
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let refused = |text: &str| {
            let invalid = body(text).unwrap_err();
            (invalid.field.unwrap_or_default(), invalid.message)
        };
        assert_eq!(refused(r#"{"model": 7}"#).0, "model");
        assert_eq!(refused(r#"{"model": "m", "audio": {}}"#).0, "audio");
        let (field, message) = refused(r#"{"model": "m", "modle": "m"}"#);
        assert!(field == "modle" && message.contains("unknown field `modle`"), "{field}: {message}");
        let (field, message) = refused(r#"{"model": "m", "stop": [1, "a"]}"#);
        assert!(field == "stop[1]" && message.contains("invalid type: string"), "{field}: {message}");
        assert!(refused(r#"{"model": "m", "stop": 3}"#).1.contains("a string or a list"));
        assert!(refused(r#"{"stop": "a"}"#).1.contains("missing field `model`"));
        assert!(refused(r#"{"model": "m"} {}"#).1.contains("trailing"));
    }

    #[test]
    fn what_is_refused_may_be_null_and_what_is_harmless_may_be_anything() {
        assert_eq!(
            body(r#"{"model": "m", "audio": null, "user": {"a": [1]}, "stop": "x"}"#).unwrap(),
            Body {
                model: "m".into(),
                audio: Refused,
                user: Harmless,
                stop: Some(TextOrList::Text("x".into()))
            }
        );
    }
}
