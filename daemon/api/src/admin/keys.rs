//! `/admin/api/keys`: which there are, and making, rotating and revoking them. A key's text is told once, by the answer that made it.

use std::num::{NonZeroU32, NonZeroU64};

use access::{InvalidPattern, Key, KeyId, Limits, ModelPattern, Network, NewKey, Policy, Scope, Secret};
use axum::{
    Json,
    extract::Path,
    response::{IntoResponse, Response},
};
use http::{StatusCode, header::CACHE_CONTROL};
use jiff::Timestamp;
use protocol::{Priority, UnknownPriority};
use serde::{Deserialize, Serialize};
use store::ModelName;

use super::{errors::Refusal, expiry, people::confirmed, time, typed::Typed};
use crate::{
    Api,
    error::{Error, Invalid},
};

#[derive(Serialize)]
struct Keys {
    keys: Vec<Described>,
}

/// A key, without its text.
#[derive(Serialize)]
struct Described {
    id: String,
    name: String,
    /// Its first and last characters.
    shown: String,
    scopes: Vec<&'static str>,
    /// Empty if it may use all.
    models: Vec<String>,
    requests_per_minute: Option<NonZeroU32>,
    concurrent: Option<NonZeroU32>,
    tokens_per_day: Option<NonZeroU64>,
    tokens_per_month: Option<NonZeroU64>,
    max_context: Option<NonZeroU32>,
    max_output: Option<NonZeroU32>,
    priority: &'static str,
    /// Empty if it may come from anywhere.
    networks: Vec<String>,
    created: String,
    expires: Option<String>,
    last_used: Option<String>,
}

/// A key, and its text, which is told nowhere else.
#[derive(Serialize)]
struct Made {
    #[serde(flatten)]
    described: Described,
    key: String,
}

/// `GET /admin/api/keys`.
pub(super) async fn list(api: Api) -> Response {
    Json(Keys { keys: api.access.keys().into_iter().map(Described::from).collect() }).into_response()
}

/// What a key is to be. Only its name and its scopes must be said.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    name: String,
    scopes: Vec<String>,
    #[serde(default)]
    models: Vec<String>,
    requests_per_minute: Option<NonZeroU32>,
    concurrent: Option<NonZeroU32>,
    tokens_per_day: Option<NonZeroU64>,
    tokens_per_month: Option<NonZeroU64>,
    max_context: Option<NonZeroU32>,
    max_output: Option<NonZeroU32>,
    priority: Option<String>,
    #[serde(default)]
    networks: Vec<String>,
    expires: Option<String>,
    confirm: Option<String>,
}

/// `POST /admin/api/keys`.
pub(super) async fn create(api: Api, Typed(mut wanted): Typed<Wanted>) -> Result<Response, Refusal> {
    let password = wanted.confirm.take();
    let new = wanted.checked(time::now(&api.access))?;
    confirmed(&api, password).await?;
    let (key, secret) = api.on_access(move |access, by| access.create_key(by, new)).await?;
    Ok(made(key, &secret))
}

