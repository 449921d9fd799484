//! What a tool is to use: this Hob, one of its models, and what the user should know of that model first.

use serde_json::{Value, json};

use crate::cli::client::{Client, ClientError};

/// Tokens that tools for coding want to have room for.
const WANTED_TOKENS: u32 = 32_768;

/// The share of the context that an answer may take, and the most that is useful.
const ANSWER_SHARE: u32 = 4;
const MOST_ANSWER_TOKENS: u32 = 8192;

/// What stands for a model's name where nobody can tell one.
const PLACEHOLDER: &str = "MODEL";

/// What a tool is pointed at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// Without a slash at the end.
    pub(super) base: String,
    pub(super) model: String,
    /// Of one request.
    pub(super) context_tokens: u32,
}

impl Target {
    /// The base of OpenAI's API.
    pub(super) fn openai(&self) -> String {
        format!("{}/v1", self.base)
    }

    /// How long an answer may be.
    pub(super) fn answer_tokens(&self) -> u32 {
        (self.context_tokens / ANSWER_SHARE).min(MOST_ANSWER_TOKENS)
    }

    /// How long a prompt may be.
    pub(super) fn prompt_tokens(&self) -> u32 {
        self.context_tokens - self.answer_tokens()
    }
}

/// Whether the settings are written, and so must be true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Print,
    Write,
}

/// The model asked for, or the only one there is, and hints for the user. Without a daemon, printed settings have a
/// placeholder.
///
/// # Errors
/// If there is no such model, or no telling which.
pub(super) async fn find(
    asked: Option<&str>,
    client: &Client,
    purpose: Purpose,
) -> anyhow::Result<(Target, Vec<String>)> {
    let base = client.base();
    let of = |model: &str| Target { base, model: model.to_owned(), context_tokens: WANTED_TOKENS };
    let models = match client.get("/api/tags").await {
        Ok(tags) => names(&tags),
        Err(error @ ClientError::Unreachable { .. }) => {
            let hint = format!("{error}; what is said of the model is a guess");
            return match (asked, purpose) {
                (Some(model), _) => Ok((of(model), vec![hint])),
                (None, Purpose::Print) => {
                    let put = format!("put a model's name in the place of {PLACEHOLDER}, or give --model");
                    Ok((of(PLACEHOLDER), vec![hint, put]))
                }
                (None, Purpose::Write) => Err(error.into()),
            };
        }
        Err(error) => return Err(error.into()),
    };
    let mut target = of(&chosen(asked, &models)?);
    let shown = match client.post("/api/show", &json!({"model": target.model})).await {
        Err(error) if error.is_unknown_model() => anyhow::bail!("{error}\nhint: {}", listed(&models)),
        shown => shown?,
    };
    if !can(&shown, "completion") {
        anyhow::bail!("model '{}' does not answer in words\nhint: {}", target.model, listed(&models));
    }
    // What does not fit into memory just now has a context all the same, only nobody knows which.
    if let Some(tokens) = context_tokens(&target.model, client).await? {
        target.context_tokens = tokens;
    }
    let hints = hints(&target, &shown);
    Ok((target, hints))
}

/// Models that answer in words.
fn names(tags: &Value) -> Vec<String> {
    let models = tags["models"].as_array().map_or(&[][..], Vec::as_slice);
    let models = models.iter().filter(|model| model["capabilities"].is_null() || can(model, "completion"));
    models.filter_map(|model| model["name"].as_str()).map(Into::into).collect()
}

fn can(model: &Value, what: &str) -> bool {
    model["capabilities"].as_array().is_some_and(|all| all.iter().any(|one| one == what))
}

fn chosen(asked: Option<&str>, models: &[String]) -> anyhow::Result<String> {
    match (asked, models) {
        (Some(model), _) => Ok(model.to_owned()),
        (None, [only]) => Ok(only.strip_suffix(":latest").unwrap_or(only).to_owned()),
        (None, []) => anyhow::bail!("there is no model yet\nhint: hob pull brings one"),
        (None, _) => {
            anyhow::bail!("there are several models; say which by --model\nhint: {}", listed(models))
        }
    }
}

