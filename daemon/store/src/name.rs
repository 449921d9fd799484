//! What a model is called: `host/namespace/model:tag`, with Ollama's defaults for what is left out.

use std::fmt;
use std::str::FromStr;

const HOST: &str = "registry.ollama.ai";
const NAMESPACE: &str = "library";
const TAG: &str = "latest";

/// A model's full name. Every part is a safe file name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModelName {
    host: String,
    namespace: String,
    model: String,
    tag: String,
}

/// The text names no model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid model name")]
pub struct InvalidName;

impl ModelName {
    /// Where it comes from.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whose it is there.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Its own name.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Which of that name.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// With nothing left out.
    pub fn fully_qualified(&self) -> String {
        format!("{}:{}", self.repository(), self.tag)
    }

    /// With nothing left out but the tag: what holds all of its tags where boxes and bundles name models.
    pub fn repository(&self) -> String {
        format!("{}/{}/{}", self.host, self.namespace, self.model)
    }

    /// Names are compared without regard to case; the first spelling stands.
    pub fn is_same(&self, other: &Self) -> bool {
        self.fully_qualified().eq_ignore_ascii_case(&other.fully_qualified())
    }

    /// From a manifest's place in the store.
    pub(crate) fn from_parts(parts: [&str; 4]) -> Result<Self, InvalidName> {
        let [host, namespace, model, tag] = parts;
        let name =
            Self { host: host.into(), namespace: namespace.into(), model: model.into(), tag: tag.into() };
        let allowed = |text: &str, most: usize, extra: &str| {
            let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            let rest = text.bytes().all(|byte| {
                byte.is_ascii_alphanumeric() || b"_-".contains(&byte) || extra.as_bytes().contains(&byte)
            });
            first && rest && text.len() <= most
        };
        let valid = allowed(host, 350, ".:")
            && allowed(namespace, 80, "")
            && allowed(model, 80, ".")
            && allowed(tag, 80, ".");
        if valid { Ok(name) } else { Err(InvalidName) }
    }
}

impl FromStr for ModelName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let text = text.split_once("://").map_or(text, |(_, rest)| rest);
        // A colon before the last slash belongs to the host's port.
        let (path, tag) = match text.rsplit_once(':') {
            Some((path, tag)) if !tag.contains('/') => (path, tag),
            _ => (text, TAG),
        };
        let mut parts = path.rsplitn(3, '/');
        let model = parts.next().unwrap_or_default();
        let namespace = parts.next().unwrap_or(NAMESPACE);
        let host = parts.next().unwrap_or(HOST);
        Self::from_parts([host, namespace, model, tag])
    }
}

impl fmt::Display for ModelName {
    /// The short form: without the default host and namespace, with the tag.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host != HOST {
            write!(f, "{}/", self.host)?;
        }
        if self.host != HOST || self.namespace != NAMESPACE {
            write!(f, "{}/", self.namespace)?;
        }
        write!(f, "{}:{}", self.model, self.tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_filled_in_and_left_out_again() {
        for (text, full, short) in [
            ("smollm2", "registry.ollama.ai/library/smollm2:latest", "smollm2:latest"),
            ("smollm2:135m", "registry.ollama.ai/library/smollm2:135m", "smollm2:135m"),
            ("me/mine", "registry.ollama.ai/me/mine:latest", "me/mine:latest"),
            ("hf.co/u/repo:Q4_K_M", "hf.co/u/repo:Q4_K_M", "hf.co/u/repo:Q4_K_M"),
            ("https://localhost:5000/a/b", "localhost:5000/a/b:latest", "localhost:5000/a/b:latest"),
        ] {
            let name: ModelName = text.parse().unwrap();
            assert_eq!((name.fully_qualified().as_str(), name.to_string().as_str()), (full, short));
            assert_eq!(short.parse(), Ok(name));
        }
    }

    proptest::proptest! {
        #[test]
        fn a_name_comes_back_as_it_was_written(
            host in "[a-z0-9][a-zA-Z0-9._-]{0,20}(:[0-9]{1,5})?",
            namespace in "[a-zA-Z0-9_][a-zA-Z0-9_-]{0,79}",
            model in "[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,79}",
            tag in "[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,79}",
        ) {
            let name = ModelName::from_parts([&host, &namespace, &model, &tag]).unwrap();
            proptest::prop_assert_eq!(name.fully_qualified().parse(), Ok(name.clone()));
            proptest::prop_assert_eq!(name.to_string().parse(), Ok(name));
        }

        #[test]
        fn any_text_is_a_name_of_four_safe_file_names_or_none(text in "[a-zA-Z0-9._:/!@ -]{0,40}|.{0,40}") {
            if let Ok(name) = text.parse::<ModelName>() {
                for part in [name.host(), name.namespace(), name.model(), name.tag()] {
                    proptest::prop_assert!(!part.is_empty() && !part.starts_with('.') && !part.contains(['/', '\\', '\0']));
                }
                proptest::prop_assert_eq!(name.fully_qualified().parse(), Ok(name));
            }
        }
    }

    #[test]
    fn no_name_leaves_the_store() {
        let long = "a".repeat(81);
        for text in
            ["", ":", "a:", "../x", "a/../b", "a/b/c/d/..", ".x", "a b", "x:../../y", "a//b", "ä", &long]
        {
            assert_eq!(text.parse::<ModelName>(), Err(InvalidName), "{text}");
        }
    }
}