/// `DELETE /admin/api/keys/{id}`: its streams end.
pub(super) async fn revoke(api: Api, Path(id): Path<String>) -> Result<Response, Refusal> {
    let id = parsed(&id)?;
    api.on_access(move |access, by| access.revoke_key(by, id)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// What goes with a request that needs the password of a session's person again.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Confirmation {
    confirm: Option<String>,
}

/// `POST /admin/api/keys/{id}/rotate`: another text for the same key.
pub(super) async fn rotate(
    api: Api,
    Path(id): Path<String>,
    Typed(Confirmation { confirm }): Typed<Confirmation>,
) -> Result<Response, Refusal> {
    let id = parsed(&id)?;
    confirmed(&api, confirm).await?;
    let (key, secret) = api.on_access(move |access, by| access.rotate_key(by, id)).await?;
    Ok(made(key, &secret))
}

fn made(key: Key, secret: &Secret) -> Response {
    let made = Made { described: key.into(), key: secret.reveal().to_owned() };
    (StatusCode::CREATED, [(CACHE_CONTROL, "no-store")], Json(made)).into_response()
}

/// A text that is no id is the id of no key.
fn parsed(id: &str) -> Result<KeyId, Error> {
    id.parse().map_err(|_| Error::UnknownKey { id: id.to_owned() })
}

impl Wanted {
    fn checked(self, now: Timestamp) -> Result<NewKey, Invalid> {
        #[rustfmt::skip]
        let Self {
            name, scopes, models, requests_per_minute, concurrent, tokens_per_day, tokens_per_month, max_context, max_output, priority,
            networks, expires, confirm: _,
        } = self;
        let scopes: Vec<Scope> = all(&scopes, "scopes", |text| text.parse())?;
        if scopes.is_empty() {
            return Err(Invalid::of("scopes", "scopes must name one at least, as [\"infer\"]"));
        }
        Ok(NewKey {
            name,
            policy: Policy {
                scopes: scopes.into_iter().collect(),
                models: all(&models, "models", pattern)?,
                limits: Limits { requests_per_minute, concurrent, tokens_per_day, tokens_per_month },
                most_context: max_context,
                most_output: max_output,
                priority: priority.as_deref().map(urgency).transpose()?.unwrap_or_default(),
                networks: all(&networks, "networks", |text| text.parse::<Network>())?,
                peer: None,
            },
            expires: expires.as_deref().map(|text| expiry::parse(text, now)).transpose()?,
        })
    }
}

pub(super) fn all<T, E: std::fmt::Display>(
    texts: &[String],
    field: &str,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<Vec<T>, Invalid> {
    texts.iter().map(|text| parse(text).map_err(|error| Invalid::of(field, error.to_string()))).collect()
}

/// Names as people write them stand for full ones, also where one is only how several begin.
fn pattern(text: &str) -> Result<ModelPattern, InvalidPattern> {
    let full = match text.strip_suffix('*') {
        None => text.parse().ok().map(|name: ModelName| name.fully_qualified()),
        Some(beginning) => full_beginning(beginning).map(|full| format!("{full}*")),
    };
    full.as_deref().unwrap_or(text).parse()
}

/// What the full names begin with of which the short ones begin like this; `None` if that is what full ones begin with.
fn full_beginning(beginning: &str) -> Option<String> {
    let is_host = |part: &str| part.contains(['.', ':']);
    if beginning.is_empty() || matches!(beginning.split_once('/'), Some((first, _)) if is_host(first)) {
        return None;
    }
    // What one of them would be called in full, up to where they part.
    let one = format!("{beginning}x").parse::<ModelName>().ok()?.fully_qualified();
    let one = if beginning.contains(':') { one.as_str() } else { one.rsplit_once(':')?.0 };
    one.strip_suffix('x').map(str::to_owned)
}

fn urgency(text: &str) -> Result<Priority, Invalid> {
    text.parse().map_err(|error: UnknownPriority| Invalid::of("priority", error.to_string()))
}

impl From<Key> for Described {
    fn from(key: Key) -> Self {
        let Key { id, name, shown, owner: _, policy, created, expires, last_used } = key;
        let Policy { scopes, models, limits, most_context, most_output, priority, networks, peer: _ } =
            &*policy;
        Self {
            id: id.to_string(),
            name,
            shown,
            scopes: scopes.iter().map(Scope::name).collect(),
            models: models.iter().map(ToString::to_string).collect(),
            requests_per_minute: limits.requests_per_minute,
            concurrent: limits.concurrent,
            tokens_per_day: limits.tokens_per_day,
            tokens_per_month: limits.tokens_per_month,
            max_context: *most_context,
            max_output: *most_output,
            priority: priority.name(),
            networks: networks.iter().map(ToString::to_string).collect(),
            created: time::written(created),
            expires: expires.map(time::written),
            last_used: last_used.map(time::written),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_models_are_written_as_everywhere_else() {
        for (written, full) in [
            ("smollm2", "registry.ollama.ai/library/smollm2:latest"),
            ("smollm2:135m", "registry.ollama.ai/library/smollm2:135m"),
            ("smollm2*", "registry.ollama.ai/library/smollm2*"),
            ("smollm2:1*", "registry.ollama.ai/library/smollm2:1*"),
            ("me/*", "registry.ollama.ai/me/*"),
            ("hf.co/*", "hf.co/*"),
            ("hf.co/u/re*", "hf.co/u/re*"),
            ("localhost:5000/a/*", "localhost:5000/a/*"),
            ("*", "*"),
        ] {
            assert_eq!(pattern(written).unwrap().to_string(), full, "{written}");
        }
        assert!(pattern("a b").is_err() && pattern("*a").is_err());
    }
}
