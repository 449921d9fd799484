//! What a request's body tells at a glance: which model, how the answer is to come, and how the prompt begins. The body is not
//! checked here, and what is not understood is answered, or refused, where it is: by the family, which reads all of it.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer as _, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::route::{Pieces, Route};

/// What is told.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Glance {
    /// As the client wrote it.
    pub(super) model: String,
    /// Whether the answer comes in pieces.
    pub(super) streams: bool,
    /// Bytes of text that are to be read.
    pub(super) text_bytes: usize,
    /// Stands for how the prompt begins: what two requests have in common that go on with one conversation.
    pub(super) beginning: [u8; 32],
}

impl Glance {
    /// Nothing, if it is not to be passed on.
    pub(super) fn at(body: &[u8], route: &Route) -> Option<Self> {
        let mut reading = Reading::default();
        let mut json = serde_json::Deserializer::from_slice(body);
        json.deserialize_map(Top(&mut reading)).ok()?;
        json.end().ok()?;
        let kept = route.keeps() && (reading.store != Some(false) || reading.stateful);
        // A model is to be brought into memory, or nothing is said at all.
        if kept || reading.stateful || (reading.text_bytes == 0 && !route.tells()) {
            return None;
        }
        let streams = match route.pieces {
            Pieces::UnlessRefused => reading.stream != Some(false),
            Pieces::IfWanted => reading.stream == Some(true),
            Pieces::Never => false,
        };
        let (text_bytes, beginning) = (reading.text_bytes, *reading.hasher.finalize().as_bytes());
        Some(Self { model: reading.model?, streams, text_bytes, beginning })
    }
}

/// Bytes of text that tell how a prompt begins. A prompt that is one text has no more than that of it, so that one that was
/// appended to still begins like it; a conversation has its first message of the user's.
const BEGINNING: usize = 1 << 10;

/// What was read so far.
#[derive(Default)]
struct Reading {
    model: Option<String>,
    stream: Option<bool>,
    store: Option<bool>,
    /// It goes on from something that is kept, or is to be.
    stateful: bool,
    text_bytes: usize,
    hasher: blake3::Hasher,
    hashed: usize,
    /// The beginning is over.
    begun: bool,
}

impl Reading {
    fn text(&mut self, text: &[u8]) {
        self.text_bytes = self.text_bytes.saturating_add(text.len());
        if !self.begun {
            let part = &text[..text.len().min(BEGINNING - self.hashed)];
            self.hasher.update(part);
            self.hashed += part.len();
        }
    }
}

/// The body itself.
struct Top<'a>(&'a mut Reading);

impl<'de> Visitor<'de> for Top<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let reading = self.0;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "model" if reading.model.is_none() => reading.model = Some(map.next_value()?),
                // Readers do not agree on which of two it is, nor on whether case matters.
                other if other.eq_ignore_ascii_case("model") => {
                    return Err(A::Error::custom("it names two models"));
                }
                "stream" => reading.stream = map.next_value()?,
                "store" => reading.store = map.next_value()?,
                "background" => reading.stateful |= map.next_value::<Option<bool>>()?.unwrap_or(false),
                "previous_response_id" | "conversation" => {
                    reading.stateful |= map.next_value::<Option<IgnoredAny>>()?.is_some();
                }
                "messages" | "input" | "prompt" | "system" | "instructions" | "suffix" | "query"
                | "documents" | "content" | "tokens" | "tools" => {
                    map.next_value_seed(Text { reading, tells_role: false }).map(drop)?
                }
                _ => map.next_value::<IgnoredAny>().map(drop)?,
            }
        }
        Ok(())
    }
}

/// Something to be read by the model. It tells whether that is said by the user.
struct Text<'a> {
    reading: &'a mut Reading,
    /// This text is a role.
    tells_role: bool,
}

/// What holds bytes of pictures and sound.
const MEDIA: &[&str] = &["images", "image_url", "source", "input_audio", "file", "file_data", "data"];

impl<'de> DeserializeSeed<'de> for Text<'_> {
    type Value = Said;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Said, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// By whom it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    ByUser,
    ByOthers,
}