fn listed(models: &[String]) -> String {
    format!("models here: {}", models.join(", "))
}

async fn context_tokens(model: &str, client: &Client) -> Result<Option<u32>, ClientError> {
    let query = reqwest::Url::parse_with_params("http://hob/", [("model", model)]);
    let query = query.ok().and_then(|url| url.query().map(ToOwned::to_owned)).unwrap_or_default();
    match client.get(&format!("/admin/api/fit?{query}")).await {
        Ok(fit) => Ok(fit["context_tokens"].as_u64().and_then(|tokens| tokens.try_into().ok())),
        Err(ClientError::Refused { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn hints(target: &Target, shown: &Value) -> Vec<String> {
    let Target { model, context_tokens, .. } = target;
    let mut hints = Vec::new();
    if !can(shown, "tools") {
        hints.push(format!(
            "the template of {model} knows no tools; it is told of them in words, which tools for coding may find too little"
        ));
    }
    let info = &shown["model_info"];
    let architecture = info["general.architecture"].as_str().unwrap_or_default();
    let trained = info[format!("{architecture}.context_length")].as_u64().unwrap_or(u64::MAX);
    if *context_tokens < WANTED_TOKENS {
        let short = format!(
            "{model} reads {context_tokens} tokens at once, and tools for coding want {WANTED_TOKENS}"
        );
        hints.push(if trained < u64::from(WANTED_TOKENS) {
            format!("{short}; it was made for {trained}, so another model is needed")
        } else {
            format!("{short}; set models.context to that (HOB_MODELS__CONTEXT={WANTED_TOKENS} hob serve)")
        });
    }
    hints
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(context_tokens: u32) -> Target {
        Target { base: "http://x".into(), model: "m".into(), context_tokens }
    }

    #[test]
    fn the_only_model_needs_no_naming_and_of_several_all_are_named() {
        let models = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(chosen(None, &models(&["m:latest"])).unwrap(), "m");
        assert_eq!(chosen(Some("o"), &models(&["m:latest"])).unwrap(), "o");
        assert!(chosen(None, &[]).unwrap_err().to_string().contains("hob pull"));
        assert!(chosen(None, &models(&["a:1", "b:2"])).unwrap_err().to_string().contains("a:1, b:2"));
    }

    #[test]
    fn an_embedding_model_is_not_offered() {
        let tags = json!({"models": [
            {"name": "e:latest", "capabilities": ["embedding"]}, {"name": "m:latest", "capabilities": ["completion"]},
        ]});
        assert_eq!(names(&tags), ["m:latest"]);
    }

    #[test]
    fn what_a_tool_will_miss_is_said_with_its_remedy() {
        let shown = |trained: u32, capabilities: &[&str]| {
            json!({
                "capabilities": capabilities,
                "model_info": {"general.architecture": "llama", "llama.context_length": trained},
            })
        };
        assert_eq!(hints(&target(32_768), &shown(131_072, &["tools"])), Vec::<String>::new());
        assert!(hints(&target(4096), &shown(131_072, &["tools"]))[0].contains("models.context"));
        assert!(hints(&target(4096), &shown(8192, &["tools"]))[0].contains("another model"));
        assert!(hints(&target(32_768), &shown(131_072, &[]))[0].contains("knows no tools"));
    }

    #[test]
    fn prompt_and_answer_share_the_context() {
        for context_tokens in [4096, 32_768, 262_144] {
            let target = target(context_tokens);
            assert_eq!(target.prompt_tokens() + target.answer_tokens(), context_tokens);
            assert!(target.answer_tokens() <= MOST_ANSWER_TOKENS);
        }
    }
}