impl<'de> Visitor<'de> for Text<'_> {
    type Value = Said;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Said, E> {
        if self.tells_role {
            return Ok(if text == "user" { Said::ByUser } else { Said::ByOthers });
        }
        self.reading.text(text.as_bytes());
        Ok(Said::ByOthers)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Said, A::Error> {
        let reading = self.reading;
        while let Some(said) = list.next_element_seed(Text { reading: &mut *reading, tells_role: false })? {
            reading.begun |= said == Said::ByUser;
        }
        Ok(Said::ByOthers)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Said, A::Error> {
        let reading = self.reading;
        let mut by = Said::ByOthers;
        while let Some(key) = map.next_key::<String>()? {
            if MEDIA.contains(&key.as_str()) {
                map.next_value::<IgnoredAny>()?;
                // There is something to be read, and how much is not known.
                reading.text_bytes += 1;
                continue;
            }
            let tells_role = key == "role";
            let said = map.next_value_seed(Text { reading: &mut *reading, tells_role })?;
            if tells_role {
                by = said;
            }
        }
        Ok(by)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Said, E> {
        // A token.
        self.reading.text(&(number as i32).to_le_bytes());
        Ok(Said::ByOthers)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Said, E> {
        self.visit_i64(number.cast_signed())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Said, E> {
        Ok(Said::ByOthers)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Said, E> {
        Ok(Said::ByOthers)
    }

    fn visit_unit<E: Error>(self) -> Result<Said, E> {
        Ok(Said::ByOthers)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn at(path: &str, body: &str) -> Option<Glance> {
        Glance::at(body.as_bytes(), Route::of(path).unwrap())
    }

    fn chat(messages: &Value) -> Glance {
        at("/api/chat", &json!({"model": "m", "messages": messages}).to_string()).unwrap()
    }

    #[test]
    fn each_family_has_its_own_word_for_pieces() {
        let streams = |path: &str, body: &str| at(path, body).unwrap().streams;
        let said = r#"{"model": "m", "messages": [{"role": "user", "content": "a"}]"#;
        assert!(streams("/api/chat", &format!("{said}}}")));
        assert!(!streams("/api/chat", &format!(r#"{said}, "stream": false}}"#)));
        assert!(!streams("/v1/chat/completions", &format!("{said}}}")));
        assert!(streams("/v1/messages", &format!(r#"{said}, "stream": true}}"#)));
        assert!(!streams("/v1/embeddings", r#"{"model": "m", "input": ["a"], "stream": true}"#));
    }

    #[test]
    fn what_names_no_model_or_two_is_not_passed_on() {
        for body in [
            "",
            "[]",
            r#"{"prompt": "a"}"#,
            r#"{"model": 7, "prompt": "a"}"#,
            r#"{"model": "mine", "model": "yours", "prompt": "a"}"#,
            r#"{"model": "mine", "Model": "yours", "prompt": "a"}"#,
            r#"{"Model": "mine", "prompt": "a"}"#,
            r#"{"model": "mine", "prompt": "a"} {"model": "yours"}"#,
        ] {
            assert_eq!(at("/api/generate", body), None, "{body}");
        }
        assert!(at("/api/generate", r#"{"model": "mine", "prompt": "a"}"#).is_some());
    }

    #[test]
    fn bringing_a_model_into_memory_is_about_this_box() {
        assert_eq!(at("/api/generate", r#"{"model": "m", "keep_alive": 0}"#), None);
        assert_eq!(at("/api/chat", r#"{"model": "m", "messages": []}"#), None);
    }

    #[test]
    fn what_is_kept_stays_where_it_is_kept() {
        let of = |more: &str| at("/v1/responses", &format!(r#"{{"model": "m", "input": "a"{more}}}"#));
        assert_eq!(of(""), None, "it is kept unless the client says otherwise");
        assert!(
            of(r#", "store": false"#).is_some() && of(r#", "store": false, "background": false"#).is_some()
        );
        assert_eq!(of(r#", "store": false, "background": true"#), None);
        assert_eq!(of(r#", "store": false, "previous_response_id": "resp_1""#), None);
        assert!(of(r#", "store": false, "previous_response_id": null"#).is_some());
    }

    #[test]
    fn a_conversation_that_goes_on_begins_as_it_did_and_another_does_not() {
        let said = |role: &str, content: &str| json!({"role": role, "content": content});
        let first = chat(&json!([said("system", "s"), said("user", "a")]));
        let on =
            chat(&json!([said("system", "s"), said("user", "a"), said("assistant", "b"), said("user", "c")]));
        let another = chat(&json!([said("system", "s"), said("user", "b")]));

        assert_eq!(first.beginning, on.beginning);
        assert_ne!(first.beginning, another.beginning);
        assert_eq!((first.text_bytes, on.text_bytes), (2, 4));
        // As OpenAI and Anthropic have it.
        let parts =
            json!([said("system", "s"), {"role": "user", "content": [{"type": "text", "text": "a"}]}]);
        assert_eq!(chat(&parts).beginning, chat(&parts).beginning);
    }

    #[test]
    fn a_prompt_that_is_appended_to_begins_as_it_did_and_pictures_are_no_text() {
        let prompt =
            |text: &str| at("/api/generate", &json!({"model": "m", "prompt": text}).to_string()).unwrap();
        let long = "x".repeat(BEGINNING);
        assert_eq!(prompt(&long).beginning, prompt(&format!("{long} and on")).beginning);
        assert_ne!(prompt("a").beginning, prompt("b").beginning);

        let seen = chat(&json!([{"role": "user", "content": "a", "images": ["B".repeat(1 << 20)]}]));
        assert_eq!(seen.text_bytes, 2);
    }
}
